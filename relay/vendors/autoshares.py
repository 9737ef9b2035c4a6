"""Autoshares, the ETNA Trader Web API: translation and reading of answers.

Documents: https://github.com/AutoSharesAPI/API (`openapi.json`; `web-api/trading-api`: cancel-order,
get-filtered-orders, authentication; `pages/rate-limits.md`, `pages/error-codes.md`), and
https://api-documentation.autoshares.dev. Marks: [I] inferred, [U] not documented, [!] the documents
contradict each other.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from relay.cancel import Cancel
from relay.errors import CredentialRefused, Gone, Refused, Throttled, Unknown, Unreadable
from relay.reading import created, folded, id_of, is_header, json_of, rows_of, segment, wait_ms, whole
from relay.vendor import Answer, Call, Created, Leg, Order, State, Vendor
from schemas.alert import milliseconds

#: Whose answers are read here, as the sentences have it.
_WHOSE = "Autoshares'"

#: Rows of a page, at most; and pages of a list, beyond which something is wrong.
_PAGE, _PAGES = 100, 200

#: Walks through a list that changes meanwhile, before the next visit tries again.
_WALKS = 3

#: Milliseconds to wait after a 429 that says nothing: a minute's fiftieth part.
_THROTTLED_MS = 1_200

#: Status (the schema's enum) → whether it works. Which ones are final is inferred from FIX [I].
_STATES = {
    "canceled": State.CANCELLED,
    "filled": State.FILLED,
    **dict.fromkeys(("rejected", "expired", "doneforday", "error"), State.OVER),
    "pendingcancel": State.CANCELLING,
    **dict.fromkeys(
        (
            "new",
            "partiallyfilled",
            "pendingnew",
            "pendingreplace",
            "held",
            "suspended",
            "acceptedforbidding",
            "calculated",
            "stopped",
        ),
        State.WORKING,
    ),
}

#: The numbers of all states that are not surely over, for the filter (get-filtered-orders). The page does not
#: number Held: 16 comes next in the schema [I], and 20 stands in the page's own example [U]. A number that a
#: server does not know is one that no order has.
_NOT_OVER = "Status in (0,1,5,6,7,9,10,11,13,14,16,20)"

_SIDES = {"buy": "buy", "buytocover": "buy", "sell": "sell", "sellshort": "sell"}

#: Words of a 401 or 403 that are about the application, not about the session [!].
_APPLICATION = "application key"

#: Words of a 404 that are about the address, not about an order.
_ADDRESS = "no http resource"


@dataclass(frozen=True)
class Autoshares(Vendor):
    """The conversations with Autoshares."""

    name = "autoshares"

    username: str
    password: str = field(repr=False)
    #: The part of every path, as "1.0".
    version: str
    #: Whether a cancel waits for the venue (`syncorders`) instead of the order system.
    at_venue: bool

    def log_in(self) -> Generator[Call, Answer, Mapping[str, str]]:
        """Ask for a token (requesting-tokens); its life is not said the same everywhere [!]."""
        headers = {"Username": self.username, "Password": self.password}
        answer = yield Call("POST", "/token", headers=headers, limit="log-ins")
        said = folded(json_of(answer)) or {}
        state, step = str(said.get("state", "")).casefold(), said.get("step")
        if state == "expecting":
            raise CredentialRefused(
                f"Autoshares asks for another step at the log-in, {step} ({said.get('reason')}), which a "
                "relay cannot give: use a user who logs in by name and password alone"
            )
        # A 403 without these words may come from whatever stands before the vendor.
        refused = state == "failed" or _APPLICATION in _words(said).casefold()
        if answer.status == 401 or (refused and answer.status < 500):
            raise CredentialRefused(f"Autoshares refuses the log-in{_words(said)}")
        _check(answer)
        token = said.get("token")
        if state != "succeeded" or not is_header(token):
            raise Unreadable("Autoshares' answer to the log-in has no token")
        return {"Authorization": f"Bearer {token}"}

    def session_ended(self, answer: Answer) -> bool:
        """Take a 401 for an ended token, unless it names the application key; a stranger gets it, too."""
        words = _words(folded(json_of(answer)) or {}).casefold()
        return answer.status == 401 and _APPLICATION not in words

    def has_bulk(self, cancel: Cancel) -> bool:  # noqa: ARG002 - the same for all
        """Say no: there is no call for more than one order."""
        return False

    def names_its_orders(self, cancel: Cancel) -> bool:  # noqa: ARG002 - the same for all
        """Say no, for the same reason."""
        return False

    def bulk(self, cancel: Cancel) -> Generator[Call, Answer, tuple[str | int, ...] | None]:
        """Stand in the contract: never asked for."""
        raise AssertionError(f"Autoshares has no call for {cancel.words()}")

    def accounts(self) -> Generator[Call, Answer, tuple[str | int, ...]]:
        """List the user's accounts: `@me` for a user is documented for `info`, and may not do here [I]."""
        answer = yield Call("GET", f"{self._base}/users/@me/accounts")
        if answer.status in {400, 404, 422}:
            user = folded(_body((yield Call("GET", f"{self._base}/users/@me/info")))) or {}
            answer = yield Call("GET", f"{self._base}/users/{id_of(user, 'userid', _WHOSE)}/accounts")
        rows = rows_of(_body(answer), _WHOSE)
        if not rows:
            raise Unreadable("Autoshares lists no account")
        return tuple(id_of(row, "id", _WHOSE) for row in rows)

    def working(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]]:
        """List the account's orders that are not over, page by page, all of them before any is returned.

        Pages are cut by offset from what is there at that moment: an order that goes meanwhile pulls the
        later ones forward, past whoever walks. A list that lost rows so is walked again.
        """
        before: set[int] | None = None
        for _ in range(_WALKS):
            rows, counted, linked = yield from self._walked(account)
            # A count may be of more than the list shows: the same twice, with no page left, is all there is.
            if not linked and (counted or set(rows) == before):
                orders = [_order(row, account) for row in rows.values()]
                return tuple(order for order in orders if not order.state.over)
            before = set(rows)
        raise Unknown("Autoshares' list of orders kept changing while it was read")

    def _walked(
        self, account: str | int
    ) -> Generator[Call, Answer, tuple[dict[int, Mapping[str, Any]], bool, bool]]:
        """Walk through the pages; give the rows by their ids.

        Says, too, whether they are all that was counted, and whether a page that is linked gave nothing new.
        """
        found: dict[int, Mapping[str, Any]] = {}
        most = 0
        for number in range(_PAGES):
            page = yield from self._page(account, number, filter=_NOT_OVER, sortField="Id", desc="false")
            rows, total, known = (
                rows_of(page.get("result"), _WHOSE),
                whole(page.get("totalcount")),
                len(found),
            )
            found |= {id_of(row, "id", _WHOSE): row for row in rows}
            # The count falls with each order that goes: what an earlier page counted has to be found.
            most = max(most, total or 0)
            missing, linked = len(found) < most, bool(page.get("nextpagelink"))
            # Whatever says that there is more is believed: a count, a link, or a full page without either.
            more = missing or linked or (total is None and len(rows) >= _PAGE)
            if not more or len(found) == known:
                return found, not missing, linked and bool(rows)
        raise Unreadable("Autoshares' list of orders has no end")

    def recent(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]]:
        """List the account's newest orders, over or not: a page of them."""
        page = yield from self._page(account, 0, sortField="Id", desc="true")
        return tuple(_order(row, account) for row in rows_of(page.get("result"), _WHOSE))

    def cancel_one(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, None]:
        """Cancel one order: 204 says that the order system, or the venue, took it (cancel-order)."""
        orders = "syncorders" if self.at_venue else "orders"
        path = f"{self._base}/accounts/{segment(account)}/{orders}/{segment(order_id)}"
        _check((yield Call("DELETE", path, limit=f"cancels {account}")), of_an_order=True)

    def look(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, Order]:
        """Read one order. What an unknown one is answered is not documented [U]: 404, or 422."""
        path = f"{self._base}/accounts/{segment(account)}/orders/{segment(order_id)}"
        answer = yield Call("GET", path, limit="reads")
        if answer.status == 422:
            raise Gone("Autoshares answered 422")
        _check(answer, of_an_order=True)
        row = folded(_body(answer))
        if row is None or id_of(row, "id", _WHOSE) != order_id:
            raise Unreadable("Autoshares answered about another order, or about none")
        return _order(row, account)

    def same_instrument(self, asked: str | int, shown: Order) -> bool | None:
        """Compare by SecurityId or symbol; an order and its legs have to agree, since they go together."""
        named = shown.instrument or shown.instrument_id is not None
        parts: list[Order | Leg] = [shown, *shown.legs] if named or not shown.legs else [*shown.legs]
        said = {_names(asked, each) for each in parts}
        return said.pop() if len(said) == 1 else None

    @property
    def _base(self) -> str:
        return f"/v{self.version}"

    def _page(self, account: str | int, number: int, **query: str) -> Generator[Call, Answer, dict[str, Any]]:
        path = f"{self._base}/accounts/{segment(account)}/orders?"
        cut = {"pageNumber": number, "pageSize": _PAGE}
        asked = path + urlencode({**cut, **query}, quote_via=quote)
        answer = yield Call("GET", asked, limit="reads")
        if answer.status == 400 and "filter" in query:
            # A server that does not read this filter lists all there is.
            del query["filter"]
            answer = yield Call("GET", path + urlencode({**cut, **query}), limit="reads")
        page = folded(_body(answer))
        if page is None:
            raise Unreadable("Autoshares' answer is no page of orders")
        return page


