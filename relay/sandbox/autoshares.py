"""Stand in for Autoshares: the ETNA Trader Web API, its order system, and the venue behind it.

Written from the vendor's documents alone: `openapi.json`, `pages/error-codes.md`, `pages/rate-limits.md` and
`web-api/trading-api` in https://github.com/AutoSharesAPI/API, the same tree in
https://github.com/etnatrader/gitbookHelp, and https://api-documentation.autoshares.dev. Marks beside the
code: [I] inferred, [U] unknown, so that one answer was chosen or a switch made, [!] the documents contradict
each other.
"""

from __future__ import annotations

import dataclasses
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping

from relay.sandbox.call_window import CallWindows, Standing
from relay.sandbox.control import Control
from relay.sandbox.etna import ETNA, account_row, user_account_row, user_row
from relay.sandbox.etna_behaviour import AutosharesBehaviour
from relay.sandbox.etna_errors import DENIED, ERRORS, INVALID, NO_SUCH_KEY, error
from relay.sandbox.etna_login import Login
from relay.sandbox.etna_orders import OrderDesk
from relay.sandbox.etna_pages import int32, page_of
from relay.sandbox.etna_securities import Securities
from relay.sandbox.order import Order
from relay.sandbox.order_book import OrderBook
from relay.sandbox.server import SandboxServer
from relay.sandbox.wire import Answer, Kind, Request, Route

__all__ = ["AutosharesBehaviour", "AutosharesSandbox"]

#: The user and the first order of the vendor's samples; an account's id is never its user's.
USER_ID = 7125
FIRST_ORDER_ID = 73552

#: The directive that means the user who asks.
ME = "@me"


