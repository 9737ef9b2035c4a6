"""A dry run: the calls that a cancel would make, shown and not sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from relay.cancel import Cancel, Scope
from relay.transport import Transport
from relay.vendor import Call, Vendor

#: Stand for what a list will show.
_EACH_ORDER = "EACH-MATCHING-ORDER"
_EACH_ACCOUNT = "EACH-ACCOUNT"

_ONCE = "once, where no session is open"


def rehearse(cancel: Cancel, speaker: Vendor, transport: Transport) -> list[Mapping[str, Any]]:
    """Show the calls, credentials masked; where orders are listed first, the form of what follows."""
    vendor = speaker.of(cancel)
    calls: list[tuple[Call, str | None]] = []
    log_in = vendor.log_in()
    if log_in is not None:
        calls.append((next(log_in), _ONCE))
    if cancel.scope is Scope.ORDER and cancel.account is not None and cancel.name is not None:
        calls.append((next(vendor.cancel_one(cancel.account, cancel.name)), None))
    else:
        calls += _of_many(cancel, vendor)
    return [{**transport.shown(call), **({"when": when} if when else {})} for call, when in calls]


def _of_many(cancel: Cancel, vendor: Vendor) -> list[tuple[Call, str | None]]:
    calls: list[tuple[Call, str | None]] = []
    meaning = vendor.meaning(cancel)
    first = None if meaning is None else next(meaning, None)
    if first is not None:
        calls.append((first, None))
        cancel = replace(cancel, name=f"ID-OF-{cancel.name}")
    account = _EACH_ACCOUNT if cancel.account is None else cancel.account
    each = "for each account" if cancel.account is None else None
    whole = vendor.has_bulk(cancel)
    bulk = cancel if whole else cancel.within(account)
    if cancel.account is None:
        calls.append((next(vendor.accounts()), None))
    if not vendor.has_bulk(bulk) or not vendor.names_its_orders(bulk):
        calls.append((next(vendor.working(account)), each))
    if vendor.has_bulk(bulk):
        calls.append((next(vendor.bulk(bulk)), None if whole else each))
    else:
        calls.append(
            (next(vendor.cancel_one(account, _EACH_ORDER)), f"for each working order of {cancel.words()}")
        )
    return calls
