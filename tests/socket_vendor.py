"""Servers for a WebSocket transport, of libraries that nobody here wrote, and raw ones that misbehave."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from relay.alarm import Alarm
from relay.compose import Relay, compose
from relay.settings import Settings
from relay.transports.http import HttpTransport
from relay.transports.websocket import WebSocketTransport
from relay.vendor import Call, Frame, Order
from relay.vendors.alphapoint_frames import AlphaPointFrames
from tests.running import SECRET, free_port, ports_held, until

#: Seconds of a call that is meant to be answered, on a machine that has much else to do.
LONG = 20.0

#: Seconds of a call that must come to its end by its own deadline.
SHORT = 0.5

#: What the threads of open sockets are called.
READER = "websocket"

#: What a test has started: a test that fails must not keep the whole run from its end.
_started: list[SocketVendor | WebSocketTransport] = []

Behaviour = Callable[["SocketVendor", ServerConnection], None]


def always() -> None:
    """Let every call leave."""


def call(key: int | str = 1) -> Call:
    """Give a call that can be told from others."""
    return Call("POST", "/Test", {"Key": key}, frame=Frame("Test", {"Key": key}))


def reply(message: str, **payload: object) -> str:
    """Answer a frame as AlphaPoint does, with what it was asked and more."""
    asked = json.loads(message)
    said = {**json.loads(asked["o"]), **payload}
    return json.dumps({"m": 1, "i": asked["i"], "n": asked["n"], "o": json.dumps(said)})


def name_of(message: str) -> str:
    """Give the name of the function that a frame calls."""
    name: str = json.loads(message)["n"]
    return name


def key_of(message: str) -> Any:  # noqa: ANN401 - whatever the call was given
    """Give what a frame of `call` was given."""
    return json.loads(json.loads(message)["o"]).get("Key")


def answers(vendor: SocketVendor, sock: ServerConnection) -> None:
    """Answer every frame."""
    for message in vendor.messages(sock):
        sock.send(reply(message))


def only_pings(vendor: SocketVendor, sock: ServerConnection) -> None:
    """Answer pings, and nothing else."""
    for message in vendor.messages(sock):
        if name_of(message) == "Ping":
            sock.send(reply(message))


class _Said(logging.Handler):
    """Hear a server say that it listens; what a test broke on purpose is no line of its output."""

    def __init__(self) -> None:
        super().__init__()
        self.listens = threading.Event()
        self.logger = logging.Logger("vendor", logging.INFO)  # noqa: LOG001 - one for each server
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line."""
        if record.msg.startswith("server listening"):
            self.listens.set()


