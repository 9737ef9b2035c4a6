"""How a WebSocket is opened: one for all, in time, to whom it is meant for; what is refused is told."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from relay.errors import NotSent, Refused, Throttled
from relay.transports.websocket import WebSocketTransport
from relay.vendor import Answer, held
from relay.vendors.alphapoint import AlphaPoint, Password
from relay.vendors.crosstrade import CrossTrade
from tests.running import free_port, until
from tests.socket_vendor import (
    LONG,
    SHORT,
    SocketVendor,
    always,
    call,
    end_all,
    gone,
    key_in,
    open_sockets,
    read_handshake,
    transport_to,
)
from tests.test_http_transport import UNTRUSTED, RawVendor

#: Threads that come at once.
MANY = 32


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """End what a test started; no thread that reads is left behind."""
    yield
    end_all()
    gone()


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[RawVendor, socket.socket], None]], RawVendor]]:
    """Give a way to start vendors that can do whatever a socket can."""
    started = []

    def start(behave: Callable[[RawVendor, socket.socket], None]) -> RawVendor:
        started.append(RawVendor(behave))
        return started[-1]

    yield start
    for each in started:
        each.close()


Starter = Callable[[Callable[[RawVendor, socket.socket], None]], RawVendor]


def carried(transport: WebSocketTransport, key: int | str = 1, within_s: float = LONG) -> Answer:
    """Carry a call that may leave."""
    return transport.carry(call(key), session=None, within_s=within_s, clearance=always)


def not_sent(url: str, within_s: float = LONG, *, credential: bool = True) -> NotSent:
    """Carry a call that cannot leave, close, and give what is said."""
    cleared: list[None] = []
    transport = transport_to(url, credential=credential)
    with pytest.raises(NotSent) as raised:
        transport.carry(call(), session=None, within_s=within_s, clearance=lambda: cleared.append(None))
    transport.close()
    assert cleared == []
    return raised.value


def ws(vendor: RawVendor) -> str:
    """Give a raw vendor's address."""
    return vendor.url.replace("http://", "ws://")


# Nobody there


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "url",
    ["ws://127.0.0.1:{port}/", "wss://127.0.0.1:{port}/", "ws://no-such-host.invalid/", "wss://a..b/"],
)
def test_where_nobody_listens_nothing_is_sent(url: str) -> None:
    """No connection, and no address of that name: no byte can have left."""
    assert not_sent(url.format(port=free_port())).words.startswith("no connection")


@pytest.mark.promise(1)
def test_the_addresses_of_a_name_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first address answers nobody the next one is tried, and all of them end with the call."""
    vendor = SocketVendor()
    silent = socket.create_server(("127.0.0.2", vendor.port), backlog=0)
    fillers = [socket.socket() for _ in range(8)]
    for each in fillers:
        # No room is left: whoever connects now is kept waiting.
        each.settimeout(0)
        each.connect_ex(("127.0.0.2", vendor.port))
    real = socket.getaddrinfo

    def several(host: str, *rest: object, **more: object) -> object:
        names = ["127.0.0.2", "127.0.0.1"] if host == "several.invalid" else [host]
        return [found for name in names for found in real(name, *rest, **more)]  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    transport = transport_to(f"ws://several.invalid:{vendor.port}/")

    assert key_in(carried(transport, "through").body) == "through"

    vendor.close()
    for each in (*fillers, silent):
        each.close()


# TLS


@pytest.mark.promise(9)
def test_a_vendor_whose_certificate_nobody_signed_gets_no_credential() -> None:
    """The certificate is verified before the handshake that shows the credential; no socket is left open."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    vendor = SocketVendor(context=context)
    before = open_sockets()

    for _ in range(20):
        not_sent(vendor.url)

    assert vendor.handshakes == []
    until(lambda: open_sockets() <= before, what="the end of every socket")


@pytest.mark.promise(1)
def test_a_connection_cut_in_the_tls_handshake_is_not_sent(raw: Starter) -> None:
    """Before the handshake is through no frame can have left."""

    def cut(_: RawVendor, connection: socket.socket) -> None:
        connection.recv(10)

    not_sent(ws(raw(cut)).replace("ws://", "wss://"))


