"""Cut a list into pages as ETNA Trader does, by offset over what is there at that moment.

Who cancels while walking skips rows: the later pages move up under him. The parameters are those of
`openapi.json`, the shapes those of `pages/pagination.md` and of
`web-api/trading-api/orders/get-filtered-orders`, all in https://github.com/AutoSharesAPI/API; these two
contradict each other on the links [!].
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from relay.sandbox.etna_behaviour import AutosharesBehaviour
from relay.sandbox.wire import Request

#: Most rows of one page.
MOST_ROWS = 100

#: Ends of the int32 that every id and number of the API is.
LOWEST, HIGHEST = -(2**31), 2**31 - 1

_INTEGER = re.compile(r"-?[0-9]{1,10}")


def int32(text: str) -> int | None:
    """Read a number of 32 bits, or return None where the text is none."""
    number = int(text) if _INTEGER.fullmatch(text) else None
    return number if number is not None and LOWEST <= number <= HIGHEST else None


def page_of(
    rows: Sequence[Mapping[str, object]],
    request: Request,
    behaviour: AutosharesBehaviour,
    url: str,
) -> dict[str, object]:
    """Give the page that a request asks for; ValueError where it asks for none that can be."""
    number = int32(request.query.get("pageNumber", ""))
    size = int32(request.query.get("pageSize", ""))
    if number is None or size is None or number < 0 or size < 1:
        raise ValueError("pageNumber and pageSize are required")
    if size > MOST_ROWS and behaviour.page_too_large == "refused":  # what exceeding it does is not known [U]
        raise ValueError(f"pageSize cannot exceed {MOST_ROWS}")
    size = min(size, MOST_ROWS)
    first = number * size
    has_next = first + size < len(rows)
    return {
        "Result": list(rows[first : first + size]),
        "NextPageLink": _link(request, behaviour, url, number + 1, size) if has_next else _none(behaviour),
        "PreviousPageLink": _link(request, behaviour, url, number - 1, size) if number else _none(behaviour),
        "TotalCount": len(rows),
    }


def sort_rows(rows: list[dict[str, object]], request: Request, default: str) -> list[dict[str, object]]:
    """Sort as a request asks; ValueError where the field is none that sorts."""
    field = request.query.get("sortField") or default
    descending = request.query.get("desc", "").lower() == "true"
    if any(not isinstance(row.get(field), str | int | float) for row in rows):  # [U]
        raise ValueError(f"sortField {field!r} is none of the fields")
    return sorted(rows, key=lambda row: _sortable(row[field]), reverse=descending)


def _sortable(value: object) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


def _none(behaviour: AutosharesBehaviour) -> str | None:
    return "" if behaviour.page_links in ("absolute", "empty") else None


def _link(request: Request, behaviour: AutosharesBehaviour, url: str, number: int, size: int) -> str | None:
    if behaviour.page_links in ("empty", "null"):
        return _none(behaviour)
    query = f"pageNumber={number}&pageSize={size}"
    # Both samples name no more, though the one's request was sorted: who follows them loses sort and filter.
    if behaviour.page_links_keep_query:
        rest = {key: text for key, text in request.query.items() if key not in ("pageNumber", "pageSize")}
        query += "".join(f"&{key}={quote(text)}" for key, text in rest.items())
    return f"{url if behaviour.page_links == 'absolute' else ''}{request.path}?{query}"