class SocketVendor:
    """A WebSocket server of the websockets library; each socket is handed to a function."""

    def __init__(
        self,
        behave: Behaviour = answers,
        *,
        context: ssl.SSLContext | None = None,
        on_handshake: Callable[[ServerConnection, Request], Response | None] | None = None,
        port: int = 0,
    ) -> None:
        self.behave = behave
        self.over = threading.Event()
        #: Every message as it came, with the number of its socket.
        self.heard: list[tuple[int, str]] = []
        self.handshakes: list[Request] = []
        self.sockets: list[ServerConnection] = []
        self._on_handshake = on_handshake
        said = _Said()
        self._server = serve(
            self._handle,
            "127.0.0.1",
            port,
            ssl=context,
            process_request=self._asked,
            ping_interval=None,
            logger=said.logger,
            close_timeout=0.2,
            max_size=None,
        )
        self.port: int = self._server.socket.getsockname()[1]
        self.url = f"{'wss' if context else 'ws'}://localhost:{self.port}/ws"
        # A test that fails must not keep the whole run from its end.
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        # All that it keeps open is open then, and can be told from what is ours.
        assert said.listens.wait(20)
        _started.append(self)

    def messages(self, sock: ServerConnection) -> Iterator[str]:
        """Give the messages of a socket as they come, and keep each."""
        number = self.sockets.index(sock) + 1
        for message in sock:
            assert isinstance(message, str)
            self.heard.append((number, message))
            yield message

    def names(self) -> list[str]:
        """Give the names of all functions that were called, in turn."""
        return [name_of(message) for _, message in self.heard]

    def keys(self) -> Counter[Any]:
        """Count how often each call of `call` arrived."""
        return Counter(key_of(message) for _, message in self.heard if name_of(message) == "Test")

    def cut(self) -> None:
        """Cut every socket without a word."""
        for sock in list(self.sockets):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop, and leave no thread."""
        if self.over.is_set():
            return
        self.over.set()
        self.cut()
        self._server.shutdown()
        self._thread.join()

    def _asked(self, sock: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(request)
        return self._on_handshake(sock, request) if self._on_handshake else None

    def _handle(self, sock: ServerConnection) -> None:
        self.sockets.append(sock)
        with contextlib.suppress(ConnectionClosed, OSError):
            self.behave(self, sock)


def read_handshake(connection: socket.socket) -> bytes:
    """Read a request for a WebSocket, and give the answer that accepts it."""
    read = b""
    while b"\r\n\r\n" not in read:
        part = connection.recv(4096)
        if not part:
            raise ConnectionError
        read += part
    found = re.search(rb"sec-websocket-key: (\S+)", read, re.IGNORECASE)
    assert found
    accept = hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324 - RFC 6455's
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n"
    )


def frame(payload: bytes, *, opcode: int = 1, final: bool = True) -> bytes:
    """Write a frame as a server does, by RFC 6455."""
    length = len(payload)
    if length < 126:
        size = bytes([length])
    elif length < 65_536:
        size = b"\x7e" + length.to_bytes(2, "big")
    else:
        size = b"\x7f" + length.to_bytes(8, "big")
    return bytes([final << 7 | opcode]) + size + payload


def unmasked(connection: socket.socket) -> str:
    """Read one whole text frame as a client sends it, its pings aside; raise `ConnectionError` at the end."""
    while True:
        head = _exactly(connection, 2)
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(_exactly(connection, 2 if length == 126 else 8), "big")
        mask, payload = _exactly(connection, 4), _exactly(connection, length)
        if head[0] & 0x0F == 1:
            return bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)).decode()


def _exactly(connection: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length:
        part = connection.recv(length - len(read))
        if not part:
            raise ConnectionError
        read += part
    return read


def no_http() -> HttpTransport:
    """Give a way to nowhere: what goes over HTTP is not sent."""
    return HttpTransport(f"http://127.0.0.1:{free_port()}", {}, Alarm())


def transport_to(
    url: str, *, credential: bool = True, tell: Callable[[Order], None] = lambda _: None
) -> WebSocketTransport:
    """Give a transport that speaks as to AlphaPoint, with a credential in its handshake or with none."""
    headers = {"Authorization": "Bearer invented"} if credential else {}
    made = WebSocketTransport(url, headers, AlphaPointFrames(1), no_http(), tell)
    _started.append(made)
    return made


def end_all() -> None:
    """End whatever a test has started and not ended: transports first, as vendors wait for their sockets."""
    for each in sorted(_started, key=lambda each: isinstance(each, SocketVendor)):
        each.close()
    _started.clear()


def key_in(body: bytes) -> Any:  # noqa: ANN401 - whatever the call was given
    """Give what the call was given, of the answer to it."""
    return json.loads(body)["Key"]


def readers() -> list[threading.Thread]:
    """Give the threads that read an open socket."""
    return [each for each in threading.enumerate() if each.name.startswith(READER)]


def open_sockets() -> int:
    """Count the sockets that are open, and no other file: what a server waits with opens in its own time.

    Nor those that hold a port for a test.
    """
    count = -ports_held()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            count += str(each.readlink()).startswith("socket:")
    return count


def gone() -> None:
    """Wait until no thread reads any more."""
    until(lambda: not readers(), what="the end of the threads that read")


def over_socket(url: str) -> dict[str, str]:
    """Give the settings of an AlphaPoint that is reached by its WebSocket, and by nothing else."""
    return {
        "ALPHAPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "ALPHAPOINT_USERNAME": "invented-trader",
        "ALPHAPOINT_PASSWORD": "invented-password",
        "ALPHAPOINT_TRANSPORT": "websocket",
        "ALPHAPOINT_WS_URL": url,
    }


@contextlib.contextmanager
def led_to(vendor: SocketVendor, redis_url: str) -> Iterator[Relay]:
    """Put a relay together that speaks to an exchange over its WebSocket; both end, and leave no thread."""
    settings = {"REDIS_URL": redis_url, "RELAY_SECRET": SECRET, **over_socket(vendor.url)}
    relay = compose(Settings.read(settings))
    with contextlib.closing(vendor):
        yield relay
        relay.stop()
        gone()
