"""What breaks between the relay and its broker breaks no promise: one bulk call, then by id."""

import time
from typing import Any

import pytest

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import LONG_AGO, bulk_calls, deployed, outcomes, place, state, states
from tests.running import RunningRelay, until

INSTRUMENT: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}

FLAGLESS = '{"orderIds": []}'

#: Ends of a bulk call after which nobody knows whether it was carried out.
UNKNOWN_ENDS = {
    "dropped before acting": Trouble(on="bulk", times=1, drop="before"),
    "dropped after acting": Trouble(on="bulk", times=1, drop="after"),
    "dropped in the middle of its answer": Trouble(on="bulk", times=1, drop="middle"),
    "408, not acted": Trouble(on="bulk", times=1, status=408),
    "408, acted": Trouble(on="bulk", times=1, status=408, act=True),
    "500, not acted": Trouble(on="bulk", times=1, status=500),
    "500, acted": Trouble(on="bulk", times=1, status=500, act=True),
    "503 with Retry-After": Trouble(on="bulk", times=1, status=503, headers={"Retry-After": "1"}),
    "a page": Trouble(on="bulk", times=1, answer="<html>Welcome</html>"),
    "nothing": Trouble(on="bulk", times=1, answer="", act=True),
    "no flag": Trouble(on="bulk", times=1, answer=FLAGLESS),
    "no flag, acted": Trouble(on="bulk", times=1, answer=FLAGLESS, act=True),
    "a flag that is a text": Trouble(on="bulk", times=1, answer='{"success": "true", "orderIds": []}'),
    "no list of orders": Trouble(on="bulk", times=1, answer='{"success": true}'),
    "a list": Trouble(on="bulk", times=1, answer='[{"success": true}]'),
    "bytes that are no text": Trouble(on="bulk", times=1, answer='{"success": \udcff\udcfe}'),
    "a nest": Trouble(on="bulk", times=1, answer="[" * 100_000),
}


@pytest.mark.promise(2, 5)
@pytest.mark.parametrize("trouble", UNKNOWN_ENDS.values(), ids=UNKNOWN_ENDS.keys())
def test_a_bulk_call_of_unknown_end_is_never_sent_again(
    relay: RunningRelay, broker: CrossTradeSandbox, trouble: Trouble
) -> None:
    """It is read back, and what still works is cancelled by id; another instrument stays."""
    orders = [place(broker), place(broker, ago=0)]
    other = place(broker, "NQ 12-26")
    broker.trouble = trouble

    answer = relay.alert(**INSTRUMENT, reply_when="confirmed")

    record = relay.ended(answer.json()["alert_id"])
    assert record["status"] == "confirmed", record
    assert states(broker, orders) == {"Cancelled"}
    assert state(broker, other) == "Working"
    assert len(bulk_calls(broker)) == 1
    assert set(outcomes(record)) <= set(orders)


@pytest.mark.promise(5)
@pytest.mark.parametrize("target", ["instrument", "account", "everything", "side", "order_id"])
@pytest.mark.parametrize("what", ["down", "dropped", "408", "500", "429"])
def test_a_broker_that_took_nothing_is_never_said_to_have_taken_it(
    relay: RunningRelay, broker: CrossTradeSandbox, target: str, what: str
) -> None:
    """200 `requested` means that the broker took the request: here it took none."""
    order = place(broker)
    fields: dict[str, dict[str, Any]] = {
        "instrument": INSTRUMENT,
        "account": {"account": "Sim101", "scope": "account"},
        "everything": {"scope": "everything"},
        "side": {**INSTRUMENT, "side": "buy"},
        "order_id": {"account": "Sim101", "order_id": order},
    }
    if what == "down":
        broker.stop()
    elif what == "dropped":
        broker.trouble = Trouble(drop="before")
    else:
        broker.trouble = Trouble(status=int(what), headers={"Retry-After": "1"})
    try:
        answer = relay.alert(**fields[target])
    finally:
        broker.start()
        broker.trouble = None

    assert (answer.status_code, answer.json()["status"]) == (202, "in_progress"), answer.text
    assert "took the request" not in answer.json()["message"]
    assert set(outcomes(answer.json()).values()) <= {"unknown"}


