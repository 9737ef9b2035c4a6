"""The nearest known field for one that is not: by spelling, and by other services' names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: What other services, and people in a hurry, call our fields.
ELSEWHERE = {
    "ticker": "instrument",
    "symbol": "instrument",
    "pair": "instrument",
    "market": "instrument",
    "contract": "instrument",
    "instrumentid": "instrument",
    "broker": "vendor",
    "exchange": "vendor",
    "provider": "vendor",
    "destination": "vendor",
    "passphrase": "secret",
    "password": "secret",
    "token": "secret",
    "apikey": "secret",
    "key": "secret",
    "webhooksecret": "secret",
    "orderid": "order_id",
    "ordernumber": "order_id",
    "clientid": "client_order_id",
    "clientorderid": "client_order_id",
    "clordid": "client_order_id",
    "clorderid": "client_order_id",
    "accountid": "account",
    "accountname": "account",
    "accounts": "account",
    "acct": "account",
    "command": "action",
    "cancelafter": "delay",
    "wait": "delay",
    "time": "timestamp",
    "timenow": "timestamp",
    "alerttimestamp": "timestamp",
    "date": "timestamp",
    "comment": "note",
    "message": "note",
    "text": "note",
    "test": "dry_run",
    "dryrun": "dry_run",
    "validate": "dry_run",
    "alertid": "id",
    "uuid": "id",
    "idempotencykey": "id",
    "maxlag": "max_age",
    "ttl": "max_age",
    "expires": "max_age",
    "cancelall": "scope",
    "all": "scope",
    "direction": "side",
    "buysell": "side",
    "omsid": "oms_id",
    "userid": "user_id",
    "reply": "reply_when",
}

#: How alike two spellings must be, from 0 to 1: one slip in a word of five letters still is.
_ALIKE = 0.6


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known field that was probably meant, or None."""
    names = list(known)
    plain = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    for candidate in names:
        if candidate.replace("_", "") == plain:
            return candidate
    if ELSEWHERE.get(plain) in names:
        return ELSEWHERE[plain]
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=_ALIKE)
    return close[0] if close else None
