"""Serve a stand-in broker over real sockets, record what it is asked, and get into trouble where told to."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import socket
import socketserver
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from relay.sandbox.trouble import ANSWER_STATUS, LEAK_STATUS, Met, Trouble, Troubles
from relay.sandbox.wire import Answer, Kind, RecordedCall, Request

#: Connections that may wait to be accepted: a load test opens its whole pool at once.
BACKLOG = 1024

#: Seconds between two looks at whether to stop; bounds how long `stop` takes.
STOP_POLL_S = 0.02

#: Start of the addresses that steer the sandbox; the vendor has nothing there.
CONTROL = "/_sandbox/"


class SandboxServer(ABC):
    """Run a broker on a thread of its own, over HTTP/1.1 with connections kept alive.

    A vendor implements `kind_of`, `answer` and `control`, and may implement `words_for` and `upgrade`. The
    address is taken at once, so that a taken port is an OSError here and `url` is known before `start`; after
    `stop` it may be started again, at the same address.
    """

    def __init__(self, *, host: str, port: int, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._troubles = Troubles()
        self._numbers = itertools.count()
        self._calls: dict[int, RecordedCall] = {}
        self._lock = threading.Lock()
        self._listener: _Listener | None = _Listener((host, port), self)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self.host = host
        self.port: int = self._listener.server_port

    @abstractmethod
    def kind_of(self, request: Request) -> Kind:
        """Say what a request is, before anything about it is checked."""

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Carry a request out as the vendor would."""

    @abstractmethod
    def control(self, request: Request) -> Answer:
        """Carry out a request to the control address."""

    def words_for(self, status: int) -> bytes:
        """Give the body of an error that a trouble names by its status alone."""
        return responses.get(status, str(status)).encode()

    def upgrade(self, request: Request, connection: socket.socket) -> bool:  # noqa: ARG002 - for those that do
        """Talk over a WebSocket until it is over; False where a vendor has none at this address."""
        return False

    @property
    def url(self) -> str:
        """Give the address to send to, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def control_url(self) -> str:
        """Give the address that steers the sandbox, with the slash at its end."""
        return f"http://{self.host}:{self.port}{CONTROL}"

    def start(self) -> Self:
        """Serve from now on."""
        if self._thread is None:
            self._listener = self._listener or _Listener((self.host, self.port), self)
            self._stopping.clear()
            self._thread = threading.Thread(
                target=self._listener.serve_forever,
                args=(STOP_POLL_S,),
                name=f"sandbox {self.url}",
                daemon=True,
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """Close the address and every connection; troubles end with it."""
        self._stopping.set()
        self._troubles.replace([])
        if self._thread and self._listener:
            self._listener.shutdown()
            self._thread.join()
        if self._listener:
            self._listener.server_close()
            self._listener.hang_up()
        self._thread = self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def stopping(self) -> bool:
        """Tell whether answers no longer matter."""
        return self._stopping.is_set()

    @property
    def calls(self) -> list[RecordedCall]:
        """List what was asked since `forget_calls`, in the order of arrival, the control address left out."""
        with self._lock:
            return list(self._calls.values())

    @property
    def cancel_calls(self) -> list[RecordedCall]:
        """List those that ask for a cancel, of one order or of many."""
        return [call for call in self.calls if call.kind in ("one", "bulk")]

    def forget_calls(self) -> None:
        """Start the record anew."""
        with self._lock:
            self._calls.clear()

    @property
    def trouble(self) -> tuple[Trouble, ...]:
        """List the troubles that are on; assigning one, a list or None switches on these and no others."""
        return self._troubles.active()

    @trouble.setter
    def trouble(self, troubles: Trouble | Sequence[Trouble] | None) -> None:
        self._troubles.replace([troubles] if isinstance(troubles, Trouble) else troubles or [])

    def trouble_for(self, on: str, **switches: Any) -> Trouble:  # noqa: ANN401 - Trouble checks them
        """Switch one more trouble on, as `trouble_for("bulk", times=1, drop="after")`."""
        trouble = Trouble.from_json({"on": on, **switches})
        self._troubles.add(trouble)
        return trouble

    def record(self, request: Request, kind: Kind, over_socket: int | None = None) -> int:
        """Record a call at its arrival and return its number."""
        headers, body = dict(request.headers), request.body
        call = RecordedCall(
            self.clock(), request.method, request.target, headers, body, None, kind, over_socket
        )
        with self._lock:
            number = next(self._numbers)
            self._calls[number] = call
        return number

    def record_status(self, number: int, status: int) -> None:
        """Record that a call is answered."""
        with self._lock:
            if number in self._calls:  # it may have been forgotten meanwhile
                self._calls[number] = replace(self._calls[number], status=status)

    def meet_over_socket(self, kind: Kind) -> Met:
        """Spend on one call over a WebSocket what it runs into."""
        return self._troubles.take_over_socket(kind)

    def serve(self, request: Request, send: Callable[[bytes], None]) -> bool:
        """Answer one call with what it runs into, and tell whether its connection may be kept."""
        kind = self.kind_of(request)
        number = self.record(request, kind)
        met = self._troubles.take(kind)
        met.wait()
        if self.stopping:
            return False
        answer = self.answer(request) if met.end.acts else None
        if met.end.hang:
            met.hang()
            return False
        if met.end.drop in ("before", "after"):
            return False
        if answer is None or met.end.replaces:
            answer = self.troubled(met.end, request)
        self.record_status(number, answer.status)  # before it leaves: who has read it finds it recorded
        wire = answer.as_bytes(without_body=request.method == "HEAD")
        if met.end.drop == "middle":
            send(wire[: len(wire) - max(1, len(answer.body) // 2)])
            return False
        if met.dripping:
            wire = met.dripping.drip(wire, send)
            if self.stopping:
                return False
        send(wire)
        return not answer.closes

    def troubled(self, trouble: Trouble, request: Request) -> Answer:
        """Make the answer that a trouble puts in the place of the vendor's."""
        headers = {name: value for name, value in trouble.headers.items() if name.lower() != "content-length"}
        if trouble.leak_header:
            leaked = f"{trouble.leak_header}: {request.header(trouble.leak_header)}"
            words = {"success": False, "error": f"Upstream refused the request with the header {leaked}"}
            return Answer.json(trouble.status or LEAK_STATUS, words, headers)
        status = trouble.status or ANSWER_STATUS
        body = self.words_for(status)
        if trouble.answer is not None:
            body = trouble.answer.encode("utf-8", "surrogateescape")
        looks_like = "application/json" if body[:1] in (b"{", b"[", b'"') else "text/html; charset=utf-8"
        return Answer(status, body, {"Content-Type": looks_like, **headers})


