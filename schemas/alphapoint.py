"""What an alert for AlphaPoint may say: 64-bit numbers for ids, and never the number 0.

Source: https://alphapoint.github.io/slate/ (CancelOrder, CancelAllOrders). An account, a client id or a
user of 0 means "left out" there, which is wider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.alert import Account, AlertSchema, NameOrNumber, Number, Text

#: The largest signed 64-bit number.
_INT64 = 2**63 - 1

#: Characters of an instrument's symbol.
_SYMBOL_CHARACTERS = 50


class AlphaPointAlertSchema(AlertSchema):
    """An alert for AlphaPoint."""

    account = Account(Number(most=_INT64, what="AlphaPoint's number of the account"))
    order_id = Number(most=_INT64, what="AlphaPoint's number of the order")
    client_order_id = Number(most=_INT64, what="the order's ClientOrderId, never 0")
    instrument = NameOrNumber(
        Text(longest=_SYMBOL_CHARACTERS), Number(most=_INT64, what="AlphaPoint's number of the instrument")
    )
    oms_id = Number(most=2**31 - 1, what="AlphaPoint's number of the order management system")
    user_id = Number(most=_INT64, what="AlphaPoint's number of the user")

    def problems(self, sent: Mapping[str, Any]) -> dict[str, list[str]]:
        """Ask for the user that a user's cancel means, beside what is wrong for any vendor."""
        found = super().problems(sent)
        scope = sent.get("scope")
        if isinstance(scope, str) and scope.strip().lower() == "user" and "user_id" not in sent:
            found.setdefault("user_id", []).append(
                'is missing: "scope": "user" cancels the orders of that user'
            )
        if "user_id" in sent and ("order_id" in sent or "client_order_id" in sent):
            found.setdefault("user_id", []).append(
                "goes with instrument or scope only: an order has its own user"
            )
        return found