class AutosharesSandbox(SandboxServer):
    """Answer as https://api.autoshares.com does, for one user with one password and one application key."""

    def __init__(  # noqa: PLR0913 - each has a default but the credentials
        self,
        *,
        app_key: str,
        username: str,
        password: str,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        accounts: Iterable[int] = (6303, 6304),
        behaviour: AutosharesBehaviour | None = None,
    ) -> None:
        super().__init__(host=host, port=port, clock=clock)
        self._app_key = app_key.encode()
        self._username = username
        self.behaviour = behaviour or AutosharesBehaviour()
        self._login = Login(username, password, self.behaviour, clock)
        self._windows = CallWindows(clock)
        self._securities = Securities()
        self.book = OrderBook(
            accounts=[str(account) for account in accounts],
            vocabulary=ETNA,
            behaviour=self.behaviour,
            clock=clock,
            resolve_instrument=self._securities.listed,
            new_id=lambda number: str(FIRST_ORDER_ID + number - 1),
        )
        self._control = Control(self, self.book, self.behaviour)
        self._desk = OrderDesk(
            book=self.book,
            behaviour=self.behaviour,
            securities=self._securities,
            user_id=USER_ID,
            login=username,
            url=self.url,
            pause=self._stopping.wait,
        )
        orders, sync = "/{version}/accounts/{account}/orders", "/{version}/accounts/{account}/syncorders"
        self._routes = (
            Route("POST", "/token", "login", self._token),
            Route("POST", "/logout", "other", self._logout),
            Route("DELETE", orders + "/{order}", "one", self._desk.cancel),
            Route("DELETE", sync + "/{order}", "one", self._desk.cancel_at_venue),
            *(Route("GET", each, "read", self._desk.list) for each in (orders, sync)),
            *(Route("GET", each + "/{order}", "read", self._desk.show) for each in (orders, sync)),
            Route("GET", orders + "/{order}/details", "read", self._desk.details),
            Route("GET", "/{version}/accounts/all", "read", self._all_accounts),
            Route("GET", "/{version}/users/{user}/accounts", "read", self._user_accounts),
            Route("GET", "/{version}/users/{user}/info", "read", self._user_info),
            Route("GET", "/{version}/equities/{symbol}", "read", self._show_equity),
        )

    def fill(self, order_id: str, quantity: int | None = None) -> Order:
        """Fill an order now, whole or in part."""
        return self.book.fill(order_id, quantity)

    def expire_tokens(self) -> None:
        """End every token there is."""
        self._login.end_all()

    def place_samples(self) -> list[str]:
        """Put a few working orders into two accounts, or the one there is, and return their ids."""
        first, second = self.book.accounts[0], self.book.accounts[-1]
        limits = (
            (first, "AAPL", "Buy", "156.57"),
            (first, "AAPL", "Buy", "155.00"),
            (first, "MSFT", "SellShort", "430.25"),
            (second, "AAPL", "Sell", "171.10"),
        )
        ids = [
            self.book.place(account=account, instrument=symbol, action=side, quantity=100, limit_price=price)
            for account, symbol, side, price in limits
        ]
        stop = self.book.place(
            account=first, instrument="AAPL", action="Sell", order_type="Stop", stop_price="149.95"
        )
        return [*ids, stop]

    def place_many(
        self, count: int, *, account: int | None = None, instrument: str = "AAPL", action: str = "Buy"
    ) -> list[str]:
        """Put many like orders into one account, the first by default, and return their ids."""
        canonical = self.book.accounts[0] if account is None else str(account)
        return [
            self.book.place(account=canonical, instrument=instrument, action=action, limit_price="100.50")
            for _ in range(count)
        ]

    def kind_of(self, request: Request) -> Kind:
        """Say what a request is by its address."""
        return next((route.kind for route in self._routes if route.match(request) is not None), "other")

    def control(self, request: Request) -> Answer:
        """Leave the control address to what every sandbox has there."""
        return self._control.answer(request)

    def words_for(self, status: int) -> bytes:
        """Give the documented body of an error that comes without the API being asked."""
        return self._error(status, ERRORS.get(status)).body

    def answer(self, request: Request) -> Answer:
        """Check a request in the order in which it would travel [I]: address, application, user, budget."""
        for route in self._routes:
            names = route.match(request)
            if names is None or not re.fullmatch(r"v1(\.0)?", names.get("version", "v1")):
                continue
            given = (request.header("Et-App-Key") or "").encode("latin-1", "replace")
            if not hmac.compare_digest(given, self._app_key):
                return self._error(self.behaviour.app_key_status, NO_SUCH_KEY)
            if "version" in names and not self._login.holds(request.header("Authorization")):
                return self._error(401, DENIED)
            return self._checked(route, request, names)
        return self._no_such_address(request)

    def _checked(self, route: Route, request: Request, names: Mapping[str, str]) -> Answer:
        ids = {name: int32(text) for name, text in names.items() if name in ("account", "order")}
        if None in ids.values():
            return self._bad_id(request)
        account = ids.get("account")
        if account == USER_ID:
            return self._error(500, ERRORS[500])
        if account is not None and self.book.account(str(account)) is None:
            return self._error(401, DENIED)
        names = {**names, **{name: str(number) for name, number in ids.items()}}
        standing = self._count(route, account)
        if standing is None:
            return route.carry_out(request, names)
        answer = self._over_budget(standing) if standing.over else route.carry_out(request, names)
        return dataclasses.replace(answer, headers={**answer.headers, **standing.headers})

    def _bad_id(self, request: Request) -> Answer:
        if self.behaviour.bad_id_status == 404:  # noqa: PLR2004 - the switch is a status
            return self._no_such_address(request)
        return self._error(400, INVALID)

    def _count(self, route: Route, account: int | None) -> Standing | None:
        """Count a call against its limit: an account's for a cancel, the user's for a look at orders."""
        behaviour = self.behaviour
        key, limit = "", None
        if route.kind == "login":
            key, limit = "token", behaviour.tokens_per_minute
        elif route.kind == "one":
            key, limit = f"account {account}", behaviour.actions_per_minute
        elif account is not None:
            key, limit = "queries", behaviour.queries_per_minute
        return None if limit is None else self._windows.count(key, limit)

    def _over_budget(self, standing: Standing) -> Answer:
        answer = self._error(429, None)  # its body is not known [U]
        wait = {"Retry-After": str(standing.wait_s)} if self.behaviour.retry_after else {}
        return dataclasses.replace(answer, headers={**answer.headers, **wait})

    def _token(self, request: Request, _names: Mapping[str, str]) -> Answer:
        return self._login.answer(request)

    def _logout(self, request: Request, _names: Mapping[str, str]) -> Answer:
        self._login.end(request.header("Authorization"))
        return Answer(200, b"")  # [U]

    def _all_accounts(self, request: Request, _names: Mapping[str, str]) -> Answer:
        rows = [account_row(each, USER_ID, self._username) for each in self.book.accounts]
        try:
            return Answer.json(200, page_of(rows, request, self.behaviour, self.url))
        except ValueError:
            return self._error(422, None)

    def _user_accounts(self, request: Request, names: Mapping[str, str]) -> Answer:
        refused = self._stranger(request, names["user"])
        owner = user_row(USER_ID, self._username)
        access = self.behaviour.access_type
        rows = [user_account_row(each, access, owner) for each in self.book.accounts]
        return refused or Answer.json(200, rows)

    def _user_info(self, request: Request, names: Mapping[str, str]) -> Answer:
        refused = self._stranger(request, names["user"])
        return refused or Answer.json(200, user_row(USER_ID, self._username))

    def _stranger(self, request: Request, user: str) -> Answer | None:
        if user == ME or int32(user) == USER_ID:
            return None
        return self._bad_id(request) if int32(user) is None else self._error(401, DENIED)

    def _show_equity(self, _request: Request, names: Mapping[str, str]) -> Answer:
        row = self._securities.row(names["symbol"])
        return self._error(404, None) if row is None else Answer.json(200, row)

    def _no_such_address(self, request: Request) -> Answer:
        words = f"No HTTP resource was found that matches the request URI '{self.url}{request.target}'."
        return self._error(404, {"Message": words})

    def _error(self, status: int, documented: Mapping[str, str] | None) -> Answer:
        return error(status, documented, self.behaviour.error_bodies)
