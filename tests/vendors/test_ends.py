"""What becomes of an order is told as the broker has it, and never more than that."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import pytest

from relay.outcome import Outcome, Status
from relay.record import Record
from relay.sandbox.trouble import Trouble
from relay.sandbox.wire import Answer, Kind, Request
from tests.running import until
from tests.vendors.desk import DESK
from tests.vendors.expectations import Row
from tests.vendors.stage import PATIENCE_S, Stage, outcomes, reasons

#: Looks after which a relay would long have said so, had it taken what it saw for an end.
LOOKS = 3

#: An order id that is in another account, or in none.
ELSEWHERE = ("second buy", "stranger's buy")

#: Spellings of an end that no vendor documents.
SPELLINGS = ("{}d", "Gone")


def told(record: Record) -> list[Outcome]:
    """Give the outcomes of all orders."""
    return list(outcomes(record).values())


def looked_at(stage: Stage, times: int) -> None:
    """Wait until the broker has answered so many more looks."""
    before = len(stage.calls("read"))
    until(
        lambda: len(stage.calls("read")) >= before + times + 1,
        within=PATIENCE_S,
        what=f"{times} looks at the order",
    )


@pytest.mark.promise(5)
def test_a_mistyped_id_is_told_as_such(row: Row, stage: Stage) -> None:
    """An id that is in no book is rejected: "no such order in this account"."""
    stage.set_desk()

    record = stage.ended(stage.send(account=row.account, order_id=row.nowhere))

    assert record.status is Status.REJECTED
    assert "no such order in this account" in reasons(record)
    assert stage.touched() == set()


@pytest.mark.promise(4, 5)
@pytest.mark.parametrize("whose", ELSEWHERE)
def test_an_order_of_another_account_is_not_cancelled_in_this_one(row: Row, whose: str, stage: Stage) -> None:
    """The right id in the wrong account is rejected, and the order works on; so is one that is not there."""
    desk = stage.set_desk()
    order_id = row.as_id(desk[whose]) if whose in desk else row.nowhere

    record = stage.ended(stage.send(account=row.account, order_id=order_id))

    assert record.status is Status.REJECTED
    assert reasons(record)
    assert stage.touched() == set()


@pytest.mark.promise(5)
def test_what_the_vendor_calls_gone_and_shows_as_working_is_tried_again(row: Row, stage: Stage) -> None:
    """The word proves nothing by itself: an order that still works is asked for once more."""
    order = stage.place()
    stage.broker.trouble = Trouble(on="one", times=1, status=row.gone.status, answer=row.gone.body)

    record = stage.ended(stage.cancel(order))

    assert stage.state(order) == row.cancelled
    assert (record.status, told(record)) == (Status.CONFIRMED, [Outcome.CANCELLED])


@pytest.mark.promise(5)
def test_an_order_that_was_filled_before_is_told_as_filled(row: Row, stage: Stage) -> None:
    """Nothing was to be cancelled, and the trader learns that he has a position."""
    order = stage.place()
    stage.broker.fill(order)

    record = stage.ended(stage.cancel(order))

    assert stage.state(order) == row.filled
    assert (record.status, told(record)) == (Status.NOTHING_TO_CANCEL, [Outcome.FILLED])


@pytest.mark.promise(5)
@pytest.mark.parametrize("end", ["cancelled", "rejected"])
def test_an_order_that_somebody_else_ended_is_already_done(row: Row, end: str, stage: Stage) -> None:
    """What was over before is not claimed as cancelled by this alert."""
    order = stage.place()
    stage.broker.book.move(order, row.cancelled if end == "cancelled" else "Rejected")

    record = stage.ended(stage.cancel(order))

    assert (record.status, told(record)) == (Status.NOTHING_TO_CANCEL, [Outcome.ALREADY_DONE])


@pytest.mark.promise(5)
@pytest.mark.parametrize("when", ["race", "first"])
def test_a_fill_that_wins_is_told_as_filled(row: Row, when: Literal["race", "first"], stage: Stage) -> None:
    """Whether the fill comes before the cancel or after the vendor took it, the order is filled."""
    stage.broker.behaviour.fill_before_cancel = when
    order = stage.place()

    record = stage.ended(stage.cancel(order))

    assert stage.state(order) == row.filled
    assert told(record) == [Outcome.FILLED]
    assert record.status in {Status.CONFIRMED, Status.NOTHING_TO_CANCEL}


@pytest.mark.promise(5)
def test_fills_that_win_in_a_whole_account_are_told_order_by_order(row: Row, stage: Stage) -> None:
    """A wide cancel tells of each order whether it was filled first."""
    filled, cancelled = stage.place(), stage.place(DESK["sell"])
    stage.broker.behaviour.cancel_after_s = None

    reply = stage.send(account=row.account, scope="account")
    until(lambda: stage.is_asked_for(filled), within=PATIENCE_S, what="the cancel")
    # A list that comes after the call can only show what still works.
    until(lambda: len(told(stage.record(reply))) == 2, within=PATIENCE_S, what="the list")
    stage.broker.fill(filled)
    stage.let_go([cancelled])
    record = stage.ended(reply)

    assert record.status is Status.CONFIRMED
    assert outcomes(record) == {
        row.as_id(filled): Outcome.FILLED,
        row.as_id(cancelled): Outcome.CANCELLED,
    }


@pytest.mark.promise(5)
def test_what_is_filled_in_part_is_cancelled_for_the_rest(row: Row, stage: Stage) -> None:
    """A part that filled makes no filled order."""
    order = stage.place(quantity=2)
    stage.broker.book.fill(order, 1)

    record = stage.ended(stage.cancel(order))

    assert stage.state(order) == row.cancelled
    assert (record.status, told(record)) == (Status.CONFIRMED, [Outcome.CANCELLED])


@pytest.mark.promise(5)
@pytest.mark.parametrize("aim", ["order", "account"])
def test_a_cancel_that_the_exchange_never_confirms_is_only_requested(
    row: Row, aim: str, stage: Stage
) -> None:
    """However often it is looked at, a pending cancel is no cancelled order; once it is over, it is."""
    stage.broker.behaviour.cancel_after_s = None
    order = stage.place()

    reply = stage.cancel(order) if aim == "order" else stage.send(account=row.account, scope="account")
    until(lambda: stage.is_asked_for(order), within=PATIENCE_S, what="the cancel")
    looked_at(stage, LOOKS)
    pending = stage.record(reply)
    stage.let_go([order])
    record = stage.ended(reply)

    assert (pending.status, told(pending)) == (Status.REQUESTED, [Outcome.REQUESTED])
    assert (record.status, told(record)) == (Status.CONFIRMED, [Outcome.CANCELLED])


@pytest.mark.promise(5)
@pytest.mark.parametrize("aim", ["order", "account"])
def test_a_cancel_that_the_exchange_refuses_is_asked_for_again(row: Row, aim: str, stage: Stage) -> None:
    """An order that works on though the vendor took its cancel is never told as cancelled, and goes later."""
    stage.broker.behaviour.refuse_cancel = True
    order = stage.place()

    reply = stage.cancel(order) if aim == "order" else stage.send(account=row.account, scope="account")
    looked_at(stage, LOOKS)
    refused = stage.record(reply)
    stage.broker.behaviour.refuse_cancel = False
    record = stage.ended(reply)

    assert not refused.status.ended
    assert stage.state(order) == row.cancelled
    assert (record.status, told(record)) == (Status.CONFIRMED, [Outcome.CANCELLED])


@pytest.mark.promise(5)
def test_an_order_that_is_no_longer_shown_is_no_evidence(row: Row, stage: Stage) -> None:
    """Once its cancel may have arrived, an order that the vendor knows no more is neither gone nor there."""
    stage.broker.behaviour.cancel_after_s = None
    order = stage.place()

    def lost(kind: Kind, request: Request, answer: Callable[[Request], Answer]) -> Answer:
        if kind != "read":
            return answer(request)
        nowhere = str(row.nowhere)
        target, body = (
            request.target.replace(order, nowhere),
            request.body.replace(order.encode(), nowhere.encode()),
        )
        return answer(dataclasses.replace(request, target=target, body=body))

    with stage.between(lost):
        reply = stage.cancel(order)
        looked_at(stage, LOOKS)
        meanwhile = stage.record(reply)
    stage.let_go([order])
    record = stage.ended(reply)

    assert not meanwhile.status.ended
    assert not any(outcome.over for outcome in told(meanwhile))
    assert (record.status, told(record)) == (Status.CONFIRMED, [Outcome.CANCELLED])


@pytest.mark.promise(5)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("aim", ["order", "account"])
def test_a_spelling_that_nobody_documents_is_no_evidence(
    row: Row, aim: str, spelling: str, stage: Stage
) -> None:
    """A state that looks like an end, but is not the vendor's word for it, ends nothing."""
    stage.broker.behaviour.cancel_after_s = None
    order = stage.place()

    reply = stage.cancel(order) if aim == "order" else stage.send(account=row.account, scope="account")
    until(lambda: stage.is_asked_for(order), within=PATIENCE_S, what="the cancel")
    until(lambda: told(stage.record(reply)), within=PATIENCE_S, what="the order's entry")
    before = len(stage.calls("read"))
    while len(stage.calls("read")) <= before + LOOKS:
        # Asking for it again would bring it back into a state that is known.
        stage.broker.book.move(order, spelling.format(row.cancelled))
        looked_at(stage, 1)
    strange = stage.record(reply)
    stage.broker.book.move(order, row.cancelled)
    record = stage.ended(reply)

    assert not strange.status.ended
    assert not any(outcome.over for outcome in told(strange))
    assert (record.status, told(record)) == (Status.CONFIRMED, [Outcome.CANCELLED])
