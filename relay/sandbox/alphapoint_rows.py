"""Write orders and accounts the way AlphaPoint shows them.

The keys of GetOpenOrders and GetOrderStatus at https://alphapoint.github.io/slate/ are few; the others are
those of NDAX's rows, which public clients read [3P]. The states are the page's, "Fully Executed" spelt as
on the wire [3P]. There is no state for a cancel on its way, and none for a part filled.
"""

from __future__ import annotations

from decimal import Decimal

from relay.sandbox.alphapoint_instruments import NOTHING, instrument_named
from relay.sandbox.order import Order, Vocabulary

#: The states, in the order of their numbers.
STATES = ("Unknown", "Working", "Rejected", "Canceled", "Expired", "FullyExecuted")

#: The sides, in the order of their numbers; a fourth, "Unknown", is an error.
SIDES = ("Buy", "Sell", "Short")

#: The types of orders, in the order of their numbers.
TYPES = (
    "Unknown",
    "Market",
    "Limit",
    "StopMarket",
    "StopLimit",
    "TrailingStopMarket",
    "TrailingStopLimit",
    "BlockTrade",
)

ALPHAPOINT = Vocabulary(
    working="Working",
    part_filled="Working",
    filled="FullyExecuted",
    cancel_pending=None,
    cancelled="Canceled",
    over=frozenset({"Rejected", "Canceled", "Expired", "FullyExecuted"}),
    states=frozenset(STATES),
    actions=frozenset(SIDES),
    fractions=True,
    numbered=True,
)

#: Why an order is as it is; one that works may say "Trade" too.
CHANGE_REASONS = {
    "Rejected": "NewInputRejected",
    "Canceled": "UserModified",
    "Expired": "Expired",
    "FullyExecuted": "Trade",
}

#: .NET's count, in steps of 100 ns from the year 1, of the first moment of 1970.
TICKS_1970 = 621_355_968_000_000_000


def order_row(order: Order, *, oms_id: int, user_id: int, user_name: str, numbers: bool) -> dict[str, object]:
    """Show an order; `numbers` writes side, type and state as the documents do."""
    instrument = instrument_named(order.instrument)
    over = order.state in ALPHAPOINT.over
    rest = NOTHING if over else Decimal(order.quantity - order.filled)  # a cancelled order's is 0
    client_id = int(order.client_id or 0)  # the documented default of an order that was given none
    changed = order.history[-1].at
    traded = "Trade" if order.filled else "NewInputAccepted"
    return {
        "Side": SIDES.index(order.action) if numbers else order.action,
        "OrderId": int(order.id),
        "Price": order.limit_price,
        "Quantity": rest,
        "DisplayQuantity": rest,
        "Instrument": instrument.id if instrument else 0,
        "Account": int(order.account),
        "AccountName": account_name(order.account),
        "OrderType": _number(TYPES, order.order_type) if numbers else order.order_type,
        "ClientOrderId": client_id,
        "OrderState": _number(STATES, order.state) if numbers else order.state,
        "ReceiveTime": milliseconds(order.time),
        "ReceiveTimeTicks": ticks(order.time),
        "LastUpdatedTime": milliseconds(changed),
        "LastUpdatedTimeTicks": ticks(changed),
        "OrigQuantity": Decimal(order.quantity),
        "QuantityExecuted": Decimal(order.filled),
        "GrossValueExecuted": order.filled * order.average_fill_price,
        "ExecutableValue": NOTHING,
        "AvgPrice": order.average_fill_price,
        "CounterPartyId": 0,
        "ChangeReason": CHANGE_REASONS.get(order.state, traded),
        "OrigOrderId": int(order.id),
        "OrigClOrdId": client_id,
        "EnteredBy": user_id,
        "UserName": user_name,
        "IsQuote": False,
        "InsideAsk": NOTHING,
        "InsideAskSize": NOTHING,
        "InsideBid": NOTHING,
        "InsideBidSize": NOTHING,
        "LastTradePrice": NOTHING,
        "RejectReason": "",
        "IsLockedIn": False,
        "CancelReason": "",
        "OrderFlag": "AddedToBook",
        "UseMargin": False,
        "StopPrice": order.stop_price,
        "PegPriceType": "Unknown",
        "PegOffset": NOTHING,
        "PegLimitOffset": NOTHING,
        "IpAddress": None,
        "ClientOrderIdUuid": None,
        "OMSId": oms_id,
    }


def account_row(account: str, oms_id: int) -> dict[str, object]:
    """Show an account; what a trader does not need is left out."""
    return {
        "OMSId": oms_id,
        "AccountId": int(account),
        "AccountName": account_name(account),
        "AccountHandle": None,
        "FirmId": None,
        "FirmName": None,
        "AccountType": "Asset",
        "FeeGroupId": 0,
        "ParentID": 0,
        "RiskType": "Normal",
        "VerificationLevel": 1,
        "FeeProductType": "BaseProduct",
        "FeeProduct": 0,
        "RefererId": 0,
        "LoyaltyProductId": 0,
        "LoyaltyEnabled": False,
    }


def account_name(account: str) -> str:
    """Name an account."""
    return f"account-{account}"


def milliseconds(at: float) -> int:
    """Count from 1970 in milliseconds."""
    return round(at * 1000)


def ticks(at: float) -> int:
    """Count as .NET does, no finer than microseconds, which is what a float still holds."""
    return TICKS_1970 + round(at * 1_000_000) * 10


def _number(names: tuple[str, ...], name: str) -> int:
    """Give a word's number, 0 standing for every word that has none."""
    return names.index(name) if name in names else 0
