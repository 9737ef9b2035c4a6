"""HTTP with `requests`: one adapter, no session, no proxy, no redirect, no retry.

`requests` cannot tell a refused connection from one that was reset after the request had left (both
are its `ConnectionError`), and its timeout is for each read, so that a byte a second passes it. So
the connection itself keeps book here: it notes the moment before the first byte leaves, and an alarm
shuts its socket when the call's whole time is over.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from relay.alarm import Alarm
from relay.errors import NotSent, Unknown
from relay.vendor import Answer, Call, Clearance, LoggedIn

#: Seconds that a connection may take to open: DNS aside, a broker that needs longer is down.
CONNECT_S = 1.5

#: Seconds of silence after which a kept connection is not trusted with an order: routers drop
#: silent connections without a word, and the request would be lost in a way nobody could tell.
SILENT_S = 5.0

#: Bytes of an answer that are read at most; the longest list of orders is far below.
ANSWER_BYTES = 8 * 1024 * 1024

_KEPT_CONNECTIONS = 64

_CHUNK_BYTES = 65_536


class _Flight:
    """One call under way: whether a byte may have left, and the socket it uses."""

    def __init__(self, clearance: Clearance) -> None:
        self.clearance = clearance
        self.may_have_left = False
        self.landed = False
        self.cut = False
        self.connection: _Noted | None = None
        self.sock: socket.socket | None = None
        self.lock = threading.Lock()

    def cut_off(self) -> None:
        """Shut the socket under a call whose time is over, so that its read returns."""
        with self.lock:
            if self.landed:
                return
            self.cut = True
            if self.sock is not None:
                # The other side may have closed it meanwhile: just as well. Not by the TLS socket's own
                # method, which takes the encryption off first.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


_under_way = threading.local()


class _LastLine:
    """A socket's file that knows the last line that was read from it."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - the standard library's own
        self._file = file
        self.last = b""

    def readline(self, *limit: int) -> bytes:
        self.last = bytes(self._file.readline(*limit))
        return self.last

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the file has
        return getattr(self._file, name)


class _Response(http.client.HTTPResponse):
    """A response that knows whether its headers were whole: the end of a connection ends them, too."""

    whole_headers = False

    def begin(self) -> None:
        lines = _LastLine(self.fp)
        self.fp = lines  # type: ignore[assignment]  # it is one, but for its class
        super().begin()
        self.whole_headers = lines.last in {b"\r\n", b"\n"}


class _Noted:
    """What a connection does beyond urllib3's: fresh sockets only, and a note before the first byte."""

    sock: socket.socket | None
    last_used: float = 0.0

    @property
    def is_connected(self) -> bool:
        """Say no after a silence: the pool asks before it hands a connection out, and opens it anew."""
        kept: bool = super().is_connected  # type: ignore[misc]  # the connection's own
        return kept and time.monotonic() - self.last_used <= SILENT_S

    def send(self, data: Any) -> None:  # noqa: ANN401 - passed through
        flight: _Flight = _under_way.flight
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]  # urllib3's
        if not flight.may_have_left:
            with flight.lock:
                if flight.cut:
                    message = "the time of the call ended before it could be sent"
                    raise TimeoutError(message)
                flight.connection, flight.sock = self, self.sock
            flight.clearance()
            flight.may_have_left = True
        super().send(data)  # type: ignore[misc]  # the connection's own
        self.last_used = time.monotonic()


class _HTTPConnection(_Noted, HTTPConnection):
    response_class = _Response


