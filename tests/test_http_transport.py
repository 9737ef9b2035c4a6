"""What can be known of a call that went wrong: not sent, or unknown. Raw sockets play the vendor."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.alarm import Alarm
from relay.errors import LeaseEnded, NotSent, Unknown
from relay.transports.http import HttpTransport
from relay.vendor import Call
from tests.running import free_port

#: A certificate and its key that no authority signed.
UNTRUSTED = Path(__file__).parent / "data" / "untrusted-vendor.pem"

CALL = Call("POST", "/v1/api/accounts/Sim101/orders/cancel", {"instrument": "MES 12-26"})

WHOLE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"success": true}'

#: Seconds of a call that must come to its end by its own deadline.
SHORT = 0.5


def always() -> None:
    """Let every call leave."""


class RawVendor:
    """A server that hands each connection to a function, and counts them and the requests it read whole."""

    def __init__(self, behave: Callable[["RawVendor", socket.socket], None]) -> None:
        self.behave = behave
        self.connections = 0
        self.requests: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.behave(self, connection)
            except OSError:
                return

    def read_request(self, connection: socket.socket) -> bool:
        """Read one whole request; say whether there was one."""
        read = b""
        while b"\r\n\r\n" not in read:
            part = connection.recv(4096)
            if not part:
                return False
            read += part
        head, _, body = read.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        while len(body) < length:
            body += connection.recv(4096)
        self.requests.append(head + b"\r\n\r\n" + body)
        return True

    def close(self) -> None:
        """Stop listening, and leave no thread that does: the number of its socket may be another's next."""
        self.over.set()
        with contextlib.suppress(OSError):  # Linux needs it to wake who listens; macOS knows no such thing
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._thread.join(20)


@pytest.fixture
def vendor() -> Iterator[Callable[[Callable[[RawVendor, socket.socket], None]], RawVendor]]:
    """Give a way to start raw vendors that end with the test."""
    started = []

    def start(behave: Callable[[RawVendor, socket.socket], None]) -> RawVendor:
        raw = RawVendor(behave)
        started.append(raw)
        return raw

    yield start
    for raw in started:
        raw.close()


Starter = Callable[[Callable[[RawVendor, socket.socket], None]], RawVendor]


def transport_to(url: str) -> HttpTransport:
    """Give a transport with a credential."""
    return HttpTransport(url, {"Authorization": "Bearer invented"}, Alarm())


def answers(raw: RawVendor, connection: socket.socket) -> None:
    """Answer every request on the connection."""
    while raw.read_request(connection):
        connection.sendall(WHOLE)


def reads_a_little(_: RawVendor, connection: socket.socket) -> None:
    """Read a few bytes and close."""
    connection.recv(10)


