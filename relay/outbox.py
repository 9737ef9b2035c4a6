"""What the trader is to be told, from its queue in Redis to the service that took it.

Queued is in the step that makes it true. It leaves the queue only when it was handed over, so that a process
that is killed in between leads to a message twice, and never to none.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from relay import log
from relay.ledger import ALERTS, NOTICES, NOTICES_KEPT, PREFIX, RECORD, REFUSED, Ledger
from relay.notice import Kind, Notice
from relay.record import Record

#: Milliseconds in which one and the same reason is told once; what comes meanwhile is counted.
GATE_MS = 60_000

#: Milliseconds for which the turn to tell is one process's, unless it says that it is still at it.
TURN_MS = 5_000

#: Milliseconds after a message in which everything waits for the next one, doubled while messages follow each
#: other, up to the longest: a storm becomes a few messages.
PAUSE_MS = 2_000
PAUSE_MOST_MS = 15_000

#: Milliseconds until it is tried again after no service took anything, doubled up to the longest.
BACK_OFF_MS = 1_000
BACK_OFF_MOST_MS = 60_000

#: Refused alerts that are kept of a sender: some 5 kB each at most.
REFUSED_KEPT = 100

#: Milliseconds without a beat of any web process after which the relay counts as having been away.
GAP_MS = 10_000

#: Milliseconds after which a vendor's outage that no process sees any more is forgotten.
OUTAGE_MS = 60_000

#: Milliseconds for which counters, and what a service did, are remembered.
_REMEMBERED_MS = 30 * 86_400_000

_TURN = PREFIX + "telling"
_HEARTBEAT = PREFIX + "heartbeat"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that waits, since when (Redis's ms), and how many things it stands for."""

    notice: Notice
    at_ms: int
    count: int
    #: The notice as it stands in the queue: another version of the relay may have written it otherwise.
    member: str


