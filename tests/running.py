"""A relay as it is deployed: the Procfile's own lines, real gunicorn, real sockets, and its output kept."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import requests

ROOT = Path(__file__).parent.parent

#: A secret and a token that look like none of anybody's.
SECRET = "tests-only-relay-secret-1"
TOKEN = "tests-only-crosstrade-token-1"

#: Seconds in which a process has to be there, or to be gone.
START_WITHIN = 60.0
STOP_WITHIN = 30.0

#: Seconds between two looks at a condition that tells nobody when it comes true.
LOOK_EVERY = 0.02


T = TypeVar("T")


def until(true: Callable[[], T | None], *, within: float = 20.0, what: str = "the condition") -> T:
    """Wait for a condition and give what it came to; fail with its name when it does not come."""
    end = time.monotonic() + within
    while True:
        found = true()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not come within {within:g} s"
        time.sleep(LOOK_EVERY)


#: Sockets that keep the last chosen ports from everybody else: few enough for any limit on open files.
_holding: deque[socket.socket] = deque()
_HELD_AT_MOST = 100


def free_port() -> int:
    """Give a port of the loopback that nobody listens on, and that nobody else is given.

    Tests run side by side, and between the choice of a port and its use the system would give it to another;
    two relays at one port would share it unnoticed, by gunicorn's --reuse-port.
    """
    return until(lambda: free_ports(1), what="a free port")


def free_ports(count: int) -> int | None:
    """Give the first of so many such ports in a row; None where the one that was tried has not so many."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        first = 0
        for number, probe in enumerate(probes):
            # Whoever sets it too may listen there, as every server here does; the system gives it to nobody.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", first and first + number))
            except (OSError, OverflowError):
                return None
            first = first or probe.getsockname()[1]
        # macOS lets nobody listen where another socket is bound.
        if sys.platform == "linux":
            stack.pop_all()
            _holding.extend(probes)
            while len(_holding) > _HELD_AT_MOST:
                _holding.popleft().close()
        return first


def ports_held() -> int:
    """Give how many sockets of this process do nothing but hold a port."""
    return len(_holding)


def procfile_line(process: str) -> str:
    """Give the Procfile's line for a process, as a shell would run it."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{process}:"))


class Process:
    """One of the Procfile's processes, in a process group of its own, with its output kept."""

    def __init__(self, process: str, environ: Mapping[str, str], *, root: Path = ROOT) -> None:
        """Take the process's name and its whole environment, but for the PATH."""
        self.line = procfile_line(process)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self.environ = {"PATH": path, **environ}
        self._root = root
        self._running: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.output: list[str] = []

    def start(self) -> Self:
        """Start it in a shell, as Heroku does."""
        self._running = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self.line}"],
            cwd=self._root,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._running,), daemon=True)
        self._reader.start()
        return self

    @property
    def running(self) -> subprocess.Popen[str]:
        """Give the process that was started."""
        assert self._running is not None, "not started"
        return self._running

    def _read(self, running: subprocess.Popen[str]) -> None:
        assert running.stdout is not None
        with running.stdout:
            for line in running.stdout:
                self.output.append(line)

    @property
    def text(self) -> str:
        """Give all that was read of what it printed: all of it once it has ended."""
        return "".join(self.output)

    def log(self, event: str) -> list[dict[str, Any]]:
        """Give the JSON log lines of one kind that were read so far: a reply may be here before its line."""
        lines = [json.loads(line) for line in list(self.output) if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def line_of(self, request_id: str) -> dict[str, Any]:
        """Wait for an alert's line, by its reply's X-Request-ID: what was printed before is read then."""
        (line,) = until(
            lambda: [each for each in self.log("alert") if each["request_id"] == request_id],
            what="the alert's line",
        )
        return line

    def signal_all(self, number: signal.Signals) -> None:
        """Signal the process and all that it forked."""
        os.killpg(self.running.pid, number)

    def kill(self) -> None:
        """End it and all that it forked by kill -9, in the middle of whatever it does."""
        self.signal_all(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """End it as Heroku does, and give its exit status."""
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, within: float = STOP_WITHIN) -> int:
        """Wait for its end, and give its exit status."""
        try:
            status = self.running.wait(within)
        except subprocess.TimeoutExpired:
            self.signal_all(signal.SIGKILL)
            self.running.wait(STOP_WITHIN)
            raise
        assert self._reader is not None
        self._reader.join(STOP_WITHIN)
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class RunningRelay(Process):
    """The web process, spoken to as a charting platform does."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the settings; the port, the secret and the number of processes have defaults."""
        self.port = int(environ.get("PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self.secret = SECRET
        super().__init__(
            "web", {"PORT": str(self.port), "RELAY_SECRET": SECRET, "WEB_CONCURRENCY": "1", **environ}
        )

    def start(self) -> Self:
        """Start it, and wait until every one of its processes answers."""
        super().start()
        until(self._answers, within=START_WITHIN, what="the relay's first answer")
        return self

    def _answers(self) -> bool:
        if self.running.poll() is not None:
            raise AssertionError(f"the relay ended:\n{self.text}")
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def alert(self, *, headers: Mapping[str, str] | None = None, **fields: object) -> requests.Response:
        """Send an alert for CrossTrade with the secret in its body; `fields` add to it and replace."""
        alert = {"secret": self.secret, "action": "cancel", "vendor": "crosstrade", **fields}
        return self.post(
            json.dumps({name: each for name, each in alert.items() if each is not None}), headers
        )

    def post(self, body: str | bytes, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Send a raw body to the webhook."""
        data = body.encode() if isinstance(body, str) else body
        return requests.post(f"{self.url}/webhook", data=data, headers=dict(headers or {}), timeout=30)

    def record(self, alert_id: str) -> dict[str, Any]:
        """Read an alert's record."""
        answer = requests.get(
            f"{self.url}/alerts/{alert_id}", headers={"Authorization": f"Bearer {self.secret}"}, timeout=30
        )
        assert answer.status_code == requests.codes.ok, answer.text
        record: dict[str, Any] = answer.json()
        return record

    def ended(self, alert_id: str, *, within: float = 20.0) -> dict[str, Any]:
        """Wait until an alert has ended, and give its record."""
        open_statuses = {"in_progress", "requested", "scheduled"}

        def look() -> dict[str, Any] | None:
            record = self.record(alert_id)
            return None if record["status"] in open_statuses else record

        return until(look, within=within, what=f"the end of alert {alert_id}")


def worker(environ: Mapping[str, str]) -> Process:
    """Give the Procfile's worker process, not yet started."""
    return Process("worker", {"RELAY_SECRET": SECRET, **environ})


def relay_command(*words: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with this environment alone."""
    command = [sys.executable, "-m", "relay", *words]
    environ = {"PATH": os.environ.get("PATH", os.defpath), **environ}
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def words(line: str) -> list[str]:
    """Split a command line as a shell does."""
    return shlex.split(line)


def curl_line(text: str) -> str:
    """Find the curl command in what a command printed."""
    found = re.search(r"^\s*(curl .*)$", text, re.MULTILINE)
    assert found, f"no curl line in:\n{text}"
    return found[1]
