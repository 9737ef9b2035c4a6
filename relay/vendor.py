"""What a vendor answers for: four small conversations, and how to read its answers.

A conversation is a generator: it yields a `Call` and is sent the `Answer` to it. A vendor file
translates and reads, and does nothing else: no socket, no clock, no retry. Which orders an alert
means, what is asked first and what counts as proof stands once, in `relay.deliver`.

A vendor implements every method of `Vendor`. Its readers raise `Refused`, `Gone`, `Throttled` or
`Unknown` (`relay.errors`); an answer of another shape than documented is `Unknown`, never an empty
list.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from relay.cancel import Cancel


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a vendor: a path below its address, and a JSON body where it has one."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said: status, headers with lower-case names, and the body as it came."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class State(StrEnum):
    """Whether an order still works. UNCLEAR is no evidence either way."""

    WORKING = "working"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FILLED = "filled"
    OVER = "over"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Created:
    """When an order was created, as its vendor shows it, in ms since 1970."""

    ms: int
    #: Whether the time has an offset, or the operator named its zone.
    zone_is_sure: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """One order as its vendor shows it. `created` is None where the vendor's time tells nothing."""

    order_id: str | int
    account: str | int
    instrument: str
    side: str | None
    state: State
    state_words: str
    created: Created | None


class Vendor(Protocol):
    """A broker: pure translation."""

    #: As in the alert's field `vendor`.
    name: str

    def bulk(self, cancel: Cancel) -> Generator[Call, Answer, tuple[str | int, ...] | None]:
        """Cancel all that `cancel` means in one call; give the ids it names, None where it names none."""
        ...

    def has_bulk(self, cancel: Cancel) -> bool:
        """Say whether one call expresses exactly this cancel."""
        ...

    def names_its_orders(self, cancel: Cancel) -> bool:
        """Say whether the bulk call's answer is documented to name the orders it took."""
        ...

    def accounts(self) -> Generator[Call, Answer, tuple[str | int, ...]]:
        """List the accounts that the credential may act in."""
        ...

    def working(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]]:
        """List the orders of the account that are not over."""
        ...

    def cancel_one(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, None]:
        """Ask for the cancel of one order; raise `Gone` when the vendor does not know it as working."""
        ...

    def look(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, Order]:
        """Read one order; raise `Gone` when the vendor does not know it in that account."""
        ...

    def same_instrument(self, asked: str | int, shown: str) -> bool | None:
        """Say whether an order's instrument is the one asked for; None where it cannot be told."""
        ...


#: Told immediately before the first byte of a request leaves; raises `LeaseEnded` to stop it.
Clearance = Callable[[], None]
