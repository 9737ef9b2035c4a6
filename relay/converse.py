"""A conversation, held: each call carried, counted against the budget, noted and logged.

Here stands the order in which a call may leave: budget, lease, first byte. What a vendor's silence
means comes from the transport, what its answer means from the vendor.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from relay import log
from relay.alarm import Alarm
from relay.errors import NotSent, RelayError, Throttled, Unknown, VendorError
from relay.ledger import Held, Ledger
from relay.settings import Scrubber
from relay.transport import Transport
from relay.vendor import Answer, Call, Clearance, Vendor

T = TypeVar("T")

#: The part of a lease that one call may take: the rest is for writing down what came of it.
CALL_SHARE = 0.8

#: One part in so many of the rate budget is left alone by reads, so that no cancel waits for read-backs.
_RESERVED_PART = 4

#: Characters kept of what a vendor says; secrets are out of it by then, so that none is cut in two.
WORDS_CHARACTERS = 500

#: Seconds of lease kept back for the settle after a call.
_SETTLE_S = 0.2


@dataclass(frozen=True, slots=True)
class Budget:
    """A vendor's limit, one for all processes that use a credential."""

    credential: str
    burst: int
    per_second: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """A vendor with the way to it, the limit on it and a clock: all that one credential needs."""

    vendor: Vendor
    transport: Transport
    budget: Budget
    alarm: Alarm


class Conversations:
    """Hold conversations over one line, for one held record."""

    def __init__(self, line: Line, ledger: Ledger, held: Held, scrubber: Scrubber) -> None:
        """Take what a call needs and the record in whose name it is made."""
        self._line = line
        self._ledger = ledger
        self._held = held
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
        try:
            call = next(conversation)
            while True:
                self._spend(urgent=urgent, patience_s=patience_s)
                answer = self._carry(call, clearance)
                call = conversation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        except Throttled as throttled:
            self._ledger.hold_back(self._line.budget.credential, throttled.wait_ms)
            raise
        except VendorError as failure:
            failure.words = failure.words[:WORDS_CHARACTERS]
            raise

    def _carry(self, call: Call, clearance: Clearance | None) -> Answer:
        def cleared() -> None:
            self._held.clearance()
            if clearance is not None:
                clearance()

        self._held.keep(self._call_s + _SETTLE_S)
        began = time.monotonic()
        status: int | None = None
        words = "answered"
        try:
            answer = self._line.transport.carry(
                call,
                within_s=min(self._call_s, self._held.left_s() - _SETTLE_S),
                clearance=cleared,
            )
            status = answer.status
        except RelayError as failure:
            words = {NotSent: "not sent", Unknown: "unknown"}.get(type(failure), "stopped")
            raise
        finally:
            ms = round((time.monotonic() - began) * 1000, 1)
            self._note(call, status, words, ms)
        headers = {name: self._scrubber.scrub(value) for name, value in answer.headers.items()}
        return Answer(answer.status, self._scrubber.scrub_bytes(answer.body), headers)

    def _spend(self, *, urgent: bool, patience_s: float) -> None:
        """Take the call from the rate budget; raise `NotSent` where it is empty for longer than that."""
        until = time.monotonic() + patience_s
        while wait_ms := self._ask_for_a_call(urgent=urgent):
            wait_s = wait_ms / 1000
            if time.monotonic() + wait_s > until:
                words = f"{self._line.vendor.name}'s rate budget is used up"
                raise NotSent(words, tried=False, wait_ms=wait_ms)
            pause_s = min(wait_s, self._ledger.lease_s / 2)
            self._held.keep(pause_s + _SETTLE_S)
            time.sleep(pause_s)

    def _ask_for_a_call(self, *, urgent: bool) -> int:
        budget = self._line.budget
        return self._ledger.spend(
            budget.credential,
            burst=budget.burst,
            per_second=str(budget.per_second),
            reserve=0 if urgent else budget.burst // _RESERVED_PART,
        )

    def _note(self, call: Call, status: int | None, words: str, ms: float) -> None:
        facts = {"method": call.method, "path": call.path, "status": status, "outcome": words, "ms": ms}
        record = self._held.record
        url = self._line.transport.shown(call)["url"]
        self._held.note("call", vendor=self._line.vendor.name, url=url, **facts)
        log.say(
            "vendor_call",
            {
                "alert_id": record.alert_id,
                "request_id": record.request_id,
                "vendor": self._line.vendor.name,
                **facts,
            },
        )
