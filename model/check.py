"""Check the model of the ledger with Spin: it keeps its promises, and breaks them without their guards.

Run as a program it ends with 0 when every model came out as expected. Nothing is written outside a
temporary folder; Spin and gcc are installed where that is allowed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).parent / "ledger.pml"

#: The promise that is checked over whole runs; the others are assertions, which a step breaks.
ALWAYS_ENDS = "ALWAYS_ENDS"

#: Megabytes that one check may take, and steps that a run may be long: far more than any needs, and Spin
#: says so where it is not.
_MOST_MB = 1_000
_MOST_STEPS = 200_000

#: Checks at once. Each takes one core.
_AT_ONCE = min(2, os.cpu_count() or 1)

#: Seconds after which one check counts as hung, on a machine that is busy with other things.
_HUNG_S = 900.0

_INSTALL = "apt-get update && apt-get install -y spin gcc"


@dataclass(frozen=True, slots=True)
class Model:
    """The model with all its guards, under some circumstances."""

    name: str
    switches: tuple[str, ...]
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard that can be taken out, and the promise that breaks then.

    `file` is where the guard stands, `code` a line of it: whoever changes that line should look at the
    model, too. Neither is given for what is not written yet.
    """

    switch: str
    promise: str
    file: str = ""
    code: str = ""
    switches: tuple[str, ...] = ("PROCESSES=2",)


#: The circumstances in which the whole model is checked.
MODELS = (
    Model("three processes", ("PROCESSES=3",)),
    Model("late questions", ("PROCESSES=2", "LATE")),
    Model("no key, three processes", ("KEYLESS", "PROCESSES=3")),
    Model("no key, late questions", ("KEYLESS", "PROCESSES=2", "LATE")),
    Model("every alert ends", ("PROCESSES=2",), ends=True),
    Model("every alert ends, no key, three processes", ("KEYLESS", "PROCESSES=3"), ends=True),
    Model("every alert ends, no key, late questions", ("KEYLESS", "PROCESSES=2", "LATE"), ends=True),
)

#: The smallest of them, for the tests: two processes, two copies.
QUICK = Model("two processes", ("PROCESSES=2",))

CLAIM, SETTLE, TAKE = (f"relay/scripts/{name}.lua" for name in ("claim", "settle", "take"))

GUARDS = (
    Guard(
        "SEPARATE_QUEUE",
        "NEVER_LOST",
        CLAIM,
        "redis.call('ZADD', KEYS[3], now + (wait == 0 and ARGV[5] or wait), ARGV[1])",
    ),
    Guard("NO_TAKE_OVER", ALWAYS_ENDS, TAKE, "redis.call('ZADD', KEYS[1], now + ARGV[2], alert_id)"),
    Guard("NO_TOKEN_CHECK", "NEVER_OVERWRITTEN", SETTLE, "if found[1] ~= ARGV[2] then"),
    Guard("CLAIM_IN_TWO_STEPS", "NEVER_TWICE", CLAIM, "local held = redis.call('GET', KEYS[1])"),
    Guard("TAKEN_OVER_SENDS_BULK", "NEVER_TWICE", "relay/lane.py", "self._each_due(held, Delivery.again)"),
    Guard(
        "CLAIM_NOT_RECOGNISED",
        "NEVER_ITS_OWN_DUPLICATE",
        CLAIM,
        "return {'claimed', now, tonumber(received)}",
    ),
    Guard("NO_LEASE_CHECK", "NEVER_LATE", "relay/converse.py", "self._held.clearance()"),
    Guard("NO_AGE_CHECK", "NEVER_LATE", "relay/deliver.py", "clearance=self._bulk_clearance"),
    Guard("HOLD_NOT_IN_REDIS", "NEVER_LATE", SETTLE, "redis.call('ZADD', KEYS[2], now + ARGV[6], ARGV[1])"),
    Guard(
        "KNOWN_BY_KEY_ALONE",
        "NEVER_LATE",
        CLAIM,
        "local received = redis.call('HGET', KEYS[2], 'received')",
        switches=("KEYLESS", "PROCESSES=2"),
    ),
    Guard("TAKE_IGNORES_TOKEN", "NEVER_DENIED", "relay/ledger.py", "held.interrupted = bool(earlier)"),
    Guard("FULL_LANE_FORGETS", "NEVER_DENIED", "relay/lane.py", "progress.taken_over(cancel)"),
    Guard("SETTLE_NOT_RECOGNISED", "NEVER_DISOWNED", SETTLE, "found[2] == ARGV[2]"),
    Guard("NOTIFY_IN_TWO_STEPS", "NEVER_SILENT", SETTLE, "redis.call('ZADD', KEYS[3], now, ARGV[at])"),
    Guard("LEAVES_QUEUE_FIRST", "NEVER_SILENT", "relay/messenger.py", "if took and not taken:"),
)


