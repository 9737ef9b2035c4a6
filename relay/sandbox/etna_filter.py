"""Read the filter of an order list, as `SecurityId = 4 and Status in (0,1,6)`.

The grammar is the table in `web-api/trading-api/orders/get-filtered-orders` of
https://github.com/AutoSharesAPI/API, and no more: three fields, joined by `and`. What else the vendor reads
is not known [U], so it is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from relay.sandbox.etna import status_number
from relay.sandbox.order import Order

#: Tells whether an order is wanted.
Test = Callable[[Order], bool]

#: The four ways to compare a date.
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
}

# That names and words are read in any case is inferred [I].
_CLAUSE = re.compile(
    r"""\s*(?:
        SecurityId \s*=\s* (?P<security>[0-9]{1,10})
      | Status \s+in\s* \( \s* (?P<statuses>[0-9]{1,3} (?:\s*,\s*[0-9]{1,3})*) \s* \)
      | CreateDate \s+between\s+ \#(?P<first>[^\#]+)\# \s+and\s+ \#(?P<last>[^\#]+)\#
      | CreateDate \s* (?P<comparison>>=|<=|>|<) \s* \#(?P<date>[^\#]+)\#
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_AND = re.compile(r"and\b", re.IGNORECASE)


def read_filter(text: str, security_of: Callable[[str], int], held: int | None) -> Test:
    """Read a filter, with what tells a symbol's id; ValueError where it is not of the grammar."""
    tests: list[Test] = []
    at = 0
    while clause := _CLAUSE.match(text, at):
        tests.append(_test(clause, security_of, held))
        at = clause.end()
        if at == len(text):
            return lambda order: all(test(order) for test in tests)
        joined = _AND.match(text, at)
        if joined is None:
            break
        at = joined.end()
    raise ValueError(f"the filter makes no sense from character {at + 1}: {text[at:]!r}")


def _test(clause: re.Match[str], security_of: Callable[[str], int], held: int | None) -> Test:
    if clause["security"]:
        wanted = int(clause["security"])
        return lambda order: security_of(order.instrument) == wanted
    if clause["statuses"]:
        # A number that no state has is let through: the vendor's own example asks for 20.
        numbers = {int(number) for number in clause["statuses"].split(",")}
        return lambda order: status_number(order.state, held) in numbers
    if clause["date"]:
        compare, moment = COMPARISONS[clause["comparison"]], _moment(clause["date"])
        return lambda order: compare(order.created, moment)
    first, last = _moment(clause["first"]), _moment(clause["last"])
    return lambda order: first <= order.created <= last  # both ends count [I]


def _moment(text: str) -> float:
    """Read a date; one without an offset is UTC [I]."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