# A handshake that goes wrong


@pytest.mark.promise(6)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_handshake_that_never_comes_ends_in_time(raw: Starter, *, secure: bool) -> None:
    """A server that takes the connection and says nothing holds the call no longer than its time."""

    def silent(vendor: RawVendor, _: socket.socket) -> None:
        vendor.over.wait(60)

    url = ws(raw(silent))

    said = not_sent(url.replace("ws://", "wss://") if secure else url, SHORT)

    assert said.words == "no connection (TimeoutError)"


@pytest.mark.promise(6)
def test_a_handshake_that_drips_ends_in_time(raw: Starter) -> None:
    """A byte now and then does not stretch the time."""

    def drip(vendor: RawVendor, connection: socket.socket) -> None:
        for byte in read_handshake(connection):
            connection.sendall(bytes([byte]))
            if vendor.over.wait(SHORT / 3):
                return

    assert not_sent(ws(raw(drip)), SHORT).words == "no connection (TimeoutError)"


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s\r\n\r\n"
        % b"Sec-WebSocket-Accept: bm90aGluZyBsaWtlIGl0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000,
    ],
    ids=["end", "another protocol", "no accept", "a wrong accept", "a plain answer", "continue", "long"],
)
def test_what_is_no_websocket_gets_no_call(raw: Starter, answer: bytes) -> None:
    """Whatever a server says that opens no WebSocket: nothing was sent."""

    def say(_: RawVendor, connection: socket.socket) -> None:
        read_handshake(connection)
        connection.sendall(answer)

    assert not_sent(ws(raw(say))).words.startswith("no connection")


def refusing(status: int, **headers: str) -> Callable[[ServerConnection, Request], Response]:
    """Give a server's way to refuse every handshake."""

    def refuse(_: ServerConnection, __: Request) -> Response:
        said = Headers({name.replace("_", "-"): value for name, value in headers.items()})
        return Response(status, "Said", said, b"")

    return refuse


@pytest.mark.promise(9)
@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 426, 500, 503])
def test_a_handshake_that_is_answered_otherwise_is_not_sent(status: int) -> None:
    """No status but a few says anything about us, and a redirect is not followed with a credential."""
    elsewhere = SocketVendor()
    vendor = SocketVendor(on_handshake=refusing(status, Location=elsewhere.url))

    assert not_sent(vendor.url).words == f"no connection (no WebSocket, but HTTP {status})"

    assert (len(vendor.handshakes), elsewhere.handshakes) == (1, [])


@pytest.mark.promise(5)
@pytest.mark.parametrize("status", [401, 403])
def test_a_credential_that_the_handshake_refuses_is_a_refusal(status: int) -> None:
    """Where the handshake shows the credential its refusal is the call's: the vendor file reads it."""
    vendor = SocketVendor(on_handshake=refusing(status))
    transport = transport_to(vendor.url)

    with pytest.raises(Refused):
        held(CrossTrade("UTC").cancel_one("Sim101", "one"), lambda _: carried(transport))

    assert len(vendor.handshakes) == 1


@pytest.mark.promise(1)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_a_handshake_without_credential_is_about_nobody(status: int) -> None:
    """A gateway that lets nobody in has not refused the log-in that was never sent."""
    vendor = SocketVendor(on_handshake=refusing(status))

    not_sent(vendor.url, credential=False)


@pytest.mark.promise(3)
@pytest.mark.parametrize("credential", [True, False])
def test_a_handshake_that_came_too_often_says_when_to_come_back(*, credential: bool) -> None:
    """429 is the vendor's word on our pace, with its own time."""
    vendor = SocketVendor(on_handshake=refusing(429, Retry_After="7"))
    transport = transport_to(vendor.url, credential=credential)
    alphapoint = AlphaPoint(Password("trader", "invented"), 1, reads_all_keys=False, nonce=str)
    asked = CrossTrade("UTC").cancel_one("Sim101", "one") if credential else alphapoint.log_in()

    with pytest.raises(Throttled) as raised:
        held(asked, lambda _: carried(transport))

    assert raised.value.wait_ms == 7_000


