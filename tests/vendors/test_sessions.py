"""A credential is used as the vendor wants it: a wrong one is told once, a session that ended is renewed."""

from collections.abc import Mapping

import pytest

from relay.outcome import Status
from relay.sandbox.trouble import Trouble
from tests.running import until
from tests.vendors.desk import TARGETS, reach
from tests.vendors.expectations import ROWS, Row
from tests.vendors.stage import PATIENCE_S, Stage, StageFor, reasons

WRONG = [
    pytest.param(row, wrong, id=f"{row}-{' '.join(wrong).lower()}") for row in ROWS for wrong in row.wrong
]

#: Alerts under way when a session ends.
AT_ONCE = 8


@pytest.mark.promise(5, 9)
@pytest.mark.parametrize(("row", "wrong"), WRONG)
def test_a_wrong_credential_is_a_definite_no_and_is_not_tried_again(
    row: Row, wrong: Mapping[str, str], stage_for: StageFor
) -> None:
    """It is rejected with a sentence; the next alert does not knock again: vendors lock accounts."""
    stage = stage_for(**wrong)
    desk = stage.set_desk()

    first = stage.ended(stage.send(account=row.account, scope="account"))
    knocks = len(stage.calls("login"))
    second = stage.ended(stage.cancel(desk["buy"], max_age=1))

    assert first.status is Status.REJECTED
    assert reasons(first)
    assert knocks == int(row.logs_in)
    assert len(stage.calls("login")) == knocks
    assert second.status in {Status.REJECTED, Status.EXPIRED}
    assert reasons(second)
    assert stage.touched() == set()


@pytest.mark.promise(5)
def test_one_session_serves_many_alerts(row: Row, stage: Stage) -> None:
    """A vendor with sessions is logged in to once, by the first of many alerts that come together."""
    orders = [stage.place() for _ in range(AT_ONCE)]

    replies = [stage.cancel(each, reply_when="accepted") for each in orders]
    statuses = {stage.ended(each).status for each in replies}

    assert statuses == {Status.CONFIRMED}
    assert {stage.state(each) for each in orders} == {row.cancelled}
    assert len(stage.calls("login")) == int(row.logs_in)


@pytest.mark.promise(1, 5)
@pytest.mark.parametrize("aim", ["order_id", "instrument", "account", "account, buy"])
def test_a_session_that_the_vendor_ended_is_renewed(row: Row, aim: str, stage: Stage) -> None:
    """One log-in more, and the cancel is done as if nothing had been."""
    stage.ended(stage.cancel(stage.place()))
    before = len(stage.calls("login"))
    desk, meant = stage.set_desk(), reach(row, aim)
    row.end_sessions(stage.broker)

    record = stage.ended(stage.send(**TARGETS[aim].fields(row, desk["buy"])))

    assert record.status is Status.CONFIRMED
    assert (stage.cancelled(), stage.touched()) == (meant, meant)
    assert len(stage.calls("login")) - before == int(row.logs_in)


@pytest.mark.promise(1, 2, 5)
def test_a_session_that_ends_under_many_alerts_is_renewed_once(row: Row, stage: Stage) -> None:
    """All that were under way are done, and one of them alone logs in."""
    stage.ended(stage.cancel(stage.place()))
    before = len(stage.calls("login"))
    orders = [stage.place() for _ in range(AT_ONCE)]
    # Each waits at the broker, who has yet to look at its session.
    stage.broker.trouble = Trouble(on="one", latency_s=PATIENCE_S)
    asked = len(stage.calls("one"))

    replies = [stage.cancel(each, reply_when="accepted") for each in orders]
    until(lambda: len(stage.calls("one")) == asked + AT_ONCE, within=PATIENCE_S, what="all of them")
    row.end_sessions(stage.broker)
    stage.broker.trouble = None
    statuses = {stage.ended(each).status for each in replies}

    assert statuses == {Status.CONFIRMED}
    assert {stage.state(each) for each in orders} == {row.cancelled}
    assert len(stage.calls("login")) - before == int(row.logs_in)
