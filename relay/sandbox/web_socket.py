"""Serve one WebSocket, RFC 6455, of a stand-in broker, and get into trouble where told to."""

from __future__ import annotations

import contextlib
import functools
import json
import select
import socket
import threading
from collections.abc import Callable

from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from relay.sandbox.server import SandboxServer
from relay.sandbox.socket_behaviour import SocketBehaviour
from relay.sandbox.talk import Ask, Reply, Talk
from relay.sandbox.trouble import Met

#: Seconds between two looks at what is due: news, pings, the end of an idle socket.
LOOK_S = 0.02

#: Bytes read at a time.
CHUNK = 65536


class Socket:
    """Hold one open connection: read its frames, answer them, and send what nobody asked for."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a connection is made of, once
        self,
        number: int,
        stream: socket.socket,
        protocol: WSConnection,
        behaviour: SocketBehaviour,
        sandbox: SandboxServer,
        talk: Talk,
    ) -> None:
        self._number = number
        self._stream = stream
        self._protocol = protocol
        self._behaviour = behaviour
        self._sandbox = sandbox
        self._talk = talk
        #: For what is known of the connection; held for a moment only.
        self._lock = threading.RLock()
        #: For what goes out, one whole message after the other; taken before the other lock, never after.
        self._sending = threading.RLock()
        self._held: list[str] = []
        self._parts: list[str | bytes | bytearray] = []
        self._calls = 0
        #: Calls under way on threads of their own.
        self._aside = 0
        self._heard = self._pinged = sandbox.clock()

    def run(self) -> None:
        """Complete the handshake, and serve until either side ends it."""
        self._write(self._protocol.send(AcceptConnection()))
        readable = select.poll()
        readable.register(self._stream, select.POLLIN)
        while not self._sandbox.stopping:
            if self._behaviour.black_hole:
                if is_cut(self._stream):
                    return
                continue
            if readable.poll(LOOK_S * 1000):
                data = self._stream.recv(CHUNK)
                if not data or not self._take_in(data):
                    return
            with contextlib.suppress(LocalProtocolError):  # closed meanwhile, from another thread
                self._look_round()

    def close(self, code: int | None) -> None:
        """Begin the closing handshake, or break off where there is no code; once is enough."""
        with contextlib.suppress(LocalProtocolError, OSError):
            if code is None:
                self._stream.shutdown(socket.SHUT_RDWR)
            else:
                self._send(CloseConnection(code))

    @property
    def _is_open(self) -> bool:
        return self._protocol.state is ConnectionState.OPEN

    def _take_in(self, data: bytes) -> bool:
        """Act on what came, and tell whether the connection goes on."""
        self._heard = self._sandbox.clock()
        with self._lock:
            self._protocol.receive_data(data)
            events = list(self._protocol.events())
        for event in events:
            if isinstance(event, CloseConnection):
                # The client's close, or wsproto's word for what is no frame; to our own nothing is replied.
                with contextlib.suppress(LocalProtocolError):
                    self._send(event.response())
                return False
            if isinstance(event, Ping) and self._behaviour.pongs:
                self._do(functools.partial(self._pong, event), aside=False)
            if isinstance(event, TextMessage | BytesMessage):
                self._hear(event)
        return True

    def _hear(self, message: TextMessage | BytesMessage) -> None:
        self._parts.append(message.data)
        if not message.message_finished:
            return
        parts, self._parts = self._parts, []
        # A binary message is read as if it were text [U].
        raw = b"".join(part.encode() if isinstance(part, str) else bytes(part) for part in parts)
        if not self._is_open:
            return  # what comes after the close that was sent is not acted on [I]
        with self._lock:
            ask = self._talk.read(raw.decode("utf-8", "replace"))
        number = self._sandbox.record(ask.request, ask.kind, self._number)
        met = self._sandbox.meet_over_socket(ask.kind)
        aside = bool(met.delaying or met.dripping)
        self._do(functools.partial(self._carry_out, ask, number, met), aside=aside)

    def _do(self, work: Callable[[], None], *, aside: bool) -> None:
        """Do it, on a thread of its own while anything is slow.

        So what comes behind a slow call is acted on at once: only the answers wait for one that drips.
        """
        if not aside and not self._aside:
            work()
            return

        def work_aside() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._aside -= 1

        with self._lock:
            self._aside += 1
        threading.Thread(target=work_aside, daemon=True).start()

    def _pong(self, ping: Ping) -> None:
        with contextlib.suppress(LocalProtocolError, OSError):  # closed meanwhile, or the client went away
            self._send(ping.response())

    def _carry_out(self, ask: Ask, number: int, met: Met) -> None:
        with contextlib.suppress(LocalProtocolError, OSError):  # a client that went away is no news
            self._answer(ask, number, met)
        self._calls += 1
        most = self._behaviour.close_after_calls
        if most is not None and self._calls >= most:
            self.close(self._behaviour.close_code)

    def _answer(self, ask: Ask, number: int, met: Met) -> None:
        met.wait()
        if self._sandbox.stopping:
            return
        end = met.end
        with self._lock:
            reply = self._talk.answer(ask) if end.acts else None
        if end.hang:
            return
        if end.drop in ("before", "after"):
            self.close(None)
            return
        if end.frame is not None:
            reply = Reply(end.frame.replace("$id", json.dumps(ask.id)), end.status or 200)
        elif reply is None or end.replaces:
            reply = self._talk.wrap(ask, self._sandbox.troubled(end, ask.with_fields))
        if reply.frame is None:
            return
        # Before it leaves: who has read it finds it recorded.
        self._sandbox.record_status(number, reply.status)
        with self._sending:
            with self._lock:
                beside = self._talk.beside()
            for each in beside:
                self._write(self._framed(each))
            if self._behaviour.stray_answers:
                self._write(self._framed(self._talk.stray()))
            if end.drop == "middle":
                wire = self._framed(reply.frame)
                self._write(wire[: len(wire) - max(1, len(reply.frame) // 2)])
                self.close(None)
                return
            self._say(reply.frame, met)

    def _say(self, frame: str, met: Met) -> None:
        """Send an answer, or hold it back until enough of them are there."""
        self._held.append(frame)
        if len(self._held) < (self._behaviour.turn_round or 1):
            return
        held, self._held = self._held, []
        for each in reversed(held):
            wire = self._framed(each)
            self._write(met.dripping.drip(wire, self._write) if met.dripping else wire)

    def _look_round(self) -> None:
        """Send what is due though nothing came."""
        now = self._sandbox.clock()
        if not self._is_open or not self._sending.acquire(blocking=False):
            return  # an answer is on its way: reading goes on
        try:
            with self._lock:
                news = self._talk.news()
            for each in news:
                self._write(self._framed(each))
        finally:
            self._sending.release()
        every, idle = self._behaviour.ping_every_s, self._behaviour.close_when_idle_s
        if every is not None and now - self._pinged >= every:
            self._pinged = now
            self._send(Ping(b"are you there"))
        if idle is not None and now - self._heard >= idle:
            self.close(self._behaviour.close_code)
        elif self._talk.close_code is not None:
            self.close(self._talk.close_code)

    def _framed(self, text: str) -> bytes:
        """Write one message as the frames that the behaviour makes of it."""
        text = text.encode("utf-8", "replace").decode().ljust(self._behaviour.pad_to or 0)
        size = self._behaviour.fragments_of or max(1, len(text))
        starts = range(0, max(1, len(text)), size)
        with self._lock:
            return b"".join(
                self._message(text[start : start + size], is_last=start + size >= len(text))
                for start in starts
            )

    def _message(self, piece: str, *, is_last: bool) -> bytes:
        if self._behaviour.binary:
            return self._protocol.send(BytesMessage(piece.encode(), message_finished=is_last))
        return self._protocol.send(TextMessage(piece, message_finished=is_last))

    def _send(self, event: Event) -> None:
        with self._sending:
            with self._lock:
                wire = self._protocol.send(event)
            self._write(wire)

    def _write(self, data: bytes) -> None:
        if not self._behaviour.black_hole:
            self._stream.sendall(data)


def is_cut(stream: socket.socket) -> bool:
    """Wait a moment without reading, and tell whether the connection was cut in both directions."""
    cut = select.poll()
    cut.register(stream, 0)
    return bool(cut.poll(LOOK_S * 1000))
