"""Say what an order is, and in which words a vendor speaks of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Vocabulary:
    """Name a vendor's states, and its words for the sides."""

    working: str
    part_filled: str
    filled: str
    cancel_pending: str
    cancelled: str
    over: frozenset[str]
    states: frozenset[str]
    actions: frozenset[str]


@dataclass(frozen=True)
class Transition:
    """Record that an order came into a state."""

    at: float
    state: str
    filled: int


@dataclass(frozen=True)
class Order:
    """Show an order as it is at one moment; ask the book again for a later one.

    `id` is the vendor's present name for it, `number` the book's own and never changes. `time` is what the
    vendor shows as the order's time: `created`, or that of the last change. `cancel_due` is when a pending
    cancel comes true.
    """

    id: str
    number: int
    account: str
    instrument: str
    action: str
    order_type: str
    quantity: int
    filled: int
    state: str
    created: float
    time: float
    limit_price: Decimal
    stop_price: Decimal
    average_fill_price: Decimal
    time_in_force: str
    oco_id: str
    name: str
    user_data: str
    history: tuple[Transition, ...]
    cancel_due: float | None = None
    fills_when_due: bool = False
