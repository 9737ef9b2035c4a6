"""An Autoshares server's words, and a vendor that speaks to it, for tests without a network."""

from dataclasses import replace
from typing import Any

from relay.vendor import Answer, Order
from relay.vendors.autoshares import Autoshares
from tests.vendors.dialogue import answer, came_of

USERNAME, PASSWORD = "trader", "tests-only-password"

#: Takes the order system's word for a cancel.
AS = Autoshares(USERNAME, PASSWORD, version="1.0", at_venue=False)

#: Waits for the venue's.
AT_VENUE = replace(AS, at_venue=True)

ACCOUNT, ORDER = 140, 9626

#: Of a 401, as documented for an ended token and for another user's account.
DENIED = {"Message": "Authorization has been denied for this request."}

#: Of a 403, or a 401: the documents contradict each other.
NO_APPLICATION = {"error": "Application key is not defined or does not exist"}

#: Of a 404 for an address that is no part of the API.
NO_ROUTE = {"Message": "No HTTP resource was found that matches the request URI 'https://x/v9.0/token'."}


def row(**changes: object) -> dict[str, Any]:
    """Give one order as the API shows it."""
    return {
        "Id": ORDER,
        "SecurityId": 4,
        "Symbol": "AAPL",
        "Quantity": 100.0,
        "ClientId": "mine-1",
        "LeavesQuantity": 100.0,
        "Side": "Buy",
        "Status": "New",
        "ExecutionStatus": "New",
        "AccountId": ACCOUNT,
        "UserId": 3,
        "ParentId": -1,
        "Legs": [],
        "CreateDate": "2026-11-21T14:30:00Z",
        **changes,
    }


def leg(**changes: object) -> dict[str, Any]:
    """Give a leg of an order."""
    return {"SecurityId": 4, "Symbol": "AAPL", "Side": "Buy", **changes}


def page(*rows: dict[str, Any], **changes: object) -> Answer:
    """Give a page of a list, the only one where nothing else is said."""
    whole = {"Result": list(rows), "NextPageLink": "", "PreviousPageLink": "", "TotalCount": len(rows)}
    return answer({**whole, **changes})


def listed(*rows: dict[str, Any]) -> tuple[Order, ...]:
    """Give the working orders that a list with these rows shows."""
    return came_of(AS.working(ACCOUNT), page(*rows))


def read(**changes: object) -> Order:
    """Give the order that a row shows."""
    return came_of(AS.look(ACCOUNT, ORDER), answer(row(**changes)))