def _names(asked: str | int, shown: Order | Leg) -> bool | None:
    if isinstance(asked, int):
        return None if shown.instrument_id is None else asked == shown.instrument_id
    return None if not shown.instrument else asked.casefold() == str(shown.instrument).casefold()


def _order(row: Mapping[str, Any], account: str | int) -> Order:
    shown = whole(row.get("accountid"))
    if shown is not None and shown != account:
        raise Unreadable("Autoshares answered about another account")
    state = str(row.get("status") or row.get("executionstatus") or "")
    if not state:
        raise Unreadable("Autoshares' answer lacks Status")
    legs = tuple(
        Leg(_symbol(leg), _security(leg), _side(leg)) for leg in rows_of(row.get("legs") or [], _WHOSE)
    )
    sides = {_side(row), *(leg.side for leg in legs)}
    return Order(
        order_id=id_of(row, "id", _WHOSE),
        account=account,
        instrument=_symbol(row),
        side=sides.pop() if len(sides) == 1 else None,
        state=_state(row, state),
        state_words=state,
        created=_moment(row.get("createdate")),
        instrument_id=_security(row),
        client_id=str(row["clientid"]) if row.get("clientid") is not None else None,
        legs=legs,
    )


def _symbol(row: Mapping[str, Any]) -> str:
    return str(row.get("symbol") or "")


