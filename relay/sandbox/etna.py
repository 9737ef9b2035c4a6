"""Write orders, accounts and users the way ETNA Trader, the system behind Autoshares, shows them.

Fields and states are those of `openapi.json` in https://github.com/AutoSharesAPI/API; the shape of a row is
that of the samples in `web-api/trading-api/orders/get-filtered-orders` of the same repository, which leave
out what is empty and name no `Symbol`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from relay.sandbox.order import Order, Transition, Vocabulary

#: States in the order of their numbers, which a filter is written in: New is 0, Error is 15. The vendor's
#: page ends there; Held comes next in the schema, but its number is not known [U].
NUMBERED = (
    "New",
    "PartiallyFilled",
    "Filled",
    "DoneForDay",
    "Canceled",
    "Replaced",
    "PendingCancel",
    "Stopped",
    "Rejected",
    "Suspended",
    "PendingNew",
    "Calculated",
    "Expired",
    "AcceptedForBidding",
    "PendingReplace",
    "Error",
)

#: Which states are final is not documented; these are so in FIX, whose names they are [I].
ETNA = Vocabulary(
    working="New",
    part_filled="PartiallyFilled",
    filled="Filled",
    cancel_pending="PendingCancel",
    cancelled="Canceled",
    over=frozenset({"Filled", "DoneForDay", "Canceled", "Rejected", "Expired", "Error"}),
    states=frozenset({*NUMBERED, "Held"}),
    actions=frozenset({"Buy", "Sell", "SellShort", "BuyToCover"}),
)

#: The vendor's words for what the order book calls by shorter ones.
TIMES_IN_FORCE = {"Gtc": "GoodTillCancel", "Gtd": "GoodTillDate"}

#: .NET's first day, which stands for no date.
NO_DATE = "0001-01-01T00:00:00Z"

#: `ParentId` of an order that is nobody's leg.
NO_PARENT = -1


@dataclass(frozen=True)
class Shown:
    """Say what rows are made of besides their orders, and how they look where the documents differ."""

    user_id: int
    login: str
    security_id: Callable[[str], int]
    symbol: bool
    no_exec_inst: Literal["None", "zero"]


def status_number(state: str, held: int | None) -> int | None:
    """Give the number of a state, or None where none is known."""
    if state == "Held":
        return held
    return NUMBERED.index(state) if state in NUMBERED else None


def order_row(order: Order, legs: Sequence[Order], shown: Shown) -> dict[str, object]:
    """Show an order."""
    target, request_status = _progress(order.history)
    filled = order.filled > 0
    row: dict[str, object] = {
        "Id": int(order.id),
        "SecurityId": shown.security_id(order.instrument),
        "Symbol": order.instrument,
        "Quantity": order.quantity,
        "Price": _number(order.limit_price),
        "StopPrice": _number(order.stop_price),
        "ClientId": client_id(order),
        "ExecutedQuantity": order.filled,
        "LastPrice": _number(order.average_fill_price),
        "LastQuantity": order.filled,
        "LeavesQuantity": _leaves(order, order.history[-1]),
        "AveragePrice": _number(order.average_fill_price),
        "Side": order.action,
        "Date": date_text(order.history[-1].at),
        "TransactionDate": date_text(order.history[-1].at),
        "SettDate": NO_DATE,
        "Status": order.state,
        "ExecutionStatus": order.state,
        "Type": order.order_type,
        "RequestStatus": request_status,
        "Target": target,
        "Comment": order.user_data,
        "TimeInForce": TIMES_IN_FORCE.get(order.time_in_force, order.time_in_force),
        "ExecInst": "None" if shown.no_exec_inst == "None" else 0,
        "CounterPartyOrderId": client_id(order),
        "AccountId": int(order.account),
        "UserId": shown.user_id,
        "RequestId": order.number,
        "StateId": len(order.history),
        "ParentId": parent_id(order),
        "Legs": [order_row(leg, (), shown) for leg in legs],
        "Exchange": "Auto",
        "ExecutionVenue": "Etna Emulator",
        "CreateDate": date_text(order.created),
        "InitialType": order.order_type,
        "IsExternal": False,
        "ExecBrocker": "Auto",
        "ExecutionInstructions": {},
        "TransType": "New",
        "ValidationsToBypass": 0,
        "ParentRequestId": 0,
        "SettlementDate": NO_DATE,
    }
    if not shown.symbol:
        del row["Symbol"]
    if target == "CancelReject":
        row["Description"] = "Cancel request rejected"  # the field is documented, its words are not [U]
    return row | ({"ExecId": str(order.number)} if filled else {})


def detail_rows(order: Order, shown: Shown) -> list[dict[str, object]]:
    """Show what has happened to an order, oldest first [U]; dates are milliseconds here."""
    lengths = range(1, len(order.history) + 1)
    return [_detail(order, order.history[:length], shown) for length in lengths]


def _detail(order: Order, history: Sequence[Transition], shown: Shown) -> dict[str, object]:
    transition = history[-1]
    target, request_status = _progress(history)
    return {
        "Id": int(order.id),
        "IsRequest": target == "Cancel" and request_status == "Executing",
        "ExecutionTarget": target,
        "UserId": shown.user_id,
        "Login": shown.login,
        "ClientId": client_id(order),
        "RequestStatus": request_status,
        "ExecutionStatus": transition.state,
        "Status": transition.state,
        "SecurityId": shown.security_id(order.instrument),
        "Symbol": order.instrument,
        "Side": order.action,
        "Type": order.order_type,
        "Quantity": order.quantity,
        "Price": _number(order.limit_price),
        "StopPrice": _number(order.stop_price),
        "ExecutedQuantity": transition.filled,
        "LeavesQuantity": _leaves(order, transition),
        "CreateDate": int(order.created * 1000),
        "Date": int(transition.at * 1000),
        "TransactionDate": int(transition.at * 1000),
        "ParentId": parent_id(order),
        "StateId": len(history),
        "RequestId": order.number,
        "IsCompleted": transition.state in ETNA.over,
    }


def client_id(order: Order) -> str:
    """Give the trader's own id, or one that the system made up."""
    # "Assigned by OMS" in the schema, but taken from whoever places the order [!].
    return order.client_id or f"{1_045_239_786 + order.number}"