@pytest.mark.promise(9)
def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credential goes where the settings say, and nowhere else."""
    proxy, vendor = SocketVendor(), SocketVendor()
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        for each in (name, name.upper()):
            monkeypatch.setenv(each, proxy.url.replace("ws://", "http://"))
    transport = transport_to(vendor.url)

    carried(transport)

    assert (len(vendor.handshakes), proxy.handshakes) == (1, [])


# One for all


def at_once(do: Callable[[int], object]) -> list[object]:
    """Do it in many threads that begin together."""
    together = threading.Barrier(MANY)

    def one(number: int) -> object:
        together.wait(30)
        try:
            return do(number)
        except NotSent as failure:
            return failure

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


@pytest.mark.promise(6)
def test_many_threads_open_one_socket() -> None:
    """Whoever comes while the socket is being opened waits for it, and each gets his own answer."""
    vendor = SocketVendor()
    transport = transport_to(vendor.url)

    found = at_once(lambda number: key_in(carried(transport, number).body))

    assert found == list(range(MANY))
    assert len(vendor.handshakes) == 1
    assert set(vendor.keys().values()) == {1}


@pytest.mark.promise(6)
def test_one_failure_serves_all_who_waited_for_it(raw: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is down is not asked once for each alert; who did not ask himself has not tried."""
    # A thread that comes late waits for nobody, and finds the rest after the failure.
    monkeypatch.setattr("relay.transports.websocket._REST_MOST_S", 600.0)
    monkeypatch.setattr("relay.transports.websocket._REST_S", 600.0)
    all_there = threading.Event()

    def refuse(_: RawVendor, connection: socket.socket) -> None:
        read_handshake(connection)
        all_there.wait(30)

    vendor = raw(refuse)
    transport = transport_to(ws(vendor))
    entered: list[int] = []

    def one(number: int) -> object:
        entered.append(number)
        if len(entered) == MANY:
            all_there.set()
        return carried(transport, number)

    found = at_once(one)

    assert all(isinstance(each, NotSent) for each in found)
    tried = [each.tried for each in found if isinstance(each, NotSent)]
    assert (vendor.connections, tried.count(True)) == (1, 1)


@pytest.mark.promise(1)
def test_after_a_failure_there_is_a_short_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call in the rest is not sent and says when to come back; after it the socket is opened again."""
    monkeypatch.setattr("relay.transports.websocket._REST_S", 600.0)
    monkeypatch.setattr("relay.transports.websocket._REST_MOST_S", 600.0)
    port = free_port()
    transport = transport_to(f"ws://127.0.0.1:{port}/")
    with pytest.raises(NotSent) as first:
        carried(transport)
    vendor = SocketVendor(port=port)

    with pytest.raises(NotSent) as resting:
        carried(transport)
    assert (first.value.tried, resting.value.tried) == (True, False)
    assert resting.value.words == first.value.words
    assert resting.value.wait_ms is not None
    assert 0 < resting.value.wait_ms <= 600_000
    assert vendor.handshakes == []

    monkeypatch.setattr("relay.transports.websocket._REST_S", 0.0)
    assert key_in(carried(transport, "after").body) == "after"


@pytest.mark.promise(6)
def test_closing_while_a_socket_is_being_opened_leaves_none(raw: Starter) -> None:
    """A process that ends in the middle of a handshake leaves no socket and no thread."""
    reading, go_on = threading.Event(), threading.Event()

    def slow(_: RawVendor, connection: socket.socket) -> None:
        accept = read_handshake(connection)
        reading.set()
        go_on.wait(30)
        connection.sendall(accept)
        while connection.recv(4096):
            pass

    transport = transport_to(ws(raw(slow)))

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(carried, transport)
        assert reading.wait(30)
        transport.close()
        go_on.set()
        assert isinstance(waiting.exception(timeout=30), NotSent)
