"""Orders that an alert may hit or must miss, and what an alert may aim at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.vendors.expectations import Row


@dataclass(frozen=True)
class Resting:
    """One order of the desk: whose it is, and in what. `named` has the trader's own id."""

    account: str = "account"
    instrument: str = "instrument"
    side: str = "buy"
    named: bool = False
    colleagues: bool = False


#: The desk. A vendor without strangers' accounts, or without colleagues, has not these orders.
DESK: Mapping[str, Resting] = {
    "buy": Resting(named=True),
    "sell": Resting(side="sell"),
    "other buy": Resting(instrument="other_instrument"),
    "other sell": Resting(instrument="other_instrument", side="sell"),
    "colleague's buy": Resting(colleagues=True),
    "second buy": Resting(account="second", named=True),
    "second sell": Resting(account="second", side="sell"),
    "second other sell": Resting(account="second", instrument="other_instrument", side="sell"),
    "stranger's buy": Resting(account="stranger", named=True),
}

_OWN = frozenset({"buy", "sell", "other buy", "other sell"})
_ACCOUNT = _OWN | {"colleague's buy"}
_INSTRUMENT = frozenset({"buy", "sell", "colleague's buy"})
_SECOND = frozenset({"second buy", "second sell", "second other sell"})


@dataclass(frozen=True)
class Target:
    """What an alert aims at: its fields, given the row and the order's id, and the orders that it reaches."""

    fields: Callable[[Row, str], Mapping[str, Any]]
    reaches: frozenset[str]

    def only(self, side: str) -> Target:
        """Narrow it to one side."""
        reaches = frozenset(name for name in self.reaches if DESK[name].side == side)
        return Target(lambda row, order_id: {**self.fields(row, order_id), "side": side}, reaches)


_WHOLE: Mapping[str, Target] = {
    "order_id": Target(
        lambda row, order_id: {"account": row.account, "order_id": row.as_id(order_id)}, frozenset({"buy"})
    ),
    "client_order_id": Target(
        lambda row, _: {"account": row.account, "client_order_id": row.own_id}, frozenset({"buy"})
    ),
    "instrument": Target(lambda row, _: {"account": row.account, "instrument": row.instrument}, _INSTRUMENT),
    "account": Target(lambda row, _: {"account": row.account, "scope": "account"}, _ACCOUNT),
    "user": Target(lambda row, _: {"scope": "user", "user_id": row.user}, _OWN | _SECOND),
    "everything": Target(lambda _row, _: {"scope": "everything"}, _ACCOUNT | _SECOND),
}

#: Each target by the name that a row knows it by, and behind a comma the one side of it.
TARGETS: Mapping[str, Target] = {
    **_WHOLE,
    **{
        f"{name}, {side}": _WHOLE[name].only(side)
        for name in ("instrument", "account", "user", "everything")
        for side in ("buy", "sell")
    },
}


def has(row: Row, order: Resting) -> bool:
    """Say whether a vendor knows such an order."""
    return (order.account != "stranger" or row.stranger is not None) and (
        not order.colleagues or row.colleague is not None
    )


def reach(row: Row, target: str) -> set[str]:
    """Name the orders of the vendor's desk that a target reaches."""
    return {name for name in TARGETS[target].reaches if has(row, DESK[name])}


def taken_by(row: Row) -> list[str]:
    """List the targets that a vendor can express."""
    return [name for name in TARGETS if name.partition(",")[0] in row.takes]
