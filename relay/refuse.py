"""A refusal of somebody who is known → the record that tells of it: small, and without a credential."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from relay.alert import Alert
from relay.errors import Refusal
from relay.record import Record, RefusedAs
from relay.scrubber import Scrubber
from schemas.alert import AlertSchema
from schemas.suggest import nearest

#: Bounds of what is kept of an alert that was not taken.
_FIELDS, _NAME_CHARACTERS, _VALUE_CHARACTERS = 12, 40, 80
_FAULTS, _SAID_CHARACTERS, _DETAIL_CHARACTERS = 8, 160, 300

#: What a name is compared with to tell whether it is meant for a credential.
_KNOWN = (*AlertSchema().fields, "secret")


def record_of(  # noqa: PLR0913 - what a refusal has left of an alert
    refusal: Refusal,
    sender: str,
    alert: Alert | None,
    fields: Mapping[str, Any],
    *,
    request_id: str,
    scrubber: Scrubber,
) -> Record:
    """Give the record of a refused alert: of its `fields`, and the `alert` they made, if they did."""

    def short(text: object, characters: int) -> str:
        # Scrubbed before it is cut: half a secret is one, too. And each text by itself: quotes could hide it.
        if isinstance(text, list):
            return ", ".join(short(each, characters) for each in text[:_FAULTS])[:characters]
        if isinstance(text, dict):
            return "an object"
        return scrubber.scrub(str(text))[:characters]

    shown = {
        short(name, _NAME_CHARACTERS): short(value, _VALUE_CHARACTERS)
        for name, value in fields.items()
        if nearest(name, _KNOWN) != "secret"  # whatever the sender calls it, and whosever it is
    }
    errors = {
        short(name, _NAME_CHARACTERS): [short(each, _SAID_CHARACTERS) for each in said[:2]]
        for name, said in refusal.errors.items()
    }
    vendor = alert.vendor if alert else shown.get("vendor", "")
    return Record(
        alert_id=secrets.token_hex(16),
        sender=sender,
        alert=Alert(vendor=vendor, accounts=alert.accounts if alert else ()),
        cancels=[],
        max_age_ms=0,
        keyed_by="",
        request_id=request_id,
        refused=RefusedAs(
            problem=refusal.problem,
            http=refusal.status,
            title=refusal.title,
            detail=short(refusal.detail, _DETAIL_CHARACTERS),
            errors=dict(list(errors.items())[:_FAULTS]),
            fields=dict(list(shown.items())[:_FIELDS]),
        ),
    )


def told_of(record: Record) -> tuple[str, str, str]:
    """Give what the trader needs of a refusal: its title, what was wrong in which field, what was meant."""
    refused = record.refused
    if refused is None:
        return "", "", ""
    faults = "; ".join(f"{name}: {', '.join(said)}" for name, said in refused.errors.items())
    meant = ", ".join(
        f"{name} {refused.fields[name]}"
        for name in ("vendor", "account", "instrument", "order_id", "client_order_id", "scope", "side")
        if name in refused.fields
    )
    return refused.title, f"{refused.detail}{f' {faults}.' if faults else ''}", meant
