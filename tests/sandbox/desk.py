"""Orders that a cancel may hit or miss, at the stand-in for AlphaPoint."""

from __future__ import annotations

from typing import Any

from relay.sandbox.alphapoint import AlphaPointSandbox

#: The standard response of a success.
DONE = {"result": True, "errormsg": None, "errorcode": 0, "detail": None}

#: A colleague of the user, who may trade in account 7 too.
COLLEAGUE = 447


def rest(exchange: AlphaPointSandbox, account: int = 7, instrument: str = "BTCCAD", **more: Any) -> str:  # noqa: ANN401
    """Rest an order at the exchange."""
    order = {"quantity": "0.345", "limit_price": "89010.50", "action": "Buy", **more}
    return exchange.book.place(account=str(account), instrument=instrument, **order)


def a_desk(exchange: AlphaPointSandbox) -> dict[str, str]:
    """Rest orders that differ in account, user and instrument."""
    return {
        "btc": rest(exchange),
        "eth": rest(exchange, instrument="ETHCAD"),
        "colleague btc": rest(exchange, user=str(COLLEAGUE)),
        "colleague eth": rest(exchange, instrument="ETHCAD", user=str(COLLEAGUE)),
        "other account": rest(exchange, 8),
        "stranger": rest(exchange, 9, user="500"),
    }


def gone(exchange: AlphaPointSandbox, desk: dict[str, str]) -> set[str]:
    """Name the orders that were cancelled."""
    return {name for name, order_id in desk.items() if exchange.book.order(order_id).state == "Canceled"}
