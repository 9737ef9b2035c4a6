"""A conversation, held: each call carried, counted against the budget, noted and logged.

Here stands the order in which a call may leave: session, budget, lease, first byte. What a vendor's
silence means comes from the transport, what its answer means from the vendor.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from relay import log
from relay.alarm import Alarm
from relay.breaker import Breaker
from relay.budget import Budget
from relay.errors import (
    LeaseEnded,
    NotSent,
    Refused,
    RelayError,
    SessionLost,
    Throttled,
    Unknown,
    VendorError,
)
from relay.ledger import Held, Ledger
from relay.news import News
from relay.scrubber import Scrubber
from relay.session import Session
from relay.shared_lists import SharedLists
from relay.transport import Transport
from relay.vendor import Answer, Call, Clearance, LoggedIn, Order, Vendor, held

T = TypeVar("T")

#: The part of a lease that one call may take: the rest is for writing down what came of it.
CALL_SHARE = 0.8

#: Characters kept of what a vendor says; secrets are out of it by then, so that none is cut in two.
WORDS_CHARACTERS = 500

#: Seconds of lease kept back for the settle after a call.
_SETTLE_S = 0.2


class KeptAnswers:
    """Answers that serve for a while, such as a list of instruments: one for each call."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Answer]] = {}

    def get(self, call: Call) -> Answer | None:
        """Give the answer that still serves."""
        with self._lock:
            until, answer = self._kept.get(call.path, (0.0, None))
        return answer if call.keep_s and time.monotonic() < until else None

    def keep(self, call: Call, answer: Answer) -> None:
        """Keep an answer for as long as the call says."""
        if call.keep_s:
            with self._lock:
                self._kept[call.path] = (time.monotonic() + call.keep_s, answer)


@dataclass(frozen=True, slots=True)
class Line:
    """A vendor with the way to it, its limits, its session and a clock: all that one credential needs."""

    vendor: Vendor
    transport: Transport
    budget: Budget
    session: Session
    alarm: Alarm
    breaker: Breaker
    lists: SharedLists = field(default_factory=SharedLists)
    kept: KeptAnswers = field(default_factory=KeptAnswers)
    news: News = field(default_factory=News)