def _security(row: Mapping[str, Any]) -> int | None:
    return whole(row.get("securityid")) or None


def _side(row: Mapping[str, Any]) -> str | None:
    return _SIDES.get(str(row.get("side")).casefold())


def _state(row: Mapping[str, Any], state: str) -> State:
    if state.casefold() == "replaced":
        # Broker-specific [I]: over where nothing is left of it, else no evidence.
        return State.OVER if whole(row.get("leavesquantity")) == 0 else State.UNCLEAR
    return _STATES.get(state.casefold(), State.UNCLEAR)


def _moment(value: object) -> Created | None:
    """Read CreateDate; one without an offset tells nothing, since no document says whose time it is [U]."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    return None if moment is None or moment.tzinfo is None else created(milliseconds(moment))


def _body(answer: Answer) -> Any:  # noqa: ANN401 - any JSON value
    """Give the body of a success; raise what any other answer means."""
    _check(answer)
    body = json_of(answer)
    if body is None:
        raise Unreadable("Autoshares' answer cannot be read")
    return body


def _check(answer: Answer, *, of_an_order: bool = False) -> None:
    """Let a 200 or 204 pass; raise what any other answer means. Errors may have JSON, text or no body.

    `of_an_order`: the address was an order's, so that a 404 or a 409 may mean that it is not there.
    """
    status, words = answer.status, _words(folded(json_of(answer)) or _as_text(answer))
    if status in {200, 204}:
        return
    said = f"Autoshares answered {status}{words}"
    if status == 429:
        raise Throttled(said, wait_ms(answer.headers.get("retry-after"), default_ms=_THROTTLED_MS))
    if status == 408 or status >= 500:
        raise Unknown(said)
    if of_an_order and (status == 409 or (status == 404 and _ADDRESS not in words.casefold())):
        raise Gone(f"{said}: no such working order")
    why = {
        401: "not allowed: the account is another user's, or an administrator has to cancel there",
        403: "AUTOSHARES_APP_KEY is not known there",
        404: "AUTOSHARES_URL or AUTOSHARES_VERSION is wrong",
        422: "it does not pass validation",
    }.get(status, "refused")
    if 300 <= status < 400:
        why = "a redirect: AUTOSHARES_URL is probably wrong"
    if 200 <= status < 300:
        raise Unreadable(f"{said}, which is not documented")
    raise Refused(f"{said} ({why})")


def _as_text(answer: Answer) -> Mapping[str, Any]:
    """Take a body that is plain text for the vendor's words; a page of HTML says nothing to a trader."""
    text = answer.body.decode("utf-8", "replace").strip()
    return {} if text.startswith(("<", "{", "[")) else {"message": text}


def _words(said: Mapping[str, Any]) -> str:
    """Give the vendor's own words; the case of the keys differs by error."""
    words = [str(said[name]) for name in ("error", "message", "reason") if said.get(name)]
    return f": {'; '.join(words)}" if words else ""
