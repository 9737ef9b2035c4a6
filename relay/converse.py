"""A conversation, held: each call carried, counted against the budget, noted and logged.

Here stands the order in which a call may leave: budget, lease, first byte. What a vendor's silence
means comes from the transport, what its answer means from the vendor.
"""

from __future__ import annotations

import threading
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
from relay.vendor import Answer, Call, Vendor

T = TypeVar("T")

#: The part of a lease that one call may take: the rest is for writing down what came of it.
CALL_SHARE = 0.8

#: The part of the rate budget that reads leave alone, so that a cancel never waits for read-backs.
_RESERVED_SHARE = 4

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
        self._noting = threading.Lock()

    def hold(self, conversation: Generator[Call, Answer, T], *, urgent: bool) -> T:
        """Carry the conversation to its end and give its result.

        `urgent`: an order waits for it; what is not leaves a part of the rate budget to what is.

        Raises a `VendorError`, `LeaseEnded`, or `NotReady`.
        """
        try:
            call = next(conversation)
            while True:
                answer = self._carry(call, urgent=urgent)
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

    def _carry(self, call: Call, *, urgent: bool) -> Answer:
        self._spend(urgent=urgent)
        self._held.keep(self._call_s + _SETTLE_S)
        began = time.monotonic()
        status: int | None = None
        words = "answered"
        try:
            answer = self._line.transport.carry(
                call,
                within_s=min(self._call_s, self._held.left_s() - _SETTLE_S),
                clearance=self._held.clearance,
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

    def _spend(self, *, urgent: bool) -> None:
        budget = self._line.budget
        wait_ms = self._ledger.spend(
            budget.credential,
            burst=budget.burst,
            per_second=str(budget.per_second),
            reserve=0 if urgent else budget.burst // _RESERVED_SHARE,
        )
        if wait_ms:
            raise NotSent(f"{self._line.vendor.name}'s rate budget is used up", tried=False, wait_ms=wait_ms)

    def _note(self, call: Call, status: int | None, words: str, ms: float) -> None:
        facts = {"method": call.method, "path": call.path, "status": status, "outcome": words, "ms": ms}
        record = self._held.record
        with self._noting:
            record.note(self._held.now_ms(), "call", vendor=self._line.vendor.name, **facts)
        log.say(
            "vendor_call",
            {
                "alert_id": record.alert_id,
                "request_id": record.request_id,
                "vendor": self._line.vendor.name,
                **facts,
            },
        )
