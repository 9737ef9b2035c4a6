"""Carry out AlphaPoint's calls for a user who is let in; over which line they came is not known here.

Each is a page of https://alphapoint.github.io/slate/; the older CancelAllOrders with its matrix of account,
user and instrument is at https://github.com/NauticusOfficial/docs, the warning about AccountId 0 at
https://kii-blockchain.gitbook.io/docs/build-on-kii/connect-to-kiiex-apis/oms-orders/cancelallorders.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from relay.sandbox.alphapoint_access import User
from relay.sandbox.alphapoint_behaviour import AlphaPointBehaviour
from relay.sandbox.alphapoint_events import TOO_LATE, AccountEvents
from relay.sandbox.alphapoint_instruments import (
    INSTRUMENTS,
    PRODUCTS,
    instrument_row,
    product_row,
    symbol_of,
)
from relay.sandbox.alphapoint_rows import account_row, order_row
from relay.sandbox.alphapoint_wire import Payload, RefusedError, standard
from relay.sandbox.order import Order
from relay.sandbox.order_book import OrderBook
from relay.sandbox.wire import Kind

#: The keys under which CancelAllOrders reads an instrument, by version; the second spelling is the vendor's.
INSTRUMENT_KEYS = {
    "3.2": ("InstrumentId",),
    "3.3": (),
    "3.5-InstrumentId": ("InstrumentId",),
    "3.5-IntrumentId": ("IntrumentId",),
    "both": ("InstrumentId", "IntrumentId"),
}

#: The keys under which CancelOrder reads a client's id; the pages name one each.
CLIENT_ID_KEYS = {
    "both": ("ClOrderId", "ClientOrderId"),
    "ClOrderId": ("ClOrderId",),
    "ClientOrderId": ("ClientOrderId",),
}

#: The words of a call that wants a second factor; its errorcode is not known [U].
NEEDS_CODE = "This endpoint requires 2FACode along with the payload"

#: How many orders a history shows that is not asked for more or less [U].
DEPTH = 100


@dataclasses.dataclass(frozen=True)
class Call:
    """Tie a name to what carries it out; `public` needs no log-in."""

    kind: Kind
    carry_out: Callable[[Payload], object]
    public: bool = False


class Calls:
    """Answer one user, who may trade in `accounts` and is one of those that do."""

    def __init__(  # noqa: PLR0913 - what they work on, once
        self,
        user: User,
        *,
        oms_id: int,
        accounts: Iterable[int],
        book: OrderBook,
        behaviour: AlphaPointBehaviour,
        events: AccountEvents,
    ) -> None:
        self._user = user
        self._oms_id = oms_id
        self._accounts = [str(account) for account in accounts]
        self._book = book
        self._behaviour = behaviour
        self._events = events
        self.by_name = {
            "Ping": Call("read", lambda _: {"msg": "PONG"}, public=True),
            "GetInstruments": Call("read", self._instruments, public=True),
            "GetProducts": Call("read", self._products, public=True),
            "GetUserAccounts": Call("read", self._user_accounts),
            "GetUserAccountInfos": Call("read", self._account_infos),
            "GetOpenOrders": Call("read", self._open_orders),
            "GetOrderStatus": Call("read", self._order_status),
            "GetOrderHistory": Call("read", self._history),
            "GetOrdersHistory": Call("read", self._history),
            "GetOrderHistoryByOrderId": Call("read", self._history_of_one),
            "CancelOrder": Call("one", self._cancel_order),
            "CancelAllOrders": Call("bulk", self._cancel_all),
        }

    def done(self) -> dict[str, object]:
        """Make the standard response that says the call was received, and no more."""
        nothing = None if self._behaviour.no_message == "null" else ""
        return standard(0, nothing, nothing)

    def let_time_pass(self) -> None:
        """Let happen what is due, and so tell of it."""
        self._book.orders()

    def changed(self, order: Order) -> None:
        """Tell the account that an order has come into a state."""
        self._events.order_changed(order, self._row(order))

    def cancel_refused(self, order: Order) -> None:
        """Tell the account that an order works on though its cancel was received."""
        self._events.cancel_refused(order.account, int(order.id), order, TOO_LATE)

    def _instruments(self, payload: Payload) -> object:
        self._check_oms(payload)
        return [instrument_row(self._oms_id, instrument) for instrument in INSTRUMENTS]

    def _products(self, payload: Payload) -> object:
        self._check_oms(payload)
        return [product_row(self._oms_id, product) for product in PRODUCTS]

    def _user_accounts(self, payload: Payload) -> object:
        # The page shows `{0, …}`, which is no JSON; an array of ids is what clients read [3P].
        self._check_user(payload)
        return [int(account) for account in self._accounts]

    def _account_infos(self, payload: Payload) -> object:
        self._check_user(payload)
        return [account_row(account, self._oms_id) for account in self._accounts]

    def _open_orders(self, payload: Payload) -> object:
        account, instrument = self.own_account(payload), payload.number("InstrumentId")  # the latter [3P]
        wanted = None if instrument is None else symbol_of(str(instrument))
        return [
            self._row(order)
            for order in self._book.working(account)
            if instrument is None or order.instrument == wanted
        ]

    def _order_status(self, payload: Payload) -> object:
        account, order_id = self.own_account(payload), payload.number("OrderId")
        order = self._book.find(str(order_id))
        if order is None or order.account != account:
            raise RefusedError(104)
        return [self._row(order)] if self._behaviour.status_of_one == "array" else self._row(order)

    def _history(self, payload: Payload) -> object:
        account = self.own_account(payload)
        orders = reversed(self._book.orders(account))  # the newest first [I]
        instrument, order_id = payload.number("InstrumentId"), payload.number("OrderId")
        wanted = None if instrument is None else symbol_of(str(instrument))
        depth = payload.number("Depth", "Limit")
        return [
            self._row(order)
            for order in orders
            if (instrument is None or order.instrument == wanted) and order_id in (None, int(order.id))
        ][: DEPTH if depth is None else depth]

    def _history_of_one(self, payload: Payload) -> object:
        self._check_oms(payload)
        order = self._book.find(str(payload.number("OrderId")))
        if order is None or order.account not in self._accounts:
            raise RefusedError(104)
        past = order.history
        return [
            self._row(dataclasses.replace(order, state=each.state, filled=each.filled, history=(each,)))
            for each in reversed(past)  # the newest first [I]
        ]

    def _cancel_order(self, payload: Payload) -> object:
        self._check_cancel(payload)
        order_id = payload.number("OrderId")
        order = self._book.find(str(order_id)) if order_id else self._order_of_client(payload)
        if order and order_id:
            account = payload.number("AccountId")
            if order.account not in self._accounts:
                raise RefusedError(self._behaviour.strangers_order)
            if account and str(account) != order.account:
                raise RefusedError(104)
        cancelled = order is not None and self._book.ask_to_cancel(order.id)
        if not cancelled:
            if self._behaviour.gone_order == "104":
                raise RefusedError(104)
            # Whose account, where neither order nor payload has one, is not known [U]: the user's first.
            named = str(payload.number("AccountId") or self._accounts[0])
            gone = int(order.id) if order else order_id or 0
            self._events.cancel_refused(order.account if order else named, gone, order, "Order Not Found")
        return self.done()

    def _order_of_client(self, payload: Payload) -> Order | None:
        """Find a working order by the client's id; which one, where several have it, is not said [U].

        The trap is documented: an order that was given no id has 0, and 0 finds it.
        """
        client_id = payload.number(*CLIENT_ID_KEYS[self._behaviour.client_id_key])
        account = payload.number("AccountId")
        if client_id is None or (not account and self._behaviour.client_id_without_account == "refused"):
            raise RefusedError(100)
        if account and str(account) not in self._accounts:
            raise RefusedError(20)
        working = self._book.working(str(account) if account else None)
        return next((order for order in working if int(order.client_id or 0) == client_id), None)

    def _cancel_all(self, payload: Payload) -> object:
        self._check_cancel(payload)
        version = self._behaviour.version
        account = payload.number("AccountId")
        user = payload.number("UserId") if version == "3.2" else None
        instrument = payload.number(*INSTRUMENT_KEYS[version])
        if account and str(account) not in self._accounts:
            raise RefusedError(20)
        if not account and user and user != self._user.id:
            raise RefusedError(20)  # a user with Trading permission cancels for himself
        if not account and not user and self._behaviour.without_account != "oms-wide":
            raise RefusedError(self._behaviour.without_account)
        symbol = symbol_of(str(instrument)) if instrument else None
        if instrument and symbol is None:
            if self._behaviour.unknown_instrument == "refused":
                raise RefusedError(100, f"Invalid InstrumentId: {instrument}")
            self._events.bulk_cancel_refused(str(account) if account else self._accounts[0], instrument)
            return self.done()
        for order in self._book.working(str(account) if account else None):
            if symbol in (None, order.instrument) and (not user or self._entered_by(order) == user):
                self._book.ask_to_cancel(order.id)
        return self.done()

    def _check_cancel(self, payload: Payload) -> None:
        self._check_oms(payload)
        if self._behaviour.needs_code and not payload.text("2FACode"):
            raise RefusedError(20, NEEDS_CODE)
        if self._behaviour.refuse_with is not None:
            raise RefusedError(self._behaviour.refuse_with)

    def _check_oms(self, payload: Payload) -> None:
        # Required everywhere; that another OMS than one's own is an invalid request is inferred [I].
        if payload.number("OMSId") != self._oms_id:
            raise RefusedError(100)

    def _check_user(self, payload: Payload) -> None:
        self._check_oms(payload)
        if payload.number("UserId") not in (None, self._user.id):
            raise RefusedError(20)

    def own_account(self, payload: Payload) -> str:
        """Read the account of a call, which is one that the user may trade in."""
        self._check_oms(payload)
        account = payload.number("AccountId")
        if not account:
            raise RefusedError(100)
        if str(account) not in self._accounts:
            raise RefusedError(20)
        return str(account)

    def _entered_by(self, order: Order) -> int:
        return int(order.user) if order.user else self._user.id

    def _row(self, order: Order) -> dict[str, object]:
        user_id = self._entered_by(order)
        name = self._user.name if user_id == self._user.id else f"user-{user_id}"
        numbers = self._behaviour.words == "numbers"
        return order_row(order, oms_id=self._oms_id, user_id=user_id, user_name=name, numbers=numbers)