@dataclass(frozen=True, slots=True)
class Batch:
    """All that waits at `now_ms`, and how many older ones there was no room for."""

    now_ms: int
    waiting: tuple[Waiting, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service did: when it last took a message (0: never), and since when it fails (0: it doesn't)."""

    now_ms: int
    took_ms: int
    failing_since_ms: int
    times: int
    words: str


class Outbox:
    """The queue of what the trader is to be told. Every method raises `NotReady` where Redis is away."""

    def __init__(self, ledger: Ledger) -> None:
        """Take the ledger whose Redis holds the queue."""
        self._ledger = ledger
        self._token = secrets.token_hex(8)
        #: What was found at the last turn that another version wrote: it is logged once.
        self._strange: set[str] = set()

    def tell(self, kind: Kind, words: str, *, alert_id: str = "", status: str = "", gate: str = "") -> bool:
        """Have the trader told; say no where the gate let it only be counted.

        `gate`: one a minute of what has the same.
        """
        notice = Notice(alert_id, kind, status, words, secrets.randbits(53))
        return self._tell(notice, gate, f"The same happened again within the minute: {words}", None)

    def refused(self, record: Record, words: str, more: str) -> bool:
        """Keep the record of a refused alert and have the trader told, in one step.

        One a minute for each sender and reason is told in its own `words`; the others are counted, and told
        as `more` when the minute is over.
        """
        problem = record.refused.problem if record.refused else ""
        notice = Notice(record.alert_id, Kind.REFUSED, record.status.value, words, 1)
        return self._tell(notice, f"refused {record.sender} {problem}", more, record)

    def _tell(self, notice: Notice, gate: str, more: str, record: Record | None) -> bool:
        shut = f"{PREFIX}gate:{hashlib.sha256(gate.encode()).hexdigest()[:32]}" if gate else ""
        counted = replace(notice, alert_id="", words=more, number=0, counter="@counter@")
        keys, facts = ["", "", "", ""], ["", "", 0]
        if record is not None:
            of_sender = f"{ALERTS}:{record.sender}"
            keys = [RECORD + record.alert_id, ALERTS, of_sender, REFUSED + record.sender]
            facts = [record.alert_id, record.encode(), self._ledger.keep_ms]
        _, told = self._ledger.run(
            "tell",
            [NOTICES, shut, *keys],
            [
                notice.encode(),
                secrets.token_hex(8),
                GATE_MS,
                NOTICES_KEPT,
                counted.encode(),
                _REMEMBERED_MS,
                *facts,
                REFUSED_KEPT,
                RECORD,
            ],
        )
        return bool(told)

    def turn(self) -> Batch | None:
        """Take the turn to tell, with all that waits; None where it is another's, or nothing waits."""
        answer = self._ledger.run("turn_to_tell", [_TURN, NOTICES], [self._token, TURN_MS, NOTICES_KEPT])
        if not answer:
            return None
        now_ms, found, dropped = answer
        waiting = self._understood(found)
        if waiting or dropped:
            return Batch(now_ms, waiting, dropped)
        # All of it is another version's: let that one have the turn.
        self._told("handed")
        return None

    def _understood(self, found: Sequence[Sequence[Any]]) -> tuple[Waiting, ...]:
        """Read what waits; what a newer version of the relay wrote stays for it to tell."""
        waiting, strange = [], set()
        for member, at_ms, count in found:
            try:
                waiting.append(Waiting(Notice.decode(member), at_ms, count, member))
            except (KeyError, TypeError, ValueError):
                strange.add(member)
        for member in strange - self._strange:
            log.say("not_understood", {"notice": member}, logging.WARNING)
        self._strange = strange
        return tuple(waiting)

    def keep_turn(self) -> None:
        """Say that this process is still at it."""
        self._told("keep")

    def handed_over(self, batch: Batch) -> int:
        """Take what was told out of the queue, and give the ms for which everybody rests."""
        return self._told("handed", batch.dropped, *(each.member for each in batch.waiting))

    def not_handed_over(self) -> int:
        """Leave everything in the queue, and give the ms for which everybody rests."""
        return self._told("failed")

    def _told(self, how: str, dropped: int = 0, *notices: str) -> int:
        times = [TURN_MS, PAUSE_MS, PAUSE_MOST_MS, BACK_OFF_MS, BACK_OFF_MOST_MS]
        return int(self._ledger.run("told", [_TURN, NOTICES], [self._token, how, *times, dropped, *notices]))

    def service(self, name: str, how: str = "read", words: str = "") -> ServiceState:
        """Note that a service `took` a message or `failed`, and give how it does."""
        known = f"{PREFIX}service:{name}"
        return ServiceState(*self._ledger.run("service", [known], [how, words, _REMEMBERED_MS]))

    def beat(self, last: int | None = None, words: str = "") -> tuple[int, int]:
        """Say that a process lives that takes alerts; give Redis's time, and the beat before a gap, or 0.

        A gap has to be told before the heart beats on: call again with the last beat, and the words.
        """
        notice = Notice("", Kind.AWAY, "", words, last or 0)
        known = "" if last is None else str(last)
        now_ms, before = self._ledger.run("beat", [_HEARTBEAT, NOTICES], [GAP_MS, known, notice.encode()])
        return int(now_ms), int(before)

    def outage(self, vendor: str, how: str, kind: Kind, words: str, *, answered_ms_ago: int = 0) -> None:
        """Tell that a vendor's silence began (`open`), lasts (`still`) or ended (`closed`): once for all.

        It lasts untold where it began within a minute of the last one: then it is told when that is over.
        """
        state = f"{PREFIX}outage:{vendor}"
        notice = Notice("", kind, "", words, secrets.randbits(53))
        self._ledger.run(
            "outage",
            [state, NOTICES, f"{state}:told"],
            [how, notice.encode(), OUTAGE_MS, GATE_MS, answered_ms_ago],
        )
