"""A vendor's WebSocket: calls in frames over one socket, opened with the first and kept by its process.

Answers are matched to their calls by a number. A frame that may have left and was not answered is
`Unknown`, as over HTTP; when a socket ends so do all calls that wait on it. What has no frame goes over HTTP.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping

from relay.errors import NotSent, SessionLost, Unknown
from relay.transport import Transport
from relay.transports.connection import OPEN_S, BrokenError, Connection, HandshakeRefusedError
from relay.vendor import Answer, Call, Clearance, Frame, Frames, LoggedIn, Order, cleared

#: Seconds of silence after which a socket has to answer a ping before it is trusted with a call: routers drop
#: silent connections without a word.
SILENT_S = 5.0

#: Seconds for the answer to a ping. A bulk call has one second to start in, a new socket included.
PONG_S = 0.4

#: Seconds for that answer where no alert waits for it.
READY_S = 2.0

#: The part of a call's time that is kept for that, where the call has little.
_PONG_SHARE = 0.1

#: Calls that may wait for their answers at a time.
AT_ONCE = 256

#: Milliseconds after which one more finds room.
_FULL_MS = 200

#: Seconds of rest after a socket that could not be opened, doubled each time, up to the longest: short, since
#: an alert may be good for a second.
_REST_S, _REST_MOST_S = 0.1, 1.0

#: Steps between the numbers of calls, and the first: AlphaPoint's documents want even ones, and no 0.
_STEP = 2

#: Handshakes refused so are about us, or our pace, where it is the handshake that shows the credential.
_UNAUTHORIZED = frozenset({401, 403})
_TOO_MANY = 429


class _Waiting:
    """A call under way: whether a byte may have left, and what came of it."""

    def __init__(self, connection: Connection, clearance: Clearance) -> None:
        self.connection = connection
        self.clearance = clearance
        self.may_have_left = False
        self.answer: Answer | None = None
        self.over = threading.Event()

    def leave(self) -> None:
        """Stand before the first byte."""
        self.clearance()
        self.may_have_left = True


class WebSocketTransport:
    """A WebSocket to one vendor with one credential, and HTTP beside it, for all threads of a process."""

    def __init__(
        self,
        url: str,
        credential: Mapping[str, str],
        frames: Frames,
        http: Transport | None,
        tell: Callable[[Order], None],
    ) -> None:
        """Take the address, the handshake's headers, the frames, the way for the rest, and who gets news."""
        self._url = url
        self._credential = dict(credential)
        self._frames = frames
        self._http = http
        self._tell = tell
        self._numbers = itertools.count(_STEP, _STEP)
        self._sockets = itertools.count(1)
        self._lock = threading.Lock()
        self._calls: dict[int, _Waiting] = {}
        self._opening = threading.Lock()
        self._current: Connection | None = None
        self._subscribed: set[str] = set()
        self._failures = 0
        self._failed = 0.0
        self._why = ""
        self._closed = False

    def carry(self, call: Call, *, session: LoggedIn | None, within_s: float, clearance: Clearance) -> Answer:
        """Carry the call as `relay.transport.Transport` promises."""
        if call.frame is None:
            return self._over_http.carry(call, session=session, within_s=within_s, clearance=clearance)
        until = time.monotonic() + within_s
        try:
            connection = self._connected(session, until)
        except HandshakeRefusedError as refused:
            return self._refused(refused)
        waiting = _Waiting(connection, clearance)
        number = self._entered(waiting)
        try:
            connection.send(self._frames.write(number, call.frame), until=until, before=waiting.leave)
            # Where the socket broke meanwhile the answer may be here all the same.
            with contextlib.suppress(OSError):
                self._subscribe(connection, call.frame, until)
            self._wait(waiting, until)
        except OSError as failure:
            raise self._what_happened(waiting, within_s) from failure
        finally:
            with self._lock:
                self._calls.pop(number, None)
        if waiting.answer is None:
            raise self._what_happened(waiting, within_s)
        return waiting.answer

    def holds(self, session: LoggedIn) -> bool:
        """Say whether the socket is open that the session lives in."""
        current = self._current
        return current is not None and not current.ended and current.number == session.connection

    def ready(self, *, session: LoggedIn | None, within_s: float) -> None:
        """Have the socket open, and answering: asked now, so that the next call need not ask."""
        until = time.monotonic() + within_s
        try:
            connection = self._connected(session, until)
        except HandshakeRefusedError as refused:
            raise NotSent(f"no connection ({refused})") from refused
        # Where no answer to the vendor's own ping is documented, nor is whether it counts against a limit.
        text = self._frames.ping(next(self._numbers)) if self._frames.answers_pings else None
        if not connection.ping(text, until=min(until, time.monotonic() + READY_S)):
            connection.end("it did not answer a ping")
            raise NotSent("the connection did not answer a ping")
        if self._http is not None:
            self._http.ready(session=session, within_s=within_s)

    def close(self) -> None:
        """Take leave of the vendor; no call is carried any more."""
        self._closed = True
        current = self._current
        if current is not None:
            current.close()
        if self._http is not None:
            self._http.close()

    def shown(self, call: Call) -> Mapping[str, object]:
        """Show the call as it would be sent, with every credential masked."""
        if call.frame is None:
            return self._over_http.shown(call)
        # What goes with headers over HTTP is a log-in.
        frame = (
            Frame(call.frame.name, dict.fromkeys(call.frame.payload, "***")) if call.headers else call.frame
        )
        return {
            "method": "websocket",
            "url": self._url,
            "headers": dict.fromkeys(self._credential, "***"),
            "frame": json.loads(self._frames.write(_STEP, frame)),
        }

    @property
    def _over_http(self) -> Transport:
        if self._http is None:
            raise NotSent("it goes over HTTP alone, and no address for that is set", tried=False)
        return self._http

    def _wait(self, waiting: _Waiting, until: float) -> None:
        """Wait for the answer; where none comes, leave no frame behind in a queue that nobody works off.

        A vendor that takes frames in turn may still act on a bulk call long after it was given up. One that
        answers a ping has come to it; from one that does not the socket is taken away.
        """
        left_s = until - time.monotonic()
        if waiting.over.wait(max(0.0, left_s - min(PONG_S, left_s * _PONG_SHARE))):
            return
        connection = waiting.connection
        if not self._comes_to_a_ping(connection, until) and not waiting.over.is_set():
            connection.end("it answered nothing any more")

    def _comes_to_a_ping(self, connection: Connection, until: float) -> bool:
        """Say whether the vendor works off what he is sent.

        The protocol's own pong comes from the front of a server whose work stands still. So where the vendor
        documents an answer to his ping, that one counts alone.
        """
        number = next(self._numbers)
        text = self._frames.ping(number)
        if not self._frames.answers_pings:
            return connection.ping(text, until=until)
        asked = _Waiting(connection, cleared)
        with self._lock:
            self._calls[number] = asked
        try:
            connection.send(text, until=until, before=asked.leave)
            asked.over.wait(max(0.0, until - time.monotonic()))
        except OSError:
            return False
        finally:
            with self._lock:
                self._calls.pop(number, None)
        return asked.answer is not None

    def _entered(self, waiting: _Waiting) -> int:
        with self._lock:
            if len(self._calls) >= AT_ONCE:
                raise NotSent("too many calls wait for their answers", tried=False, wait_ms=_FULL_MS)
            number = next(self._numbers)
            self._calls[number] = waiting
        return number

    def _connected(self, session: LoggedIn | None, until: float) -> Connection:
        """Give the socket, answering; raise `SessionLost` where the session's is another one, or gone."""
        began = time.monotonic()
        current = self._current
        if current is not None and not current.ended:
            if session is not None and session.connection != current.number:
                raise SessionLost
            if self._answers(current, until):
                return current
        if session is not None:
            raise SessionLost
        return self._opened(began, until)

    def _answers(self, connection: Connection, until: float) -> bool:
        """Say whether the socket can be trusted: it spoke a moment ago, or answers a ping."""
        if connection.silent_s <= SILENT_S:
            return True
        number = next(self._numbers)
        if connection.ping(self._frames.ping(number), until=min(until, time.monotonic() + PONG_S)):
            return True
        connection.end("it did not answer a ping")
        return False

    def _opened(self, began: float, until: float) -> Connection:
        """Open a socket, one thread for all: those who waited for it share what came of it."""
        if not self._opening.acquire(timeout=max(0.0, until - time.monotonic())):
            raise NotSent("a connection takes long to open")
        try:
            current = self._current
            if current is not None and not current.ended:
                return current
            rest_s = self._failed + min(_REST_MOST_S, _REST_S * 2**self._failures) - time.monotonic()
            if self._failures and (self._failed >= began or rest_s > 0):
                raise NotSent(self._why, tried=False, wait_ms=max(1, int(rest_s * 1000)))
            return self._newly_opened(until)
        finally:
            self._opening.release()

    def _newly_opened(self, until: float) -> Connection:
        if self._closed:
            raise NotSent("this process is ending", tried=False)
        connection = Connection(next(self._sockets), hear=self._hear, on_end=self._end)
        headers = {"User-Agent": "cancel-relay", **self._credential}
        try:
            connection.open(self._url, headers.items(), until=min(until, time.monotonic() + OPEN_S))
        except OSError as failure:
            self._failures, self._failed = min(self._failures + 1, 10), time.monotonic()
            self._why = f"no connection ({_kind(failure)})"
            if isinstance(failure, HandshakeRefusedError):
                raise
            raise NotSent(self._why) from failure
        self._failures, self._subscribed, self._current = 0, set(), connection
        if self._closed:
            connection.close()
        return connection

    def _refused(self, refused: HandshakeRefusedError) -> Answer:
        """Give a refusal of the handshake as the call's answer where it is one; raise `NotSent` else."""
        if refused.status == _TOO_MANY or (self._credential and refused.status in _UNAUTHORIZED):
            return Answer(refused.status, b"", refused.headers)
        raise NotSent(f"no connection ({refused})") from refused

    def _subscribe(self, connection: Connection, frame: Frame, until: float) -> None:
        """Have the vendor tell by itself what becomes of the call's orders; nobody waits for that."""
        asked = self._frames.subscription(frame)
        if asked is None:
            return
        what = json.dumps([connection.number, asked.name, asked.payload])
        if what in self._subscribed:
            return
        self._subscribed.add(what)
        text = self._frames.write(next(self._numbers), asked)
        connection.send(text, until=until, before=cleared)

    def _hear(self, text: str) -> None:
        heard = self._frames.read(text)
        if heard.order is not None:
            self._tell(heard.order)
        if heard.number is None or heard.answer is None:
            return
        with self._lock:
            waiting = self._calls.get(heard.number)
        if waiting is not None:
            waiting.answer = Answer(
                heard.answer.status, heard.answer.body, heard.answer.headers, waiting.connection.number
            )
            waiting.over.set()

    def _end(self, connection: Connection) -> None:
        """Tell all who wait on a socket that it is over."""
        with self._lock:
            concerned = [each for each in self._calls.values() if each.connection is connection]
        for each in concerned:
            each.over.set()

    @staticmethod
    def _what_happened(waiting: _Waiting, within_s: float) -> NotSent | Unknown:
        """Tell not sent from unknown: the only place that decides it for frames."""
        ended = waiting.connection.ended
        if not waiting.may_have_left:
            return NotSent(f"no connection ({ended or 'it was busy'})")
        if ended:
            return Unknown(f"the connection broke before the answer came ({ended})")
        return Unknown(f"no answer within {within_s:g} s")


def _kind(failure: OSError) -> str:
    """Name a cause in a few words; its own text could hold an address."""
    if isinstance(failure, (HandshakeRefusedError, BrokenError)):
        return str(failure)
    return failure.strerror.lower() if failure.strerror else type(failure).__name__
