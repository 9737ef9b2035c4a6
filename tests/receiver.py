"""What a trader's phone would get: servers that take what Apprise sends by json://, ntfy:// and mailto://."""

import json
import socketserver
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.running import free_port, until


@dataclass(frozen=True)
class Told:
    """One message as it arrived."""

    title: str
    body: str
    #: Everything that came with it.
    raw: str


class Receiver:
    """Take messages on a port of the loopback, and keep them; a test may have it fail, or hang."""

    def __init__(self) -> None:
        """Choose a port; nothing listens yet."""
        self.port = free_port()
        self.told: list[Told] = []
        #: How requests are answered.
        self.status = 200
        #: Cleared, a request that was read is answered to only when it is set again.
        self.answers = threading.Event()
        self.answers.set()
        #: Requests that were read, answered or not.
        self.arrived = threading.Semaphore(0)
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Give its address as RELAY_NOTIFY has it."""
        return f"json://127.0.0.1:{self.port}/tests-only-path-of-a-receiver"

    def __enter__(self) -> Self:
        """Listen."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        self.answers.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Take one message, and answer as the test wants it."""
        text = request.rfile.read(int(request.headers["Content-Length"])).decode()
        fields = json.loads(text)
        # Read once: whoever changes it in between would see a message answered as taken that was not.
        status = self.status
        if status == 200:
            body = fields.get("message", "")
            self.told.append(Told(fields.get("title", ""), body, f"{request.path} {request.headers} {text}"))
        self.arrived.release()
        self.answers.wait(60)
        request.send_response(status)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"{}")

    def hear(self, *words: str, within: float = 20.0) -> Told:
        """Wait for a message that has all the words in its title or its text."""

        def heard() -> Told | None:
            for each in list(self.told):
                if all(word in f"{each.title}\n{each.body}" for word in words):
                    return each
            return None

        try:
            return until(heard, within=within, what=f"a message with {', '.join(words)}")
        except AssertionError as error:
            raise AssertionError(f"{error}; there were {self.told}") from None

    def count(self, *words: str) -> int:
        """Count the messages that have all the words."""
        return sum(all(word in f"{each.title}\n{each.body}" for word in words) for each in list(self.told))


class MailBox(socketserver.ThreadingTCPServer):
    """Take mail as an SMTP server does, without encryption or log-in."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a port of the loopback."""
        super().__init__(("127.0.0.1", 0), _Letter)
        self.letters: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Give its address as RELAY_NOTIFY has it: with a comma within."""
        port = self.server_address[1]
        return (
            f"mailto://127.0.0.1:{port}?mode=insecure&from=relay@example.com&to=a@example.com,b@example.com"
        )


class _Letter(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, MailBox)
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(part)
                self.server.letters.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                return
