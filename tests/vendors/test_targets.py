"""Each target cancels exactly the orders that it means, at every vendor that can express it."""

import time

import pytest

from relay.deliver import HEAD_START_S
from relay.outcome import Outcome, Sent, Status
from relay.record import Record
from tests.vendors.desk import TARGETS, Resting, reach, taken_by
from tests.vendors.expectations import ROWS, Id, Row
from tests.vendors.stage import Stage, outcomes

EACH = [pytest.param(row, target, id=f"{row}-{target}") for row in ROWS for target in taken_by(row)]

OTHER_NAMES = [pytest.param(row, name, id=f"{row}-{name}") for row in ROWS for name in row.other_names]

#: Orders that fill no vendor's page of a list.
MANY = 110


@pytest.mark.promise(2, 4, 5)
@pytest.mark.parametrize(("row", "target"), EACH)
def test_exactly_what_is_meant_is_cancelled_and_proven(row: Row, target: str, stage: Stage) -> None:
    """Other instruments, sides, accounts, users and strangers keep their orders; each order is told of."""
    desk, meant = stage.set_desk(), reach(row, target)
    began = time.monotonic()

    record = stage.ended(stage.send(**TARGETS[target].fields(row, desk["buy"])))

    in_time = time.monotonic() - began < HEAD_START_S
    assert (stage.cancelled(), stage.touched()) == (meant, meant)
    assert record.status is Status.CONFIRMED
    told = outcomes(record)
    if target == "client_order_id":
        assert list(told.values()) == [Outcome.CANCELLED]
    else:
        of_all = {row.as_id(desk[name]): Outcome.CANCELLED for name in meant}
        assert told == of_all or (came_unnamed(record) and not in_time and told.items() <= of_all.items())
    check_the_calls(row, target, stage, in_time=in_time)


def came_unnamed(record: Record) -> bool:
    """Say whether neither a list in time nor an answer told which orders a call for many means."""
    return any(progress.sent in {Sent.UNNAMED, Sent.MAYBE} for _, progress in record.cancels)


def check_the_calls(row: Row, target: str, stage: Stage, *, in_time: bool) -> None:
    """See that a call for many went out only where it means what was asked: never for a side, and once.

    On a machine that was too busy for the call, or for the list beside it, the orders went by their ids, or
    were not named.
    """
    assert stage.sent_twice() == []
    if "," in target or row.one_call.get(target) is False:
        assert stage.calls("bulk") == []
    elif target in row.one_call and in_time:
        assert stage.calls("bulk") != []
        assert stage.calls("one") == []


@pytest.mark.promise(4)
def test_two_accounts_are_cancelled_in_and_no_third(row: Row, stage: Stage) -> None:
    """A list of accounts means each of them, with an entry for each."""
    stage.set_desk()
    meant = reach(row, "instrument") | {"second buy", "second sell"}

    record = stage.ended(stage.send(account=[row.account, row.second], instrument=row.instrument))

    assert (stage.cancelled(), stage.touched()) == (meant, meant)
    assert [(cancel.account, progress.status) for cancel, progress in record.cancels] == [
        (row.account, Status.CONFIRMED),
        (row.second, Status.CONFIRMED),
    ]


@pytest.mark.promise(4, 5)
@pytest.mark.parametrize("target", ["instrument", "instrument, buy"])
@pytest.mark.parametrize(("row", "name"), OTHER_NAMES)
def test_another_name_of_the_instrument_means_the_same(row: Row, name: Id, target: str, stage: Stage) -> None:
    """However the vendor lets an instrument be named, its orders go and no other's."""
    desk, meant = stage.set_desk(), reach(row, target)
    fields = {**TARGETS[target].fields(row, desk["buy"]), "instrument": name}

    record = stage.ended(stage.send(**fields))

    assert (stage.cancelled(), stage.touched()) == (meant, meant)
    assert record.status is Status.CONFIRMED


@pytest.mark.promise(4)
@pytest.mark.parametrize("more", [{}, {"side": "sell"}], ids=["all", "one side"])
def test_an_instrument_that_nobody_knows_cancels_nothing(
    row: Row, more: dict[str, str], stage: Stage
) -> None:
    """A name that the vendor does not know never falls back to the whole account."""
    stage.set_desk()

    record = stage.ended(stage.send(account=row.account, instrument="QQQQ", **more))

    assert stage.touched() == set()
    assert record.status in {Status.NOTHING_TO_CANCEL, Status.REJECTED}


@pytest.mark.promise(5)
def test_an_account_without_orders_has_nothing_to_cancel(row: Row, stage: Stage) -> None:
    """Nothing there is an answer of its own, and other accounts' orders do not change it."""
    elsewhere = stage.place(Resting(account="second"))

    record = stage.ended(stage.send(account=row.account, scope="account"))

    assert record.status is Status.NOTHING_TO_CANCEL
    assert outcomes(record) == {}
    assert stage.is_untouched(elsewhere)


@pytest.mark.promise(4, 5)
def test_more_orders_than_a_list_shows_at_once_all_go(row: Row, stage: Stage) -> None:
    """However long a list is, and though it gets shorter while it is worked on, each order goes."""
    stage.set_desk()
    many = [stage.place() for _ in range(MANY)]
    meant = reach(row, "account")

    began = time.monotonic()
    record = stage.ended(stage.send(account=row.account, scope="account"))

    in_time = time.monotonic() - began < HEAD_START_S
    assert {stage.state(each) for each in many} == {row.cancelled}
    assert (stage.cancelled(), stage.touched()) == (meant, meant)
    assert record.status is Status.CONFIRMED
    assert len(outcomes(record)) == MANY + len(meant) or (came_unnamed(record) and not in_time)