@pytest.mark.promise(2)
def test_an_answer_is_brought_as_it_came(vendor: Starter) -> None:
    """Status, headers and body of an answer arrive unchanged, and the call leaves byte-true."""
    raw = vendor(answers)

    answer = transport_to(raw.url).carry(CALL, session=None, within_s=5, clearance=always)

    assert (answer.status, answer.body) == (200, b'{"success": true}')
    assert answer.headers["content-type"] == "application/json"
    (request,) = raw.requests
    assert request.startswith(b"POST /v1/api/accounts/Sim101/orders/cancel HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"instrument": "MES 12-26"}')


@pytest.mark.promise(4)
def test_a_path_leaves_as_it_was_quoted(vendor: Starter) -> None:
    """Nothing between the vendor file and the socket folds `..` or decodes a quoted character."""
    raw = vendor(answers)

    transport_to(raw.url).carry(
        Call("GET", "/v1/api/accounts/a%2F..%2Fb%3F/orders"), session=None, within_s=5, clearance=always
    )

    assert raw.requests[0].startswith(b"GET /v1/api/accounts/a%2F..%2Fb%3F/orders HTTP/1.1\r\n")


@pytest.mark.promise(1)
def test_a_refused_connection_is_not_sent() -> None:
    """When nobody listens, no byte can have left: it is safe to try again."""
    transport = transport_to(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(NotSent):
        transport.carry(CALL, session=None, within_s=5, clearance=always)


@pytest.mark.promise(1)
def test_a_name_that_nobody_knows_is_not_sent() -> None:
    """When the vendor's name cannot be resolved, no byte can have left."""
    transport = transport_to("http://no-such-host.invalid")

    with pytest.raises(NotSent):
        transport.carry(CALL, session=None, within_s=5, clearance=always)


@pytest.mark.promise(1)
def test_a_connection_cut_in_the_tls_handshake_is_not_sent(vendor: Starter) -> None:
    """Before the handshake is through, the request cannot have left."""
    raw = vendor(reads_a_little)
    transport = transport_to(raw.url.replace("http://", "https://"))

    with pytest.raises(NotSent):
        transport.carry(CALL, session=None, within_s=5, clearance=always)


@pytest.mark.promise(9)
def test_a_vendor_whose_certificate_nobody_signed_gets_no_credential(vendor: Starter) -> None:
    """The certificate is verified before the first byte of the request: the credential stays here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    read: list[bytes] = []

    def serve_tls(_: RawVendor, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            read.append(tls.recv(4096))

    raw = vendor(serve_tls)

    with pytest.raises(NotSent):
        transport_to(raw.url.replace("http://", "https://")).carry(
            CALL, session=None, within_s=5, clearance=always
        )
    assert not b"".join(read)


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    "sent",
    [b"", WHOLE[:20], WHOLE[:60], WHOLE[:-1]],
    ids=["no-answer", "half-a-status-line", "half-the-headers", "half-the-body"],
)
def test_a_cut_after_the_request_is_unknown(vendor: Starter, sent: bytes) -> None:
    """Once the request may have arrived, a cut connection says nothing: it is never taken for not sent."""

    def cut(raw: RawVendor, connection: socket.socket) -> None:
        raw.read_request(connection)
        connection.sendall(sent)

    raw = vendor(cut)

    with pytest.raises(Unknown):
        transport_to(raw.url).carry(CALL, session=None, within_s=5, clearance=always)
    assert len(raw.requests) == 1


@pytest.mark.promise(2)
def test_a_cut_in_the_middle_of_the_request_is_unknown(vendor: Starter) -> None:
    """A vendor that closes while the request is on its way may have read all of it."""
    raw = vendor(reads_a_little)

    with pytest.raises(Unknown):
        transport_to(raw.url).carry(CALL, session=None, within_s=5, clearance=always)


@pytest.mark.promise(2)
def test_a_kept_connection_that_the_vendor_cuts_is_never_sent_on_twice(vendor: Starter) -> None:
    """A request on a kept connection that breaks is unknown: nothing below the relay repeats it."""

    def answer_once_then_cut(raw: RawVendor, connection: socket.socket) -> None:
        raw.read_request(connection)
        connection.sendall(WHOLE)
        raw.read_request(connection)

    raw = vendor(answer_once_then_cut)
    transport = transport_to(raw.url)
    transport.carry(CALL, session=None, within_s=5, clearance=always)

    with pytest.raises(Unknown):
        transport.carry(CALL, session=None, within_s=5, clearance=always)
    assert len(raw.requests) == 2
    assert raw.connections == 1


@pytest.mark.promise(6)
@pytest.mark.parametrize("first", [b"", WHOLE[:40]], ids=["hang", "hang-in-the-headers"])
def test_a_vendor_that_hangs_is_cut_off(vendor: Starter, first: bytes) -> None:
    """A call that gets no answer ends with its own time, as unknown."""

    def hang(raw: RawVendor, connection: socket.socket) -> None:
        raw.read_request(connection)
        connection.sendall(first)
        raw.over.wait(30)

    with pytest.raises(Unknown, match="no answer within"):
        transport_to(vendor(hang).url).carry(CALL, session=None, within_s=SHORT, clearance=always)


@pytest.mark.promise(6)
@pytest.mark.parametrize("first", [b"", WHOLE[:-17]], ids=["headers", "body"])
def test_a_vendor_that_drips_is_cut_off(vendor: Starter, first: bytes) -> None:
    """A byte now and then does not stretch a call's time: each read is in time, the whole is not."""

    def drip(raw: RawVendor, connection: socket.socket) -> None:
        raw.read_request(connection)
        connection.sendall(first)
        for byte in WHOLE[len(first) :]:
            connection.sendall(bytes([byte]))
            if raw.over.wait(SHORT / 3):
                return

    with pytest.raises(Unknown):
        transport_to(vendor(drip).url).carry(CALL, session=None, within_s=SHORT, clearance=always)


@pytest.mark.promise(2)
def test_nothing_leaves_without_clearance(vendor: Starter) -> None:
    """Clearance is asked on the open connection, just before the first byte; without it none leaves."""
    connected = threading.Event()

    def listen(raw: RawVendor, connection: socket.socket) -> None:
        connected.set()
        raw.read_request(connection)

    raw = vendor(listen)

    def refuse() -> None:
        assert connected.wait(10)
        raise LeaseEnded

    with pytest.raises(LeaseEnded):
        transport_to(raw.url).carry(CALL, session=None, within_s=5, clearance=refuse)
    assert not raw.requests


@pytest.mark.promise(9)
def test_a_redirect_is_not_followed(vendor: Starter) -> None:
    """A redirect comes back as an answer: the credential goes nowhere else."""
    elsewhere = vendor(answers)

    def redirect(raw: RawVendor, connection: socket.socket) -> None:
        raw.read_request(connection)
        connection.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        )

    answer = transport_to(vendor(redirect).url).carry(CALL, session=None, within_s=5, clearance=always)

    assert answer.status == 302
    assert elsewhere.connections == 0


@pytest.mark.promise(9)
def test_the_environment_adds_no_proxy_and_no_password(
    vendor: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a proxy of the environment nor a .netrc has a say in what is sent, and where."""
    proxy = vendor(answers)
    (tmp_path / ".netrc").write_text("default login stranger password stranger\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    raw = vendor(answers)

    transport_to(raw.url).carry(CALL, session=None, within_s=5, clearance=always)

    assert proxy.connections == 0
    assert b"Authorization: Bearer invented\r\n" in raw.requests[0]


@pytest.mark.promise(5)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("status", [200, 401, 409, 500])
def test_an_answer_with_whole_headers_and_no_body_is_an_answer(
    vendor: Starter, version: str, status: int
) -> None:
    """A server that says "no content" by hanging up has answered; one that is cut in its headers has not."""

    def bare(raw: RawVendor, connection: socket.socket) -> None:
        raw.read_request(connection)
        connection.sendall(f"HTTP/{version} {status} Said\r\nConnection: close\r\n\r\n".encode())

    answer = transport_to(vendor(bare).url).carry(CALL, session=None, within_s=5, clearance=always)

    assert (answer.status, answer.body) == (status, b"")


@pytest.mark.promise(6)
def test_an_answer_without_end_is_unknown(vendor: Starter) -> None:
    """A vendor that sends without end cannot fill the memory."""

    def flood(raw: RawVendor, connection: socket.socket) -> None:
        raw.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not raw.over.is_set():
            connection.sendall(b" " * 65536)

    with pytest.raises(Unknown):
        transport_to(vendor(flood).url).carry(CALL, session=None, within_s=20, clearance=always)


@pytest.mark.promise(9)
def test_a_shown_call_has_no_credential() -> None:
    """A dry run shows the call with the credential masked."""
    shown = transport_to("https://app.crosstrade.io").shown(CALL)

    assert "invented" not in str(shown)
    assert shown["url"] == "https://app.crosstrade.io/v1/api/accounts/Sim101/orders/cancel"


@pytest.mark.promise(5)
def test_after_a_silence_the_call_goes_over_a_fresh_connection_and_is_answered(
    vendor: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept connection that was silent is not trusted with an order, and its successor brings the answer."""
    monkeypatch.setattr("relay.transports.http.SILENT_S", 0.0)
    raw = vendor(answers)
    transport = transport_to(raw.url)

    for _ in range(2):
        assert transport.carry(CALL, session=None, within_s=5, clearance=always).status == 200

    assert raw.connections == 2


@pytest.mark.promise(6)
def test_a_connection_in_use_is_kept(vendor: Starter) -> None:
    """Calls that follow each other share a connection."""
    raw = vendor(answers)
    transport = transport_to(raw.url)

    for _ in range(3):
        transport.carry(CALL, session=None, within_s=5, clearance=always)

    assert raw.connections == 1
