"""The query of a list of alerts: which, how many, and where the page begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from schemas.alert import SAYINGS, AlertSchema, Choice, Moment, Number
from schemas.suggest import nearest

#: What a record's status may be, as replies have it; of a dry run none is kept.
STATUSES = (
    "scheduled",
    "in_progress",
    "requested",
    "confirmed",
    "nothing_to_cancel",
    "withdrawn",
    "dry_run",
    "rejected",
    "failed",
    "expired",
    "unknown",
    "refused",
)

#: Alerts on a page: the most, and where nothing is said.
MOST = 200
USUAL = 50

#: Where a page ended: the ms in which its last alert was received, and that alert's id.
_MARK = re.compile(r"([0-9]{1,16})-([0-9a-f]{32})")

_VENDOR = AlertSchema().fields["vendor"]
_VENDORS = _VENDOR.choices if isinstance(_VENDOR, Choice) else ()


class Words(fields.Field[tuple[str, ...]]):
    """Some of a few words, separated by commas, in any case."""

    default_error_messages = SAYINGS

    def __init__(self, *choices: str, **options: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**options)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:  # noqa: ANN401, ARG002 - marshmallow's
        words = [each.strip().lower() for each in str(value).split(",")]
        strange = [each for each in words if each not in self.choices]
        if not strange:
            return tuple(words)
        if not any(words):
            raise ValidationError("is empty: give it a value, or leave it out")
        guess = nearest(strange[0], self.choices)
        meant = f'did you mean "{guess}"?' if guess else f"write some of {', '.join(self.choices)}"
        raise ValidationError(f'"{strange[0][:40]}" is none of them: {meant}')


class Before(fields.Field[tuple[int, str]]):
    """Where a page begins: the mark at which another ended, or a moment; ms and an alert's id inside."""

    default_error_messages = SAYINGS

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[int, str]:  # noqa: ANN401, ARG002 - marshmallow's
        mark = _MARK.fullmatch(str(value).strip())
        if mark:
            return int(mark[1]), mark[2]
        try:
            # Nothing sorts before the empty id: all of that very millisecond is left out.
            return Moment().deserialize(value, attr, data), ""
        except ValidationError:
            raise ValidationError(
                "must be the `before` of another page, or a moment: ISO 8601 (a + in it written %2B), "
                "or Unix seconds"
            ) from None


class ListingSchema(Schema):
    """The parameters of a list of alerts."""

    class Meta:
        unknown = EXCLUDE  # `problems` names them itself, with the nearest known one

    status = Words(*STATUSES)
    vendor = Choice(*_VENDORS)
    limit = Number(most=MOST, what="how many to list", load_default=USUAL)
    before = Before()

    def problems(self, sent: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
        """Say which parameters are none, and which stand there twice."""
        found: dict[str, list[str]] = {}
        names = [name for name, _ in sent]
        for name in dict.fromkeys(names):
            guess = nearest(name, [*self.fields, "secret"])
            if name in self.fields:
                if names.count(name) > 1:
                    said = "write one list, separated by commas" if name == "status" else "which one counts?"
                    found[name] = [f"stands there twice: {said}"]
            elif guess == "secret":
                found[name] = [
                    "goes into the header, as Authorization: Bearer <secret>: an address is kept in many logs"
                ]
            else:
                found[name] = [
                    f'unknown parameter; did you mean "{guess}"?' if guess else "unknown parameter"
                ]
        return found
