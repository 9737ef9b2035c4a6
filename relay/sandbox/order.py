"""Say what an order is, and in which words a vendor speaks of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

#: First price too long to leave as a JSON number with its pennies.
HIGHEST_PRICE = Decimal(10) ** 12

#: What becomes of a pending cancel when its time has come.
WhenDue = Literal["cancelled", "filled", "refused"]


@dataclass(frozen=True)
class Vocabulary:
    """Name a vendor's states, and its words for the sides.

    `cancel_pending` is None where the vendor has no such state: the order keeps the one it has.
    `fractions` tells whether less than one of a thing can be traded, `numbered` whether the ids that
    clients give, and users, are whole numbers.
    """

    working: str
    part_filled: str
    filled: str
    cancel_pending: str | None
    cancelled: str
    over: frozenset[str]
    states: frozenset[str]
    actions: frozenset[str]
    fractions: bool = False
    numbered: bool = False


@dataclass(frozen=True)
class Transition:
    """Record that an order came into a state."""

    at: float
    state: str
    filled: int | Decimal


@dataclass(frozen=True)
class Order:
    """Show an order as it is at one moment; ask the book again for a later one.

    `id` is the vendor's present name for it, `number` the book's own and never changes. `time` is what the
    vendor shows as the order's time: `created`, or that of the last change. `user` placed it, and calls it
    `client_id`. Quantities are Decimals where a vendor trades fractions. `cancel_asked` is whether a cancel
    is pending, `cancel_due` when it is settled.
    """

    id: str
    number: int
    account: str
    instrument: str
    action: str
    order_type: str
    quantity: int | Decimal
    filled: int | Decimal
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
    user: str = ""
    client_id: str = ""
    cancel_asked: bool = False
    cancel_due: float | None = None
    when_due: WhenDue = "cancelled"


def read_price(field: str, text: str) -> Decimal:
    """Read a price; ValueError says what is wrong with it."""
    price = _decimal(field, text)
    if not price.is_finite() or abs(price) >= HIGHEST_PRICE:
        raise ValueError(f"{field} {text!r} is not a price")
    return price


def read_quantity(quantity: int | str, *, fractions: bool) -> int | Decimal:
    """Read a quantity, a string where it may be a fraction; ValueError says what is wrong with it."""
    if not fractions:
        if not isinstance(quantity, int) or quantity < 1:
            raise ValueError(f"quantity must be a whole number, 1 or more; it is {quantity!r}")
        return quantity
    read = _decimal("quantity", str(quantity))
    if not read.is_finite() or read <= 0:
        raise ValueError(f"quantity must be more than 0; it is {quantity}")
    return read


def check_numbered(**ids: str) -> None:
    """Raise ValueError where an id that was given is no whole number."""
    for field, text in ids.items():
        if text and not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{field} {text!r} is not a whole number")


def _decimal(field: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{field} {text!r} is not a number") from error