class _Listener(ThreadingHTTPServer):
    """Accept connections, and know them, so that stopping ends those kept alive too."""

    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, address: tuple[str, int], sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Take the address without asking a name server what it is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the stdlib
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as in the stdlib
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End every connection; its thread closes it."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the stdlib
        if not isinstance(sys.exception(), OSError):  # a client that went away is no news
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Read requests off one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # TCP_NODELAY
    server: _Listener

    def _handle(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self._send(Answer(411, b"", {"Connection": "close"}))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True  # the sender was cut off: half a request asks for nothing
            return
        # Not self.path, from which the stdlib takes leading slashes.
        target = self.requestline.split()[1]
        request = Request(self.command, target, dict(self.headers.items()), body)
        upgrading = self.command == "GET" and (request.header("Upgrade") or "").casefold() == "websocket"
        if upgrading and self.server.sandbox.upgrade(request, self.connection):
            self.close_connection = True
        elif not target.startswith(CONTROL):
            self.close_connection |= not self.server.sandbox.serve(request, self._write)
        elif ipaddress.ip_address(self.client_address[0]).is_loopback:
            self._send(self.server.sandbox.control(request))
        else:
            self._send(Answer.json(403, {"error": "the control address answers to this machine only"}))

    # The stdlib looks for these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)

    def _send(self, answer: Answer) -> None:
        self.close_connection |= answer.closes
        self._write(answer.as_bytes(without_body=self.command == "HEAD"))

    def log_message(self, *_: object) -> None:
        """Print nothing: the record of calls is the log."""
