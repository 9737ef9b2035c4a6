"""Take the relay's guards out, one by one, and see the suite fail: a judge that cannot fail proves nothing.

Each guard is taken out of a copy of the tree, by replacing a text that has to stand there exactly once; where
it doesn't, the demonstration itself fails. The relay has no switches for this.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.judge import Kind
from tests.running import ROOT

#: Seeds of the reduced runs: what a pause or a kill meets is a matter of microseconds, so where the first
#: shows nothing the next is tried.
SEEDS = (11, 12, 13)

#: Seconds that one reduced run may take.
_RUN_S = 300.0

#: What a copy does without.
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "docs")

#: A run in which machines often sleep over what they had in hand, and brokers are slow.
_SLEEPERS = ("--emphasis", "whole machine paused past its lease", "--stroke-every", "0.6", "--severity", "2")


class PatchError(Exception):
    """A guard is not where it was looked for, so that taking it out would take out nothing."""


@dataclass(frozen=True)
class Patch:
    """A text in a file, and what stands in its place without the guard."""

    file: str
    guarded: str
    unguarded: str

    def apply(self, tree: Path) -> None:
        """Take the guard out of a tree."""
        path = tree / self.file
        text = path.read_text()
        found = text.count(self.guarded)
        if found != 1:
            times = "not there" if found == 0 else f"there {found} times"
            raise PatchError(f"{self.file}: the text of the guard is {times}:\n{self.guarded}")
        path.write_text(text.replace(self.guarded, self.unguarded))


@dataclass(frozen=True)
class Guard:
    """A guard, what goes wrong without it, and the reduced run that shows it."""

    name: str
    #: What it keeps from happening, in words.
    words: str
    patches: tuple[Patch, ...]
    #: What the judge has to find; one of them is enough.
    expected: frozenset[Kind]
    alerts: int = 150
    arguments: tuple[str, ...] = ()


GUARDS = (
    Guard(
        "none",
        "nothing is taken out: the same reduced run, which has to pass",
        (),
        frozenset(),
    ),
    Guard(
        "none-asleep",
        "the same for the runs in which processes sleep",
        (),
        frozenset(),
        arguments=_SLEEPERS,
        alerts=800,
    ),
    Guard(
        "freshness",
        "a bulk call may leave at any age, also from a process that took the alert over",
        (
            Patch(
                "relay/deliver.py",
                """        now_ms, record = self._held.now_ms(), self._held.record
        timestamp_ms = record.alert.timestamp_ms
""",
                """        return True
        now_ms, record = self._held.now_ms(), self._held.record
        timestamp_ms = record.alert.timestamp_ms
""",
            ),
            Patch(
                "relay/deliver.py",
                """        if self._cancel.scope is not Scope.ORDER:
            self._find_meaning()
            self._list_and_ask()
""",
                """        if self._cancel.scope is not Scope.ORDER:
            self._first()
""",
            ),
        ),
        frozenset({Kind.TWICE, Kind.NEWER}),
    ),
    Guard(
        "token",
        "a process that was paused past its lease may overwrite what its successor wrote",
        (
            Patch(
                "relay/scripts/settle.lua",
                "if found[1] ~= ARGV[2] then\n",
                "if false then\n",
            ),
        ),
        frozenset({Kind.REWRITTEN, Kind.AFTER, Kind.UNTRUE}),
        arguments=_SLEEPERS,
        alerts=800,
    ),
    Guard(
        "evidence",
        "every order that works counts as one that the alert means",
        (
            Patch(
                "relay/evidence.py",
                """    aimed, why = _aimed_at(cancel, order, same_instrument)
""",
                """    if cancel is not None:
        return Verdict.MEANT, None
    aimed, why = _aimed_at(cancel, order, same_instrument)
""",
            ),
        ),
        frozenset({Kind.NEWER, Kind.WIDER}),
    ),
    Guard(
        "time-of-creation",
        "an order that came after the alert counts as one that was there",
        (
            Patch(
                "relay/evidence.py",
                """        there, when = _was_there(progress, order, doubt_ms)
""",
                """        there, when = True, None
""",
            ),
        ),
        frozenset({Kind.NEWER}),
    ),
    Guard(
        "unknown-is-rejected",
        "a call whose answer never came counts as refused",
        (
            Patch(
                "relay/deliver.py",
                """        except Refused as failure:
            if not progress.started:
""",
                """        except (Refused, Unknown) as failure:
            if not progress.started or isinstance(failure, Unknown):
""",
            ),
        ),
        frozenset({Kind.UNTRUE}),
    ),
    Guard(
        "unknown-is-resent",
        "a bulk call whose answer never came is sent again as it was",
        (
            Patch(
                "relay/deliver.py",
                """            if not self._tells_what_was_there():
                raise
            self._list_and_ask()
