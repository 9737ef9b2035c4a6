"""An AlphaPoint server's words, and a vendor that speaks to it, for tests without a network."""

from dataclasses import replace
from typing import Any

from relay.cancel import Cancel, Scope
from relay.vendors.alphapoint import AlphaPoint, ApiKey, Password
from tests.vendors.dialogue import answer

API_KEY, API_SECRET, NONCE = "tests-only-api-key", "tests-only-api-secret", "2247733562"

#: Speaks to any server: instruments and users are cancelled order by order.
AP = AlphaPoint(ApiKey(API_KEY, API_SECRET, 96), 1, reads_all_keys=False, nonce=lambda: NONCE)

#: Speaks to a server of version 3.2 or before.
OLD = replace(AP, reads_all_keys=True)

BY_PASSWORD = replace(AP, credential=Password("trader@example.com", "pass:wörd"))

ACCOUNT, ORDER = 4, 6562

#: An id that a float cannot hold.
BIG = 2**53 + 1

#: 2026-11-21T14:30:00Z in ms.
AT_MS = 1_795_271_400_000

#: What a standard response says of success.
TOOK = answer({"result": True, "errormsg": None, "errorcode": 0, "detail": None})

OF_ACCOUNT = Cancel("alphapoint", ACCOUNT, Scope.ACCOUNT)
OF_INSTRUMENT = Cancel("alphapoint", ACCOUNT, Scope.INSTRUMENT, 8)
OF_USER = Cancel("alphapoint", ACCOUNT, Scope.USER, user_id=57)
OF_EVERYTHING = Cancel("alphapoint", None, Scope.EVERYTHING)
BY_SYMBOL = replace(OF_INSTRUMENT, name="BTCCAD")


def row(**changes: object) -> dict[str, Any]:
    """Give one order as an exchange lists it."""
    return {
        "Side": "Buy",
        "OrderId": ORDER,
        "Price": 23436.0,
        "Quantity": 0.02,
        "Instrument": 8,
        "Account": ACCOUNT,
        "AccountName": "trader",
        "OrderType": "Limit",
        "ClientOrderId": 0,
        "OrderState": "Working",
        "ReceiveTime": AT_MS,
        "EnteredBy": 57,
        "OMSId": 1,
        **changes,
    }


def refusal(code: int, words: str | None = "No", **more: object) -> dict[str, object]:
    """Give a standard response that says no."""
    return {"result": False, "errormsg": words, "errorcode": code, "detail": None, **more}
