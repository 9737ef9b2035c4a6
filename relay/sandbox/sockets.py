"""Open WebSockets beside the HTTP of a stand-in broker, and know them."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wsproto import ConnectionType, WSConnection
from wsproto.events import RejectConnection
from wsproto.utilities import RemoteProtocolError

from relay.sandbox.server import SandboxServer
from relay.sandbox.socket_behaviour import SocketBehaviour
from relay.sandbox.talk import Talk
from relay.sandbox.web_socket import Socket, is_cut
from relay.sandbox.wire import Answer, Request


@dataclass(frozen=True)
class Refusal:
    """Record a handshake that was not accepted; `headers` are the client's."""

    at: float
    path: str
    status: int
    headers: Mapping[str, str]


class Sockets:
    """Know the WebSockets of one broker; safe between threads.

    `admit` looks at a handshake and gives the talk to be had, or the answer that refuses it. Sockets are
    numbered from 1.
    """

    def __init__(self, sandbox: SandboxServer, admit: Callable[[Request], Talk | Answer]) -> None:
        self.behaviour = SocketBehaviour()
        self._sandbox = sandbox
        self._admit = admit
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, Socket] = {}
        self._opened = 0
        self._refused: list[Refusal] = []

    @property
    def opened(self) -> int:
        """Count those that were opened so far."""
        return self._opened

    @property
    def open(self) -> tuple[int, ...]:
        """List the numbers of those that are open now."""
        with self._lock:
            return tuple(self._open)

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """List the handshakes that were not accepted."""
        with self._lock:
            return tuple(self._refused)

    def close(self, code: int | None = None) -> None:
        """Close every socket with this code; None breaks them off without a word."""
        with self._lock:
            sockets = list(self._open.values())
        for each in sockets:
            each.close(code)

    def serve(self, request: Request, stream: socket.socket) -> None:
        """Answer a handshake, and talk until the socket ends; its thread has nothing else to do."""
        was_mute = self.behaviour.mute_handshake
        while self.behaviour.mute_handshake:
            if self._sandbox.stopping or is_cut(stream):
                return
        if was_mute and _has_gone(stream):
            return
        upgrade = WSConnection(ConnectionType.SERVER)
        talk = self._agree(request, upgrade)
        if isinstance(talk, Answer):
            # Recorded before it leaves: who has read it finds it recorded.
            refusal = Refusal(self._sandbox.clock(), request.target, talk.status, dict(request.headers))
            with self._lock:
                self._refused.append(refusal)
            stream.sendall(talk.as_bytes())
            return
        with self._lock:
            number = next(self._numbers)
            self._opened += 1
            opened = self._open[number] = Socket(number, stream, upgrade, self.behaviour, self._sandbox, talk)
        try:
            opened.run()
        finally:
            with self._lock:
                del self._open[number]

    def _agree(self, request: Request, upgrade: WSConnection) -> Talk | Answer:
        status = self.behaviour.refuse_handshake
        if status is not None:
            return _refusing(status, self._sandbox.words_for(status))
        # The others are the vendor's to look at.
        headers = [
            (name.encode(), text.strip().encode("latin-1"))
            for name, text in request.headers.items()
            if name.lower().startswith(("host", "connection", "upgrade", "sec-websocket-"))
        ]
        try:
            upgrade.initiate_upgrade_connection(headers, request.path)
        except RemoteProtocolError as error:
            hint = error.event_hint
            return _refusing(hint.status_code if isinstance(hint, RejectConnection) else 400, b"")
        for _ in upgrade.events():  # the request, which is known already
            pass
        return self._admit(request)


def _refusing(status: int, body: bytes) -> Answer:
    return Answer(status, body, {"Connection": "close"})


def _has_gone(stream: socket.socket) -> bool:
    """Tell whether the client has hung up."""
    try:
        return not stream.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
