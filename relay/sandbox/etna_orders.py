"""Cancel and show orders as ETNA Trader does.

`web-api/trading-api/orders` in https://github.com/AutoSharesAPI/API. The order system passes a cancel on to
the venue; one sent to `orders` is answered by the system, one sent to `syncorders` by the venue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from relay.sandbox.etna import ETNA, Shown, detail_rows, order_row
from relay.sandbox.etna_behaviour import AutosharesBehaviour
from relay.sandbox.etna_errors import DENIED, ERRORS, error
from relay.sandbox.etna_filter import read_filter
from relay.sandbox.etna_pages import page_of, sort_rows
from relay.sandbox.etna_securities import Securities
from relay.sandbox.order import Order
from relay.sandbox.order_book import OrderBook
from relay.sandbox.wire import Answer, Request


class OrderDesk:
    """Carry out what is asked of a book's orders; who asks, and for which account, has been checked."""

    def __init__(  # noqa: PLR0913 - what a server knows of itself
        self,
        *,
        book: OrderBook,
        behaviour: AutosharesBehaviour,
        securities: Securities,
        user_id: int,
        login: str,
        url: str,
        pause: Callable[[float], object],
    ) -> None:
        self._book = book
        self._behaviour = behaviour
        self._securities = securities
        self._user_id = user_id
        self._login = login
        self._url = url
        self._pause = pause

    def cancel(self, _request: Request, names: Mapping[str, str]) -> Answer:
        """Take a cancel and pass it on: success says that the system took it, and no more [I]."""
        return self._ask(names) or self._cancelled()

    def cancel_at_venue(self, _request: Request, names: Mapping[str, str]) -> Answer:
        """Pass a cancel on and wait for what the venue says."""
        refused = self._ask(names)
        if refused:
            return refused
        self._pause(self._behaviour.sync_after_s)
        state = self._book.settle(names["order"]).state
        if state == ETNA.cancel_pending:
            status = self._behaviour.sync_timeout_status
            return self._error(status, ERRORS.get(status))
        return self._cancelled() if state == ETNA.cancelled else self._error(409, None)

    def list(self, request: Request, names: Mapping[str, str]) -> Answer:
        """Show a page of an account's orders, those that are over among them."""
        orders = self._book.orders(names["account"])
        try:
            text = request.query.get("filter", "")
            if text.strip():
                wanted = read_filter(text, self._securities.id_of, self._behaviour.held_number)
                shown = [order for order in orders if wanted(order)]
            else:
                shown = orders
            legs = _legs_by_parent(orders)
            rows = [order_row(order, legs.get(order.id, ()), self._shown()) for order in shown]
            page = page_of(sort_rows(rows, request, "Id"), request, self._behaviour, self._url)
        except ValueError:
            return self._error(400, None)
        return Answer.json(200, page)

    def show(self, _request: Request, names: Mapping[str, str]) -> Answer:
        """Show one order."""
        order = self._find(names)
        if order is None:
            return self._unread()
        legs = _legs_by_parent(self._book.orders(order.account))
        return Answer.json(200, order_row(order, legs.get(order.id, ()), self._shown()))

    def details(self, _request: Request, names: Mapping[str, str]) -> Answer:
        """Show what has happened to one order."""
        order = self._find(names)
        return self._unread() if order is None else Answer.json(200, detail_rows(order, self._shown()))

    def _ask(self, names: Mapping[str, str]) -> Answer | None:
        """Ask for a cancel, and return what it is refused with."""
        # That read-only access is refused the way a stranger is, is inferred [I].
        if self._behaviour.admin_required or self._behaviour.access_type == "ReadOnly":
            return self._error(401, DENIED)
        order = self._find(names)
        if order is None:
            status = self._behaviour.unknown_order_status
            return self._error(status, ERRORS.get(status))
        if not self._book.ask_to_cancel(order.id):
            return self._error(409, None)
        for leg in self._taken_along(order):
            self._book.ask_to_cancel(leg.id)
        return None

    def _taken_along(self, order: Order) -> Sequence[Order]:
        """List what goes with an order: a parent's legs, and what the first leg would have triggered."""
        legs = _legs_by_parent(self._book.orders(order.account))
        siblings = legs.get(order.oco_id, ())
        parent = self._book.find(order.oco_id)
        if parent and parent.order_type == "OneTriggerOther" and siblings[0].id == order.id:
            return siblings[1:]
        return legs.get(order.id, ())

    def _find(self, names: Mapping[str, str]) -> Order | None:
        """Find an order; one of another account is taken not to be there [I]."""
        order = self._book.find(names["order"])
        return order if order and order.account == names["account"] else None

    def _cancelled(self) -> Answer:
        # What a 200 holds is not known [U]: the schema says an object.
        return Answer(204, b"") if self._behaviour.cancel_status == 204 else Answer.json(200, {})  # noqa: PLR2004

    def _unread(self) -> Answer:
        status = self._behaviour.unread_order_status
        return self._error(status, ERRORS.get(status))

    def _error(self, status: int, documented: Mapping[str, str] | None) -> Answer:
        return error(status, documented, self._behaviour.error_bodies)

    def _shown(self) -> Shown:
        return Shown(
            user_id=self._user_id,
            login=self._login,
            security_id=self._securities.id_of,
            symbol=self._behaviour.shows_symbol,
            no_exec_inst=self._behaviour.no_exec_inst,
        )


def _legs_by_parent(orders: Sequence[Order]) -> Mapping[str, Sequence[Order]]:
    legs: dict[str, list[Order]] = {}
    for order in orders:
        if order.oco_id:
            legs.setdefault(order.oco_id, []).append(order)
    return legs