class Trouble(Exception):  # noqa: N818 - what is in the way, for whoever runs this
    """A check could not be made: a tool is missing, or does not do what it should."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found. `broken` is the promise that does not hold, `run` the way to it in words."""

    states: int
    depth: int
    seconds: float
    broken: str | None
    run: tuple[str, ...]
    unreached: tuple[str, ...]


def ready() -> None:
    """Make sure that Spin and gcc are there; install them as root on Debian and Ubuntu."""
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if not missing:
        return
    said = f"make model needs {' and '.join(missing)}. On Debian and Ubuntu: {_INSTALL}"
    apt = shutil.which("apt-get")
    if os.name != "posix" or os.geteuid() != 0 or apt is None or not Path("/etc/debian_version").exists():
        raise Trouble(said)
    print(f"{said}\nDoing that now.", flush=True)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "spin", "gcc"]):
        done = subprocess.run([apt, "-qq", *words], env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Trouble(f"apt-get {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    if shutil.which("spin") is None or shutil.which("gcc") is None:
        raise Trouble(f"{said}\nThat was done, and they are still not there.")


def check_model(model: Model) -> Found:
    """Check every promise of the whole model: all of its states, or all of its runs."""
    return _checked(model.switches, ends=model.ends, shortest=False)


def check_guard(guard: Guard) -> Found:
    """Take a guard out, and look for the shortest run that breaks its promise; no other is checked."""
    ends = guard.promise == ALWAYS_ENDS
    only = () if ends else (f"CHECK_{guard.promise}",)
    return _checked((*guard.switches, guard.switch, "ONLY", *only), ends=ends, shortest=not ends)


def _checked(switches: Sequence[str], *, ends: bool, shortest: bool) -> Found:
    flags = [f"-D{each}" for each in (*switches, *(["ENDS"] if ends else []))]
    how = [f"-DMEMLIM={_MOST_MB}", "-DNFAIR=4" if ends else "-DSAFETY", "-O1" if shortest else "-O2"]
    if shortest:
        how.append("-DBFS")
    with tempfile.TemporaryDirectory(prefix="cancel-relay-model-") as name:
        folder = Path(name)
        shutil.copy(MODEL, folder)
        _run(folder, "spin", "-a", *flags, MODEL.name)
        _run(folder, "gcc", *how, "-w", "-o", "pan", "pan.c")
        began = time.monotonic()
        words = ["-a", "-f"] if ends else []
        said = _run(folder, str(folder / "pan"), f"-m{_MOST_STEPS}", "-w22", *words)
        seconds = time.monotonic() - began
        run = _run_in_words(folder, flags) if (folder / f"{MODEL.name}.trail").exists() else ()
    return _read(said, run, seconds)


def _run(folder: Path, tool: str, *words: str) -> str:
    path = shutil.which(tool) or tool
    try:
        done = subprocess.run(
            [path, *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_HUNG_S,
        )
    except subprocess.TimeoutExpired as hung:
        raise Trouble(f"{tool} took longer than {_HUNG_S:.0f} s") from hung
    if done.returncode:
        raise Trouble(f"{tool} {' '.join(words)} failed:\n{done.stdout}")
    return done.stdout


def _run_in_words(folder: Path, flags: Sequence[str]) -> tuple[str, ...]:
    """Have Spin go the way again that led to the broken promise, and tell it in the model's own words."""
    said = _run(folder, "spin", "-T", "-t", *flags, "-k", f"{MODEL.name}.trail", MODEL.name)
    lines = MODEL.read_text().splitlines()
    told = []
    for line in said.splitlines():
        if broken := re.search(rf"{re.escape(MODEL.name)}:(\d+), Error: assertion violated", line):
            told.append(lines[int(broken[1]) - 1].strip())
        elif "START OF CYCLE" in line:
            told.append("   and from here on, for ever:")
        elif re.match(r"[A-Z]: |   \w", line):
            told.append(line.rstrip())
    return tuple(told)


def _read(said: str, run: tuple[str, ...], seconds: float) -> Found:
    """Read what Spin's checker says; raise where it did not look at everything that it should have."""
    figures = [
        re.search(pattern, said)
        for pattern in (r"(\d+) states, stored", r"depth reached (\d+)", r"errors: (\d+)")
    ]
    states, depth, errors = (int(each[1]) if each else None for each in figures)
    if states is None or depth is None or errors is None:
        raise Trouble(f"Spin said nothing that can be read:\n{said}")
    if "max search depth too small" in said or (not errors and "Search not completed" in said):
        raise Trouble(f"Spin did not look at all of it:\n{said}")
    broken = None
    if "acceptance cycle" in said and errors:
        broken = ALWAYS_ENDS
    elif errors:
        named = re.search(r"NEVER_[A-Z_]+", run[-1]) if run else None
        broken = named[0] if named else _first_error(said)
    unreached = re.findall(r"^\t\S*?:(\d+), state \d+, \"(.*)\"", said, re.MULTILINE)
    return Found(
        states,
        depth,
        seconds,
        broken,
        run,
        tuple(f"line {line}: {text}" for line, text in unreached if text != "-end-"),
    )


def _first_error(said: str) -> str:
    return next((line for line in said.splitlines() if line.startswith("pan:")), "an error without a name")


def _verdict_on(model: Model) -> tuple[bool, str]:
    found = check_model(model)
    wrong = [f"{found.broken} is broken:", *found.run] if found.broken else []
    if not wrong and found.unreached:
        wrong = ["These steps were never taken:", *found.unreached]
    return not wrong, _line("FAILS" if wrong else "holds", model.name, found, wrong)


def _verdict_on_lack(guard: Guard) -> tuple[bool, str]:
    found = check_guard(guard)
    wrong = []
    if found.broken != guard.promise:
        wrong = [f"{found.broken or 'Nothing'} breaks instead:", *found.run]
    name = f"{guard.switch}: {guard.promise}"
    return not wrong, _line("HOLDS" if wrong else "breaks", name, found, wrong)


def _line(verdict: str, name: str, found: Found, wrong: Sequence[str]) -> str:
    figures = f"{found.states:>8} states, {found.depth:>6} deep, {found.seconds:>5.1f} s"
    return "\n      ".join([f"  {verdict:<6} {name:<46} {figures}", *wrong])


def _check_all() -> Iterator[str | tuple[bool, str]]:
    """Give each part's heading, and after it its verdicts as they come."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield "The model with all its guards, every state of it:"
        yield from pool.map(_verdict_on, MODELS)
        yield "With one guard taken out, the promise that is to break:"
        yield from pool.map(_verdict_on_lack, GUARDS)


def main(words: Sequence[str]) -> int:
    """Check everything, a line for each; or show how one guard's lack breaks its promise."""
    parser = argparse.ArgumentParser(prog="make model", description=__doc__)
    switches = {guard.switch: guard for guard in GUARDS}
    parser.add_argument(
        "--trace", metavar="GUARD", choices=sorted(switches), help="one of " + ", ".join(switches)
    )
    chosen: str | None = parser.parse_args(words).trace
    try:
        ready()
        if chosen:
            found = check_guard(switches[chosen])
            print(f"Without {chosen}'s guard:", *found.run, sep="\n  ")
            return 0 if found.broken == switches[chosen].promise else 1
        began, missed = time.monotonic(), 0
        for said in _check_all():
            as_expected, line = (True, said) if isinstance(said, str) else said
            missed += not as_expected
            print(line, flush=True)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    count = len(MODELS) + len(GUARDS)
    print(f"{count - missed} of {count} as expected, in {time.monotonic() - began:.0f} s.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