class _HTTPSConnection(_Noted, HTTPSConnection):
    response_class = _Response


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed through
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class HttpTransport:
    """HTTP to one vendor with one credential; shared by all threads of a process."""

    def __init__(self, url: str, credential: Mapping[str, str], alarm: Alarm) -> None:
        """Take the vendor's address, the headers that hold the credential, and what ends long calls."""
        self._url = url.rstrip("/")
        self._credential = dict(credential)
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=_KEPT_CONNECTIONS, max_retries=0)
        self._alarm = alarm

    def carry(self, call: Call, *, session: LoggedIn | None, within_s: float, clearance: Clearance) -> Answer:
        """Carry the call as `relay.transport.Transport` promises."""
        flight = _Flight(clearance)
        _under_way.flight = flight
        self._alarm.after(within_s, flight.cut_off)
        try:
            response = self._adapter.send(
                self._prepared(call, session.headers if session else {}),
                stream=True,
                timeout=(min(CONNECT_S, within_s), within_s),
                verify=True,
            )
            answer = _read(response, flight)
        except (requests.RequestException, HTTPError, OSError) as failure:
            raise _what_happened(flight, failure, within_s) from failure
        finally:
            with flight.lock:
                flight.landed = True
            _under_way.flight = None
        return answer

    def holds(self, session: LoggedIn) -> bool:  # noqa: ARG002 - the same for all
        """Say yes: a session over HTTP lives at the vendor."""
        return True

    def ready(self, *, session: LoggedIn | None, within_s: float) -> None:
        """Do nothing: each call takes a connection that is open and fresh, or opens one."""

    def close(self) -> None:
        """Close the connections that are kept."""
        self._adapter.close()

    def shown(self, call: Call) -> Mapping[str, object]:
        """Show the call as it would be sent, with every credential masked."""
        secret = dict.fromkeys([*self._credential, *call.headers], "***")
        headers = {**secret, **_content_type(call)}
        shown: dict[str, object] = {"method": call.method, "url": self._url + call.path, "headers": headers}
        return shown if call.body is None else {**shown, "json": dict(call.body)}

    def _prepared(self, call: Call, session: Mapping[str, str]) -> requests.PreparedRequest:
        # By hand: prepare() would decode %2E and fold `..`, and so change which address is meant.
        prepared = requests.PreparedRequest()
        prepared.method = call.method
        prepared.url = self._url + call.path
        prepared.headers = CaseInsensitiveDict(
            {
                "Accept": "application/json",
                "User-Agent": "cancel-relay",
                **self._credential,
                **call.headers,
                **session,
                **_content_type(call),
            }
        )
        if call.body is not None:
            prepared.body = json.dumps(call.body).encode()
            prepared.headers["Content-Length"] = str(len(prepared.body))
        return prepared


def _content_type(call: Call) -> dict[str, str]:
    return {} if call.body is None else {"Content-Type": "application/json"}


def _read(response: requests.Response, flight: _Flight) -> Answer:
    body = bytearray()
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > ANSWER_BYTES:
            response.close()
            message = "the answer is longer than any list of orders"
            raise HTTPError(message)
    with flight.lock:
        if flight.cut:
            # The socket was shut under the read, so a body that ends with it may not be whole.
            message = "the answer was not whole in time"
            raise HTTPError(message)
        flight.landed = True
    if flight.connection is not None:
        flight.connection.last_used = time.monotonic()
    if _cut_short(response):
        message = "the answer ends in the middle of its headers"
        raise HTTPError(message)
    response.raw.release_conn()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, bytes(body), headers)


def _cut_short(response: requests.Response) -> bool:
    """Say whether the headers were cut: the standard library takes the end of the connection for theirs."""
    original = getattr(response.raw, "_original_response", None)
    return not isinstance(original, _Response) or bool(original.msg.defects) or not original.whole_headers


def _what_happened(flight: _Flight, failure: Exception, within_s: float) -> NotSent | Unknown:
    """Tell not sent from unknown: the only place that decides it."""
    if not flight.may_have_left:
        return NotSent(f"no connection ({_kind(_innermost(failure))})")
    innermost = _innermost(failure)
    if flight.cut or isinstance(innermost, TimeoutError):
        # Whichever of the alarm and the socket's own clock came first.
        return Unknown(f"no answer within {within_s:g} s")
    return Unknown(f"the connection broke before the answer was whole ({_kind(innermost)})")


def _innermost(failure: BaseException) -> BaseException:
    """Give the cause of all the others."""
    while True:
        inner = failure.__cause__ or failure.__context__ or getattr(failure, "reason", None)
        inner = inner or next((arg for arg in failure.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            return failure
        failure = inner


def _kind(failure: BaseException) -> str:
    """Name a cause in a few words; its own text could hold an address or a header."""
    if isinstance(failure, OSError) and failure.strerror and not isinstance(failure, socket.gaierror):
        return failure.strerror.lower()
    return type(failure).__name__
