"""One open WebSocket: whole messages out and in, with a deadline on each step and one thread that reads.

Its socket never blocks, and is touched by one thread at a time: OpenSSL allows no reading beside a
writing thread, and Python's `ssl` guards against that only since 3.13. The protocol is wsproto's.
"""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import wsproto
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, ProtocolError

from relay import log

#: Seconds that a connection may take to open, its handshakes included: a broker that needs longer is down.
OPEN_S = 2.0

#: Bytes of a message that are read at most; the longest list of orders is far below.
MESSAGE_BYTES = 8 * 1024 * 1024

#: Seconds for which a closing connection is written to: its other side may have gone.
_CLOSE_S = 0.2

#: `SO_LINGER`: on, for no second, so that the end of the socket is a reset.
_CUT_OFF = struct.pack("ii", 1, 0)

#: Bytes that are read at a time: a flood must neither fill the memory nor keep others from writing.
_READ_BYTES = 65_536


class HandshakeRefusedError(OSError):
    """The address answered, and opened no WebSocket."""

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        super().__init__(f"no WebSocket, but HTTP {status}")
        self.status = status
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


class BrokenError(OSError):
    """The connection is over."""


class Connection:
    """A WebSocket from its handshake to its end."""

    def __init__(
        self, number: int, *, hear: Callable[[str], None], on_end: Callable[[Connection], None]
    ) -> None:
        """Take who gets each message, in the order in which they come, and who is told of the end."""
        self.number = number
        #: The monotonic moment at which anything whole came last.
        self.last_heard = time.monotonic()
        #: Why it is over; empty while it is open.
        self.ended = ""
        self._hear = hear
        self._on_end = on_end
        self._sock: socket.socket
        self._wire = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._touching = threading.Lock()
        #: Held for a moment by whoever shuts the socket or closes it: its number may be another's after that.
        self._ending = threading.Lock()
        #: Whether all that has come was read: a TLS socket may hold more than can be waited for.
        self._drained = False
        self._heard = threading.Condition()
        self._pieces: list[bytes] = []
        self._length = 0
        self._thread = threading.Thread(target=self._listen, name=f"websocket {number}", daemon=True)

    def open(self, url: str, headers: Iterable[tuple[str, str]], *, until: float) -> None:
        """Open it until then (monotonic), and listen.

        Raises `HandshakeRefusedError` with what the address answered instead, or another `OSError`.
        """
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        self._sock = _connected(host, port, until)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock.settimeout(0)
            if secure:
                self._sock = _encrypting(self._sock, host)
                _encrypt(self._sock, until)
            self._shake_hands(parts.netloc, parts.path or "/", headers, until)
            self._thread.start()
        except (ProtocolError, RuntimeError) as failure:
            # It spoke another protocol, or no thread could be started.
            self._sock.close()
            raise BrokenError(type(failure).__name__) from failure
        except OSError:
            self._sock.close()
            raise

    @property
    def silent_s(self) -> float:
        """Give the seconds since anything whole came."""
        return time.monotonic() - self.last_heard

    def send(self, text: str, *, until: float, before: Callable[[], None]) -> None:
        """Send a message, all of it until then (monotonic); `before` is called before its first byte leaves.

        Raises `BrokenError` or `TimeoutError`, and what `before` raises. A message that could not be sent
        whole ends the connection.
        """
        self._send(TextMessage(data=text), until, before)

    def ping(self, text: str | None, *, until: float) -> bool:
        """Ask for a sign of life, by the protocol's own ping and a message, if any; say whether one came."""
        asked = time.monotonic()
        try:
            self._send(Ping(), until, _nothing)
            if text is not None:
                self._send(TextMessage(data=text), until, _nothing)
        except OSError:
            return False
        with self._heard:
            while self.last_heard <= asked and not self.ended:
                left_s = until - time.monotonic()
                if left_s <= 0:
                    return False
                self._heard.wait(left_s)
            return not self.ended

    def end(self, why: str) -> None:
        """Cut it off without a word, from any thread; the one that reads notices, and tells whoever waits.

        Cut off, not closed: what the other side has not read it shall not act on later.
        """
        self.ended = self.ended or why
        with self._ending, contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CUT_OFF)
            # Not by a TLS socket's own method, which takes the encryption off first.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Take leave, and wait for the thread that reads."""
        with contextlib.suppress(OSError):
            self._send(CloseConnection(code=1000), time.monotonic() + _CLOSE_S, _nothing)
        self.end("closed")
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _shake_hands(self, host: str, target: str, headers: Iterable[tuple[str, str]], until: float) -> None:
        extra = [(name.encode(), value.encode()) for name, value in headers]
        self._write(self._wire.send(Request(host=host, target=target, extra_headers=extra)), until)
        accepted = False
        while not accepted:
            if self._drained:
                _await(self._sock, select.POLLIN, until)
            for event in self._receive():
                if isinstance(event, RejectConnection):
                    raise HandshakeRefusedError(event.status_code, event.headers)
                if isinstance(event, AcceptConnection):
                    accepted = True
                self._take(event)  # the first messages may come with the handshake
            if self.ended:
                raise BrokenError(self.ended)

    def _send(self, event: Event, until: float, before: Callable[[], None]) -> None:
        if not self._touching.acquire(timeout=max(0.0, until - time.monotonic())):
            raise TimeoutError("another message takes all the time")
        try:
            if self.ended:
                raise BrokenError(self.ended)
            before()
            try:
                self._write(self._wire.send(event), until)
            except (OSError, LocalProtocolError) as failure:
                self.end(type(failure).__name__)
                raise BrokenError("it broke while it was written to") from failure
        finally:
            self._touching.release()

    def _write(self, data: bytes, until: float) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._sock.send(left) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                _await(self._sock, select.POLLOUT, until)
            except ssl.SSLWantReadError:
                _await(self._sock, select.POLLIN, until)

    def _listen(self) -> None:
        """Read until it is over, in the thread of its own."""
        try:
            while not self.ended:
                if self._drained:
                    _await(self._sock, select.POLLIN, None)
                with self._touching:
                    events = self._receive()
                for event in events:
                    self._take(event)
        except BrokenError as failure:
            self.ended = self.ended or str(failure)
        except (OSError, ProtocolError) as failure:
            self.ended = self.ended or type(failure).__name__
        except Exception:  # noqa: BLE001 - whoever waits has to be told of the end, whatever it was
            log.say_unforeseen({"where": "websocket"})
        finally:
            self.ended = self.ended or "it could not be read"
            with self._touching, self._ending:
                self._sock.close()
            with self._heard:
                self._heard.notify_all()
            self._on_end(self)

    def _receive(self) -> list[Event]:
        """Read some of what is there, answer what the protocol wants answered, and give the rest."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._drained = True
            return []
        self._drained = False
        if not data:
            self.ended = self.ended or "the other side closed it"
            return []
        self._wire.receive_data(data)
        events = list(self._wire.events())
        for event in events:
            if isinstance(event, CloseConnection):
                self.ended = self.ended or f"the other side closed it ({event.code})"
            if isinstance(event, (Ping, CloseConnection)):
                self._respond(event)
        return events

    def _respond(self, event: Ping | CloseConnection) -> None:
        try:
            self._write(self._wire.send(event.response()), time.monotonic() + _CLOSE_S)
        except (OSError, LocalProtocolError) as failure:
            # What came along with it, such as an answer, is good all the same.
            self.ended = self.ended or type(failure).__name__

    def _take(self, event: Event) -> None:
        # A piece of a message is no sign of life: what drips holds up all that stands behind it.
        if not isinstance(event, Message) or event.message_finished:
            with self._heard:
                self.last_heard = time.monotonic()
                self._heard.notify_all()
        if isinstance(event, (TextMessage, BytesMessage)):
            self._take_piece(event)

    def _take_piece(self, event: TextMessage | BytesMessage) -> None:
        piece = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
        # Pieces with nothing in them take room, too.
        self._length += max(1, len(piece))
        if self._length > MESSAGE_BYTES:
            raise BrokenError("a message is longer than any list of orders")
        self._pieces.append(piece)
        if event.message_finished:
            # Put together first: a letter may be cut in two.
            text = b"".join(self._pieces).decode("utf-8", "replace")
            self._pieces, self._length = [], 0
            self._hear(text)


def _connected(host: str, port: int, until: float) -> socket.socket:
    """Connect to the first of a name's addresses that answers; all of them share the time."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as strange:
        raise BrokenError("no name of a host") from strange
    failure = OSError("the name has no address")
    for left, (family, kind, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(max(0.001, (until - time.monotonic()) / left))
        try:
            sock.connect(address)
        except OSError as refused:
            sock.close()
            failure = refused
        else:
            return sock
    raise failure


def _encrypting(sock: socket.socket, host: str) -> ssl.SSLSocket:
    """Give a socket that encrypts, to whom those authorities vouch for that vouch for HTTP's."""
    return _trusting().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)


def _encrypt(sock: ssl.SSLSocket, until: float) -> None:
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            _await(sock, select.POLLIN, until)
        except ssl.SSLWantWriteError:
            _await(sock, select.POLLOUT, until)
        else:
            return


@functools.cache
def _trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


def _await(sock: socket.socket, what: int, until: float | None) -> None:
    """Wait until the socket can be read, or written; raise `TimeoutError` when it cannot in time."""
    poll = select.poll()
    poll.register(sock, what)
    left_ms = None if until is None else max(0.0, until - time.monotonic()) * 1000
    if not poll.poll(left_ms):
        raise TimeoutError("timed out")


def _nothing() -> None:
    """Let a message go that asks for nothing."""
