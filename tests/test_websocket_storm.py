"""A WebSocket under all that goes wrong at once: no frame leaves twice, no call hangs, nothing is left."""

import json
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.sync.server import ServerConnection

from relay.errors import NotSent, Unknown, VendorError
from relay.transports import connection
from relay.transports.websocket import WebSocketTransport
from relay.vendor import Order
from tests.running import until
from tests.socket_vendor import (
    LONG,
    Behaviour,
    SocketVendor,
    always,
    answers,
    call,
    end_all,
    gone,
    key_in,
    key_of,
    name_of,
    open_sockets,
    readers,
    reply,
    transport_to,
)
from tests.test_http_transport import UNTRUSTED

CALLS = 1_000
THREADS = 16


#: Seconds of a call in the storm: where a drop is noticed none needs them.
WITHIN_S = 5.0


class Stage:
    """A vendor and transports to it, which at the end have left no thread and no socket behind."""

    def __init__(self) -> None:
        self.transports: list[WebSocketTransport] = []
        self.vendors: list[SocketVendor] = []
        self.before = 0

    def vendor(self, behave: Behaviour, context: ssl.SSLContext | None = None) -> SocketVendor:
        """Start the vendor."""
        self.vendors.append(started := SocketVendor(behave, context=context))
        # What a server of the library keeps open is not ours to judge.
        self.before = open_sockets()
        return started

    def to(self, vendor: SocketVendor, tell: Callable[[Order], None] = lambda _: None) -> WebSocketTransport:
        """Give a transport."""
        self.transports.append(made := transport_to(vendor.url, tell=tell))
        return made

    def close(self) -> None:
        """End it, and see that nothing is left."""
        for transport in self.transports:
            transport.close()
        try:
            gone()
            until(lambda: open_sockets() <= self.before, what="the end of every socket")
        finally:
            end_all()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage."""
    stage = Stage()
    yield stage
    stage.close()


def came_of(transport: WebSocketTransport, key: int, within_s: float = WITHIN_S) -> object:
    """Give the answer's key, or the kind of error."""
    try:
        answer = transport.carry(call(key), session=None, within_s=within_s, clearance=always)
    except VendorError as failure:
        return type(failure)
    return key_in(answer.body)


def moody(vendor: SocketVendor, sock: ServerConnection) -> None:
    """Answer late, in another order, twice or never; cut or close in the midst of it."""
    dice = random.Random(len(vendor.sockets))  # noqa: S311 - dice, no secrets
    held: list[str] = []
    for message in vendor.messages(sock):
        if name_of(message) == "Ping":
            sock.send(reply(message))
            continue
        held.append(message)
        fate = dice.random()
        if fate < 0.02:
            with_no_word = socket.socket.shutdown
            with_no_word(sock.socket, socket.SHUT_RDWR)
            return
        if fate < 0.03:
            sock.send(reply(held.pop()))
            return
        if fate < 0.2:
            continue
        dice.shuffle(held)
        while held:
            answer = reply(held.pop())
            for _ in range(1 + (fate > 0.95)):
                sock.send(answer)


@pytest.mark.promise(2, 6)
@pytest.mark.parametrize("pongs", ["in time", "late"])
def test_a_thousand_calls_while_sockets_drop(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, pongs: str
) -> None:
    """An answer is the call's own; what is not sent never arrived; what is unknown arrived once at most."""
    monkeypatch.setattr("relay.transports.websocket._REST_S", 0.0)
    if pongs == "late":
        # Sockets are given up by one thread while others write to them.
        monkeypatch.setattr("relay.transports.websocket.SILENT_S", 0.0)
        monkeypatch.setattr("relay.transports.websocket.PONG_S", 0.002)
    vendor = stage.vendor(moody)
    transport = stage.to(vendor)

    with ThreadPoolExecutor(THREADS) as pool:
        waiting = [pool.submit(came_of, transport, key) for key in range(CALLS)]
        found = [each.result(timeout=600) for each in waiting]

    arrived = vendor.keys()
    assert set(arrived.values()) <= {1}
    for key, result in enumerate(found):
        assert result in {key, NotSent, Unknown}
        assert arrived[key] <= (result is not NotSent)
        assert arrived[key] or result != key
    assert len(vendor.sockets) > 5
    assert found.count(Unknown) < CALLS / 2
    # Whoever waited on a socket that ended is told before its thread is over.
    until(lambda: len(readers()) <= 1, what="the end of the threads that read what was given up")


@pytest.mark.promise(2)
def test_calls_and_events_side_by_side_over_tls(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and writing at once over one encrypted socket loses and mixes up nothing."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(UNTRUSTED)
    trusting = ssl.create_default_context(cafile=UNTRUSTED)
    monkeypatch.setattr(connection, "_trusting", lambda: trusting)
    events = 400

    def talkative(vendor: SocketVendor, sock: ServerConnection) -> None:
        def talk() -> None:
            for number in range(1, events + 1):
                event = {"OrderId": number, "Account": 4, "OrderState": "Canceled", "Words": "x" * 20_000}
                sock.send(json.dumps({"m": 3, "i": 0, "n": "OrderStateEvent", "o": json.dumps(event)}))

        talking = threading.Thread(target=talk)
        talking.start()
        for message in vendor.messages(sock):
            sock.send(reply(message, Padding="y" * 10_000))
        talking.join()

    told: list[Order] = []
    vendor = stage.vendor(talkative, context=server)
    transport = stage.to(vendor, told.append)

    def long_call(number: int) -> object:
        key = f"{number} " + "z" * (number * 37 % 60_000)
        answer = transport.carry(call(key), session=None, within_s=60, clearance=always)
        return key_in(answer.body) == key

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(long_call, range(1_000)))

    until(lambda: len(told) == events, what="every event")
    assert [order.order_id for order in told] == list(range(1, events + 1))
    assert len(vendor.handshakes) == 1


@pytest.mark.promise(6)
def test_a_thread_that_reads_and_dies_is_noticed(stage: Stage) -> None:
    """What is unforeseen in it ends the socket and all calls on it; the next call goes over another one."""

    def tells(vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            if key_of(message) == 1:
                event = {"OrderId": 5, "Account": 4, "OrderState": "Canceled"}
                sock.send(json.dumps({"m": 3, "i": 0, "n": "OrderStateEvent", "o": json.dumps(event)}))
            else:
                sock.send(reply(message))

    def fail(_: Order) -> None:
        raise ZeroDivisionError

    vendor = stage.vendor(tells)
    transport = stage.to(vendor, fail)

    assert came_of(transport, 1, within_s=600) is Unknown
    assert came_of(transport, 2) == 2
    assert len(vendor.sockets) == 2


@pytest.mark.promise(1)
def test_where_no_thread_can_be_started_nothing_is_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process at its limits says so, and keeps no socket that nobody reads."""
    vendor = stage.vendor(answers)
    transport = stage.to(vendor)
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("websocket"):
            message = "can't start new thread"
            raise RuntimeError(message)
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert came_of(transport, 1) is NotSent
    until(lambda: came_of(transport, 2, LONG) == 2, what="an answer")

    assert vendor.keys() == {2: 1}