@pytest.mark.promise(5, 1)
def test_an_order_whose_cancel_was_lost_is_asked_for_again_by_its_id(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """One order's call may be repeated: it names the order."""
    troubles: list[dict[str, Any]] = [{"drop": "before"}, {"drop": "after"}, {"status": 500}, {"status": 408}]
    for number, trouble in enumerate(troubles):
        order = place(broker)
        broker.forget_calls()
        broker.trouble = None
        broker.trouble_for("one", times=1, **trouble)

        answer = relay.alert(account="Sim101", order_id=order, id=f"exit-{number}", reply_when="confirmed")

        record = relay.ended(answer.json()["alert_id"])
        assert (record["status"], outcomes(record)) == ("confirmed", {order: "cancelled"}), trouble
        assert state(broker, order) == "Cancelled"
        assert bulk_calls(broker) == []


@pytest.mark.promise(1, 2)
def test_a_broker_that_wants_to_be_asked_later_is_asked_later(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """429 with Retry-After: nothing of this credential leaves meanwhile, and then the orders go."""
    orders = [place(broker), place(broker)]
    other = place(broker, account="Sim102")
    broker.trouble = Trouble(on="bulk", times=1, status=429, headers={"Retry-After": "1"})

    first = relay.alert(**INSTRUMENT)
    second = relay.alert(account="Sim102", order_id=other)

    assert second.json()["status"] == "in_progress", second.text
    for answer in (first, second):
        assert relay.ended(answer.json()["alert_id"])["status"] == "confirmed"
    assert states(broker, [*orders, other]) == {"Cancelled"}
    refused, *later = broker.calls
    assert refused.status == 429
    assert min(call.at for call in later) - refused.at >= 0.95
    assert len(bulk_calls(broker)) == 1


@pytest.mark.promise(1, 2)
def test_a_budget_that_is_empty_holds_calls_back_and_loses_none(
    broker: CrossTradeSandbox, environ: dict[str, str]
) -> None:
    """The broker's own limit is never met: the relay counts, over all alerts, and carries out each."""
    orders = [place(broker) for _ in range(10)]
    # Wider than the relay's own: what it let go one by one may come to the broker in one moment.
    broker.behaviour.burst, broker.behaviour.per_second = 6, 8.0
    limits = {"CROSSTRADE_BURST": "3", "CROSSTRADE_PER_SECOND": "7"}
    with deployed({**environ, **limits}) as relay:
        for order in orders:
            assert relay.alert(account="Sim101", order_id=order).status_code in {200, 202}
        until(lambda: states(broker, orders) == {"Cancelled"}, what="the cancel of every order")

    assert 429 not in {call.status for call in broker.calls}


@pytest.mark.promise(1, 3)
def test_a_broker_that_is_back_in_time_is_asked(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """Connection refused: kept and carried out later. What is newer stays, what nobody can tell is named."""
    old, doubtful = place(broker), place(broker, ago=0.5)
    broker.stop()
    try:
        answer = relay.alert(**INSTRUMENT)
        received = time.time()
        until(lambda: time.time() > received + 2.1, what="the end of the time in which a list tells")
        newer = place(broker, ago=0)
    finally:
        broker.start()

    record = relay.ended(answer.json()["alert_id"])
    assert record["status"] == "unknown", record
    assert outcomes(record) == {old: "cancelled", doubtful: "unknown"}
    assert state(broker, old) == "Cancelled"
    assert states(broker, [doubtful, newer]) == {"Working"}
    assert bulk_calls(broker) == []


@pytest.mark.promise(3, 1)
@pytest.mark.parametrize("target", ["instrument", "order_id", "side"])
def test_a_broker_that_is_away_too_long_is_reported(
    relay: RunningRelay, broker: CrossTradeSandbox, target: str
) -> None:
    """At max_age nothing is tried any more: 424 for a copy, and the reason in the record."""
    order = place(broker)
    fields = {
        "instrument": INSTRUMENT,
        "order_id": {"account": "Sim101", "order_id": order},
        "side": {**INSTRUMENT, "side": "buy"},
    }[target]
    broker.stop()
    try:
        answer = relay.alert(**fields, max_age=1, id="exit-1")
        record = relay.ended(answer.json()["alert_id"])
    finally:
        broker.start()

    assert record["status"] == "failed"
    assert "connection refused" in record["cancels"][0]["reason"]
    assert relay.alert(**fields, max_age=1, id="exit-1").status_code == 424
    until(lambda: time.time() > broker.book.order(order).created + LONG_AGO + 2, what="a late try's time")
    assert state(broker, order) == "Working"
    assert broker.calls == []


@pytest.mark.promise(3, 1)
def test_a_list_that_never_came_is_a_failed_try(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """Where the first call is a list and it is never answered, the cancel was tried and failed."""
    order = place(broker)
    broker.trouble = Trouble(on="read", status=500)

    # Long enough for a broker that has just come back to be taken up again.
    answer = relay.alert(**INSTRUMENT, side="buy", max_age=3)

    record = relay.ended(answer.json()["alert_id"])
    assert record["status"] == "failed", record
    assert record["cancels"][0]["attempts"] > 0
    assert state(broker, order) == "Working"
    assert broker.cancel_calls == []


@pytest.mark.promise(3)
def test_what_never_had_a_turn_has_expired(broker: CrossTradeSandbox, environ: dict[str, str]) -> None:
    """A rate budget that stays empty: `expired`, 424, and it is said that nothing was sent."""
    order = place(broker)
    with deployed({**environ, "CROSSTRADE_BURST": "1", "CROSSTRADE_PER_SECOND": "0.01"}) as relay:
        relay.alert(account="Sim102", order_id="0" * 32)
        broker.forget_calls()
        answer = relay.alert(account="Sim101", order_id=order, max_age=1, id="exit-1")
        record = relay.ended(answer.json()["alert_id"])
        copy = relay.alert(account="Sim101", order_id=order, max_age=1, id="exit-1")

    assert (record["status"], record["cancels"][0]["attempts"]) == ("expired", 0)
    assert "budget" in record["cancels"][0]["reason"]
    assert copy.status_code == 424
    assert broker.calls == []
    assert state(broker, order) == "Working"


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "asked", [{**INSTRUMENT, "side": "buy"}, {"scope": "everything"}], ids=["side", "everything"]
)
def test_a_list_that_came_late_takes_in_nothing_newer(
    relay: RunningRelay, broker: CrossTradeSandbox, asked: dict[str, Any]
) -> None:
    """A list that the broker answers 3 s later shows orders placed meanwhile: they stay."""
    old = place(broker)
    broker.trouble = [
        Trouble(on="read", times=1, latency_s=3.0),
        Trouble(on="bulk", times=1, drop="before"),
    ]

    answer = relay.alert(**asked, reply_when="accepted")
    received = time.time()
    until(lambda: time.time() > received + 2.1, what="the end of any doubt")
    newer = place(broker, ago=0)

    record = relay.ended(answer.json()["alert_id"])
    assert state(broker, old) == "Cancelled"
    assert state(broker, newer) == "Working", record
    assert newer not in outcomes(record)
