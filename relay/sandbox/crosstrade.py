"""Stand in for CrossTrade: its REST and WebSocket APIs, its add-on, and the NinjaTrader 8 behind them.

Written from the vendor's documents alone: https://crosstrade.io/docs/api/orders/post-cancel-orders and
/post-cancel-order, https://docs.crosstrade.io/api/orders/get-order and /api/rate-limiting,
https://crosstrade.io/docs/api/overview, https://crosstrade.io/llms-full.txt,
https://crosstrade.io/ai/AGENTS.md. Marks beside the code say where those are silent: [3P] seen in other
people's clients, [I] inferred, [U] unknown, so that one answer was chosen or a switch made.
"""

from __future__ import annotations

import difflib
import hmac
import json
import math
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

from relay.sandbox.control import Control
from relay.sandbox.crosstrade_behaviour import CrossTradeBehaviour
from relay.sandbox.crosstrade_frames import STREAM, CrossTradeTalk
from relay.sandbox.futures import dated_name
from relay.sandbox.ninjatrader import NINJATRADER, account_row, order_row
from relay.sandbox.order import Order
from relay.sandbox.order_book import OrderBook
from relay.sandbox.server import SandboxServer
from relay.sandbox.sockets import Sockets
from relay.sandbox.talk import Talk
from relay.sandbox.token_bucket import TokenBucket
from relay.sandbox.wire import Answer, Kind, Request, Route

__all__ = ["CrossTradeBehaviour", "CrossTradeSandbox"]

#: Start of every address of the API; outside it the site's own pages begin.
API = "/v1/api/"

#: Where an address outside the API leads: a page, with status 200, that is no answer to anything.
MARKETING = "/"

#: Seconds that a 429 names where the budget never refills: an hour.
NEVER_S = 3600

#: How many addresses a 404 suggests [U].
SUGGESTIONS = 3


