"""Write orders and accounts the way NinjaTrader 8 shows them through CrossTrade.

The fields are those of https://docs.crosstrade.io/api/orders/get-order, whose sample is cut, completed from
what other people's clients read [3P]; the states are those of
https://ninjatrader.com/support/helpGuides/nt8/en-us/order.htm.
"""

from __future__ import annotations

from datetime import UTC, datetime

from relay.sandbox.order import Order, Vocabulary

#: https://ninjatrader.com/support/helpGuides/nt8/en-us/isterminalstate.htm names the four that are over.
#: ChangePending and CancelSubmitted are NinjaScript's, not in the page of definitions [I].
NINJATRADER = Vocabulary(
    working="Working",
    part_filled="PartFilled",
    filled="Filled",
    cancel_pending="CancelPending",
    cancelled="Cancelled",
    over=frozenset({"Cancelled", "Filled", "Rejected", "Unknown"}),
    states=frozenset(
        {
            "Initialized",
            "Submitted",
            "Accepted",
            "TriggerPending",
            "Working",
            "Suspended",
            "ChangePending",
            "ChangeSubmitted",
            "CancelPending",
            "CancelSubmitted",
            "Cancelled",
            "PartFilled",
            "Filled",
            "Rejected",
            "Unknown",
        }
    ),
    actions=frozenset({"Buy", "Sell", "SellShort", "BuyToCover"}),
)

#: The date of the vendor's sample, which stands for none.
NO_GTD = "2099-12-01T00:00:00.0000000"


def order_row(order: Order) -> dict[str, object]:
    """Show an order; its instrument always has its date [3P]."""
    return {
        "id": order.number,  # NinjaTrader's own number, of no use in an address [I]
        "orderId": order.id,
        "account": order.account,
        "instrument": order.instrument,
        "instrumentType": "Future",
        "orderType": order.order_type,
        "orderState": order.state,
        "orderAction": order.action,
        "quantity": order.quantity,
        "filled": order.filled,
        # JSON numbers, as in the vendor's sample; a price of some ten digits survives being a float.
        "averageFillPrice": float(order.average_fill_price),
        "limitPrice": float(order.limit_price),
        "limitPriceChanged": 0.0,
        "stopPrice": float(order.stop_price),
        "stopPriceChanged": 0.0,
        "timeInForce": order.time_in_force,
        "time": order_time(order.time),
        "gtd": NO_GTD,
        "ocoId": order.oco_id,
        "name": order.name,
        "fromEntrySignal": None,
        "hasOverfill": False,
        "isBacktestOrder": False,
        "ownerStrategy": None,
        "userData": order.user_data,
    }


def account_row(number: int, name: str, connection_status: str) -> dict[str, object]:
    """Show an account; sums of money are the same for all."""
    return {
        "id": number,
        "name": name,
        "displayName": name,
        "primaryUser": "",
        "provider": "Simulator",
        "denomination": "UsDollar",
        "status": "Enabled",
        "connection": "Sandbox",
        "connectionStatus": connection_status,
        "item": {"buyingPower": 100000.0, "cashValue": 100000.0},
    }


def order_time(at: float) -> str:
    """Write a time as .NET does: seven digits of a second, and no offset, though it is UTC [I]."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0")
