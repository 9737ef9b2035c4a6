"""A call that came in a frame, as the same call over HTTP: the weather and the judge know that one alone."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote


def over_http(target: str, body: bytes | str) -> tuple[str, bytes]:
    """Give target and body that the call would have had; what is no frame stays as it is."""
    body = body if isinstance(body, bytes) else body.encode("utf-8", "replace")
    frame = _fields(body)
    if "n" in frame:
        return f"/{frame['n']}", str(frame.get("o") or "{}").encode()
    if frame.get("action") != "rpc":
        return target, body
    args = _fields(json.dumps(frame.get("args")).encode())
    account = quote(str(args.get("account")), safe="")
    order = args.get("orderId")
    one = "" if order is None else f"/{quote(str(order), safe='')}"
    rest = {name: value for name, value in args.items() if name not in {"account", "orderId"}}
    return f"/v1/api/accounts/{account}/orders{one}/cancel", json.dumps(rest).encode()


def _fields(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
