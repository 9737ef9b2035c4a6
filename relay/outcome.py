"""What has become of a cancel, order by order."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from relay.cancel import Cancel, Scope

#: How the reason begins of an order that the broker does not know there: a wrong id, or another account's.
NO_SUCH_ORDER = "no such order in this account"


class Status(StrEnum):
    """Where a cancel stands, in the words of the reply."""

    UNKNOWN = "unknown"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    IN_PROGRESS = "in_progress"
    SCHEDULED = "scheduled"
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    NOTHING_TO_CANCEL = "nothing_to_cancel"
    #: Its sender took it back before its time.
    WITHDRAWN = "withdrawn"
    #: A known sender's alert that was not taken: nothing was sent.
    REFUSED = "refused"

    @property
    def ended(self) -> bool:
        """Say whether nothing more will happen by itself."""
        return self not in {Status.IN_PROGRESS, Status.SCHEDULED, Status.REQUESTED}

    @property
    def failed(self) -> bool:
        """Say whether it ended without what was asked for."""
        return self in {Status.UNKNOWN, Status.FAILED, Status.EXPIRED, Status.REJECTED}


#: An alert's status is the first of these that one of its cancels has.
PRECEDENCE = tuple(Status)


def foremost(statuses: list[Status]) -> Status:
    """Give the status of an alert whose cancels have these."""
    return min(statuses, key=PRECEDENCE.index)


class Outcome(StrEnum):
    """What is known of one order. PENDING is ours alone: meant, and not yet asked for."""

    PENDING = "pending"
    REQUESTED = "requested"
    CANCELLED = "cancelled"
    FILLED = "filled"
    ALREADY_DONE = "already_done"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def over(self) -> bool:
        """Say whether the vendor's own word proves that the order works no more."""
        return self in {Outcome.CANCELLED, Outcome.FILLED, Outcome.ALREADY_DONE}


class Sent(StrEnum):
    """What is known of the one bulk call that an alert may have, or of work that was interrupted.

    UNNAMED: the vendor took it, and nothing tells which orders that were.
    """

    NO = "no"
    MAYBE = "maybe"
    UNNAMED = "unnamed"
    YES = "yes"


@dataclass(slots=True)
class OrderOutcome:
    """One order that the cancel means, or must leave alone (`untold`)."""

    order_id: str | int
    account: str | int
    outcome: Outcome = Outcome.PENDING
    reason: str | None = None
    #: How often a cancel of this very order may have reached the vendor.
    asks: int = 0
    #: Nothing can tell whether the alert means it: it is named, and left alone.
    untold: bool = False
    #: It was first seen when the alert's time had run out: it is looked at, and not asked for.
    too_late: bool = False

    @property
    def key(self) -> tuple[str | int, str | int]:
        """Name the order among the orders of all accounts."""
        return (self.account, self.order_id)


@dataclass(slots=True)
class Progress:
    """How far one cancel has come, and what is known so far. Times are Redis's, in ms."""

    status: Status = Status.IN_PROGRESS
    reason: str | None = None
    #: Tries that reached for the vendor; an empty budget is not one.
    attempts: int = 0
    #: Something of the first try may have left: reading back comes before anything else.
    started: bool = False
    sent: Sent = Sent.NO
    #: The orders that a list taken with the first try showed, or that the bulk call's answer named;
    #: None where there was no such list.
    was_there: list[list[str | int]] | None = None
    orders: list[OrderOutcome] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: Rounds of reading back, for the back-off.
    looks: int = 0
    due_ms: int | None = None
    #: Nothing of the instrument works, and another contract of the same root does.
    same_root: bool = False

    def order(self, account: str | int, order_id: str | int) -> OrderOutcome | None:
        """Find what is known of one order."""
        return next((each for each in self.orders if each.key == (account, order_id)), None)

    def taken_over(self, cancel: Cancel) -> None:
        """Note that the last holder died or was paused: what it was about to send may have left."""
        if self.status is Status.SCHEDULED:
            return  # only a list can have been asked for
        self.started = True
        self.attempts = max(1, self.attempts)
        if self.sent is Sent.NO:
            self.sent = Sent.MAYBE
        if cancel.scope is Scope.ORDER:
            self.named(cancel).asks += 1

    def named(self, cancel: Cancel) -> OrderOutcome:
        """Give the order that the cancel names by its id."""
        if not self.orders and cancel.name is not None and cancel.account is not None:
            self.orders = [OrderOutcome(cancel.name, cancel.account)]
        return self.orders[0]

    def end(self, status: Status, reason: str | None = None) -> None:
        """Close the cancel: nothing more happens by itself."""
        self.status, self.reason, self.due_ms = status, reason, None

    def reopen(self) -> None:
        """Begin again where it ended without success: what was not cancelled is asked for."""
        self.status, self.reason, self.looks, self.due_ms = Status.IN_PROGRESS, None, 0, None
        for order in self.orders:
            if not order.outcome.over and not order.untold:
                order.outcome, order.reason, order.too_late = Outcome.PENDING, None, False

    def encode(self) -> dict[str, Any]:
        """Give the progress as JSON can carry it."""
        return {
            "status": self.status.value,
            "reason": self.reason,
            "attempts": self.attempts,
            "started": self.started,
            "sent": self.sent.value,
            "was_there": self.was_there,
            "orders": [
                [
                    each.order_id,
                    each.account,
                    each.outcome.value,
                    each.reason,
                    each.asks,
                    each.untold,
                    each.too_late,
                ]
                for each in self.orders
            ],
            "warnings": self.warnings,
            "looks": self.looks,
            "due_ms": self.due_ms,
            **({"same_root": True} if self.same_root else {}),
        }

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Progress:
        """Read back what `encode` gave."""
        return cls(
            **{
                **fields,
                "status": Status(fields["status"]),
                "sent": Sent(fields["sent"]),
                "orders": [
                    OrderOutcome(order_id, account, Outcome(outcome), *rest)
                    for order_id, account, outcome, *rest in fields["orders"]
                ],
            }
        )
