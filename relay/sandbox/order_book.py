"""Keep a broker's orders, and let time work on them."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal

from relay.sandbox.book_behaviour import BookBehaviour
from relay.sandbox.order import Order, Transition, Vocabulary, check_numbered, read_price, read_quantity

#: First second, since 1970, that no date can show: the year 10000.
LATEST = 253_402_300_800.0

#: What the book tells of an order: it has come into a state, or it works on though it was asked to cancel.
Happening = Literal["changed", "refused"]


class OrderBook:
    """Hold the orders of one broker; safe between threads.

    Nothing in it runs by itself: each look first lets happen what was due by the clock.
    """

    def __init__(  # noqa: PLR0913 - what a vendor sets, once
        self,
        *,
        accounts: Iterable[str],
        vocabulary: Vocabulary,
        behaviour: BookBehaviour,
        clock: Callable[[], float],
        resolve_instrument: Callable[[str], str | None],
        new_id: Callable[[int], str] = lambda _: uuid.uuid4().hex,
        told: Callable[[Order, Happening], None] = lambda *_: None,
    ) -> None:
        """`new_id` makes the vendor's id out of a number that counts from 1; `told` hears what happens."""
        self._accounts = {name.casefold(): name for name in accounts}
        self._vocabulary = vocabulary
        self._behaviour = behaviour
        self._clock = clock
        self._resolve_instrument = resolve_instrument
        self._new_id = new_id
        self._told = told
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._orders: dict[int, Order] = {}
        self._numbers: dict[str, int] = {}
        self._awaited: set[int] = set()

    @property
    def accounts(self) -> tuple[str, ...]:
        """List the accounts as the vendor writes them."""
        return tuple(self._accounts.values())

    def account(self, name: str) -> str | None:
        """Give an account's canonical name, found in any case."""
        return self._accounts.get(name.casefold())

    def place(  # noqa: PLR0913 - an order has that many parts
        self,
        *,
        account: str,
        instrument: str,
        action: str,
        order_type: str = "Limit",
        quantity: int | str = 1,
        limit_price: str = "0",
        stop_price: str = "0",
        state: str | None = None,
        created: float | None = None,
        time_in_force: str = "Gtc",
        oco_id: str = "",
        name: str = "",
        user_data: str = "",
        user: str = "",
        client_id: str = "",
    ) -> str:
        """Put an order into the book and return its id; ValueError says what is wrong with it."""
        canonical_account = self.account(account)
        canonical_instrument = self._resolve_instrument(instrument)
        if canonical_account is None:
            raise ValueError(f"there is no account {account!r}; there are {', '.join(self.accounts)}")
        if canonical_instrument is None:
            raise ValueError(f"{instrument!r} names no instrument")
        if action not in self._vocabulary.actions:
            raise ValueError(f"action {action!r} is none of {', '.join(sorted(self._vocabulary.actions))}")
        if self._vocabulary.numbered:
            check_numbered(user=user, client_id=client_id)
        wanted = read_quantity(quantity, fractions=self._vocabulary.fractions)
        state = self._vocabulary.working if state is None else state
        if state not in self._vocabulary.states:
            raise ValueError(f"state {state!r} is none of {', '.join(sorted(self._vocabulary.states))}")
        filled = wanted if state == self._vocabulary.filled else type(wanted)(0)
        at = self._clock() if created is None else created
        if not 0 <= at < LATEST:
            raise ValueError(f"created must be in seconds since 1970; it is {at}")
        with self._lock:
            order = Order(
                id=self._new_id(next(self._ids)),
                number=len(self._orders) + 1,
                account=canonical_account,
                instrument=canonical_instrument,
                action=action,
                order_type=order_type,
                quantity=wanted,
                filled=filled,
                state=state,
                created=at,
                time=at,
                limit_price=read_price("limit_price", limit_price),
                stop_price=read_price("stop_price", stop_price),
                average_fill_price=Decimal(0),
                time_in_force=time_in_force,
                oco_id=oco_id,
                name=name,
                user_data=user_data,
                history=(Transition(at, state, filled),),
                user=user,
                client_id=client_id,
            )
            self._orders[order.number] = order
            self._numbers[order.id] = order.number
            self._told(order, "changed")
            return order.id

    def order(self, order_id: str) -> Order:
        """Show one order; KeyError where the id names none."""
        with self._lock:
            self._let_time_pass()
            order = self._orders[self._numbers[order_id]]
            if order.id != order_id and not self._behaviour.old_id_resolves:
                raise KeyError(order_id)
            return order

    def find(self, order_id: str) -> Order | None:
        """Show one order, or nothing where the id names none."""
        try:
            return self.order(order_id)
        except KeyError:
            return None

    def orders(self, account: str | None = None) -> list[Order]:
        """List every order ever placed, oldest first, of one account or of all."""
        canonical = None if account is None else self.account(account)
        with self._lock:
            self._let_time_pass()
            return [order for order in self._orders.values() if account is None or order.account == canonical]

    def working(self, account: str | None = None) -> list[Order]:
        """List the orders that may still fill; one whose cancel is pending is among them."""
        return [order for order in self.orders(account) if not self.is_over(order)]

    def is_over(self, order: Order) -> bool:
        """Tell whether nothing can happen to it any more."""
        return order.state in self._vocabulary.over

    def is_pending(self, order: Order) -> bool:
        """Tell whether a cancel of it is on its way."""
        return order.cancel_asked or order.state == self._vocabulary.cancel_pending

    def ask_to_cancel(self, order_id: str) -> bool:
        """Pass a cancel on to the exchange; False where it is too late, or there is no such order.

        A second cancel while the first is pending changes nothing.
        """
        with self._lock:
            order = self.find(order_id)
            if order is None or self.is_over(order):
                return False
            if self._behaviour.fill_before_cancel == "first":
                self.fill(order_id)
                return False
            if self.is_pending(order):
                return not self._behaviour.pending_refuses_cancel
            after = self._behaviour.cancel_after_s
            now = self._clock()
            pending = dataclasses.replace(
                order,
                state=self._vocabulary.cancel_pending or order.state,
                cancel_asked=True,
                cancel_due=None if after is None else now + after,
                when_due=self._behaviour.when_due,
            )
            self._enter(pending, now)
            self._let_time_pass()  # a delay of nothing is over before the reply
            return True

    def settle(self, order_id: str) -> Order:
        """Let a pending cancel come true now; one that never does stays pending."""
        with self._lock:
            order = self.order(order_id)
            if order.cancel_due is not None:
                self._orders[order.number] = dataclasses.replace(order, cancel_due=self._clock())
            return self.order(order_id)

    def fill(self, order_id: str, quantity: int | str | None = None) -> Order:
        """Fill an order now, whole or in part, as the exchange would; ValueError where that cannot be."""
        with self._lock:
            order = self.order(order_id)
            rest = order.quantity - order.filled
            if self.is_over(order):
                raise ValueError(f"order {order_id} is {order.state} and cannot fill")
            wanted = rest
            if quantity is not None:
                wanted = read_quantity(quantity, fractions=self._vocabulary.fractions)
            if wanted > rest:
                raise ValueError(f"order {order_id} can fill {rest} more, not {quantity}")
            return self._fill(order, self._clock(), wanted)

    def change(
        self,
        order_id: str,
        *,
        quantity: int | str | None = None,
        limit_price: str | None = None,
        stop_price: str | None = None,
    ) -> str:
        """Change a resting order and return its id, which is a new one where the behaviour says so."""
        with self._lock:
            order = self.order(order_id)
            if self.is_over(order):
                raise ValueError(f"order {order_id} is {order.state} and cannot change")
            changes: dict[str, Any] = {}
            if self._behaviour.new_id_on_change:
                changes["id"] = self._new_id(next(self._ids))
            if self._behaviour.time_moves_on_change:
                changes["time"] = self._clock()
            if quantity is not None:
                changes["quantity"] = read_quantity(quantity, fractions=self._vocabulary.fractions)
            if limit_price is not None:
                changes["limit_price"] = read_price("limit_price", limit_price)
            if stop_price is not None:
                changes["stop_price"] = read_price("stop_price", stop_price)
            changed = dataclasses.replace(order, **changes)
            self._orders[changed.number] = changed
            self._numbers[changed.id] = changed.number
            return changed.id

    def move(self, order_id: str, state: str) -> Order:
        """Bring an order into any state, even one the vendor never names, and forget a pending cancel."""
        with self._lock:
            order = self.order(order_id)
            moved = dataclasses.replace(order, state=state, cancel_asked=False, cancel_due=None)
            return self._enter(moved, self._clock())

    def _let_time_pass(self) -> None:
        now = self._clock()
        for order in [self._orders[number] for number in self._awaited]:
            if order.cancel_due is None or order.cancel_due > now:
                continue
            if order.when_due == "filled":
                self._fill(order, order.cancel_due, order.quantity - order.filled)
                continue
            state = self._before(order) if order.when_due == "refused" else self._vocabulary.cancelled
            settled = dataclasses.replace(order, state=state, cancel_asked=False, cancel_due=None)
            self._enter(settled, order.cancel_due)
            if order.when_due == "refused":
                self._told(settled, "refused")

    def _before(self, order: Order) -> str:
        """Give the state in which an order works on when its cancel is refused."""
        pending = self._vocabulary.cancel_pending
        earlier = next(each.state for each in reversed(order.history) if each.state != pending)
        return self._vocabulary.part_filled if order.filled else earlier

    def _fill(self, order: Order, at: float, quantity: int | Decimal) -> Order:
        filled = order.filled + quantity
        state = self._vocabulary.part_filled
        if filled == order.quantity:
            state = self._vocabulary.filled
        elif self.is_pending(order):
            state = order.state  # the rest is still being cancelled
        done = dataclasses.replace(
            order,
            state=state,
            filled=filled,
            average_fill_price=order.limit_price or order.stop_price,
            cancel_asked=order.cancel_asked and filled < order.quantity,
            cancel_due=None if filled == order.quantity else order.cancel_due,
        )
        return self._enter(done, at)

    def _enter(self, order: Order, at: float) -> Order:
        """Store an order that has come into its state; one that it had already is no news."""
        last = order.history[-1]
        if (last.state, last.filled) != (order.state, order.filled):
            transition = Transition(at, order.state, order.filled)
            order = dataclasses.replace(order, history=(*order.history, transition))
            self._told(order, "changed")
        self._orders[order.number] = order
        if order.cancel_due is None:
            self._awaited.discard(order.number)
        else:
            self._awaited.add(order.number)
        return order
