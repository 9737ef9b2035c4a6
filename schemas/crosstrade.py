"""What an alert for CrossTrade may say: texts for ids, and what its API can express.

Source: https://crosstrade.io/docs/api/orders/post-cancel-orders and …/post-cancel-order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError

from schemas.alert import Account, AlertSchema, Text

#: Characters of an account's name or an order's id; NinjaTrader's ids have 32.
NAME_CHARACTERS = 100

_SEPARATORS = re.compile(r"[/\\]")


class PathName(Text):
    """A name that goes into an address: no part of it may be `.` or `..`, which no quoting disarms."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401 - marshmallow's
        text = super()._deserialize(value, attr, data, **kwargs)
        if any(part.strip() in {".", ".."} for part in _SEPARATORS.split(text)):
            raise ValidationError("is no name that NinjaTrader has: `.` and `..` are parts of an address")
        return text


class CrossTradeAlertSchema(AlertSchema):
    """An alert for CrossTrade."""

    account = Account(PathName(longest=NAME_CHARACTERS))
    order_id = PathName(longest=NAME_CHARACTERS)
    instrument = Text(longest=NAME_CHARACTERS)

    foreign: ClassVar[Mapping[str, str]] = {
        "client_order_id": "CrossTrade's API cannot cancel by your own id: name NinjaTrader's order_id",
        "oms_id": "is AlphaPoint's: leave it out",
        "user_id": "is AlphaPoint's: leave it out",
    }

    no_users = 'CrossTrade knows no users: say "account" or "everything"'
