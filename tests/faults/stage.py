"""What runs: a Redis with its file on the disk, and two machines of the Procfile's processes.

Only processes that were started here are signalled, each by its own number.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import redis
import requests

from relay.embedded_redis import EmbeddedRedis
from tests.running import SECRET, Process, RunningRelay, worker

#: Seconds of the relay's lease: short, so that a process is paused past it, and taken over from, often.
LEASE_S = 2.0

#: Web processes of each machine, as the Procfile has it.
WEB_PROCESSES = 2

#: Seconds between two times at which the windows of limits that are no setting are emptied.
_LIFT_EVERY_S = 0.1

#: Seconds in which a record is shown, by a machine that is well.
_RECORD_S = 3.0


class DurableRedis(EmbeddedRedis):
    """A Redis that has every write on the disk before it answers."""

    def _command(self, binary: Path) -> list[str]:
        return [*super()._command(binary), "--appendfsync", "always"]


class Machine:
    """The Procfile's web line with its two processes, and a worker. `busy` is held by what happens to it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the settings."""
        self.web = RunningRelay({**environ, "WEB_CONCURRENCY": str(WEB_PROCESSES)})
        self.worker = worker(environ)
        self.busy = threading.Lock()

    def start(self) -> Self:
        """Start what does not run, and wait until it answers."""
        for process in (self.worker, self.web):
            if not _runs(process):
                process.start()
        return self

    def end(self) -> None:
        """End all of it at once."""
        for process in (self.web, self.worker):
            if _runs(process):
                process.kill()

    def processes(self) -> list[int]:
        """List all of its processes."""
        alone = [process.running.pid for process in (self.web, self.worker) if _runs(process)]
        return [*self.web_processes(), *alone]

    def log_lines(self) -> list[str]:
        """Give what its processes have printed since they were asked last."""
        found: list[str] = []
        for process in (self.web, self.worker):
            lines = list(process.output)
            del process.output[: len(lines)]  # their reader goes on adding
            found += lines
        return found

    def web_processes(self) -> list[int]:
        """List gunicorn's own processes, those that answer."""
        return children(self.web.running.pid) if _runs(self.web) else []


class Stage:
    """Redis and the machines."""

    def __init__(self, folder: Path, settings: Sequence[Mapping[str, str]]) -> None:
        """Take an empty folder, and for each machine the settings that lead it to the brokers."""
        self.server = DurableRedis(folder)
        own = {
            "REDIS_URL": self.server.url,
            "RELAY_SECRET": SECRET,
            "RELAY_LEASE": f"{LEASE_S:g}",
        }
        self.redis = redis.Redis.from_url(
            self.server.url, decode_responses=True, socket_timeout=2.0, socket_connect_timeout=2.0
        )
        self._environs = [{**own, **each} for each in settings]
        self.machines: tuple[Machine, ...] = ()
        self._stopping = threading.Event()
        self._lifting = threading.Thread(target=self._lift, name="lift", daemon=True)

    def __enter__(self) -> Self:
        """Start all of it."""
        self.server.start()
        self.machines = tuple(map(Machine, self._environs))
        try:
            for machine in self.machines:
                machine.start()
        except BaseException:
            self.__exit__()
            raise
        self._lifting.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it."""
        self._stopping.set()
        for machine in self.machines:
            machine.end()
        self.redis.close()
        self.server.stop()

    @property
    def ports(self) -> tuple[int, ...]:
        """Give the machines' ports."""
        return tuple(machine.web.port for machine in self.machines)

    def alert_ids(self, since_ms: float) -> list[str]:
        """List the records that were made since then; their senders need not know of them."""
        return [str(each) for each in self.redis.zrangebyscore("relay:alerts", since_ms, "+inf")]

    def record(self, alert_id: str, session: requests.Session) -> dict[str, Any] | None:
        """Read a record from whichever machine shows it; None where there is none.

        Raises a `RequestException` where no machine can tell.
        """
        failure: requests.RequestException | None = None
        for machine in self.machines:
            try:
                answer = session.get(
                    f"{machine.web.url}/alerts/{alert_id}",
                    headers={"Authorization": f"Bearer {SECRET}"},
                    timeout=_RECORD_S,
                )
                if answer.status_code == requests.codes.not_found:
                    return None
                answer.raise_for_status()
                record: dict[str, Any] = answer.json()
            except requests.RequestException as error:
                failure = error
            else:
                return record
        raise failure or requests.RequestException

    def _lift(self) -> None:
        """Empty the windows of two limits that the relay keeps and no setting changes.

        Autoshares' 120 looks at orders a minute, and the 8 log-ins a minute of any credential: under them ten
        thousand alerts and hundreds of restarts would take hours.
        """
        while not self._stopping.wait(_LIFT_EVERY_S):
            with contextlib.suppress(redis.RedisError):
                names = [
                    name
                    for name in self.redis.scan_iter("relay:budget:*", count=10_000, _type="list")
                    if name.endswith((":reads", ":log-ins"))
                ]
                if names:
                    self.redis.unlink(*names)


def children(pid: int) -> list[int]:
    """List the processes that a process has started."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="],  # noqa: S607 - where it is differs between systems
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [int(child) for child, parent in pairs if int(parent) == pid]


def signal_one(pid: int, number: signal.Signals) -> None:
    """Signal one process, unless it has ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process for a while, as a machine that swaps does."""
    signal_one(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_one(pid, signal.SIGCONT)


def _runs(process: Process) -> bool:
    try:
        return process.running.poll() is None
    except AssertionError:
        return False  # it was never started
