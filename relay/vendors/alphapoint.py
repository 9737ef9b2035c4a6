"""AlphaPoint, over its HTTP gateway and its WebSocket: translation and reading of answers.

Documents: https://alphapoint.github.io/slate/ (CancelOrder, CancelAllOrders, GetOpenOrders, GetOrderStatus,
GetInstruments, AuthenticateUser); its 3.3 page says that CancelAllOrders has lost UserId and InstrumentId,
which older servers read. How it goes over HTTP is what public clients do: https://github.com/ccxt/ccxt
(ndax), https://github.com/notbank-exchange/notbank-python. Marks: [3P] seen in such clients, [I] inferred,
[U] not documented.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn
from urllib.parse import urlencode

from relay.cancel import Cancel, Scope
from relay.errors import CredentialRefused, Gone, Refused, Throttled, Unknown, Unreadable
from relay.reading import created, folded, id_of, is_header, json_of, rows_of, wait_ms, whole
from relay.vendor import Answer, Call, Frame, Order, State, Vendor

#: Whose answers are read here, as the sentences have it.
_WHOSE = "AlphaPoint's"

#: The documented errors by their numbers; the texts differ from page to page.
_NOT_AUTHORIZED, _SERVER_ERROR, _NOT_FOUND = 20, 102, 104
_REFUSALS = frozenset({_NOT_AUTHORIZED, 100, 101, 106})

#: The documents name no limit [U]; a server that has one is asked again after this.
_THROTTLED_MS = 1_000

#: Seconds for which the list of instruments serves: one that is not in it is asked for anew.
_INSTRUMENTS_KEEP_S = 600.0

#: Orders of the past that are asked for: the newest.
_DEPTH = 100

#: OrderState by its words and by its number (GetOrderStatus); "Fully Executed" on the pages.
_STATES = {
    **dict.fromkeys(("working", "1"), State.WORKING),
    **dict.fromkeys(("rejected", "2", "expired", "4"), State.OVER),
    **dict.fromkeys(("canceled", "cancelled", "3"), State.CANCELLED),
    **dict.fromkeys(("fullyexecuted", "fully executed", "5"), State.FILLED),
}

#: Side by its words and by its number; a short sale is a sale.
_SIDES = {"buy": "buy", "0": "buy", "sell": "sell", "1": "sell", "short": "sell", "2": "sell"}

#: What people write between the two products of a pair, and an exchange's name before it.
_DECORATION = re.compile(r"^[^:]*:|[/_\-\s]")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key and its user."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    user_id: int


@dataclass(frozen=True, slots=True)
class Password:
    """A user's name and password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class AlphaPoint(Vendor):
    """The conversations with AlphaPoint."""

    name = "alphapoint"

    credential: ApiKey | Password
    #: The order management system of the accounts.
    oms_id: int
    #: Whether CancelAllOrders reads InstrumentId and UserId there, as up to version 3.2.
    reads_all_keys: bool
    #: Makes a number that is used once.
    nonce: Callable[[], str]
    #: The trader's own id for the order that the alert names by it.
    client_order_id: str | int | None = None

    def of(self, cancel: Cancel) -> AlphaPoint:
        """Speak of the alert's own order management system, and by the trader's own id where it has one."""
        own_id = cancel.name if cancel.scope is Scope.CLIENT_ORDER else None
        oms_id = self.oms_id if cancel.oms_id is None else cancel.oms_id
        return replace(self, oms_id=oms_id, client_order_id=own_id)

    def log_in(self) -> Generator[Call, Answer, Mapping[str, str]]:
        """Log in by an API key's signature, or by password (AuthenticateUser; over HTTP as clients do [3P]).

        Over a WebSocket the session is the socket's, and its answer need not name it.
        """
        if isinstance(self.credential, ApiKey):
            path, headers = "/AuthenticateUser", self._signed(self.credential)
            frame = Frame("AuthenticateUser", headers)
        else:
            username, password = self.credential.username, self.credential.password
            path = "/Authenticate?grant_type=client_credentials"
            basic = base64.b64encode(f"{username}:{password}".encode()).decode()
            headers = {"Authorization": f"Basic {basic}"}
            frame = Frame("AuthenticateUser", {"UserName": username, "Password": password})
        answer = yield Call("GET", path, headers=headers, limit="log-ins", frame=frame)
        body = folded(json_of(answer))
        said = body or {}
        refused = said.get("authenticated") is False or whole(said.get("errorcode")) == _NOT_AUTHORIZED
        if answer.status == 401 or (refused and answer.status < 500):
            locked = (
                " The user is locked: an administrator has to unlock it."
                if said.get("locked") is True
                else ""
            )
            raise CredentialRefused(f"AlphaPoint refuses the log-in{_words(said)}.{locked}")
        _read(answer, body)
        if said.get("requires2fa") is True:
            raise CredentialRefused(
                "AlphaPoint asks for a second factor, which a relay cannot give: use an API key "
                "(ALPHAPOINT_API_KEY, ALPHAPOINT_API_SECRET, ALPHAPOINT_USER_ID) that needs none"
            )
        token = said.get("sessiontoken")
        if said.get("authenticated") is not True or not (is_header(token) or answer.connection):
            raise Unreadable("AlphaPoint's answer to the log-in has no session")
        return {"APToken": token} if is_header(token) else {}

    def session_ended(self, answer: Answer) -> bool:
        """Take 401, NDAX's 404 [3P] and errorcode 20 for the end: no call is carried out then."""
        code = (folded(json_of(answer)) or {}).get("errorcode")
        return answer.status in {401, 404} if code is None else whole(code) == _NOT_AUTHORIZED

    def meaning(self, cancel: Cancel) -> Generator[Call, Answer, Cancel] | None:
        """Find the number of an instrument that is named by its symbol (GetInstruments)."""
        if cancel.scope is not Scope.INSTRUMENT or not isinstance(cancel.name, str):
            return None
        return self._numbered(cancel, cancel.name)

    def _numbered(self, cancel: Cancel, symbol: str) -> Generator[Call, Answer, Cancel]:
        rows = _rows((yield self._get("GetInstruments", keep_s=_INSTRUMENTS_KEEP_S)))
        symbols = [(id_of(row, "instrumentid", _WHOSE), str(row.get("symbol") or "")) for row in rows]
        for plain in (str.casefold, _plain):
            # Nothing is left of a chart's "NDAX:", which is no instrument without a symbol.
            found = {each for each, name in symbols if plain(name) == plain(symbol) != ""}
            if len(found) > 1:
                ids = ", ".join(map(str, sorted(found)))
                raise Refused(
                    f"AlphaPoint has several instruments called {symbol}: name one by its id, of {ids}"
                )
            if found:
                return replace(cancel, name=found.pop())
        raise Refused(f"AlphaPoint has no instrument {symbol}: nothing was sent")

    def has_bulk(self, cancel: Cancel) -> bool:
        """Say yes for an account, and on a server that reads all keys for an instrument and a user, too."""
        if cancel.side is not None or cancel.account is None:
            return False
        if cancel.scope is Scope.ACCOUNT and cancel.user_id is None:
            return True
        return self.reads_all_keys and cancel.scope in {Scope.ACCOUNT, Scope.INSTRUMENT, Scope.USER}

    def names_its_orders(self, cancel: Cancel) -> bool:  # noqa: ARG002 - the same for all
        """Say no: the standard response proves that the call was received, and no more."""
        return False

    def bulk(self, cancel: Cancel) -> Generator[Call, Answer, tuple[str | int, ...] | None]:
        """Cancel an account's orders, or those of an instrument or a user in it (CancelAllOrders)."""
        if not self.has_bulk(cancel):
            raise AssertionError(f"there is no one call for {cancel.words()}")
        needed = [cancel.account]
        if cancel.scope is Scope.INSTRUMENT:
            needed.append(cancel.name)
        if cancel.scope is Scope.USER or cancel.user_id is not None:
            needed.append(cancel.user_id)
        if not all(needed):
            # Left out, or 0, would mean every account, every instrument, or every user.
            message = "CancelAllOrders must never be sent without its account, its instrument and its user"
            raise AssertionError(message)
        body: dict[str, Any] = {"OMSId": self.oms_id, "AccountId": cancel.account}
        if cancel.user_id is not None:
            body["UserId"] = cancel.user_id
        if cancel.scope is Scope.INSTRUMENT:
            body["InstrumentId"] = cancel.name
        _taken((yield Call("POST", "/CancelAllOrders", body, frame=Frame("CancelAllOrders", body))))
        return None

    def accounts(self) -> Generator[Call, Answer, tuple[str | int, ...]]:
        """List the user's accounts (GetUserAccounts): an array of ids [3P], where the page prints no JSON."""
        answer = yield self._get("GetUserAccounts")
        found = _read(answer, json_of(answer))
        ids = [whole(each) for each in found] if isinstance(found, list) else []
        if not ids or not all(ids):
            raise Unreadable("AlphaPoint's answer names no accounts")
        return tuple(each for each in ids if each)

    def working(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]]:
        """List the account's open orders, of all its users (GetOpenOrders)."""
        rows = _rows((yield self._get("GetOpenOrders", AccountId=account)))
        orders = [order_of(row, account) for row in rows]
        return tuple(order for order in orders if not order.state.over)

    def recent(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]]:
        """List the account's newest orders (GetOrdersHistory); their order is not documented [U]."""
        rows = _rows((yield self._get("GetOrdersHistory", AccountId=account, Depth=_DEPTH)))
        orders = [order_of(row, account) for row in rows]
        return tuple(sorted(orders, key=lambda order: int(order.order_id), reverse=True))

    def cancel_one(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, None]:
        """Cancel one order (CancelOrder), named by AlphaPoint's id, which is unique in its system.

        By the trader's own id alone it could be another one: such ids need not be unique, and servers
        before 3.3 do not read AccountId. So the order was listed first, and both ids stand here.
        """
        body: dict[str, Any] = {"OMSId": self.oms_id, "AccountId": account, "OrderId": order_id}
        if self.client_order_id is not None:
            body["ClOrderId"] = self.client_order_id
        _taken((yield Call("POST", "/CancelOrder", body, frame=Frame("CancelOrder", body))))

    def look(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, Order]:
        """Read one order (GetOrderStatus): an array of one, as documented, or the order itself [3P]."""
        answer = yield self._get("GetOrderStatus", AccountId=account, OrderId=order_id)
        found = _read(answer, json_of(answer))
        if found == []:
            raise Gone("AlphaPoint shows no such order")
        row = folded(found[0] if isinstance(found, list) and len(found) == 1 else found)
        if row is None:
            raise Unreadable("AlphaPoint's answer shows no order")
        order = order_of(row, account)
        if order.order_id != order_id:
            raise Unreadable("AlphaPoint answered about another order")
        return order

    def same_instrument(self, asked: str | int, shown: Order) -> bool | None:
        """Compare the numbers; rows have no symbol."""
        known = isinstance(asked, int) and shown.instrument_id is not None
        return asked == shown.instrument_id if known else None

    def _get(self, name: str, *, keep_s: float = 0.0, **ids: str | int) -> Call:
        """Write a call that reads."""
        payload = {"OMSId": self.oms_id, **ids}
        return Call("GET", f"/{name}?{urlencode(payload)}", keep_s=keep_s, frame=Frame(name, payload))

    def _signed(self, credential: ApiKey) -> dict[str, str]:
        """Sign as two public clients do [3P]: lowercase hex HMAC-SHA256 of Nonce + UserId + APIKey."""
        nonce, user_id = self.nonce(), str(credential.user_id)
        message = f"{nonce}{user_id}{credential.key}"
        signature = hmac.new(credential.secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        return {"Nonce": nonce, "APIKey": credential.key, "Signature": signature, "UserId": user_id}


def order_of(row: Mapping[str, Any], account: str | int) -> Order:
    """Read an order's row, its names folded; raise `Unreadable` where it is none of the account's."""
    shown = whole(row.get("account"))
    if shown is not None and shown != account:
        raise Unreadable("AlphaPoint answered about another account")
    state = str(row.get("orderstate", ""))
    if not state:
        raise Unreadable("AlphaPoint's answer lacks OrderState")
    instrument_id = whole(row.get("instrument"))
    return Order(
        order_id=id_of(row, "orderid", _WHOSE),
        account=account,
        instrument="an unnamed instrument" if instrument_id is None else f"instrument {instrument_id}",
        side=_SIDES.get(str(row.get("side", "")).lower()),
        state=_STATES.get(state.lower(), State.UNCLEAR),
        state_words=state,
        created=created(whole(row.get("receivetime"))),
        instrument_id=instrument_id,
        # 0 is what an order has that was given none.
        client_id=whole(row.get("clientorderid")),
        user_id=whole(row.get("enteredby")),
    )


def _plain(symbol: str) -> str:
    return _DECORATION.sub("", symbol).casefold()


def _rows(answer: Answer) -> list[dict[str, Any]]:
    return rows_of(_read(answer, json_of(answer)), _WHOSE)


def _taken(answer: Answer) -> None:
    """Read a standard response; only a plain yes is one."""
    body = folded(_read(answer, json_of(answer)))
    if body is None or body.get("result") is not True or whole(body.get("errorcode", 0)) != 0:
        raise Unreadable('AlphaPoint\'s answer lacks "result": true')


def _read(answer: Answer, body: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Give the body of what is no error; raise what an error means, by its number before its HTTP status."""
    said = folded(body) or {}
    if said.get("result") is False or whole(said.get("errorcode", 0)) != 0:
        _refuse(said)
    if answer.status == 429:
        raise Throttled(
            f"AlphaPoint: too many calls{_words(said)}",
            wait_ms(answer.headers.get("retry-after"), default_ms=_THROTTLED_MS),
        )
    if answer.status == 408 or answer.status >= 500:
        raise Unknown(f"AlphaPoint answered {answer.status}{_words(said)}")
    if answer.status >= 400:
        what = "not authorised, or ALPHAPOINT_URL is wrong" if answer.status in {401, 403, 404} else "refused"
        raise Refused(f"AlphaPoint answered {answer.status}: {what}{_words(said)}")
    if not 200 <= answer.status < 300:
        raise Refused(f"AlphaPoint answered {answer.status}, a redirect: ALPHAPOINT_URL is probably wrong")
    if body is None:
        raise Unreadable("AlphaPoint's answer cannot be read")
    return body


def _refuse(said: Mapping[str, Any]) -> NoReturn:
    code = whole(said.get("errorcode"))
    words = f"AlphaPoint refused ({code}){_words(said)}"
    if code == _NOT_FOUND:
        raise Gone(words)
    if code in _REFUSALS:
        raise Refused(words)
    # The server's own trouble, or a number that no document explains, proves nothing.
    raise Unknown(words)


def _words(said: Mapping[str, Any]) -> str:
    """Give the vendor's own words."""
    words = [str(said[name]) for name in ("errormsg", "detail") if said.get(name)]
    return f": {'; '.join(words)}" if words else ""
