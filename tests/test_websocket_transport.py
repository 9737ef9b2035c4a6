"""What can be known of a call over a WebSocket: answered, not sent, or unknown; each frame leaves once."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.sync.server import ServerConnection

from relay.errors import LeaseEnded, NotSent, SessionLost, Unknown, VendorError
from relay.transports.websocket import WebSocketTransport
from relay.vendor import Answer, Call, Frame, LoggedIn, Order
from tests.running import until
from tests.socket_vendor import (
    LONG,
    SHORT,
    Behaviour,
    SocketVendor,
    always,
    answers,
    call,
    frame,
    gone,
    key_in,
    key_of,
    name_of,
    only_pings,
    read_handshake,
    readers,
    reply,
    transport_to,
    unmasked,
)
from tests.test_http_transport import RawVendor

CALL = call()


class Desk:
    """Start vendors and transports that end with the test."""

    def __init__(self) -> None:
        self.transports: list[WebSocketTransport] = []
        self.vendors: list[SocketVendor | RawVendor] = []

    def vendor(self, behave: Behaviour = answers) -> SocketVendor:
        """Start a vendor."""
        self.vendors.append(started := SocketVendor(behave))
        return started

    def raw(self, behave: Callable[[RawVendor, socket.socket], None]) -> RawVendor:
        """Start a vendor that can do whatever a socket can."""
        self.vendors.append(started := RawVendor(behave))
        return started

    def to(
        self, vendor: SocketVendor | RawVendor, tell: Callable[[Order], None] = lambda _: None
    ) -> WebSocketTransport:
        """Give a transport to a vendor."""
        url = vendor.url.replace("http://", "ws://")
        self.transports.append(made := transport_to(url, tell=tell))
        return made

    def close(self) -> None:
        """End all of them."""
        for each in (*self.transports, *self.vendors):
            each.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Give a way to start vendors; no thread that reads is left behind."""
    desk = Desk()
    yield desk
    desk.close()
    gone()


@pytest.fixture
def given_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a call up after a part of its time, and leave all the rest to the answer to its ping."""
    monkeypatch.setattr("relay.transports.websocket.PONG_S", LONG)
    monkeypatch.setattr("relay.transports.websocket._PONG_SHARE", 1 - SHORT / LONG)


def carried(
    transport: WebSocketTransport, what: Call = CALL, *, within_s: float = LONG, of: LoggedIn | None = None
) -> Answer:
    """Carry a call that may leave."""
    return transport.carry(what, session=of, within_s=within_s, clearance=always)


def came_of(transport: WebSocketTransport, what: Call = CALL, *, within_s: float = LONG) -> object:
    """Give the answer's key, or the kind of error."""
    try:
        return key_in(carried(transport, what, within_s=within_s).body)
    except VendorError as failure:
        return type(failure)


# Answers


@pytest.mark.promise(2)
def test_an_answer_is_brought_and_the_call_leaves_once(desk: Desk) -> None:
    """The payload comes as it was sent, with the number of its socket; two calls share one socket."""
    vendor = desk.vendor()
    transport = desk.to(vendor)

    first, second = carried(transport, call("a")), carried(transport, call("b"))

    assert (first.status, key_in(first.body), first.connection) == (200, "a", 1)
    assert (key_in(second.body), second.connection) == ("b", 1)
    assert vendor.keys() == {"a": 1, "b": 1}
    (handshake,) = vendor.handshakes
    assert handshake.path == "/ws"
    assert handshake.headers["Authorization"] == "Bearer invented"


@pytest.mark.promise(2)
def test_answers_in_another_order_reach_their_calls(desk: Desk) -> None:
    """Answers are matched by number, not by turn."""

    def backwards(vendor: SocketVendor, sock: ServerConnection) -> None:
        asked = []
        for message in vendor.messages(sock):
            asked.append(message)
            if len(asked) == 5:
                for each in reversed(asked):
                    sock.send(reply(each))

    transport = desk.to(desk.vendor(backwards))

    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda key: came_of(transport, call(key)), range(5)))

    assert found == [0, 1, 2, 3, 4]


