"""Ask for single orders, and look at them until the vendor's own word says that they are over."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from typing import Any

from relay.converse import Conversations
from relay.errors import Gone, LogInRefused, Refused, Unknown, VendorError
from relay.outcome import NO_SUCH_ORDER, OrderOutcome, Outcome, Progress, Sent
from relay.threads import side_by_side
from relay.vendor import Answer, Call, Order, State, Vendor

#: Looks after which an order that still works is asked for again: NinjaTrader shows states late.
PATIENCE_LOOKS = 4

#: Calls of one cancel that run side by side.
_SIDE_BY_SIDE = 8


class Prover:
    """The orders of one cancel, asked for and looked at one by one."""

    def __init__(
        self, progress: Progress, vendor: Vendor, talk: Conversations, *, named: bool, by_news: bool
    ) -> None:
        """Take what is known so far; `named`: the alert itself names the order.

        `by_news`: what the vendor tells by itself is about these very orders.
        """
        self._progress = progress
        self._vendor = vendor
        self._talk = talk
        self._named = named
        self._by_news = by_news
        self.asked = False

    def look_and_ask(self, shown: Mapping[tuple[str | int, str | int], Order]) -> None:
        """See where each order stands, singly where no list shows it, and ask for those that work.

        Raises the first failure once all of them had their turn, and a vendor's only where there is no other.
        """
        todo = [
            each
            for each in self._progress.orders
            if not each.untold and not each.outcome.over and each.outcome is not Outcome.REJECTED
        ]
        failures = side_by_side(
            lambda each: self._see(each, shown.get(each.key)), todo, most=_SIDE_BY_SIDE, name="order"
        )
        failures.sort(key=lambda failure: isinstance(failure, VendorError))
        if failures:
            raise failures[0]

    def ask(self, order: OrderOutcome) -> None:
        """Ask for the cancel of one order; safe to repeat, since it names the order."""
        try:
            self._hold(self._vendor.cancel_one(order.account, order.order_id), urgent=True)
        except Unknown as unknown:
            self._progress.started = self.asked = True
            order.asks += 1
            order.reason = unknown.words
            raise
        except Gone:
            self._progress.started = self.asked = True
            self._look_at_gone(order)
        except Refused as refused:
            # Where an earlier cancel may have reached the vendor, its refusal of this one proves nothing.
            earlier = order.asks or self._progress.sent is not Sent.NO
            self._progress.started = self.asked = True
            order.outcome = Outcome.REQUESTED if earlier else Outcome.REJECTED
            order.reason = refused.words
            if not isinstance(refused, LogInRefused):
                self._see_whether_it_was_over(order)
        else:
            self._progress.started = self.asked = True
            order.asks += 1
            order.outcome, order.reason = Outcome.REQUESTED, None

    def _see(self, order: OrderOutcome, shown: Order | None) -> None:
        if shown is None:
            told = self._talk.told(order.key) if self._by_news else None
            if told is not None and self._over(order, told):
                return
            try:
                shown = self._hold(self._vendor.look(order.account, order.order_id), urgent=False)
            except Gone as gone:
                self._not_known_there(order, gone)
                return
        elif not shown.state.over:
            # Two words of the vendor's that contradict each other prove nothing: the order has to be read.
            self._talk.disbelieve(order.key)
        if self._over(order, shown) or order.too_late:
            return
        order.reason = f"last seen as {shown.state_words}"
        if shown.state is State.CANCELLING:
            # Someone's cancel is on its way; NinjaTrader refuses a second one meanwhile.
            order.outcome = Outcome.REQUESTED
        elif order.outcome is Outcome.PENDING or self._progress.looks >= PATIENCE_LOOKS:
            self.ask(order)

    def _look_at_gone(self, order: OrderOutcome) -> None:
        """Look at an order that the vendor calls gone: it says the same of a mistyped id."""
        try:
            shown = self._hold(self._vendor.look(order.account, order.order_id), urgent=True)
        except LogInRefused:
            raise
        except Refused as refused:
            # Gone, or in an account that is not the user's: it is not known as his there.
            self._not_known_there(order, refused)
            return
        if not self._over(order, shown):
            order.outcome = Outcome.PENDING
            order.reason = f"called gone, and shown as {shown.state_words}"

    def _see_whether_it_was_over(self, order: OrderOutcome) -> None:
        """Look at an order whose cancel was refused: a fill that came first may be why."""
        with contextlib.suppress(VendorError):
            self._over(order, self._hold(self._vendor.look(order.account, order.order_id), urgent=True))

    def _not_known_there(self, order: OrderOutcome, gone: Refused) -> None:
        """Take "no such order" for a definite no only where nothing ever spoke for the order."""
        if self._named and not order.asks and self._progress.sent is Sent.NO:
            order.outcome, order.reason = Outcome.REJECTED, f"{NO_SUCH_ORDER} ({gone.words})"
        else:
            order.reason = f"no longer shown, and no word whether it was cancelled or filled ({gone.words})"

    def _over(self, order: OrderOutcome, shown: Order) -> bool:
        """Note the end of an order where the vendor's own word proves it."""
        ours = order.asks > 0 or self._progress.sent is not Sent.NO
        ends = {
            State.CANCELLED: Outcome.CANCELLED if ours else Outcome.ALREADY_DONE,
            State.FILLED: Outcome.FILLED,
            State.OVER: Outcome.ALREADY_DONE,
        }
        if shown.state not in ends:
            return False
        order.outcome, order.reason = ends[shown.state], None
        return True

    def _hold(self, conversation: Generator[Call, Answer, Any], *, urgent: bool) -> Any:  # noqa: ANN401 - the conversation's result
        return self._talk.hold(conversation, urgent=urgent)
