"""CrossTrade, over its REST calls and its WebSocket: translation and reading of answers.

Documents: https://crosstrade.io/docs/api/orders/post-cancel-orders (bulk), …/post-cancel-order (one),
https://docs.crosstrade.io/api/orders/get-order, …/api/rate-limiting, https://crosstrade.io/llms-full.txt
(envelope, errors), https://crosstrade.io/ai/AGENTS.md (`cancelall`, accounts),
https://docs.crosstrade.io/api/websocket-api (`rpc`, which names the two cancels and no read). Marks: [3P]
seen in third-party code, [I] inferred, [U] not documented.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from relay.cancel import Cancel, Scope
from relay.errors import Gone, Refused, Throttled, Unknown, Unreadable
from relay.instrument import same_contract
from relay.reading import NO_NAMES, json_of, segment, wait_ms
from relay.vendor import Answer, Call, Created, Frame, Order, State, Vendor
from schemas.alert import milliseconds

#: The stable words of a cancel that found no working order (post-cancel-order, newest page).
_GONE = "not found or already terminal"

#: How errors begin that are documented for what cannot be done (llms-full.txt, post-cancel-order).
_REFUSALS = ("invalid",)

#: The documents give no header on 429 [U]; a bucket refilled at 3/s has a call again after this.
_THROTTLED_MS = 350

#: NinjaTrader's order states (order_state_definitions, isterminalstate), both spellings seen [3P].
#: `Unknown` is terminal for NinjaTrader and no evidence for us.
_STATES = {
    **dict.fromkeys(("cancelled", "canceled"), State.CANCELLED),
    "filled": State.FILLED,
    "rejected": State.OVER,
    **dict.fromkeys(("cancelpending", "cancelsubmitted"), State.CANCELLING),
    **dict.fromkeys(
        (
            "initialized",
            "submitted",
            "accepted",
            "working",
            "suspended",
            "changesubmitted",
            "changepending",
            "triggerpending",
            "partfilled",
            "partiallyfilled",
        ),
        State.WORKING,
    ),
}

#: Years of a real order's time. NinjaTrader and .NET write "no time" as a date in 1, 1800, 2099 or 9999.
_YEARS = range(2000, 2099)

#: NinjaTrader's order actions → the alert's `side`.
_SIDES = {"buy": "buy", "buytocover": "buy", "sell": "sell", "sellshort": "sell"}


class CrossTrade(Vendor):
    """The conversations with CrossTrade."""

    name = "crosstrade"

    def __init__(self, timezone: str, *, zone_is_sure: bool = True) -> None:
        """Take the zone of vendor times that have no offset, and whether the operator named it."""
        self._zone = ZoneInfo(timezone)
        self._zone_is_sure = zone_is_sure

    def has_bulk(self, cancel: Cancel) -> bool:
        """Say yes but for a side, which no bulk call takes."""
        return cancel.side is None and cancel.scope in {Scope.INSTRUMENT, Scope.ACCOUNT, Scope.EVERYTHING}

    def names_its_orders(self, cancel: Cancel) -> bool:
        """Say yes for an account's cancel; the reply of `cancelall` is not documented [U]."""
        return cancel.scope is not Scope.EVERYTHING

    def bulk(self, cancel: Cancel) -> Generator[Call, Answer, tuple[str | int, ...] | None]:
        """Cancel an instrument's, an account's or all accounts' orders (post-cancel-orders)."""
        if not self.has_bulk(cancel):
            raise AssertionError(f"there is no one call for {cancel.words()}")
        if cancel.scope is Scope.EVERYTHING:
            answer = yield Call("POST", "/v1/api/orders/cancelall", {})
            _read(answer)
            return None
        body = {}
        if cancel.scope is Scope.INSTRUMENT:
            # An instrument that is missing, null or empty means the whole account there.
            if not cancel.name or not isinstance(cancel.name, str):
                message = "an instrument's cancel without an instrument must never be sent"
                raise AssertionError(message)
            body = {"instrument": cancel.name}
        frame = Frame("CancelOrders", {"account": cancel.account, **body})
        answer = yield Call("POST", f"{_account(cancel.account)}/orders/cancel", body, frame=frame)
        order_ids = _read(answer).get("orderIds")
        if not isinstance(order_ids, list) or not all(map(_is_name, order_ids)):
            raise Unreadable("CrossTrade's answer does not name the orders it took")
        return tuple(order_ids)

    def accounts(self) -> Generator[Call, Answer, tuple[str | int, ...]]:
        """List the accounts in NinjaTrader by name; the list's key is `accounts` [3P]."""
        rows = _rows(_read((yield Call("GET", "/v1/api/accounts"))), "accounts")
        if not rows:
            raise Unreadable("CrossTrade lists no account")
        return tuple(_name(row, "name") for row in rows)

    def working(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]]:
        """List the account's orders that are not over; `activeOnly` [3P] is not relied on."""
        rows = _rows(_read((yield Call("GET", f"{_account(account)}/orders?activeOnly=true"))), "orders")
        orders = [self._order(row, account) for row in rows]
        return tuple(order for order in orders if not order.state.over)

    def cancel_one(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, None]:
        """Cancel one order (post-cancel-order)."""
        path = f"{_account(account)}/orders/{segment(order_id)}/cancel"
        frame = Frame("Cancel", {"account": account, "orderId": order_id})
        _read((yield Call("POST", path, {}, frame=frame)))

    def look(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, Order]:
        """Read one order (get-order). What is answered for an unknown one is not documented [U].

        The row may show another id than was asked for: NinjaTrader reassigns ids, and CrossTrade
        resolves the first one for the order's whole life (post-cancel-order, newest page).
        """
        answer = yield Call("GET", f"{_account(account)}/orders/{segment(order_id)}")
        try:
            row = _read(answer)
        except Refused as refusal:
            if answer.status in {401, 403}:
                raise
            raise Gone(refusal.words) from refusal
        return self._order(row, account)

    def same_instrument(self, asked: str | int, shown: Order) -> bool | None:
        """Compare by root and expiry: rows have NinjaTrader's form whatever was asked."""
        return same_contract(str(asked), str(shown.instrument))

    def _order(self, row: Mapping[str, Any], account: str | int) -> Order:
        if str(row.get("account", account)).casefold() != str(account).casefold():
            raise Unreadable("CrossTrade answered about another account")
        words = _text(row, "orderState")
        action = row.get("orderAction")
        return Order(
            # Lists carry `id` beside or instead of `orderId` [3P].
            order_id=_name(row, "orderId" if "orderId" in row else "id"),
            account=account,
            instrument=_text(row, "instrument"),
            side=_SIDES.get(action.lower()) if isinstance(action, str) else None,
            state=_STATES.get(words.lower(), State.UNCLEAR),
            state_words=words,
            created=self._moment(row.get("time")),
        )

    def _moment(self, value: object) -> Created | None:
        """Read an order's time [3P]. It moves when the order is changed, only ever forward."""
        if not isinstance(value, str):
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.year not in _YEARS:
            return None
        sure = moment.tzinfo is not None or self._zone_is_sure
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
            if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                # The hour that comes twice, or never, when clocks are changed: two moments are none.
                return None
        return Created(milliseconds(moment), zone_is_sure=sure)


