"""What an alert for Autoshares may say: 32-bit numbers for accounts and orders.

Source: `openapi.json` of https://github.com/AutoSharesAPI/API; `ClientId` is a text there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from schemas.alert import Account, AlertSchema, NameOrNumber, Number, Text

#: The largest signed 32-bit number.
_INT32 = 2**31 - 1

#: Characters of a symbol, an option's included, and of a client's id.
_SYMBOL_CHARACTERS = 50
_CLIENT_ID_CHARACTERS = 100


class AutosharesAlertSchema(AlertSchema):
    """An alert for Autoshares."""

    account = Account(
        Number(most=_INT32, what="Autoshares' internal number of the account, not the clearing number")
    )
    order_id = Number(most=_INT32, what="Autoshares' number of the order")
    client_order_id = Text(longest=_CLIENT_ID_CHARACTERS)
    instrument = NameOrNumber(
        Text(longest=_SYMBOL_CHARACTERS), Number(most=_INT32, what="the SecurityId of the instrument")
    )

    foreign: ClassVar[Mapping[str, str]] = {
        "oms_id": "is AlphaPoint's: leave it out",
        "user_id": "is AlphaPoint's: leave it out",
    }

    no_users = 'Autoshares cancels by account: say "account" or "everything"'
