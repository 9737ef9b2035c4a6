"""`python -m relay run`: everything starts, what it prints works, and everything ends."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from relay import run
from tests.running import START_WITHIN, Process, curl_line, free_port, procfile_line, until

#: The last line that `run` prints when all is ready.
READY = "Ctrl-C ends all of it."

#: What a machine without curl gets instead: enough of it for the lines that `run` prints.
CURL = f"""#!{sys.executable}
import sys, urllib.request
data = sys.argv[2].encode() if sys.argv[1] == "-d" else None
print(urllib.request.urlopen(sys.argv[-1], data).read().decode())
"""


class Run(Process):
    """The command, with an environment as empty as a new machine's."""

    def __init__(self, folder: Path, *options: str, environ: Mapping[str, str] | None = None) -> None:
        """Take the folder; the port is free at this moment."""
        super().__init__("worker", environ or {})
        self.folder, self.port = folder, free_port()
        words = ["python", "-m", "relay", "run", "--port", str(self.port), "--folder", str(folder), *options]
        self.line = shlex.join(words)
        #: The processes that it had started when it was ready.
        self.started: set[int] = set()

    def start(self) -> Self:
        """Start it, and wait until it says what to do."""
        super().start()
        until(self._is_ready, within=START_WITHIN, what="the end of the start")
        self.started = descendants(self.running.pid)
        return self

    def _is_ready(self) -> bool:
        assert self.running.poll() is None, f"it ended:\n{self.text}"
        return READY in self.text

    def lines(self) -> list[str]:
        """Give the curl lines that it printed."""
        return re.findall(r"^\s*(curl .*)$", self.text, re.MULTILINE)

    def secret(self) -> str:
        """Give the secret that it printed."""
        found = re.search(r"^Secret of this run\s+(\S+)$", self.text, re.MULTILINE)
        assert found, self.text
        return found[1]

    def nothing_is_left(self) -> None:
        """Wait until every process that it started is gone, and see that the port is free."""
        assert self.started
        until(lambda: not self.started & living().keys(), what="the end of all that it started")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.port))


@pytest.fixture(name="running")
def _running(tmp_path: Path) -> Iterator[Run]:
    with Run(tmp_path / "relay") as running:
        yield running