def _account(account: str | int | None) -> str:
    return f"/v1/api/accounts/{segment(account)}"


def _read(answer: Answer) -> Mapping[str, Any]:
    """Give the body of a success; raise what any other answer means.

    A success says `"success": true`; without it a 2xx proves nothing. An error has `success: false`
    and `error`, or `error` alone (both shapes are documented).
    """
    body = _json(answer)
    if answer.connection and not answer.status:
        return _read_frame(answer, body)
    if answer.status == 408:
        raise Unknown(f"CrossTrade: NinjaTrader is not connected or did not answer (408){_words(body)}")
    if answer.status == 429:
        raise Throttled("CrossTrade: rate limit exceeded", _wait_ms(answer, body))
    if answer.status >= 500:
        raise Unknown(f"CrossTrade answered {answer.status}{_words(body)}")
    if answer.status >= 400:
        _refuse(answer, body)
    if not 200 <= answer.status < 300:
        # A redirect is never followed with a credential; the documents have it for wrong addresses.
        raise Refused(f"CrossTrade answered {answer.status}, a redirect: CROSSTRADE_URL is probably wrong")
    if body is not None and body.get("success") is False:
        _refuse(answer, body)
    return _proven(body)


def _read_frame(answer: Answer, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Read an answer that came over the WebSocket, which has no status: an error is one by its words alone.

    Only words that are documented for a refusal refuse. Any other error may be what 408 is over HTTP, an
    add-on that is not connected or did not answer, and proves nothing.
    """
    said = str((body or {}).get("error") or "").lower()
    if body is None or body.get("success") is True or not said:
        return _proven(body)
    if "rate limit" in said:
        raise Throttled("CrossTrade: rate limit exceeded", _wait_ms(answer, body))
    if said.startswith(_REFUSALS) or _GONE in said:
        _refuse(answer, body)
    raise Unknown(f"CrossTrade answered with an error{_words(body)}")


def _proven(body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if body is None:
        raise Unreadable("CrossTrade's answer cannot be read")
    if body.get("success") is not True:
        raise Unreadable('CrossTrade\'s answer lacks "success": true')
    return body


def _refuse(answer: Answer, body: Mapping[str, Any] | None) -> NoReturn:
    words = f"CrossTrade answered {answer.status or 'with an error'}{_words(body)}"
    if body is not None and _GONE in str(body.get("error", "")).lower():
        raise Gone(words)
    raise Refused(words)


def _words(body: Mapping[str, Any] | None) -> str:
    """Give the vendor's own words: the machine's code, and the detail for people where there is one."""
    said = [str(body[name]) for name in ("error", "detail") if body and body.get(name)]
    return f": {'; '.join(said)}" if said else ""


def _json(answer: Answer) -> Mapping[str, Any] | None:
    body = json_of(answer)
    return body if isinstance(body, dict) else None


def _wait_ms(answer: Answer, body: Mapping[str, Any] | None) -> int:
    """Read how long to wait: the header, else `retryAfter` in the body [3P], else the bucket's pace."""
    in_body = [(body or {}).get(name) for name in ("retryAfter", "retry_after")]
    return wait_ms(answer.headers.get("retry-after"), *in_body, default_ms=_THROTTLED_MS)


def _rows(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = body.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable(f"CrossTrade's answer has no list of {name}")
    return rows


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"CrossTrade's answer lacks {name}")
    return value


def _name(row: Mapping[str, Any], name: str) -> str:
    value = _text(row, name)
    if not _is_name(value):
        raise Unreadable(f"CrossTrade's answer has a strange {name}")
    return value


def _is_name(value: object) -> bool:
    """Say whether a value can stand in a path: a whole text, and none that no quoting disarms."""
    return isinstance(value, str) and value.isprintable() and value not in NO_NAMES