""",
                """            if not self._tells_what_was_there():
                raise
            self._bulk(bulk)
""",
            ),
        ),
        frozenset({Kind.TWICE}),
    ),
    Guard(
        "claim-key",
        "the same alert again is another alert",
        (
            Patch(
                "relay/scripts/claim.lua", "local held = redis.call('GET', KEYS[1])\n", "local held = false\n"
            ),
        ),
        frozenset({Kind.TWICE}),
    ),
    Guard(
        "due",
        "an alert is claimed without the promise to look at it again",
        (
            Patch(
                "relay/scripts/claim.lua",
                "redis.call('ZADD', KEYS[3], now + (wait == 0 and ARGV[5] or wait), ARGV[1])\n",
                "",
            ),
        ),
        frozenset({Kind.STUCK, Kind.LOST}),
        arguments=("--emphasis", "web process killed"),
    ),
    Guard(
        "lease",
        "whoever was paused past his lease goes on, and writes to the broker",
        (
            Patch(
                "relay/ledger.py",
                "        return self._ends - time.monotonic()\n",
                "        return self._ledger.lease_s\n",
            ),
            Patch(
                "relay/ledger.py",
                """            self._ends = 0.0
            raise LeaseEnded
""",
                """            return
""",
            ),
        ),
        frozenset({Kind.AFTER, Kind.NEWER}),
        arguments=_SLEEPERS,
        alerts=800,
    ),
    Guard(
        "proof",
        "the broker's word that it took a request counts as the proof that the orders are gone",
        (
            Patch(
                "relay/conclude.py",
                """    if Outcome.REQUESTED in outcomes:
        progress.status = Status.REQUESTED
        return False
""",
                "",
            ),
        ),
        frozenset({Kind.LOST, Kind.UNTRUE}),
        arguments=("--emphasis", "exchange refuses cancels"),
    ),
    Guard(
        "persistence",
        "Redis keeps no file: not the relay's guard, but what its promise rests on",
        (Patch("tests/faults/stage.py", '"--appendfsync", "always"', '"--appendonly", "no"'),),
        frozenset({Kind.LOST}),
        arguments=("--emphasis", "Redis killed, and started on its file"),
    ),
)


def copied(folder: Path) -> Path:
    """Copy the tree into a folder."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=_LEFT_OUT)
    return tree


def demonstrate(names: Sequence[str], say: Callable[[str], None]) -> bool:
    """Run the suite without each guard, a line for each; say whether each run failed as it has to."""
    as_expected = True
    for guard in GUARDS:
        if names and guard.name not in names:
            continue
        seed, counts = _seen_without(guard)
        right = _is_right(guard, counts)
        as_expected = as_expected and right
        told = ", ".join(f"{name}: {count}" for name, count in counts.items()) or "nothing"
        mark = "as expected" if right else "NOT SEEN"
        say(f"{mark:<13}{guard.name:<21}seed {seed}, {guard.alerts} alerts → {told}  ({guard.words})")
    return as_expected


def _seen_without(guard: Guard) -> tuple[int, Mapping[str, int]]:
    """Give the counts of the first seed that shows what has to be seen, or of the last."""
    counts: Mapping[str, int] = {}
    for seed in SEEDS if guard.expected else SEEDS[:1]:
        with tempfile.TemporaryDirectory(prefix="guards-") as folder:
            tree = copied(Path(folder))
            for patch in guard.patches:
                patch.apply(tree)
            counts = _counts(guard, seed, tree, Path(folder) / "counts.json")
        if _is_right(guard, counts):
            break
    return seed, counts


def _is_right(guard: Guard, counts: Mapping[str, int]) -> bool:
    seen = {Kind(name) for name in counts}
    return bool(seen & guard.expected) if guard.expected else not seen


def _counts(guard: Guard, seed: int, tree: Path, where: Path) -> Mapping[str, int]:
    """Run the reduced suite in a tree, and give the counts that are not 0."""
    suite = subprocess.Popen(
        [sys.executable, "-m", "tests.faults", *_arguments(guard, seed), "--json", str(where)],
        cwd=tree,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = suite.communicate(timeout=_RUN_S)
    except BaseException:
        # Not killed: it has processes of its own to end.
        suite.terminate()
        suite.wait()
        raise
    if not where.exists():
        raise PatchError(f"without {guard.name} the suite did not come to its end:\n{said}")
    counts: dict[str, int] = json.loads(where.read_text())
    return counts


def _arguments(guard: Guard, seed: int) -> Iterator[str]:
    yield from ("--seed", str(seed), "--alerts", str(guard.alerts))
    yield from ("--resend-after", "1", *guard.arguments)