def living() -> dict[int, int]:
    """Give every process that runs, and its parent. A dead one that nobody has buried doesn't count."""
    if Path("/proc/self/stat").exists():
        texts = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                texts.append(stat.read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
        # The name in brackets may hold anything, brackets too.
        rows = [[text.split(" ", 1)[0], *text.rpartition(")")[2].split()[:2]] for text in texts]
    else:
        listed = subprocess.run(
            ["/bin/ps", "-axo", "pid=,stat=,ppid="], capture_output=True, text=True, check=True
        )
        rows = [line.split() for line in listed.stdout.splitlines()]
    return {int(pid): int(parent) for pid, state, parent in rows if not state.startswith("Z")}


def descendants(pid: int) -> set[int]:
    """Give all that a process has started, and what that has started."""
    parents = living()
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def paste(line: str, folder: Path) -> dict[str, Any]:
    """Paste a line into a shell, and read the answer as JSON."""
    path = os.environ.get("PATH", os.defpath)
    if shutil.which("curl") is None:
        (folder / "curl").write_text(CURL)
        (folder / "curl").chmod(0o755)
        path = f"{folder}{os.pathsep}{path}"
    environ = {"PATH": path}
    said = subprocess.run(["/bin/sh", "-c", line], env=environ, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(said.stdout)
    return answer


@pytest.mark.promise(5, 10)
def test_the_printed_line_cancels_at_the_broker(running: Run, tmp_path: Path) -> None:
    """Pasted as it stands, it is confirmed, and the broker's own book says the same; others are untouched."""
    cancel, book, *_ = running.lines()
    assert cancel == curl_line(running.text)
    meant = [order for order in paste(book, tmp_path)["orders"] if _is_meant(order)]
    assert meant
    assert {order["state"] for order in meant} <= {"Working", "Accepted"}

    answer = paste(cancel, tmp_path)

    assert answer["status"] == "confirmed", answer
    assert not answer["duplicate"]
    orders = paste(book, tmp_path)["orders"]
    assert {order["state"] for order in orders if _is_meant(order)} == {"Cancelled"}
    assert answer["summary"]["cancelled"] == len(meant)
    others = [order["state"] for order in orders if not _is_meant(order)]
    assert others
    assert "Cancelled" not in others


@pytest.mark.promise(2, 10)
def test_a_second_paste_and_another_try(running: Run, tmp_path: Path) -> None:
    """The same line again is a duplicate, told beforehand; the lines for another try cancel a new order."""
    cancel, _, place, again, *_ = running.lines()
    first = paste(cancel, tmp_path)

    second = paste(cancel, tmp_path)
    placed = paste(place, tmp_path)
    third = paste(again, tmp_path)

    assert second["duplicate"]
    assert second["status"] == "confirmed"
    assert second["alert_id"] == first["alert_id"]
    assert '"duplicate": true' in running.text
    assert not third["duplicate"]
    assert third["status"] == "confirmed"
    assert [order["order_id"] for order in third["cancels"][0]["orders"]] == [placed["id"]]


@pytest.mark.promise(5, 10)
def test_the_other_brokers_lines_cancel_there(running: Run, tmp_path: Path) -> None:
    """Each is confirmed, and that broker's own book says the same; what was not meant is untouched."""
    lines = running.lines()[4:]
    targets = {"alphapoint": (7, "BTCCAD"), "autoshares": (6303, "AAPL")}
    for (vendor, (account, instrument)), cancel, book in zip(
        targets.items(), lines[::2], lines[1::2], strict=True
    ):
        assert f'"vendor": "{vendor}", "account": {account}, "instrument": "{instrument}"' in cancel
        before = paste(book, tmp_path)["orders"]
        meant = {
            order["number"]
            for order in before
            if (order["account"], order["instrument"]) == (str(account), instrument)
        }

        answer = paste(cancel, tmp_path)

        assert answer["status"] == "confirmed", answer
        assert answer["summary"]["cancelled"] == len(meant)
        after = paste(book, tmp_path)["orders"]
        assert {order["number"] for order in after if order["state"] == "Canceled"} == meant


@pytest.mark.promise(9)
def test_the_secret_is_printed_and_nowhere_else(running: Run, tmp_path: Path) -> None:
    """Neither a log nor Redis's file holds it."""
    paste(curl_line(running.text), tmp_path)
    secret = running.secret()
    running.stop()

    files = [path for path in running.folder.rglob("*") if path.is_file()]
    assert {"web.log", "worker.log", "redis.log"} <= {path.name for path in files}
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
    assert '"event": "alert"' in (running.folder / "web.log").read_text()
    assert '"event"' not in running.text


@pytest.mark.promise(10)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_all_of_it_when_told(running: Run, number: signal.Signals) -> None:
    """Ctrl-C, or a polite kill: status 0, no traceback, no process left, the port free."""
    running.running.send_signal(number)

    assert running.wait() == 0
    running.nothing_is_left()
    assert "Traceback" not in running.text
    assert running.text.endswith("Everything has ended.\n")
    assert "Traceback" not in (running.folder / "web.log").read_text()
    assert "Traceback" not in (running.folder / "worker.log").read_text()


@pytest.mark.promise(10)
def test_told_to_end_while_it_starts(tmp_path: Path) -> None:
    """Ctrl-C before anything is ready is no failure, and leaves nothing either."""
    early = Run(tmp_path / "relay")
    Process.start(early)
    until(lambda: "Starting the web process" in early.text, what="the start of the web process")
    early.started = descendants(early.running.pid)
    early.running.send_signal(signal.SIGINT)

    assert early.wait() == 0
    early.nothing_is_left()
    assert "Traceback" not in early.text


@pytest.mark.promise(10)
def test_killed_it_leaves_nothing_running(running: Run) -> None:
    """After kill -9 nobody is left to end the others; they end by themselves, and the folder is free."""
    running.running.kill()

    running.wait()
    running.nothing_is_left()
    with Run(running.folder) as successor:
        assert requests.get(f"http://127.0.0.1:{successor.port}/readyz", timeout=5).ok


@pytest.mark.promise(10)
def test_a_second_run_in_the_same_folder_is_a_sentence(running: Run) -> None:
    """The first one's Redis, log and relay stay as they are."""
    second = Run(running.folder)
    Process.start(second)

    assert second.wait() == 2
    assert re.search(r"Another Redis \(process \d+\) is at work in .*redis: end the relay", second.text)
    assert "Traceback" not in second.text
    assert requests.get(f"http://127.0.0.1:{running.port}/readyz", timeout=5).ok
    assert "Listening at" in (running.folder / "web.log").read_text()


@pytest.mark.promise(10)
@pytest.mark.parametrize(("part", "log"), [("web", "web.log"), ("Redis", "redis/redis.log")])
def test_a_part_that_dies_ends_the_run(running: Run, part: str, log: str) -> None:
    """It is named, with its log's last lines; the others end, and the status is 1."""
    said = (running.folder / log).read_text()
    if part == "web":
        master = re.search(r"\[(\d+)\] \[INFO\] Listening at", said)
        assert master, said
        victim = int(master[1])
    else:
        victim = int((running.folder / "redis/redis.pid").read_text())
    assert victim in running.started

    os.kill(victim, signal.SIGKILL)

    assert running.wait() == 1
    running.nothing_is_left()
    sentence = rf"^{part} ended by itself .* {re.escape(str(running.folder / log))} ends:$"
    assert re.search(sentence, running.text, re.MULTILINE), running.text
    assert said.splitlines()[0] in running.text
    assert "Traceback" not in running.text


@pytest.mark.promise(8, 10)
def test_only_this_machine_is_let_in(running: Run) -> None:
    """It listens on the loopback's first address alone, and is the Procfile's web line in all else."""
    # Linux has this address too, so whoever listens on all of them would answer here.
    with pytest.raises(OSError, match=r"refused|timed out|assign"):
        socket.create_connection(("127.0.0.2", running.port), timeout=2).close()
    here = procfile_line("web").replace("0.0.0.0:", "127.0.0.1:")
    assert run.web_command()[2] == f'exec "$0" -m {here}'


@pytest.mark.promise(9, 10)
def test_settings_of_ones_own_do_not_leak_in(tmp_path: Path) -> None:
    """They are named, not told, and not used: no order reaches a real broker by an exported token."""
    mine = {
        "RELAY_SECRET": "exported-secret-of-my-own",
        "CROSSTRADE_TOKEN": "exported-token",
        "CROSSTRADE_URL": "https://broker.invalid",
        "REDIS_URL": "redis://redis.invalid:6379/0",
        "ALPHAPOINT_API_KEY": "exported-key",
        "AUTOSHARES_PASSWORD": "exported-password",
    }
    with Run(tmp_path / "relay", environ=mine) as running:
        assert paste(curl_line(running.text), tmp_path)["status"] == "confirmed"

    ignored = ", ".join(sorted(mine))
    assert f"Ignored, since this run makes settings of its own: {ignored}." in running.text
    for name, value in mine.items():
        assert name in running.text
        assert value not in running.text


@pytest.mark.promise(10)
def test_verbose_prints_the_log(tmp_path: Path) -> None:
    """With --verbose the log lines come to the terminal, and into no file."""
    with Run(tmp_path / "relay", "--verbose") as running:
        paste(curl_line(running.text), tmp_path)
        until(lambda: '"event": "alert"' in running.text, what="the alert's line")

    assert not (running.folder / "web.log").exists()
    assert running.secret() not in running.text.split(READY)[1]


def _is_meant(order: Mapping[str, Any]) -> bool:
    return (order["account"], order["instrument"]) == ("Sim101", "MES 12-26")
