"""Keep a broker's orders, and let time work on them."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from relay.sandbox.order import Order, Transition, Vocabulary

#: First second, since 1970, that no date can show: the year 10000.
LATEST = 253_402_300_800.0

#: First price too long to leave as a JSON number with its pennies.
HIGHEST_PRICE = Decimal(10) ** 12


@dataclass
class BookBehaviour:
    """Set how the orders of a book behave; may be changed at any time.

    `cancel_after_s` is the time between the vendor's reply and the exchange's confirmation; None is never.
    `fill_before_cancel`: "race" fills the order at that moment instead, "first" as soon as the cancel
    arrives, which then comes too late.
    `pending_refuses_cancel`: while a cancel is pending, a second one finds the order gone already.
    """

    cancel_after_s: float | None = 0.1
    fill_before_cancel: Literal["race", "first"] | None = None
    pending_refuses_cancel: bool = False
    new_id_on_change: bool = False
    old_id_resolves: bool = True
    time_moves_on_change: bool = False


class OrderBook:
    """Hold the orders of one broker; safe between threads.

    Nothing in it runs by itself: each look first lets happen what was due by the clock.
    """

    def __init__(
        self,
        *,
        accounts: Iterable[str],
        vocabulary: Vocabulary,
        behaviour: BookBehaviour,
        clock: Callable[[], float],
        resolve_instrument: Callable[[str], str | None],
    ) -> None:
        self._accounts = {name.casefold(): name for name in accounts}
        self._vocabulary = vocabulary
        self._behaviour = behaviour
        self._clock = clock
        self._resolve_instrument = resolve_instrument
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
        quantity: int = 1,
        limit_price: str = "0",
        stop_price: str = "0",
        state: str | None = None,
        created: float | None = None,
        time_in_force: str = "Gtc",
        oco_id: str = "",
        name: str = "",
        user_data: str = "",
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
        if quantity < 1:
            raise ValueError(f"quantity must be 1 or more; it is {quantity}")
        state = self._vocabulary.working if state is None else state
        if state not in self._vocabulary.states:
            raise ValueError(f"state {state!r} is none of {', '.join(sorted(self._vocabulary.states))}")
        filled = quantity if state == self._vocabulary.filled else 0
        at = self._clock() if created is None else created
        if not 0 <= at < LATEST:
            raise ValueError(f"created must be in seconds since 1970; it is {at}")
        with self._lock:
            order = Order(
                id=uuid.uuid4().hex,
                number=len(self._orders) + 1,
                account=canonical_account,
                instrument=canonical_instrument,
                action=action,
                order_type=order_type,
                quantity=quantity,
                filled=filled,
                state=state,
                created=at,
                time=at,
                limit_price=_price("limit_price", limit_price),
                stop_price=_price("stop_price", stop_price),
                average_fill_price=Decimal(0),
                time_in_force=time_in_force,
                oco_id=oco_id,
                name=name,
                user_data=user_data,
                history=(Transition(at, state, filled),),
            )
            self._orders[order.number] = order
            self._numbers[order.id] = order.number
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
            if order.state == self._vocabulary.cancel_pending:
                return not self._behaviour.pending_refuses_cancel
            after = self._behaviour.cancel_after_s
            now = self._clock()
            pending = dataclasses.replace(
                order,
                state=self._vocabulary.cancel_pending,
                cancel_due=None if after is None else now + after,
                fills_when_due=self._behaviour.fill_before_cancel == "race",
            )
            self._enter(pending, now)
            self._let_time_pass()  # a delay of nothing is over before the reply
            return True

    def fill(self, order_id: str, quantity: int | None = None) -> Order:
        """Fill an order now, whole or in part, as the exchange would; ValueError where that cannot be."""
        with self._lock:
            order = self.order(order_id)
            rest = order.quantity - order.filled
            if self.is_over(order):
                raise ValueError(f"order {order_id} is {order.state} and cannot fill")
            if quantity is not None and not 1 <= quantity <= rest:
                raise ValueError(f"order {order_id} can fill 1 to {rest} more, not {quantity}")
            return self._fill(order, self._clock(), rest if quantity is None else quantity)

    def change(
        self,
        order_id: str,
        *,
        quantity: int | None = None,
        limit_price: str | None = None,
        stop_price: str | None = None,
    ) -> str:
        """Change a resting order and return its id, which is a new one where the behaviour says so."""
        with self._lock:
            order = self.order(order_id)
            if self.is_over(order):
                raise ValueError(f"order {order_id} is {order.state} and cannot change")
            changed = dataclasses.replace(
                order,
                id=uuid.uuid4().hex if self._behaviour.new_id_on_change else order.id,
                time=self._clock() if self._behaviour.time_moves_on_change else order.time,
                quantity=order.quantity if quantity is None else quantity,
                limit_price=order.limit_price if limit_price is None else _price("limit_price", limit_price),
                stop_price=order.stop_price if stop_price is None else _price("stop_price", stop_price),
            )
            self._orders[changed.number] = changed
            self._numbers[changed.id] = changed.number
            return changed.id

    def move(self, order_id: str, state: str) -> Order:
        """Bring an order into any state, even one the vendor never names, and forget a pending cancel."""
        with self._lock:
            order = dataclasses.replace(self.order(order_id), state=state, cancel_due=None)
            return self._enter(order, self._clock())

    def _let_time_pass(self) -> None:
        now = self._clock()
        for order in [self._orders[number] for number in self._awaited]:
            if order.cancel_due is None or order.cancel_due > now:
                continue
            if order.fills_when_due:
                self._fill(order, order.cancel_due, order.quantity - order.filled)
            else:
                cancelled = dataclasses.replace(order, state=self._vocabulary.cancelled, cancel_due=None)
                self._enter(cancelled, order.cancel_due)

    def _fill(self, order: Order, at: float, quantity: int) -> Order:
        filled = order.filled + quantity
        state = self._vocabulary.part_filled
        if filled == order.quantity:
            state = self._vocabulary.filled
        elif order.state == self._vocabulary.cancel_pending:
            state = order.state  # the rest is still being cancelled
        done = dataclasses.replace(
            order,
            state=state,
            filled=filled,
            average_fill_price=order.limit_price or order.stop_price,
            cancel_due=None if filled == order.quantity else order.cancel_due,
        )
        return self._enter(done, at)

    def _enter(self, order: Order, at: float) -> Order:
        """Store an order that has come into its state."""
        transition = Transition(at, order.state, order.filled)
        order = dataclasses.replace(order, history=(*order.history, transition))
        self._orders[order.number] = order
        if order.cancel_due is None:
            self._awaited.discard(order.number)
        else:
            self._awaited.add(order.number)
        return order


def _price(field: str, text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{field} {text!r} is not a number") from error
    if not price.is_finite() or abs(price) >= HIGHEST_PRICE:
        raise ValueError(f"{field} {text!r} is not a price")
    return price