@pytest.mark.promise(5)
@pytest.mark.usefixtures("given_up_early")
def test_a_late_answer_is_not_taken_for_anothers(desk: Desk) -> None:
    """The answer to a call that was given up does not answer the next one."""

    def late(vendor: SocketVendor, sock: ServerConnection) -> None:
        held = ""
        for message in vendor.messages(sock):
            if name_of(message) == "Ping":
                sock.send(reply(message))
            elif not held:
                held = message
            else:
                sock.send(reply(held))
                sock.send(reply(message))

    vendor = desk.vendor(late)
    transport = desk.to(vendor)

    assert came_of(transport, call("late")) is Unknown
    assert came_of(transport, call("next")) == "next"
    assert vendor.keys() == {"late": 1, "next": 1}


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "noise",
    [
        pytest.param("", id="empty"),
        pytest.param("no JSON", id="text"),
        pytest.param("[1, 2]", id="list"),
        pytest.param("17", id="number"),
        pytest.param("null", id="null"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"m": 1, "i": 999999, "n": "Test", "o": "{}"}', id="unknown number"),
        pytest.param('{"m": 1, "o": "{}"}', id="no number"),
        pytest.param('{"m": 1, "i": "' + "9" * 5000 + '", "o": "{}"}', id="long number in quotes"),
        pytest.param('{"m": 1, "i": ' + "9" * 5000 + ', "o": "{}"}', id="long number"),
        pytest.param('{"m": 3, "i": 2, "n": "OrderStateEvent", "o": "\\ud800"}', id="half a letter"),
        pytest.param(b"\xff\xfe binary", id="binary"),
    ],
)
def test_a_message_that_nobody_can_read_harms_no_call(desk: Desk, noise: str | bytes) -> None:
    """What is no answer to an open call is passed over: the socket stays, and so do the calls on it."""

    def noisy(vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            sock.send(noise)
            sock.send(reply(message))

    transport = desk.to(desk.vendor(noisy))

    assert [carried(transport).connection for _ in range(2)] == [1, 1]


@pytest.mark.promise(5)
@pytest.mark.parametrize("letters", ["plain", "Größe €"])
def test_a_message_in_pieces_or_as_bytes_is_read_whole(desk: Desk, letters: str) -> None:
    """Fragments are put together, binary messages are read as text, and a letter may be cut in two."""

    def in_pieces(vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            said = {**json.loads(message), "m": 1, "o": json.dumps({"Words": letters}, ensure_ascii=False)}
            whole = json.dumps(said, ensure_ascii=False)
            data = whole.encode()
            if key_of(message) == "text":
                sock.send([whole[at : at + 3] for at in range(0, len(whole), 3)])
            elif key_of(message) == "bytes":
                sock.send([data[at : at + 1] for at in range(len(data))])
            else:
                sock.send(data)

    transport = desk.to(desk.vendor(in_pieces))

    for how in ("text", "bytes", "one"):
        assert json.loads(carried(transport, call(how)).body) == {"Words": letters}


@pytest.mark.promise(6)
@pytest.mark.parametrize("pieces", [1, 400], ids=["one", "fragments"])
def test_a_message_without_end_ends_the_socket(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    """A vendor cannot fill the memory; the next call goes over a new socket."""
    monkeypatch.setattr("relay.transports.connection.MESSAGE_BYTES", 10_000)

    def endless(vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            if key_of(message) == "endless":
                sock.send("x" * 20_000 if pieces == 1 else ["x" * 50] * pieces)
            else:
                sock.send(reply(message))

    transport = desk.to(desk.vendor(endless))

    assert came_of(transport, call("endless")) is Unknown
    assert carried(transport, call("next")).connection == 2


@pytest.mark.promise(6)
def test_a_message_of_empty_pieces_without_end_ends_the_socket(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fragments with nothing in them would fill the memory, too."""
    monkeypatch.setattr("relay.transports.connection.MESSAGE_BYTES", 10_000)

    def empty(raw: RawVendor, connection: socket.socket) -> None:
        connection.sendall(read_handshake(connection))
        unmasked(connection)
        connection.sendall(frame(b"", final=False))
        while not raw.over.is_set():
            connection.sendall(frame(b"", opcode=0, final=False) * 10_000)

    transport = desk.to(desk.raw(empty))

    with pytest.raises(Unknown, match="longer than any list"):
        carried(transport)


@pytest.mark.promise(6)
def test_the_servers_own_pings_are_answered(desk: Desk) -> None:
    """A server that asks whether we live hears so, though no call is under way."""
    ponged = threading.Event()

    def asking(vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            sock.send(reply(message))
            if sock.ping(b"alive?").wait(10):
                ponged.set()

    carried(desk.to(desk.vendor(asking)))

    assert ponged.wait(10)


@pytest.mark.promise(5)
def test_messages_that_come_with_the_handshakes_answer_are_heard(desk: Desk) -> None:
    """A server may speak in the same breath in which it accepts: an event in it is told."""
    event = {"OrderId": 5, "Account": 4, "OrderState": "Canceled"}
    told: list[Order] = []

    def at_once(_: RawVendor, connection: socket.socket) -> None:
        message = {"m": 3, "i": 0, "n": "OrderStateEvent", "o": json.dumps(event)}
        connection.sendall(read_handshake(connection) + frame(json.dumps(message).encode()))
        connection.recv(4096)

    transport = desk.to(desk.raw(at_once), tell=told.append)
    with pytest.raises(NotSent, match="did not answer a ping"):
        transport.ready(session=None, within_s=LONG)

    assert [(order.account, order.order_id) for order in told] == [(4, 5)]


@pytest.mark.promise(6)
def test_a_socket_that_is_kept_open_is_asked_each_time(desk: Desk) -> None:
    """Whoever looks after it asks before its silence makes a call ask first."""
    vendor = desk.vendor()
    transport = desk.to(vendor)

    for _ in range(2):
        transport.ready(session=None, within_s=LONG)
    carried(transport)

    assert vendor.names() == ["Ping", "Ping", "Test"]


# What went wrong


@pytest.mark.promise(1)
@pytest.mark.parametrize("how", ["cut", "close"])
def test_after_a_socket_was_dropped_the_next_call_goes_over_a_new_one(desk: Desk, how: str) -> None:
    """A socket that ends between two calls costs nobody anything."""
    vendor = desk.vendor()
    transport = desk.to(vendor)
    carried(transport, call("a"))
    if how == "cut":
        vendor.cut()
    else:
        vendor.sockets[0].close()
    gone()

    assert carried(transport, call("b")).connection == 2
    assert vendor.keys() == {"a": 1, "b": 1}


@pytest.mark.promise(2)
@pytest.mark.parametrize("how", ["cut", "close"])
def test_a_socket_that_ends_in_mid_call_leaves_the_call_unknown(desk: Desk, how: str) -> None:
    """The frame may have arrived: it is never sent again by anybody below the relay."""

    def end(vendor: SocketVendor, sock: ServerConnection) -> None:
        for _ in vendor.messages(sock):
            if how == "cut":
                vendor.cut()
            return

    vendor = desk.vendor(end)
    transport = desk.to(vendor)

    with pytest.raises(Unknown, match="broke before the answer"):
        carried(transport)
    assert vendor.keys() == {1: 1}
    assert len(vendor.sockets) == 1


@pytest.mark.promise(6)
def test_all_calls_on_a_socket_end_with_it(desk: Desk) -> None:
    """Whoever waits on a socket that ends is told at once, long before its own time is over."""
    calls = 12

    def cut_at_the_last(vendor: SocketVendor, sock: ServerConnection) -> None:
        for _ in vendor.messages(sock):
            if len(vendor.heard) == calls:
                return

    vendor = desk.vendor(cut_at_the_last)
    transport = desk.to(vendor)

    with ThreadPoolExecutor(calls) as pool:
        waiting = [pool.submit(came_of, transport, call(key), within_s=600) for key in range(calls)]
        found = [each.result(timeout=30) for each in waiting]

    assert found == [Unknown] * calls
    assert vendor.keys() == dict.fromkeys(range(calls), 1)


@pytest.mark.promise(5)
def test_an_answer_that_came_before_the_end_is_taken(desk: Desk) -> None:
    """A server that answers and closes in one breath has answered, though no more can be sent to it."""

    def last_words(raw: RawVendor, connection: socket.socket) -> None:
        connection.sendall(read_handshake(connection))
        message = unmasked(connection)
        connection.sendall(frame(reply(message).encode()) + frame(b"\x03\xe8", opcode=8))
        raw.requests.append(message.encode())

    raw = desk.raw(last_words)
    transport = desk.to(raw)
    # The subscription that follows this call finds the socket closed.
    payload = {"Key": "mine", "AccountId": 4, "OMSId": 1}
    of_account = Call("POST", "/Test", frame=Frame("Test", payload))

    assert [came_of(transport, of_account) for _ in range(20)] == ["mine"] * 20


@pytest.mark.promise(6)
@pytest.mark.usefixtures("given_up_early")
def test_a_vendor_that_hangs_is_unknown_and_asked_for_a_sign_of_life_next(desk: Desk) -> None:
    """A call that gets no answer ends with its own time; its socket is asked then, and kept if it answers."""
    vendor = desk.vendor(only_pings)
    transport = desk.to(vendor)

    for _ in range(2):
        with pytest.raises(Unknown, match="no answer within"):
            carried(transport)

    until(lambda: vendor.names() == ["Test", "Ping"] * 2, what="a question after each call")
    assert len(vendor.sockets) == 1


@pytest.mark.promise(3, 6)
def test_a_vendor_whose_work_stands_still_loses_his_socket_though_his_front_answers(desk: Desk) -> None:
    """The protocol's own pong says nothing of frames that wait: they are not left to be acted on later."""

    def stands_still(vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            if key_of(message) == "stuck":
                vendor.over.wait(60)
                return
            sock.send(reply(message))

    vendor = desk.vendor(stands_still)
    transport = desk.to(vendor)
    carried(transport, call("before"))  # the socket is open: the next call has its time to itself

    with pytest.raises(Unknown):
        carried(transport, call("stuck"), within_s=SHORT)

    assert key_in(carried(transport, call("next")).body) == "next"
    assert len(vendor.sockets) == 2
    assert vendor.keys() == {"before": 1, "stuck": 1, "next": 1}


# Silence


@pytest.mark.promise(6)
def test_a_socket_in_use_is_not_asked(desk: Desk) -> None:
    """Calls that follow each other cost no ping."""
    vendor = desk.vendor()
    transport = desk.to(vendor)

    for _ in range(3):
        carried(transport)

    assert vendor.names() == ["Test"] * 3


@pytest.mark.promise(5)
def test_after_a_silence_a_socket_is_asked_before_it_is_trusted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ping that is answered goes before the call, over the same socket."""
    monkeypatch.setattr("relay.transports.websocket.SILENT_S", 0.0)
    monkeypatch.setattr("relay.transports.websocket.PONG_S", LONG)
    vendor = desk.vendor()
    transport = desk.to(vendor)

    connections = [carried(transport).connection for _ in range(3)]

    assert connections == [1, 1, 1]
    assert vendor.names() == ["Test", "Ping", "Test", "Ping", "Test"]


@pytest.mark.promise(2, 5)
def test_a_black_hole_gets_no_call(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that does not answer its ping is left, and the call goes over a new one, and only there."""

    def answers_one(raw: RawVendor, connection: socket.socket) -> None:
        connection.sendall(read_handshake(connection))
        message = unmasked(connection)
        raw.requests.append(message.encode())
        connection.sendall(frame(reply(message).encode()))
        while True:
            raw.requests.append(unmasked(connection).encode())

    monkeypatch.setattr("relay.transports.websocket.SILENT_S", 0.0)
    black_hole = desk.raw(answers_one)
    transport = desk.to(black_hole)
    carried(transport, call("a"))

    at: list[int] = []
    transport.carry(
        call("b"), session=None, within_s=LONG, clearance=lambda: at.append(black_hole.connections)
    )

    # Asked once, when nothing had to be waited for any more.
    assert at == [2]
    # Each connection is read by a thread of its own: the ping may be read after the call that it went before.
    until(lambda: len(black_hole.requests) == 3, what="all that was sent")
    arrived = [each.decode() for each in black_hole.requests]
    assert sorted(name_of(each) for each in arrived) == ["Ping", "Test", "Test"]
    assert [key_of(each) for each in arrived if name_of(each) == "Test"] == ["a", "b"]
    assert black_hole.connections == 2


# Clearance


@pytest.mark.promise(2)
def test_nothing_leaves_without_clearance_and_the_socket_stays(desk: Desk) -> None:
    """A clearance that refuses stops the frame, and costs no other call its socket."""
    vendor = desk.vendor()
    transport = desk.to(vendor)

    def refuse() -> None:
        raise LeaseEnded

    with pytest.raises(LeaseEnded):
        transport.carry(call("no"), session=None, within_s=LONG, clearance=refuse)

    assert carried(transport, call("yes")).connection == 1
    assert vendor.keys() == {"yes": 1}


@pytest.mark.promise(3)
def test_clearance_is_asked_when_the_socket_is_open(desk: Desk) -> None:
    """It is the last thing before the first byte: whatever has to be waited for was waited for."""
    vendor = desk.vendor()
    at: list[tuple[int, list[str]]] = []

    desk.to(vendor).carry(
        CALL,
        session=None,
        within_s=LONG,
        clearance=lambda: at.append((len(vendor.handshakes), vendor.names())),
    )

    assert at == [(1, [])]


# Buffers


@pytest.mark.promise(6)
def test_a_server_that_does_not_read_holds_nobody(desk: Desk) -> None:
    """A message that cannot be sent whole in time is unknown, whoever waits behind it is not sent."""

    def deaf(raw: RawVendor, connection: socket.socket) -> None:
        connection.sendall(read_handshake(connection))
        if raw.connections > 1:
            connection.sendall(frame(reply(unmasked(connection)).encode()))
        raw.over.wait(60)

    raw = desk.raw(deaf)
    transport = desk.to(raw)
    leaving = threading.Event()

    with ThreadPoolExecutor(2) as pool:
        huge = pool.submit(
            transport.carry,
            call("x" * 12_000_000),
            session=None,
            within_s=3,
            clearance=leaving.set,
        )
        assert leaving.wait(20)
        with pytest.raises(NotSent, match="it was busy"):
            carried(transport, call("behind"), within_s=SHORT)
        assert isinstance(huge.exception(timeout=30), Unknown)
    # Half a frame is on that socket: whatever came after it would be read as its other half.
    assert came_of(transport, call("next")) == "next"
    assert raw.connections == 2


@pytest.mark.promise(5)
def test_a_huge_message_arrives_whole(desk: Desk) -> None:
    """A message that is longer than the buffers waits for its room, and is answered."""
    transport = desk.to(desk.vendor())

    assert len(str(came_of(transport, call("x" * 3_000_000)))) == 3_000_000


@pytest.mark.promise(6)
def test_too_many_calls_at_once_are_not_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls that wait are bounded; who finds no room comes back later, and has not tried."""
    monkeypatch.setattr("relay.transports.websocket.AT_ONCE", 1)
    vendor = desk.vendor(only_pings)
    transport = desk.to(vendor)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(came_of, transport, call("first"), within_s=LONG)
        until(vendor.keys, what="the first call")
        with pytest.raises(NotSent) as full:
            carried(transport, call("second"))
        vendor.cut()
        assert first.result() is Unknown

    assert (full.value.tried, full.value.words) == (False, "too many calls wait for their answers")
    assert full.value.wait_ms
    assert vendor.keys() == {"first": 1}


@pytest.mark.promise(6)
def test_a_call_that_is_over_makes_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered or given up, it is forgotten: the room for those that wait does not shrink with time."""
    monkeypatch.setattr("relay.transports.websocket.AT_ONCE", 1)

    def answers_some(vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            if key_of(message) != "silence":
                sock.send(reply(message))

    transport = desk.to(desk.vendor(answers_some))

    found = [came_of(transport, call(key)) for key in ("a", "b")]
    found.append(came_of(transport, call("silence"), within_s=SHORT))
    found.append(came_of(transport, call("c")))

    assert found == ["a", "b", Unknown, "c"]


# Sessions, and what has no frame


@pytest.mark.promise(2)
def test_a_session_of_another_socket_is_lost_and_nothing_is_sent(desk: Desk) -> None:
    """A session ends with its socket: a call of it never leaves over another one."""
    vendor = desk.vendor()
    transport = desk.to(vendor)
    session = LoggedIn({}, 1, carried(transport, call("log-in")).connection)
    carried(transport, call("in it"), of=session)

    with pytest.raises(SessionLost):
        carried(transport, call("of another"), of=LoggedIn({}, 1, 7))
    vendor.cut()
    gone()
    with pytest.raises(SessionLost):
        carried(transport, call("of a socket that is gone"), of=session)
    carried(transport, call("log-in again"))
    with pytest.raises(SessionLost):
        carried(transport, call("of the one before"), of=session)

    assert vendor.keys() == {"log-in": 1, "in it": 1, "log-in again": 1}


@pytest.mark.promise(5)
def test_what_has_no_frame_goes_over_http(desk: Desk) -> None:
    """A call without a frame never opens the socket."""
    vendor = desk.vendor()
    transport = desk.to(vendor)

    assert came_of(transport, Call("GET", "/v1/api/accounts")) is NotSent
    assert vendor.handshakes == []


@pytest.mark.promise(9)
def test_a_shown_frame_has_no_credential(desk: Desk) -> None:
    """Neither the handshake's credential nor a log-in's is shown."""
    transport = desk.to(desk.vendor())
    log_in = {"UserName": "trader", "Password": "invented-too"}

    shown = [
        transport.shown(CALL),
        transport.shown(Call("GET", "/A", headers=log_in, frame=Frame("AuthenticateUser", log_in))),
    ]

    assert "invented" not in str(shown)
    assert shown[0]["frame"] == {"m": 0, "i": 2, "n": "Test", "o": '{"Key": 1}'}


# The end


@pytest.mark.promise(6)
def test_closing_leaves_no_thread_and_carries_no_more(desk: Desk) -> None:
    """At the end of a process nothing is left behind, and whoever calls then has sent nothing."""
    vendor = desk.vendor(only_pings)
    transport = desk.to(vendor)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(came_of, transport, call("under way"), within_s=600)
        until(vendor.keys, what="the call")
        transport.close()
        assert readers() == []
        assert waiting.result(timeout=30) is Unknown

    with pytest.raises(NotSent) as late:
        carried(transport, call("late"))
    assert late.value.tried is False
    assert vendor.keys() == {"under way": 1}
    assert len(vendor.handshakes) == 1


@pytest.mark.promise(6)
def test_a_transport_that_was_never_used_has_no_thread_and_no_socket(desk: Desk) -> None:
    """Nothing is opened before the first call, and closing what was never open is no error."""
    vendor = desk.vendor()
    desk.to(vendor).close()

    assert readers() == []
    assert vendor.handshakes == []
