"""One Cancel → a conversation with its vendor → an Outcome. The rule of money stands here, once.

The first try may be one bulk call, or one for each account, if it can start while the alert is fresh.
Every later visit lists
the working orders, cancels by id those that the alert means (`relay.evidence`), and reads back until
each is proven to be over (`relay.prove`, `relay.conclude`). A worker only ever makes later visits, so
no bulk call can be sent twice; what may have left is read back, never repeated as it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable

from relay.cancel import Cancel, Scope
from relay.conclude import (
    OUT_OF_TIME,
    conclude,
    end_if_out_of_time,
    run_out,
    warn_of_newer,
    warn_of_others,
)
from relay.converse import Conversations, Line
from relay.errors import NotSent, Refused, Throttled, Unknown, Unreadable, VendorError
from relay.evidence import Verdict, judge
from relay.ledger import Held
from relay.outcome import OrderOutcome, Outcome, Progress, Sent, Status
from relay.prove import Prover
from relay.record import UNCERTAIN_MS
from relay.survey import Survey
from relay.vendor import Answer, Call, Order

#: Milliseconds after its arrival, and after its timestamp, in which a bulk call may start.
FRESH_MS = 1_000
FRESH_AFTER_TIMESTAMP_MS = 5_000

#: Seconds that a bulk call whose answer names no orders waits for the list taken beside it: half of the
#: time in which it may start.
HEAD_START_S = 0.5

#: Seconds that a list of many accounts may wait for the rate budget, call by call: begun anew at each
#: visit it would never come to its end.
_MANY_ACCOUNTS_S = 20.0

#: Seconds after which a bulk call counts as slow: most are answered by then, and cost no second call.
_SLOW_S = 0.4

#: Milliseconds after which a list that could not be had while an alert waits for its time is asked for again.
_LOOK_AHEAD_AGAIN_MS = 300

#: Milliseconds to the first look after a send; doubled each time, up to the longest.
FIRST_LOOK_MS = 150
_LONGEST_LOOK_MS = 8_000

#: The longest between two tries while nothing could be asked for yet: the broker may be back at any moment.
_LONGEST_TRY_MS = 2_000


class Delivery:
    """One cancel of a record in hand."""

    def __init__(
        self, held: Held, cancel: Cancel, progress: Progress, line: Line, talk: Conversations
    ) -> None:
        """Take the cancel, how far it is, and the vendor to talk to."""
        self._held = held
        self._cancel = cancel
        self._progress = progress
        self._line = line
        self._vendor = line.vendor.of(cancel)
        self._talk = talk
        #: The cancel with the vendor's own id for its instrument, once that is known.
        self._meant = cancel
        self._accounts: tuple[str | int, ...] | None = None if cancel.account is None else (cancel.account,)
        # News are heard of the usual order management system alone.
        self._prover = Prover(
            progress,
            self._vendor,
            talk,
            named=cancel.scope is Scope.ORDER,
            by_news=cancel.oms_id is None,
        )
        self._read_back = False
        self._tried = False

    def first(self) -> None:
        """Make the first try, in the process that claimed the alert."""
        self._visit(self._first)

    def again(self) -> None:
        """Make a later visit: read back, and cancel by id what the alert means and still works."""
        self._visit(self._again)

    def _visit(self, step: Callable[[], None]) -> None:
        """Take a step, and turn whatever the vendor says against it into what happens next."""
        progress = self._progress
        if end_if_out_of_time(self._held.record, progress, self._held.now_ms()):
            return
        if progress.status is Status.SCHEDULED:
            if self._held.now_ms() < self._held.record.starts_ms:
                self._look_ahead()
                return
            progress.status, progress.looks = Status.IN_PROGRESS, 0
        wait_ms: int | None = None
        failed = True
        try:
            step()
        except Refused as failure:
            if not progress.started:
                progress.attempts += 1
                progress.orders = []  # what a list showed was asked for by nobody
                progress.end(Status.REJECTED, failure.words)
                return
            progress.reason = failure.words
        except VendorError as failure:
            progress.reason, wait_ms = failure.words, getattr(failure, "wait_ms", None)
            self._count_as_tried(failure)
            if isinstance(failure, NotSent) and any(
                each.outcome is Outcome.REQUESTED for each in progress.orders
            ):
                wait_ms = None  # what was asked for is read back meanwhile
        else:
            failed = False
            progress.reason = next((each.reason for each in progress.orders if not each.outcome.over), None)
        progress.attempts += int(self._tried or self._prover.asked)
        if not conclude(self._cancel, progress, read_back=self._read_back):
            self._come_back(wait_ms, failed=failed)

    def _look_ahead(self) -> None:
        """Take the list that tells what an alert with a delay means, while it waits for its time.

        A list that cannot be had is tried again as long as it tells anything; then the orders' own times
        have to do.
        """
        progress, record = self._progress, self._held.record
        progress.due_ms = record.starts_ms
        if progress.was_there is not None or self._cancel.scope is Scope.ORDER:
            return
        try:
            listed, missing = self._working(beside_a_send=True)
        except VendorError as failure:
            listed, missing = (), failure
        if not self._tells_what_was_there():
            return
        if missing is None:
            progress.was_there = [[order.account, order.order_id] for order in listed]
        else:
            progress.due_ms = min(record.starts_ms, self._held.now_ms() + _LOOK_AHEAD_AGAIN_MS)

    def _count_as_tried(self, failure: VendorError) -> None:
        """Count a call that went wrong as a try, unless nothing reached for the vendor."""
        self._tried = self._tried or not isinstance(failure, NotSent) or failure.tried

    def _come_back(self, wait_ms: int | None, *, failed: bool) -> None:
        """Say when to visit next: after what the vendor asked for, else with back-off and jitter.

        What failed comes back anywhere in its pause, so that those which failed together don't come back
        together; a look keeps to its time.
        """
        progress, record = self._progress, self._held.record
        longest_ms = _LONGEST_LOOK_MS if self._asked_for_anything() else _LONGEST_TRY_MS
        pause_ms = min(longest_ms, FIRST_LOOK_MS << min(progress.looks, 10))
        least = 0.0 if failed else 0.7
        pause_ms = int(pause_ms * random.uniform(least, 2.0 - least))  # noqa: S311 - jitter, no secret
        progress.looks += 1
        now_ms = self._held.now_ms()
        end_ms = record.read_until_ms if progress.started else record.act_until_ms
        if not progress.started and wait_ms is not None and now_ms + wait_ms > end_ms:
            # Held back for longer than the alert is good for: the trader is told now.
            run_out(progress, early=True)
            return
        progress.due_ms = min(now_ms + max(pause_ms, wait_ms or 0), max(now_ms, end_ms) + 1)

    def _asked_for_anything(self) -> bool:
        """Say whether a cancel may have left, or none has to; a list may come another way than cancels go."""
        progress = self._progress
        waiting = any(each.outcome is Outcome.PENDING for each in progress.orders)
        asked = progress.sent is not Sent.NO or any(each.asks for each in progress.orders)
        return progress.started and (asked or not waiting)

    def _first(self) -> None:
        if self._cancel.scope is Scope.ORDER:
            self._prover.ask(self._progress.named(self._cancel))
            return
        self._find_meaning()
        bulk = self._bulk_cancels() if self._fresh() else ()
        if not bulk:
            self._list_and_ask()
            return
        try:
            self._bulk(bulk)
        except (NotSent, Throttled, Unknown) as failure:
            self._count_as_tried(failure)
            # For a moment yet a list tells what was there, which nothing can later.
            if not self._tells_what_was_there():
                raise
            self._list_and_ask()

    def _again(self) -> None:
        if self._cancel.scope is not Scope.ORDER:
            self._find_meaning()
            self._list_and_ask()
        elif self._progress.started:
            self._progress.named(self._cancel)
            self._prover.look_and_ask({})
            self._read_back = True
        else:
            self._prover.ask(self._progress.named(self._cancel))

    def _find_meaning(self) -> None:
        """Have the vendor's own id for an instrument that is named; raise `Refused` where there is none."""
        if self._vendor.meaning(self._cancel) is not None:
            self._meant = self._talk.hold_kept(self._meaning)

    def _meaning(self) -> Generator[Call, Answer, Cancel]:
        conversation = self._vendor.meaning(self._cancel)
        return self._cancel if conversation is None else (yield from conversation)

    def _bulk_cancels(self) -> tuple[Cancel, ...]:
        """Give the bulk calls that express the cancel, one or one for each account; none where none does."""
        if self._vendor.has_bulk(self._meant):
            return (self._meant,)
        if self._meant.account is not None or not self._vendor.has_bulk(self._meant.within(0)):
            return ()
        return tuple(self._meant.within(each) for each in self._accounts_reached(urgent=True))

    def _accounts_reached(self, *, urgent: bool) -> tuple[str | int, ...]:
        if self._accounts is None:
            self._accounts = self._talk.hold(self._vendor.accounts(), urgent=urgent)
        return self._accounts

    def _fresh(self) -> bool:
        """Say whether the alert came so recently that a bulk call may still start."""
        now_ms, record = self._held.now_ms(), self._held.record
        timestamp_ms = record.alert.timestamp_ms
        return now_ms - record.received_ms <= FRESH_MS and (
            timestamp_ms is None or now_ms - timestamp_ms <= FRESH_AFTER_TIMESTAMP_MS
        )

    def _bulk_clearance(self) -> None:
        """Stand before a bulk call's first byte: what was fresh may have waited for a connection since."""
        if not self._fresh():
            raise NotSent("it took too long to reach the vendor for a bulk call")

    def _left_to_tell_s(self) -> float:
        """Give the seconds for which a list can still tell what was there."""
        return max(0, self._told_until_ms - self._held.now_ms()) / 1000

    def _tells_what_was_there(self) -> bool:
        """Say whether a list that is answered now can show nothing that was placed long after the alert."""
        return self._held.now_ms() <= self._told_until_ms

    @property
    def _told_until_ms(self) -> int:
        """Give the moment until which a list tells what the alert means, as far as time can tell it."""
        return self._held.record.doubt_ms[1] + (UNCERTAIN_MS if self._held.record.alert.delay_ms else 0)

    def _bulk(self, cancels: tuple[Cancel, ...]) -> None:
        """Make the bulk calls that the alert may have: each once, and all of them while it is fresh.

        Raises the first of what vendors said against one, once each had its turn.
        """
        if self._vendor.names_its_orders(self._cancel):
            # Its answer tells what was there, if it comes: where it is slow, a list is taken meanwhile.
            survey, listed = Survey(self._keep_what_is_there), None
            self._line.alarm.after(_SLOW_S, survey.start)
        else:
            survey = Survey(self._survey)
            survey.start()
            listed = survey.result(HEAD_START_S)
            if survey.refused is not None:
                raise survey.refused
            if listed is not None:
                self._note_what_is_there(listed)
        taken: list[Cancel] = []
        failures: list[VendorError] = []
        try:
            for each in cancels:
                try:
                    self._bulk_call(each)
                    taken.append(each)
                except VendorError as failure:
                    failures.append(failure)
            if any(isinstance(each, Unknown) for each in failures):
                # A list that is under way may still tell what was there.
                late = survey.result(self._left_to_tell_s())
                if late is not None and self._progress.was_there is None:
                    self._progress.was_there = [[order.account, order.order_id] for order in late]
        finally:
            survey.call_off()
            self._note_what_was_taken(taken, survey, known=listed is not None)
        if failures:
            # One account's refusal must not end what others can be asked for again.
            raise next((each for each in failures if not isinstance(each, Refused)), failures[0])

    def _bulk_call(self, cancel: Cancel) -> None:
        progress = self._progress
        try:
            named = self._talk.hold(self._vendor.bulk(cancel), urgent=True, clearance=self._bulk_clearance)
        except Unknown:
            progress.started, progress.sent = True, Sent.MAYBE
            raise
        progress.started = self._tried = True
        progress.sent = Sent.MAYBE if progress.sent is Sent.MAYBE else Sent.YES
        if named is not None and cancel.account is not None:
            self._named_by_vendor(named, cancel.account)

    def _named_by_vendor(self, order_ids: Iterable[str | int], account: str | int) -> None:
        """Take what a bulk call's answer names as what was there."""
        progress = self._progress
        named = [OrderOutcome(each, account, Outcome.REQUESTED, asks=1) for each in order_ids]
        progress.orders += named
        progress.was_there = [*(progress.was_there or []), *([account, each.order_id] for each in named)]

    def _survey(self) -> tuple[Order, ...] | None:
        """List what works beside a bulk call; None where the list came too late to tell what was there."""
        orders, missing = self._working(beside_a_send=True)
        return orders if missing is None and self._tells_what_was_there() else None

    def _keep_what_is_there(self) -> None:
        """Keep a list that is taken while a bulk call is slow, where the next process finds it."""
        orders = self._survey()
        if orders is not None and self._progress.was_there is None:
            self._progress.was_there = [[order.account, order.order_id] for order in orders]
            self._held.save()

    def _note_what_is_there(self, listed: tuple[Order, ...]) -> None:
        """Note the list that was taken beside a bulk call, before it leaves: whoever takes over finds it."""
        self._progress.was_there = [[order.account, order.order_id] for order in listed]
        for order in listed:
            self._take_in(order)
        self._held.save()

    def _note_what_was_taken(self, taken: Iterable[Cancel], survey: Survey, *, known: bool) -> None:
        """Note that bulk calls which name no orders were taken: each order that was meant was asked for.

        `known`: a list from before them tells which those are. One that comes later tells of those that it
        shows, and may lack what was cancelled meanwhile.
        """
        progress = self._progress
        if self._vendor.names_its_orders(self._cancel):
            return
        if not known and progress.sent is Sent.YES:
            progress.sent = Sent.UNNAMED
            late = survey.result(self._left_to_tell_s())
            if late is not None:
                self._note_what_is_there(late)
        accounts = [each.account for each in taken]
        for order in progress.orders:
            if order.outcome is Outcome.PENDING and (None in accounts or order.account in accounts):
                order.outcome, order.asks = Outcome.REQUESTED, 1

    def _list_and_ask(self) -> None:
        """List what works, take in what the alert means, and ask for it by id."""
        progress = self._progress
        may_act = self._held.now_ms() <= self._held.record.act_until_ms
        try:
            listed, missing = self._working()
        except (Refused, Unreadable):
            if progress.sent is not Sent.YES or not progress.orders:
                raise
            # No list can be had. What the bulk call named is all that the vendor found, so reading
            # those orders proves as much.
            self._prover.look_and_ask({})
            self._read_back = True
            return
        self._read_back = missing is None
        if not progress.started:
            progress.started = self._tried = True
        if progress.was_there is None and missing is None and self._tells_what_was_there():
            progress.was_there = [[order.account, order.order_id] for order in listed]
        progress.orders = [each for each in progress.orders if not each.untold]
        known = len(progress.orders)
        unknown = [each for each in listed if progress.order(each.account, each.order_id) is None]
        newer = sum(self._take_in(order, may_act=may_act) is Verdict.NEWER for order in unknown)
        warn_of_newer(self._cancel, progress, newer)
        warn_of_others(self._cancel, progress, listed)
        if self._cancel.scope is Scope.CLIENT_ORDER and not progress.orders and missing is None:
            listed += self._found_in_the_past(may_act=may_act)
        if len(progress.orders) > known:
            # Whoever takes over has to know what was there, and what may have been asked for.
            self._held.save()
        self._prover.look_and_ask({(order.account, order.order_id): order for order in listed})
        if missing is not None:
            raise missing

    def _found_in_the_past(self, *, may_act: bool) -> tuple[Order, ...]:
        """Take in the order that the trader's own id names from the newest ones, since none works."""
        taken: list[Order] = []
        for account in self._accounts_reached(urgent=True):
            conversation = self._vendor.recent(account)
            try:
                found = () if conversation is None else self._talk.hold(conversation, urgent=True)
            except Refused:
                found = ()  # this vendor shows no past: that nothing works is all there is to know
            except VendorError:
                self._read_back = False
                raise
            for order in found:
                # Another of that id may be newer than the alert, whether it works or is over by now.
                named = order.client_id == self._cancel.name
                if named and self._take_in(order, may_act=may_act) is Verdict.MEANT:
                    taken.append(order)
                    break
        return tuple(taken)

    def _take_in(self, order: Order, *, may_act: bool = True) -> Verdict:
        """Add a working order to those of the cancel, if the alert means it or might."""
        verdict, why = judge(
            self._meant,
            self._progress,
            order,
            doubt_ms=self._held.record.doubt_ms,
            same_instrument=self._vendor.same_instrument,
        )
        if verdict in {Verdict.NOT_MEANT, Verdict.NEWER}:
            return verdict
        outcome = OrderOutcome(order.order_id, order.account)
        if verdict is Verdict.UNTOLD:
            outcome.outcome, outcome.untold, outcome.reason = Outcome.UNKNOWN, True, f"left alone: {why}"
        elif not may_act:
            outcome.outcome, outcome.too_late, outcome.reason = Outcome.UNKNOWN, True, OUT_OF_TIME
        self._progress.orders.append(outcome)
        return verdict

    def _working(self, *, beside_a_send: bool = False) -> tuple[tuple[Order, ...], VendorError | None]:
        """List the working orders of every account that the cancel reaches.

        Gives what could be listed, and what the vendor said of an account that could not; raises it
        where there is nothing else. A list beside a send leaves the rate budget to the send, and is
        shared with nobody, since it has no time to wait.
        """
        waiting = any(each.outcome is Outcome.PENDING for each in self._progress.orders)
        urgent = not beside_a_send and (waiting or not self._progress.started)
        accounts = self._accounts_reached(urgent=urgent)
        patience_s = 0.0 if beside_a_send or self._cancel.account is not None else _MANY_ACCOUNTS_S
        orders: list[Order] = []
        missing: list[VendorError] = []
        for each in accounts:
            try:
                if beside_a_send:
                    orders += self._talk.hold(self._vendor.working(each), urgent=False)
                else:
                    orders += self._talk.list_working(
                        self._vendor, each, urgent=urgent, patience_s=patience_s
                    )
            except VendorError as failure:
                missing.append(failure)
        if len(missing) == len(accounts):
            raise missing[0]
        return tuple(orders), missing[0] if missing else None