def parent_id(order: Order) -> int:
    """Give the id of the order whose leg this one is, which the book keeps as its `oco_id`."""
    return int(order.oco_id) if order.oco_id.isdecimal() else NO_PARENT


def date_text(at: float) -> str:
    """Write a time as .NET does: UTC, up to seven digits of a second and none that is a trailing zero."""
    whole, _, rest = f"{at:.7f}".partition(".")
    digits = rest.rstrip("0")
    seconds = datetime.fromtimestamp(int(whole), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{seconds}.{digits}Z" if digits else f"{seconds}Z"


def user_row(user_id: int, login: str) -> dict[str, object]:
    """Show a user."""
    return {
        "UserId": user_id,
        "FirstName": "Sandbox",
        "LastName": "Trader",
        "Login": login,
        "Email": "trader@example.com",
        "Role": 0,
        "AddedDate": "2016-06-08T16:29:49.893Z",
        "Salutation": "NoSalutation",
        "Suffix": "NoSuffix",
    }


def user_account_row(account: str, access_type: str, owner: dict[str, object]) -> dict[str, object]:
    """Show an account as one of a user's."""
    return {
        "Id": int(account),
        "ClearingAccount": account,
        "AccessType": access_type,
        "MarginType": "DayTrader",
        "OwnerType": "IndividualCustomer",
        "Enabled": True,
        "Alias": "",
        "ClearingFirm": "SANDBOX",
        "IsAverageAccount": False,
        "Owners": [owner],
        "Currency": "USD",
    }


def account_row(account: str, user_id: int, login: str) -> dict[str, object]:
    """Show an account as one of the company's; sums of money are the same for all."""
    return {
        "Id": int(account),
        "ClearingAccount": account,
        "Login": login,
        "CreatedDate": "2016-06-08T16:29:49.893Z",
        "Enabled": True,
        "Cash": 100000,
        "Currency": "USD",
        "Status": "Approved",
        "MarginType": "DayTrader",
        "Permissions": "LongStock, ShortStock, AllowTrade, AllowMargin, AllowOpen",
        "OwnerType": "IndividualCustomer",
        "UserId": user_id,
    }


def equity_row(security_id: int, symbol: str) -> dict[str, object]:
    """Show a security."""
    return {
        "Id": security_id,
        "Symbol": symbol,
        "Description": symbol,
        "Exchange": "XNAS",
        "Currency": "USD",
        "Type": "CommonStock",
        "Enabled": True,
        "AllowTrade": True,
    }


def _progress(history: Sequence[Transition]) -> tuple[str, str]:
    """Give `Target` and `RequestStatus`: the names are documented, when each comes is inferred [I]."""
    state = history[-1].state
    came_from = history[-2].state if len(history) > 1 else None
    if state == ETNA.cancel_pending:
        return "Cancel", "Executing"
    if state == ETNA.cancelled:
        return "Cancel", "Complete"
    if came_from == ETNA.cancel_pending and state not in ETNA.over:
        return "CancelReject", "Rejected"
    return ("Execution" if history[-1].filled else "New"), "Complete"


def _leaves(order: Order, transition: Transition) -> int | Decimal:
    # None is left of what is over, filled or not, as in the vendor's sample of a DoneForDay.
    return 0 if transition.state in ETNA.over else order.quantity - transition.filled


def _number(price: Decimal) -> int | float:
    # JSON numbers, as in the vendor's samples; a price of some ten digits survives being a float.
    return int(price) if price == price.to_integral_value() else float(price)