class CrossTradeSandbox(SandboxServer):
    """Answer as https://app.crosstrade.io does, for one user with one token."""

    def __init__(  # noqa: PLR0913 - each has a default but the token
        self,
        token: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        accounts: Iterable[str] = ("Sim101", "Sim102", "SimLive"),
        behaviour: CrossTradeBehaviour | None = None,
    ) -> None:
        super().__init__(host=host, port=port, clock=clock)
        self._authorization = f"Bearer {token}".encode()
        self.behaviour = behaviour or CrossTradeBehaviour()
        self.book = OrderBook(
            accounts=accounts,
            vocabulary=NINJATRADER,
            behaviour=self.behaviour,
            clock=clock,
            resolve_instrument=self._dated,
        )
        self._bucket = TokenBucket(clock)
        self.sockets = Sockets(self, self._admit)
        self._control = Control(self, self.book, self.behaviour, self.sockets)
        account, order = API + "accounts/{account}", API + "accounts/{account}/orders/{orderId}"
        self._routes = (
            Route("POST", order + "/cancel", "one", self._cancel_one),
            Route("POST", account + "/orders/cancel", "bulk", self._cancel_orders),
            Route("POST", API + "orders/cancelall", "bulk", self._cancel_all),
            Route("GET", order, "read", self._show_order),
            Route("GET", account + "/orders", "read", self._list_orders),
            Route("GET", API + "orders", "read", self._list_orders),  # path [I]
            Route("GET", account, "read", self._show_account),
            Route("GET", API + "accounts", "read", self._list_accounts),
        )

    @property
    def ws_url(self) -> str:
        """Give the address of the WebSocket."""
        return f"ws://{self.host}:{self.port}{STREAM}"

    def fill(self, order_id: str, quantity: int | None = None) -> Order:
        """Fill an order now, whole or in part."""
        return self.book.fill(order_id, quantity)

    def place_samples(self) -> list[str]:
        """Put a few working orders into two accounts and return their ids."""
        limits = (
            ("Sim101", "MES 12-26", "Buy", "5980.25"),
            ("Sim101", "MES 12-26", "Buy", "5975.50"),
            ("Sim101", "NQ 12-26", "Buy", "21050.00"),
            ("Sim102", "ES 12-26", "SellShort", "6120.75"),
        )
        ids = [
            self.book.place(account=account, instrument=instrument, action=action, limit_price=price)
            for account, instrument, action, price in limits
        ]
        stop = self.book.place(
            account="Sim101",
            instrument="MES 12-26",
            action="Sell",
            order_type="StopMarket",
            stop_price="5950.00",
        )
        return [*ids, stop]

    def kind_of(self, request: Request) -> Kind:
        """Say what a request is by its address."""
        return next((route.kind for route in self._routes if route.match(request) is not None), "other")

    def control(self, request: Request) -> Answer:
        """Leave the control address to what every sandbox has there."""
        return self._control.answer(request)

    def upgrade(self, request: Request, connection: socket.socket) -> bool:
        """Talk over the WebSocket, which has one address."""
        if request.path != STREAM:
            return False
        self.sockets.serve(request, connection)
        return True

    def words_for(self, status: int) -> bytes:
        """Give the documented body of an error that comes without the API being asked."""
        documented = {401: self._unauthorized, 408: self._not_connected, 429: self._over_budget}
        if status in documented:
            return documented[status]().body
        return json.dumps({"error": super().words_for(status).decode()}).encode()

    def answer(self, request: Request) -> Answer:
        """Check a request in the order in which it would travel: site, user, address, budget, add-on."""
        if request.path == MARKETING:
            return Answer(200, b"<!doctype html><title>CrossTrade</title>", {"Content-Type": "text/html"})
        if not request.path.startswith(API):
            # The older text says 404, the newer "e.g. a redirect to the marketing site".
            if self.behaviour.outside_api == "not_found":
                return Answer(404, b"Not Found", {"Content-Type": "text/plain"})
            return Answer(302, b"", {"Location": self.url + MARKETING})
        if not self._is_signed(request):
            return self._unauthorized()
        for route in self._routes:
            names = route.match(request)
            if names is not None:
                return self._refusal() or self._checked(route, request, names)
        return self._no_such_address(request)

    def _admit(self, request: Request) -> Talk | Answer:
        if not self._is_signed(request):
            return Answer(401, self._unauthorized().body, {"Connection": "close"})
        return CrossTradeTalk(request, self.behaviour, self.answer)

    def _is_signed(self, request: Request) -> bool:
        return hmac.compare_digest((request.header("Authorization") or "").encode(), self._authorization)

    def _refusal(self) -> Answer | None:
        burst = self.behaviour.burst
        if burst is not None:
            wait = self._bucket.take(capacity=burst, per_second=self.behaviour.per_second)
            if wait:
                return self._over_budget(wait)
        return None if self.behaviour.connected else self._not_connected()

    def _checked(self, route: Route, request: Request, names: Mapping[str, str]) -> Answer:
        if "account" not in names:
            return route.carry_out(request, names)
        account = self.book.account(names["account"])
        if account is None:
            detail = f"Account {names['account']} not found"
            status = self.behaviour.unknown_account_status  # [U]
            return self._error(status, "invalid_account", detail, bare="Invalid request")
        return route.carry_out(request, {**names, "account": account})

    def _cancel_one(self, _request: Request, names: Mapping[str, str]) -> Answer:
        order_id = names["orderId"]
        order = self.book.find(order_id)
        # An order of another account is taken not to be found [I].
        if order and order.account == names["account"] and self.book.ask_to_cancel(order_id):
            return Answer.json(200, {"orderId": order_id, "success": True})
        # The page promises that the last five words stay as they are.
        words = f"Order linked to '{order_id}' not found or already terminal."
        return self._error(400, words, None, bare=words, documented="bare")

    def _cancel_orders(self, request: Request, names: Mapping[str, str]) -> Answer:
        try:
            fields = json.loads(request.body) if request.body.strip() else {}
        except ValueError:
            return self._invalid_request()
        if not isinstance(fields, dict):
            return self._invalid_request()
        # The trap [I]: a key misspelt, null or empty reads as left out, which is the whole account.
        wanted = fields.get("instrument") or ""
        if not isinstance(wanted, str):
            return self._invalid_request()
        if not wanted.strip():
            return self._cancelled(names["account"], None)
        instrument = self._dated(wanted)
        if instrument is None and self.behaviour.unknown_instrument == "refused":  # [U]
            return self._invalid_request()
        return self._cancelled(names["account"], instrument or wanted)

    def _cancel_all(self, _request: Request, _names: Mapping[str, str]) -> Answer:
        answer = self._cancelled(None, None)
        # AGENTS.md gives the path alone; that the reply is the other one's is inferred [I].
        return answer if self.behaviour.cancelall_names_orders else Answer.json(200, {"success": True})

    def _cancelled(self, account: str | None, instrument: str | None) -> Answer:
        asked = [
            order.id
            for order in self.book.working(account)
            if order.state != NINJATRADER.cancel_pending  # it has been asked for [I]
            and instrument in (None, order.instrument)
            and self.book.ask_to_cancel(order.id)
        ]
        # An empty list where there was nothing to cancel [I].
        return Answer.json(200, {"orderIds": asked, "success": True})

    def _show_order(self, _request: Request, names: Mapping[str, str]) -> Answer:
        order = self.book.find(names["orderId"])
        if order is None or order.account != names["account"]:
            status = self.behaviour.unknown_order_status  # [U]
            detail = f"Order {names['orderId']} not found"
            return self._error(status, "order_not_found", detail, bare="Invalid request")
        return Answer.json(200, {**order_row(order), "success": True})

    def _list_orders(self, request: Request, names: Mapping[str, str]) -> Answer:
        active = request.query.get("activeOnly", "").lower() == "true"  # [3P]; what leaving it out means [U]
        orders = self.book.working(names.get("account")) if active else self.book.orders(names.get("account"))
        return Answer.json(200, {"success": True, "orders": [order_row(order) for order in orders]})

    def _show_account(self, _request: Request, names: Mapping[str, str]) -> Answer:
        return Answer.json(200, {**self._account_row(names["account"]), "success": True})

    def _list_accounts(self, _request: Request, _names: Mapping[str, str]) -> Answer:
        rows = [self._account_row(name) for name in self.book.accounts]
        return Answer.json(200, {"success": True, "accounts": rows})

    def _account_row(self, name: str) -> dict[str, object]:
        return account_row(self.book.accounts.index(name) + 1, name, self.behaviour.connection_status)

    def _dated(self, name: str) -> str | None:
        return dated_name(name, datetime.fromtimestamp(self.clock(), UTC).date())

    def _invalid_request(self) -> Answer:
        return self._error(400, "invalid_request", None, bare="Invalid request", documented="bare")

    def _unauthorized(self) -> Answer:
        # The status is what a client's code expects [3P]; the words are not known [U].
        return self._error(401, "unauthorized", "Invalid token", bare="Unauthorized", documented="bare")

    def _not_connected(self) -> Answer:
        words = "NinjaTrader add-on is not connected"  # documented as "..." [U]
        return self._error(408, words, None, bare=words)

    def _over_budget(self, wait: float = 1.0) -> Answer:
        where = self.behaviour.retry_after  # a client's code reads either [3P]
        seconds = max(1, math.ceil(min(wait, NEVER_S)))
        body: dict[str, object] = {"error": "Rate limit exceeded"}
        if where in ("body", "both"):
            body["retryAfter"] = seconds
        return Answer.json(429, body, {"Retry-After": str(seconds)} if where in ("header", "both") else None)

    def _no_such_address(self, request: Request) -> Answer:
        known = [f"{route.method} {route.template}" for route in self._routes]
        near = difflib.get_close_matches(f"{request.method} {request.path}", known, SUGGESTIONS, cutoff=0)
        # That there is a `did_you_mean` is documented, what is in it is not [U].
        detail = f"No route for {request.method} {request.path}"
        body = {"success": False, "error": "not_found", "detail": detail, "did_you_mean": near}
        return Answer.json(404, body)

    def _error(
        self,
        status: int,
        code: str,
        detail: str | None,
        *,
        bare: str,
        documented: Literal["bare", "envelope"] = "envelope",
    ) -> Answer:
        shape = self.behaviour.error_shape
        if (documented if shape == "documented" else shape) == "bare":
            return Answer.json(status, {"error": bare})
        body: dict[str, object] = {"success": False, "error": code}
        return Answer.json(status, body if detail is None else {**body, "detail": detail})
