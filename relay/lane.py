"""A lane for each credential: the threads in which records are carried forward.

A request hands its record to the lane and waits no longer than its reply time; the lane goes on. The
lanes are small and apart, so that a broker that hangs fills its own and no other's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from relay import log
from relay.alert import ReplyWhen
from relay.conclude import end_if_out_of_time
from relay.converse import Conversations, Line
from relay.deliver import Delivery
from relay.errors import LeaseEnded, NotReady
from relay.ledger import Held, Ledger
from relay.outcome import Outcome, Status
from relay.record import Record
from relay.room import LANE
from relay.scrubber import Scrubber
from relay.threads import say_none, side_by_side

#: Accounts of one alert that are worked on side by side.
_ACCOUNTS_AT_ONCE = 8

#: Milliseconds after which a record that found its lane full is due again.
_FULL_MS = 500


class Job:
    """One record being carried forward."""

    def __init__(self, record: Record) -> None:
        """Take the record that the lane's thread writes to."""
        self._record = record
        self._over = threading.Event()
        self._begun = threading.Lock()
        #: Whether the ledger has taken what came of it.
        self.recorded = False

    def begin(self) -> bool:
        """Say whether the record is the caller's: of all who ask, the first has it."""
        return self._begun.acquire(blocking=False)

    def wait(self, seconds: float) -> None:
        """Wait until it is over, and no longer than that."""
        self._over.wait(seconds)

    def end(self) -> None:
        """Say that it is over."""
        self._over.set()

    def seen(self) -> Record:
        """Give the record as others may be told of it: what the ledger has not taken is in progress."""
        if self.recorded:
            return self._record
        seen = Record.decode(self._record.encode(), self._record.received_ms)
        for _, progress in seen.cancels:
            if progress.status.ended:
                progress.status = Status.IN_PROGRESS
        return seen


class Lanes:
    """Carry records forward, each in the lane of its credential. Threads start with the first record."""

    def __init__(
        self, lines: Mapping[str, Line], ledger: Ledger, scrubber: Scrubber, threads: int = LANE
    ) -> None:
        """Take the lines to the vendors, by the vendor's name, and the threads of each lane."""
        self._lines = lines
        self._ledger = ledger
        self._scrubber = scrubber
        self._pools = {name: ThreadPoolExecutor(threads, f"lane-{name}") for name in lines}
        self._room = dict.fromkeys(lines, threads)
        self._counting = threading.Lock()
        self._stopping = threading.Event()

    def first(self, held: Held, *, until: float) -> Job:
        """Make the first try.

        An alert that wants to be answered when it is confirmed is looked at again until then, or
        until the (monotonic) moment when its reply is due.
        """
        return self._carry(held, lambda: self._first(held, until))

    def again(self, held: Held) -> Job:
        """Make a later visit."""
        return self._carry(held, lambda: self._each_due(held, Delivery.again))

    def free(self) -> int:
        """Give the number of records that can be taken on now.

        Where no vendor is on no lane is full: what is taken then is let go, or ended when it is time.
        """
        with self._counting:
            room = sum(self._room.values()) if self._room else LANE
            return 0 if self._stopping.is_set() else room

    def _enter(self, name: str) -> bool:
        with self._counting:
            room = self._room[name] > 0
            self._room[name] -= room
            return room

    def _leave(self, name: str) -> None:
        with self._counting:
            self._room[name] += 1

    def stop(self) -> None:
        """Let what runs come to the end of its visit, and take no more."""
        self._stopping.set()
        for pool in self._pools.values():
            pool.shutdown(wait=True)

    def _carry(self, held: Held, work: Callable[[], None]) -> Job:
        name = held.record.cancels[0][0].vendor
        job = Job(held.record)
        if name not in self._lines:
            self._later(job, held, f"{name} is not configured in this process")
        elif self._stopping.is_set() or not self._enter(name):
            self._later(job, held, f"too many calls to {name} are under way")
        else:
            self._submit(name, held, work, job)
        return job

    def _submit(self, name: str, held: Held, work: Callable[[], None], job: Job) -> None:
        try:
            self._pools[name].submit(self._run, name, held, work, job)
        except RuntimeError:
            # No thread could be started, or the process is ending: the record goes to whoever can. The pool
            # keeps what it could start no thread for, and another of its threads may do it yet.
            say_none(f"lane-{name}")
            if job.begin():
                self._leave(name)
                self._later(job, held, "this process cannot take more work")

    def _run(self, name: str, held: Held, work: Callable[[], None], job: Job) -> None:
        if not job.begin():
            return
        facts = {"alert_id": held.record.alert_id, "request_id": held.record.request_id}
        try:
            work()
            held.settle()
            job.recorded = True
        except LeaseEnded:
            log.say("lease_ended", facts)
        except NotReady:
            # The record keeps its lease, so whoever finds Redis again first takes it over.
            log.say("redis_away", facts)
        except Exception:  # noqa: BLE001 - the thread's last door: what is unforeseen is logged, and taken over
            log.say_unforeseen(facts)
        finally:
            self._leave(name)
            job.end()

    def _first(self, held: Held, until: float) -> None:
        self._each_due(held, Delivery.first)
        if held.record.alert.reply_when is not ReplyWhen.CONFIRMED:
            return
        while (due_ms := held.record.due_ms) is not None:
            wait_s = max(0.0, (due_ms - held.now_ms()) / 1000)
            if time.monotonic() + wait_s >= until:
                return
            if self._stopping.is_set():
                return
            self._wait(held, wait_s)
            self._each_due(held, Delivery.again)

    def _wait(self, held: Held, seconds: float) -> None:
        """Wait so long, or until the vendor told by itself that all orders which are asked for are over."""
        open_cancels = [each for each in held.record.cancels if not each[1].status.ended]
        asked = [
            order.key
            for _, progress in open_cancels
            for order in progress.orders
            if order.outcome is Outcome.REQUESTED
        ]
        if self._lines[held.record.cancels[0][0].vendor].news.wait(seconds, asked):
            for _, progress in open_cancels:
                progress.due_ms = held.now_ms()

    def _each_due(self, held: Held, visit: Callable[[Delivery], None]) -> None:
        """Visit every cancel whose time has come, side by side where there are several."""
        now_ms = held.now_ms()
        due = []
        for cancel, progress in held.record.cancels:
            if progress.status.ended or (progress.due_ms or 0) > now_ms:
                continue
            line = self._lines[cancel.vendor]
            talk = Conversations(line, self._ledger, held, self._scrubber)
            delivery = Delivery(held, cancel, progress, line, talk)
            if held.interrupted:
                progress.taken_over(cancel)
            due.append(delivery)
        held.interrupted = False
        failures = side_by_side(visit, due, most=_ACCOUNTS_AT_ONCE, name="account")
        if failures:
            raise failures[0]

    def _later(self, job: Job, held: Held, reason: str) -> None:
        """Let go of a record that cannot be worked on here and now; someone comes back to it soon."""
        now_ms = held.now_ms()
        for cancel, progress in held.record.cancels:
            if progress.status.ended:
                continue
            progress.reason = progress.reason or reason
            if held.interrupted and (progress.due_ms or 0) <= now_ms:
                progress.taken_over(cancel)
            progress.due_ms = max(progress.due_ms or 0, now_ms + _FULL_MS)
            end_if_out_of_time(held.record, progress, now_ms)
        try:
            held.settle()
            job.recorded = True
        except (LeaseEnded, NotReady):
            log.say("not_let_go", {"alert_id": held.record.alert_id, "reason": reason})
        finally:
            job.end()
