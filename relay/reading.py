"""What reading any vendor's answer takes: JSON, waiting times, and names that stay one part of a path."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeGuard
from urllib.parse import quote

from relay.errors import Unreadable
from relay.vendor import Answer, Created

#: Milliseconds that a vendor may hold calls back at most: an hour-long hold is a mistake in the header.
_WAIT_MOST_MS = 900_000

#: Seconds, as "5", "0.35" or "1s".
_WAIT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*s?", re.IGNORECASE)

#: Digits of any id, count or time at most: int("1e999999999") would take minutes, of 5 000 digits it raises.
_DIGITS = 20
_WHOLE = re.compile(rf"[0-9]{{1,{_DIGITS}}}")

#: From 2000 to 2099, in ms since 1970: no order is older, and "no date" is written as one in 1, 1800, 1900,
#: 2099 or 9999.
_EARLIEST_MS, _LATEST_MS = 946_684_800_000, 4_070_908_800_000

#: What a path takes for itself, however it is quoted.
NO_NAMES = frozenset({"", ".", ".."})


def json_of(answer: Answer) -> Any:  # noqa: ANN401 - any JSON value
    """Read the body, numbers with all their digits; None where it is no JSON."""
    try:
        return json.loads(answer.body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Read a message; None where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def folded(row: object) -> dict[str, Any] | None:
    """Give an object with its keys in small letters; None for anything else."""
    return {name.casefold(): value for name, value in row.items()} if isinstance(row, dict) else None


def rows_of(value: object, whose: str) -> list[dict[str, Any]]:
    """Give a list's rows, keys in small letters; raise `Unreadable` for anything but a list of objects."""
    found = [folded(row) for row in value] if isinstance(value, list) else [None]
    if None in found:
        raise Unreadable(f"{whose} answer is no list")
    return [row for row in found if row is not None]


def id_of(row: Mapping[str, Any], name: str, whose: str) -> int:
    """Give an id of a row; raise `Unreadable` where it has none, or 0."""
    value = whole(row.get(name))
    if not value:
        raise Unreadable(f"{whose} answer lacks a number: {name}")
    return value


def is_header(text: object) -> TypeGuard[str]:
    """Say whether a value is a text that a header can carry."""
    return isinstance(text, str) and bool(text) and text.isascii() and text.isprintable()


def whole(value: object) -> int | None:
    """Read a whole number, also one in quotes or with a fraction of nothing; None for anything else."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and value.adjusted() < _DIGITS and value == value.to_integral_value()
        return int(value) if is_whole else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def wait_ms(*said: object, default_ms: int) -> int:
    """Read for how long to hold calls back: the first that is a number of seconds, else the default."""
    for value in said:
        found = _WAIT.fullmatch(str(value).strip())
        if found:
            return min(max(default_ms, int(Decimal(found[1]) * 1000)), _WAIT_MOST_MS)
    return default_ms


def created(ms: int | None, *, zone_is_sure: bool = True) -> Created | None:
    """Give a time of creation, in ms since 1970, that can be one; None for seconds, ticks, or "no date"."""
    plausible = ms is not None and _EARLIEST_MS <= ms < _LATEST_MS
    return Created(ms, zone_is_sure=zone_is_sure) if plausible and ms is not None else None


def segment(value: str | int | None) -> str:
    """Quote a value so that it stays one part of the path, whatever is in it."""
    text = "" if value is None else str(value)
    if text in NO_NAMES:
        message = "a part of the path that no quoting can disarm must not pass the schema"
        raise AssertionError(message)
    return quote(text, safe="")