class Conversations:
    """Hold conversations over one line, for one held record."""

    def __init__(self, line: Line, ledger: Ledger, held_record: Held, scrubber: Scrubber) -> None:
        """Take what a call needs and the record in whose name it is made."""
        self._line = line
        self._ledger = ledger
        self._held = held_record
        self._scrubber = scrubber
        self._call_s = ledger.lease_s * CALL_SHARE

    def hold(
        self,
        conversation: Generator[Call, Answer, T],
        *,
        urgent: bool,
        patience_s: float = 0.0,
        clearance: Clearance | None = None,
    ) -> T:
        """Carry the conversation to its end and give its result.

        `urgent`: an order waits for it; what is not leaves a part of the rate budget to what is.
        `patience_s`: how long each call may wait for the rate budget. `clearance` is asked beside the
        lease's own, immediately before each first byte.

        Raises a `VendorError`, `LeaseEnded`, or `NotReady`.
        """

        def carry(call: Call) -> Answer:
            return self._exchanged(call, urgent=urgent, patience_s=patience_s, clearance=clearance)

        return self._hold(conversation, carry)

    def hold_kept(self, conversation: Callable[[], Generator[Call, Answer, T]]) -> T:
        """Hold a conversation with answers that others had a while ago, where they still serve.

        What is refused because of such an answer is asked anew: an instrument may be younger than it. An
        answer is kept only when the conversation came to its end with it.
        """
        kept: list[Call] = []
        fresh: list[tuple[Call, Answer]] = []

        def carry(call: Call) -> Answer:
            answer = self._line.kept.get(call)
            if answer is not None:
                kept.append(call)
                return answer
            return ask(call)

        def ask(call: Call) -> Answer:
            answer = self._exchanged(call, urgent=True, patience_s=0.0, clearance=None)
            fresh.append((call, answer))
            return answer

        try:
            result = self._hold(conversation(), carry)
        except Refused:
            if not kept:
                raise
            result = self._hold(conversation(), ask)
        for call, answer in fresh:
            self._line.kept.keep(call, answer)
        return result

    def _hold(self, conversation: Generator[Call, Answer, T], carry: Callable[[Call], Answer]) -> T:
        try:
            return held(conversation, carry)
        except Throttled as throttled:
            self._ledger.hold_back(self._line.budget.credential, throttled.wait_ms)
            raise
        except VendorError as failure:
            # Once more, on what was read: a vendor may write a secret in more ways than bytes show.
            failure.words = self._scrubber.scrub(failure.words)[:WORDS_CHARACTERS]
            raise

    def told(self, key: tuple[str | int, str | int]) -> Order | None:
        """Give an order as the vendor told by itself that it ended; None where it told nothing."""
        order = self._line.news.of(key)
        if order is not None:
            self._held.note("told", vendor=self._line.vendor.name, order_id=key[1], state=order.state_words)
        return order

    def disbelieve(self, key: tuple[str | int, str | int]) -> None:
        """Forget what the vendor told by itself of an order that it lists as working."""
        self._line.news.forget(key)

    def list_working(
        self, vendor: Vendor, account: str | int, *, urgent: bool, patience_s: float = 0.0
    ) -> tuple[Order, ...]:
        """List the working orders of an account, together with whoever else waits for the same list."""

        def ask() -> tuple[Order, ...]:
            return self.hold(vendor.working(account), urgent=urgent, patience_s=patience_s)

        first = next(vendor.working(account))
        of = json.dumps([first.method, first.path, first.body, urgent], default=str)
        self._held.keep(self._call_s + _SETTLE_S)
        return self._line.lists.get(of, ask, self._call_s)

    def _exchanged(
        self, call: Call, *, urgent: bool, patience_s: float, clearance: Clearance | None
    ) -> Answer:
        """Carry a call in the session of the line; once more where the session had ended."""

        def carry(session: LoggedIn | None) -> Answer:
            self._spend(call, urgent=urgent, patience_s=patience_s)
            return self._scrubbed(self._carry(call, session, clearance))

        vendor = self._line.vendor
        session = self._session(None, urgent=urgent)
        if session is not None and not self._line.transport.holds(session):
            session = self._session(session, urgent=urgent, lost=True)
        try:
            answer = carry(session)
        except SessionLost:
            session = self._session(session, urgent=urgent, lost=True)
            answer = carry(session)
        if session is None or not vendor.session_ended(answer):
            return answer
        # Vendors answer the same to a call that the user may not make: where that was so a while ago, it is
        # looked into first, or one wrong account would use up all log-ins.
        if self._line.session.in_doubt and self._lives(session):
            return answer
        session = self._session(session, urgent=urgent)
        answer = carry(session)
        if session is not None and vendor.session_ended(answer):
            if self._line.session.superseded(session):
                # Some servers keep one session a user: this may be no refusal, but the newer log-in's doing.
                raise NotSent(f"another log-in at {vendor.name} took over the session")
            if not self._lives(session):
                raise NotSent(f"{vendor.name} ended the session right after its log-in")
            self._line.session.doubt()
        return answer

    def _lives(self, session: LoggedIn) -> bool:
        """Say whether a session that seems to have ended lives: the accounts are what every user may see.

        Raises `NotSent` where the vendor gives no word about it.
        """
        ended = False

        def carry(call: Call) -> Answer:
            nonlocal ended
            self._spend(call, urgent=True, patience_s=0.0)
            answer = self._scrubbed(self._carry(call, session, None))
            ended = self._line.vendor.session_ended(answer)
            return answer

        try:
            held(self._line.vendor.accounts(), carry)
        except Refused:
            return not ended  # whom it refuses for another reason, it knows
        except (Throttled, Unknown) as failure:
            raise NotSent(f"whether the session lives cannot be told: {failure.words}") from failure
        return True

    def _session(self, ended: LoggedIn | None, *, urgent: bool, lost: bool = False) -> LoggedIn | None:
        def carry(call: Call) -> Answer:
            self._spend(call, urgent=urgent, patience_s=0.0)
            return self._carry(call, None, None)

        session = self._line.session
        if ended is not None:
            self._held.keep(session.waits_s + _SETTLE_S)
            return session.renewed(ended, carry, lost=lost)
        if not session.is_open:
            self._held.keep(session.waits_s + _SETTLE_S)
        return session.get(carry)

    def _carry(self, call: Call, session: LoggedIn | None, clearance: Clearance | None) -> Answer:
        connected = False

        def cleared() -> None:
            nonlocal connected
            connected = True
            self._held.clearance()
            if clearance is not None:
                clearance()

        self._line.breaker.admit()
        self._held.keep(self._call_s + _SETTLE_S)
        began = time.monotonic()
        status: int | None = None
        words = "stopped"
        try:
            within_s = min(self._call_s, self._held.left_s() - _SETTLE_S)
            if within_s <= 0:
                raise LeaseEnded
            answer = self._line.transport.carry(call, session=session, within_s=within_s, clearance=cleared)
            status, words = answer.status, "answered"
            self._line.breaker.answered()
        except RelayError as failure:
            kinds = {NotSent: "not sent", Unknown: "unknown"}
            words = next((said for kind, said in kinds.items() if isinstance(failure, kind)), "stopped")
            if isinstance(failure, Unknown) or (
                isinstance(failure, NotSent) and failure.tried and not connected
            ):
                self._line.breaker.failed(failure.words)
            raise
        finally:
            ms = round((time.monotonic() - began) * 1000, 1)
            self._note(call, status, words, ms)
        return answer

    def _scrubbed(self, answer: Answer) -> Answer:
        headers = {name: self._scrubber.scrub(value) for name, value in answer.headers.items()}
        return replace(answer, body=self._scrubber.scrub_bytes(answer.body), headers=headers)

    def _spend(self, call: Call, *, urgent: bool, patience_s: float) -> None:
        """Take the call from its budget; raise `NotSent` where that is empty for longer than the patience."""
        until = time.monotonic() + patience_s
        while wait_ms := self._ledger.spend(self._line.budget, call.limit, spare=not urgent):
            wait_s = wait_ms / 1000
            if time.monotonic() + wait_s > until:
                words = f"{self._line.vendor.name}'s rate budget is used up"
                raise NotSent(words, tried=False, wait_ms=wait_ms)
            pause_s = min(wait_s, self._ledger.lease_s / 2)
            self._held.keep(pause_s + _SETTLE_S)
            time.sleep(pause_s)

    def _note(self, call: Call, status: int | None, words: str, ms: float) -> None:
        shown = self._line.transport.shown(call)
        # A frame has no status, and no path but its function's name.
        path = call.frame.name if call.frame and "frame" in shown else call.path
        facts = {
            "method": shown["method"],
            "path": path,
            "status": status or None,
            "outcome": words,
            "ms": ms,
        }
        record = self._held.record
        self._held.note("call", vendor=self._line.vendor.name, url=shown["url"], **facts)
        log.say(
            "vendor_call",
            {
                "alert_id": record.alert_id,
                "request_id": record.request_id,
                "vendor": self._line.vendor.name,
                **facts,
            },
        )
