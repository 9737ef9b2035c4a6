"""Know a futures contract by the four names that CrossTrade takes for it.

https://crosstrade.io/docs/api/overview: "ES 03-26" (NinjaTrader's, with its date), "ES" (the front month),
"ES1!" (TradingView's continuous contract) and "ESH26" (CME's code). Two simplifications: every root is
taken to expire in March, June, September and December, on the third Friday; and the front month is the
nearest contract not yet expired, where a charting platform may roll some days earlier.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

#: CME's letters of the months, January first.
MONTH_CODES = "FGHJKMNQUVXZ"

#: Months in which a contract is taken to expire.
QUARTERLY = (3, 6, 9, 12)

_DATED = re.compile(r"([A-Z0-9]{1,4}) (0[1-9]|1[0-2])-(\d\d)")
_CONTINUOUS = re.compile(r"([A-Z0-9]{1,4})1!")
_CODE = re.compile(rf"([A-Z0-9]{{1,4}})([{MONTH_CODES}])(\d\d)")
_ROOT = re.compile(r"[A-Z0-9]{1,4}")
_SHORT_CODE = re.compile(rf"[A-Z0-9]{{2,}}[{MONTH_CODES}]\d")  # ESH6, which the API's list of names lacks


def dated_name(name: str, today: date) -> str | None:
    """Give NinjaTrader's dated name of an instrument, or None where the name is none of the four forms."""
    name = name.strip().upper()
    if _DATED.fullmatch(name):
        return name
    if code := _CODE.fullmatch(name):
        return f"{code[1]} {MONTH_CODES.index(code[2]) + 1:02}-{code[3]}"
    if continuous := _CONTINUOUS.fullmatch(name):
        return f"{continuous[1]} {front_month(today)}"
    if _ROOT.fullmatch(name) and not _SHORT_CODE.fullmatch(name):
        return f"{name} {front_month(today)}"
    return None


def front_month(today: date) -> str:
    """Give month and year of the nearest contract, as "12-26"; on the day of its expiry it still is."""
    for year in (today.year, today.year + 1):
        for month in QUARTERLY:
            if today <= _third_friday(year, month):
                return f"{month:02}-{year % 100:02}"
    raise AssertionError  # a March comes after every day


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    to_friday = (4 - first.weekday()) % 7  # Monday is 0
    return first + timedelta(days=to_friday + 14)
