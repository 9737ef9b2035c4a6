"""docs/commands.md: each of its commands is run, and prints what stands there."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from relay import cli, stand_ins
from relay.embedded_redis import EmbeddedRedis
from tests.running import ROOT, SECRET, RunningRelay, free_port

PAGE = ROOT / "docs/commands.md"

#: A block of the page: commands behind a $, each followed by what it prints; ^C where somebody ends it.
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: What is another in each run and the same thing all over the page: ids of alerts, and ends of lists.
IDS = re.compile(r"\b(?:\d{13}-)?[0-9a-f]{32}\b|\bsend-[0-9a-f]{16}\b")

#: What is another in each run, and what stands for it.
VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \w+)"), "MOMENT"),
    (re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?"), "TIME"),
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), "HERE"),
    (re.compile(r"[\d.]+ ms|(?<=\"elapsed_ms\": )[\d.]+"), "MS"),
    (re.compile(r"(?<=\"request_id\": \")[0-9a-f]+"), "REQUEST"),
)

#: What `send` says on the way: how far an alert is when its reply leaves is another in each run.
PROGRESS = re.compile(r"^TIME (?:requested|in_progress): .*\n", re.MULTILINE)

#: Commands that run until somebody ends them, without the settings of whoever reads the page.
ALONE = ("run", "sandbox")


def blocks() -> list[str]:
    """Give the page's blocks in order."""
    return BLOCK.findall(PAGE.read_text())


class Reader:
    """Somebody who types what the page says, block after block."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self._ids: dict[str, str] = {}

    def types(self, block: str) -> None:
        """Type the commands of a block, and compare what they print."""
        script = "\n".join(line[2:] for line in block.splitlines() if line.startswith("$ "))
        expected = "\n".join(line for line in block.splitlines() if not line.startswith("$ "))
        script = IDS.sub(lambda found: self._ids.get(found[0], found[0]), script)
        (command,) = set(re.findall(r"python -m relay (\w+)", script)) or {""}
        script = script.replace("--port 8000", f"--port {free_port()} --folder {self._folder / 'run'}")
        environ = {} if command in ALONE else self._environ
        if "^C" in expected:
            self._interrupts(script, environ, expected)
            return
        ended = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=ROOT,
            env=self._surroundings(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        self._compare(expected, ended.stdout)

    def _interrupts(self, script: str, environ: Mapping[str, str], expected: str) -> None:
        said: list[str] = []
        before, _, _ = expected.partition("^C\n" if "^C\n" in expected else "^C")
        with subprocess.Popen(
            ["/bin/sh", "-c", f"exec {script}"],
            cwd=ROOT,
            env=self._surroundings(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            assert running.stdout is not None
            # The last line before ^C is the sign that it may be pressed.
            last = before.splitlines()[-1]
            for line in running.stdout:
                said.append(line)
                if re.fullmatch(pattern(last), plain(line)):
                    break
            running.send_signal(signal.SIGINT)
            said += running.stdout.readlines()
            assert running.wait(30) == 0
        self._compare(expected.replace("^C\n", "").replace("^C", ""), "".join(said))

    def _surroundings(self, environ: Mapping[str, str]) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {"PATH": path, **environ}

    def _compare(self, expected: str, said: str) -> None:
        assert re.fullmatch(pattern(expected), plain(said)), f"{plain(expected)}\n\n{plain(said)}"
        if "…" not in expected:
            self._ids.update(zip(IDS.findall(expected), IDS.findall(said), strict=True))


def plain(text: str) -> str:
    """Put in place of what varies what stands for it; the page breaks long lines."""
    for varies, word in ((IDS, "ID"), *VARIES):
        text = varies.sub(word, text)
    return " ".join(PROGRESS.sub("", text).split())


def pattern(expected: str) -> str:
    """Give what a text has to match: … stands for anything."""
    return ".*".join(re.escape(each.strip()) for each in plain(expected).split("…"))


@pytest.fixture(name="reader")
def _reader(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Reader]:
    with stand_ins.started(stand_ins.credentials({})) as brokers:
        settings = {**brokers.settings, "REDIS_URL": f"{redis_server.url}?db=2", "RELAY_SECRET": SECRET}
        with RunningRelay(settings) as relay:
            yield Reader({**settings, "RELAY_URL": relay.url, "TZ": "UTC"}, tmp_path)


@pytest.mark.promise(5, 9, 10)
def test_each_command_of_the_page_prints_what_stands_there(reader: Reader) -> None:
    """Block after block, with the exit statuses that the page names; ids lead from one to the next."""
    for block in blocks():
        reader.types(block)


@pytest.mark.house
def test_the_page_has_every_command() -> None:
    """A new command is shown there."""
    shown = set(re.findall(r"^\$ .*?python -m relay (\w+)", "\n".join(blocks()), re.MULTILINE))

    assert shown == set(cli.COMMANDS)
