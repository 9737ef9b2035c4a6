"""Sockets that are open before an alert needs them: opened, opened again, and closed with the process."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from relay import keep_open
from relay.compose import Relay, compose
from relay.embedded_redis import EmbeddedRedis
from relay.settings import Settings
from tests.running import SECRET, TOKEN, RunningRelay, free_port, until, worker
from tests.socket_vendor import (
    Behaviour,
    SocketVendor,
    answers,
    end_all,
    frame,
    gone,
    name_of,
    over_socket,
    read_handshake,
    reply,
    unmasked,
)
from tests.test_http_transport import RawVendor

#: What the threads that look after sockets are called.
NAME = "keep-open"

PASSWORD = "invented-alphapoint-password"


def exchange(vendor: SocketVendor, sock: ServerConnection) -> None:
    """Let in whoever logs in, and answer every ping."""
    for message in vendor.messages(sock):
        sock.send(reply(message, Authenticated=True))


def refuses(vendor: SocketVendor, sock: ServerConnection) -> None:
    """Let nobody in."""
    for message in vendor.messages(sock):
        sock.send(reply(message, Authenticated=False, errormsg="Invalid username or password"))


def of_alphapoint(url: str, **changes: str) -> dict[str, str]:
    """Give the settings of an exchange whose socket is always open."""
    return {**over_socket(url), "ALPHAPOINT_PASSWORD": PASSWORD, "ALPHAPOINT_WS_OPEN": "always", **changes}


def of_crosstrade(url: str, **changes: str) -> dict[str, str]:
    """Give the settings of a CrossTrade whose socket is always open."""
    return {
        "CROSSTRADE_TOKEN": TOKEN,
        "CROSSTRADE_URL": f"http://127.0.0.1:{free_port()}",
        "CROSSTRADE_TRANSPORT": "websocket",
        "CROSSTRADE_WS_URL": url,
        "CROSSTRADE_WS_OPEN": "always",
        **changes,
    }


def lookers() -> list[str]:
    """Give the names of the threads that look after sockets."""
    return [each.name for each in threading.enumerate() if each.name.startswith(NAME)]


class Resting(threading.Event):
    """A stop that counts how often it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.rests = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Count, and wait."""
        self.rests += 1
        return super().wait(timeout)


class Desk:
    """Start vendors and relays that end with the test."""

    def __init__(self, redis_url: str) -> None:
        self.redis_url = redis_url
        self.relays: list[Relay] = []
        self.vendors: list[SocketVendor | RawVendor] = []

    def vendor(self, behave: Behaviour, *, port: int = 0) -> SocketVendor:
        """Start a vendor."""
        self.vendors.append(started := SocketVendor(behave, port=port))
        return started

    def raw(self, behave: Callable[[RawVendor, socket.socket], None]) -> RawVendor:
        """Start a vendor that can do whatever a socket can."""
        self.vendors.append(started := RawVendor(behave))
        return started

    def relay(self, environ: dict[str, str], *, start: bool = True) -> Relay:
        """Put a relay together and have its sockets looked after."""
        settings = Settings.read({"REDIS_URL": self.redis_url, "RELAY_SECRET": SECRET, **environ})
        self.relays.append(made := compose(settings))
        if start:
            made.keep_open.start()
        return made

    def close(self) -> None:
        """End all of them."""
        for relay in self.relays:
            relay.stop()
        for vendor in self.vendors:
            vendor.close()


@pytest.fixture(autouse=True)
def all_ends() -> Iterator[None]:
    """End what a test started."""
    yield
    end_all()


@pytest.fixture
def desk(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a way to start vendors and relays; no thread is left behind."""
    monkeypatch.setattr(keep_open, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(keep_open, "_AGAIN_S", 0.02)
    monkeypatch.setattr(keep_open, "_AGAIN_MOST_S", 0.02)
    desk = Desk(redis_url)
    yield desk
    desk.close()
    assert lookers() == []
    gone()


def said(capsys: pytest.CaptureFixture[str], lines: list[dict[str, object]], event: str) -> list[str]:
    """Give the words of the log's lines of one kind so far."""
    text = capsys.readouterr().out
    lines += [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [str(line["words"]) for line in lines if line["event"] == event]


# Open


@pytest.mark.promise(6)
def test_a_socket_is_open_and_its_session_too_before_an_alert_comes(desk: Desk) -> None:
    """Whoever chose it waits for no handshake and no log-in: both are done at the start, once."""
    vendor = desk.vendor(exchange)
    relay = desk.relay(of_alphapoint(vendor.url))

    until(lambda: relay.lines["alphapoint"].session.is_open, what="the log-in")

    assert [name for name in vendor.names() if name != "Ping"] == ["AuthenticateUser"]
    assert len(vendor.handshakes) == 1


@pytest.mark.promise(8)
def test_the_handshake_shows_a_token_where_that_is_the_vendors_way(desk: Desk) -> None:
    """CrossTrade's bearer token goes with the handshake, and nothing else is sent."""
    vendor = desk.vendor(answers)
    desk.relay(of_crosstrade(vendor.url))

    (handshake,) = until(lambda: vendor.handshakes, what="the handshake")

    assert handshake.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.promise(10)
@pytest.mark.parametrize("way", [{"ALPHAPOINT_WS_OPEN": "on-use"}, {}], ids=["chosen", "by itself"])
def test_what_is_opened_on_use_is_not_opened_before(desk: Desk, way: dict[str, str]) -> None:
    """Without the choice there is neither a thread nor a socket until the first call."""
    vendor = desk.vendor(exchange)
    settings = of_alphapoint(vendor.url)
    del settings["ALPHAPOINT_WS_OPEN"]
    desk.relay({**settings, **way})

    assert lookers() == []
    assert vendor.handshakes == []


# Again


@pytest.mark.promise(6)
def test_a_socket_that_was_dropped_is_opened_again_with_its_session(desk: Desk) -> None:
    """The next look finds it gone and logs in anew: the alert after that waits for neither."""
    vendor = desk.vendor(exchange)
    relay = desk.relay(of_alphapoint(vendor.url))
    session = relay.lines["alphapoint"].session
    until(lambda: session.is_open, what="the log-in")

    vendor.cut()

    until(lambda: vendor.names().count("AuthenticateUser") == 2, what="a new log-in")
    assert len(vendor.handshakes) == 2


@pytest.mark.promise(6)
def test_a_socket_that_answers_nothing_any_more_is_left_for_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a silence it is asked for a sign of life; where none comes there is a new one before an alert."""
    monkeypatch.setattr("relay.transports.websocket.SILENT_S", 0.0)
    monkeypatch.setattr("relay.transports.websocket.PONG_S", 1.0)

    def falls_silent(raw: RawVendor, connection: socket.socket) -> None:
        first = raw.connections == 1
        connection.sendall(read_handshake(connection))
        while True:
            message = unmasked(connection)
            raw.requests.append(name_of(message).encode())
            # From then on nothing is answered, neither a Ping nor the protocol's own.
            if not first or len(raw.requests) == 1:
                connection.sendall(frame(reply(message, Authenticated=True).encode()))

    raw = desk.raw(falls_silent)
    desk.relay(of_alphapoint(raw.url.replace("http", "ws")))

    until(lambda: raw.requests.count(b"AuthenticateUser") == 2, what="the log-in on a new socket")
    assert raw.requests[:3] == [b"AuthenticateUser", b"Ping", b"AuthenticateUser"]


@pytest.mark.promise(6, 7)
def test_a_broker_that_is_away_is_asked_again_and_told_of_once(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log says once that there is no way; when the broker is there so is the socket."""
    port = free_port()
    lines: list[dict[str, object]] = []
    relay = desk.relay(of_crosstrade(f"ws://127.0.0.1:{port}/ws"))
    until(lambda: said(capsys, lines, "socket_not_open"), what="the line")

    vendor = desk.vendor(answers, port=port)

    until(lambda: vendor.handshakes, what="the handshake")
    assert said(capsys, lines, "socket_not_open") == ["no connection (connection refused)"]
    relay.stop()


@pytest.mark.promise(8)
def test_a_log_in_that_is_refused_rests(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password is tried once, however often it is looked: more would lock the user."""
    vendor = desk.vendor(refuses)
    lines: list[dict[str, object]] = []
    relay = desk.relay(of_alphapoint(vendor.url), start=False)
    looks = Resting()
    monkeypatch.setattr(relay.keep_open, "_stopping", looks)
    relay.keep_open.start()

    until(lambda: looks.rests >= 20, what="many looks")
    assert vendor.names() == ["AuthenticateUser"]
    (words,) = said(capsys, lines, "socket_not_open")
    assert "refuses the log-in" in words
    assert not any(PASSWORD in str(line) for line in lines)


@pytest.mark.promise(6)
def test_a_redis_that_is_away_does_not_end_the_looking(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While Redis is away nobody can log in; when it is back the socket is opened."""
    vendor = desk.vendor(exchange)
    lines: list[dict[str, object]] = []
    with EmbeddedRedis(tmp_path) as own:
        desk.redis_url = own.url
        own.kill()
        relay = desk.relay(of_alphapoint(vendor.url))
        assert until(lambda: said(capsys, lines, "socket_not_open"), what="the line") == ["Redis is away"]

        own.restart()

        until(lambda: relay.lines["alphapoint"].session.is_open, what="the log-in")
        relay.stop()


@pytest.mark.promise(6)
def test_what_is_unforeseen_does_not_end_the_looking(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours costs one look, and the next one opens the socket."""
    vendor = desk.vendor(answers)
    relay = desk.relay(of_crosstrade(vendor.url), start=False)
    transport = relay.lines["crosstrade"].transport
    ready, failed = transport.ready, threading.Event()

    def fail_once(**given: Any) -> None:  # noqa: ANN401 - passed through
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError
        ready(**given)

    monkeypatch.setattr(transport, "ready", fail_once)
    relay.keep_open.start()

    assert until(lambda: vendor.handshakes, what="the handshake")
    assert failed.is_set()


# The end


@pytest.mark.promise(6)
@pytest.mark.parametrize("at", ["the handshake", "the log-in"])
def test_a_process_that_ends_in_the_middle_of_a_look_leaves_nothing(desk: Desk, at: str) -> None:
    """A vendor that hangs holds a stop no longer than a call's time."""

    def hang(raw: RawVendor, connection: socket.socket) -> None:
        accept = read_handshake(connection)
        if at == "the log-in":
            connection.sendall(accept)
            unmasked(connection)
        raw.requests.append(b"")
        raw.over.wait(60)

    raw = desk.raw(hang)
    relay = desk.relay({**of_alphapoint(raw.url.replace("http", "ws")), "RELAY_LEASE": "1"})
    until(lambda: raw.requests, what="the look")

    relay.stop()

    assert lookers() == []
    gone()


@pytest.mark.promise(6)
@pytest.mark.parametrize("process", ["web", "worker"])
def test_a_deployed_process_opens_its_socket_and_takes_leave_of_it(redis_url: str, process: str) -> None:
    """Both kinds of process keep one open, and close it properly when they are told to end."""
    vendor = SocketVendor(answers)
    environ = {"REDIS_URL": redis_url, "RELAY_SECRET": SECRET, **of_crosstrade(vendor.url)}
    running = RunningRelay(environ) if process == "web" else worker(environ)
    with running:
        until(lambda: vendor.sockets, what="the socket")

        status = running.stop()

    assert status == 0
    (sock,) = vendor.sockets
    until(lambda: sock.protocol.close_rcvd, what="the leave")
    assert sock.protocol.close_rcvd is not None
    assert sock.protocol.close_rcvd.code == 1000
