"""Fields → Alert → Cancels: what is asked for, in the vendor's own identifiers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from marshmallow import ValidationError

from relay.alert import Alert, ReplyWhen
from relay.cancel import Cancel, Scope
from relay.errors import InvalidAlert
from relay.instrument import front_month, is_continuous
from relay.scrubber import Scrubber
from schemas.alert import UNFILLED, AlertSchema
from schemas.alphapoint import AlphaPointAlertSchema
from schemas.autoshares import AutosharesAlertSchema
from schemas.crosstrade import CrossTradeAlertSchema

#: Made once: a new schema for each request costs three times as much.
_ANY = AlertSchema()
_BY_VENDOR: Mapping[str, AlertSchema] = {
    "crosstrade": CrossTradeAlertSchema(),
    "alphapoint": AlphaPointAlertSchema(),
    "autoshares": AutosharesAlertSchema(),
}

#: The settings that switch a vendor on.
_SWITCHED_ON_BY = {
    "crosstrade": "set CROSSTRADE_TOKEN",
    "alphapoint": "set ALPHAPOINT_URL, and ALPHAPOINT_API_KEY, ALPHAPOINT_API_SECRET and ALPHAPOINT_USER_ID "
    "(or ALPHAPOINT_USERNAME and ALPHAPOINT_PASSWORD)",
    "autoshares": "set AUTOSHARES_URL, AUTOSHARES_APP_KEY, AUTOSHARES_USERNAME and AUTOSHARES_PASSWORD",
}


def read_alert(
    sent: Mapping[str, Any], faults: Mapping[str, list[str]], configured: Collection[str], scrubber: Scrubber
) -> Alert:
    """Give the alert that the fields make; raise `InvalidAlert` with all that is wrong with them.

    `faults` is what is already known to be wrong; `configured` names the vendors that are on.
    """
    vendor = sent.get("vendor")
    vendor = vendor.strip().lower() if isinstance(vendor, str) else None
    schema = _BY_VENDOR.get(vendor or "", _ANY)
    found = {name: list(said) for name, said in faults.items()}
    for name, said in schema.problems(sent).items():
        found.setdefault(name, []).extend(said)
    loaded: dict[str, Any] = {}
    try:
        loaded = schema.load({name: value for name, value in sent.items() if name != "secret"})
    except ValidationError as failure:
        loaded = failure.valid_data if isinstance(failure.valid_data, dict) else {}
        for name, said in failure.messages_dict.items():
            found.setdefault(name, []).extend(_flat(said))
    for name, said in _beyond(vendor, loaded, configured).items():
        found.setdefault(name, []).extend(said)
    for name, value in sent.items():
        if name != "secret" and scrubber.holds(f"{name} {value}"):
            found.pop(name, None)  # its very name may be the secret
            found["secret"] = ["stands in another field too, which would be kept and shown"]
    for name, said in found.items():
        if UNFILLED in said:
            found[name] = [UNFILLED]  # what else is wrong with it comes from that
    if found:
        raise InvalidAlert(_sentence(found), errors=found)
    return _alert(loaded)


def _beyond(
    vendor: str | None, loaded: Mapping[str, Any], configured: Collection[str]
) -> dict[str, list[str]]:
    """Say what is wrong beyond the shape of the fields: with the vendor, and with this version."""
    found: dict[str, list[str]] = {}
    if vendor in _SWITCHED_ON_BY and vendor not in configured:
        found["vendor"] = [f"{vendor} is not configured here: {_SWITCHED_ON_BY[vendor]}"]
    instrument = loaded.get("instrument") if vendor == "crosstrade" else None
    if loaded.get("side") and isinstance(instrument, str) and is_continuous(instrument):
        found["instrument"] = [
            "with side the orders are picked from a list, which shows contracts: name one, as in MES 12-26"
        ]
    return found


def plan(alert: Alert) -> list[Cancel]:
    """Give the cancels that an alert means: one for each account."""
    scope, name = _aim(alert)
    over_all = scope in {Scope.USER, Scope.EVERYTHING}
    accounts: tuple[str | int | None, ...] = (None,) if over_all else alert.accounts
    return [
        Cancel(alert.vendor, account, scope, name, alert.side, alert.user_id, alert.oms_id)
        for account in accounts
    ]


def cautions(alert: Alert) -> list[str]:
    """Say what may not mean what it seems to, though it is carried out."""
    if alert.vendor != "crosstrade" or not isinstance(alert.instrument, str):
        return []
    root = front_month(alert.instrument.rpartition(":")[2])
    if root is None:
        return []
    trap = f"{alert.instrument} means the front month of the moment, if it is a future"
    return [f'{trap}: around the roll it misses the old contract. Name the contract, as in "{root} 12-26"']


def _aim(alert: Alert) -> tuple[Scope, str | int | None]:
    for scope, name in (
        (Scope.ORDER, alert.order_id),
        (Scope.CLIENT_ORDER, alert.client_order_id),
        (Scope.INSTRUMENT, alert.instrument),
    ):
        if name is not None:
            return scope, name
    return Scope(alert.scope or ""), None


def _alert(loaded: Mapping[str, Any]) -> Alert:
    return Alert(
        vendor=loaded["vendor"],
        accounts=loaded.get("account", ()),
        order_id=loaded.get("order_id"),
        client_order_id=loaded.get("client_order_id"),
        instrument=loaded.get("instrument"),
        scope=loaded.get("scope"),
        side=loaded.get("side"),
        user_id=loaded.get("user_id"),
        oms_id=loaded.get("oms_id"),
        timestamp_ms=loaded.get("timestamp"),
        id=loaded.get("id"),
        max_age_ms=loaded.get("max_age"),
        delay_ms=loaded.get("delay", 0),
        reply_when=ReplyWhen(loaded.get("reply_when", ReplyWhen.REQUESTED)),
        dry_run=loaded.get("dry_run", False),
        must_exist=loaded.get("must_exist", False),
        note=loaded.get("note"),
    )


def _flat(said: object) -> list[str]:
    """Flatten what marshmallow says of one field."""
    if isinstance(said, dict):
        return [each for inner in said.values() for each in _flat(inner)]
    return [str(each) for each in said] if isinstance(said, list) else [str(said)]


def _sentence(found: Mapping[str, list[str]]) -> str:
    names = ", ".join(name[:40] for name in sorted(found))
    return f"{len(found)} field{' is' if len(found) == 1 else 's are'} at fault: {names}. Nothing was sent."
