"""Names of futures contracts, as CrossTrade takes them: whether this one is that one.

https://crosstrade.io/llms-full.txt: "ES 03-26" (dated), "ES MAR26", "ESH26" and "ESH6" (month code),
"ES" (root) and "ES1!" (continuous), of which the last two mean the front month of the moment.
"""

from __future__ import annotations

import re

#: The exchanges' month codes, January to December.
_MONTH_CODES = "FGHJKMNQUVXZ"

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

#: Every spelling of a month → its number.
_MONTHS = {
    spelling: number
    for number in range(1, 13)
    for spelling in (f"{number:02}", _MONTH_NAMES[number - 1], _MONTH_CODES[number - 1])
}

_DATED = re.compile(r"(?P<root>[A-Z0-9]+) (?P<month>0[1-9]|1[0-2])-(?P<year>\d\d)")
_NAMED = re.compile(rf"(?P<root>[A-Z0-9]+) (?P<month>{'|'.join(_MONTH_NAMES)})(?P<year>\d\d)")
_CODED = re.compile(rf"(?P<root>[A-Z0-9]*[A-Z])(?P<month>[{_MONTH_CODES}])(?P<year>\d\d?)")
_CONTINUOUS = re.compile(r"(?P<root>[A-Z0-9]+)\d!")


def same_contract(asked: str, shown: str) -> bool | None:
    """Say whether two names mean one contract; None where the front month would have to be known."""
    ask, show = " ".join(asked.upper().split()), " ".join(shown.upper().split())
    if ask == show:
        return True
    mine, theirs = _expiry(ask), _expiry(show)
    if mine and theirs:
        return mine[:2] == theirs[:2] and _same_year(mine[2], theirs[2])
    if theirs and theirs[0] == _root(ask):
        return None
    return False


def same_root(asked: str, shown: str) -> bool:
    """Say whether an order's contract is of the future that was asked for, in whatever month."""
    ask, show = (" ".join(each.upper().split()) for each in (asked.rpartition(":")[2], shown))
    mine, theirs = _expiry(ask), _expiry(show)
    return theirs is not None and theirs[0] == (mine[0] if mine else _root(ask))


def is_continuous(name: str) -> bool:
    """Say whether it is a chart's continuous contract, as ES1!, which no order has."""
    return bool(_CONTINUOUS.fullmatch(" ".join(name.upper().split())))


def front_month(name: str) -> str | None:
    """Give the root where a name means the front month of the moment; None where it has a date.

    A bare word may be a stock as well: nothing here can tell.
    """
    plain = " ".join(name.upper().split())
    return None if _expiry(plain) or " " in plain else _root(plain)


def _same_year(one: str, other: str) -> bool:
    """Compare years of two digits, or of one (ESH6), by the digits that both have."""
    digits = min(len(one), len(other))
    return one[-digits:] == other[-digits:]


def _expiry(name: str) -> tuple[str, int, str] | None:
    """Read root, month and the digits of the year, None for a name that has no date."""
    for pattern in (_DATED, _NAMED, _CODED):
        found = pattern.fullmatch(name)
        if found:
            return found["root"], _MONTHS[found["month"]], found["year"]
    return None


def _root(name: str) -> str:
    found = _CONTINUOUS.fullmatch(name)
    return found["root"] if found else name
