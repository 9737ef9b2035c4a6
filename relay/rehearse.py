"""A dry run: the calls that a cancel would make, shown and not sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay.cancel import Cancel, Scope
from relay.transport import Transport
from relay.vendor import Call, Vendor

#: Stands for each order that a list will show.
_EACH = "EACH-MATCHING-ORDER"


def rehearse(cancel: Cancel, vendor: Vendor, transport: Transport) -> list[Mapping[str, Any]]:
    """Show the calls, credentials masked; where orders are listed first, the form of what follows."""
    if cancel.scope is Scope.ORDER and cancel.account is not None and cancel.name is not None:
        return [transport.shown(next(vendor.cancel_one(cancel.account, cancel.name)))]
    calls: list[tuple[Call, str | None]] = []
    if cancel.account is None:
        calls.append((next(vendor.accounts()), None))
    if not vendor.has_bulk(cancel) or not vendor.names_its_orders(cancel):
        account = cancel.account or "EACH-ACCOUNT"
        calls.append((next(vendor.working(account)), None if cancel.account else "for each account"))
    if vendor.has_bulk(cancel):
        calls.append((next(vendor.bulk(cancel)), None))
    else:
        account = cancel.account or "EACH-ACCOUNT"
        calls.append((next(vendor.cancel_one(account, _EACH)), f"for each working order of {cancel.words()}"))
    return [{**transport.shown(call), **({"when": when} if when else {})} for call, when in calls]
