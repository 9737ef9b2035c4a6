"""An alert with a delay waits, means the orders of its own bar, and may be taken back until its time."""

import time
from typing import Any

import pytest
import redis
import requests

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import Stage, outcomes, place, problem, state
from tests.running import RunningRelay, until


def delete(relay: RunningRelay, alert_id: str) -> requests.Response:
    """Take an alert back."""
    credential = {"Authorization": f"Bearer {relay.secret}"}
    return requests.delete(f"{relay.url}/alerts/{alert_id}", headers=credential, timeout=10)


@pytest.mark.promise(3)
def test_a_delayed_alert_is_carried_out_at_its_time(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """It is answered as scheduled, nothing leaves before its time, and then the order goes, by its id."""
    order = place(broker)
    sent = time.time()

    answer = relay.alert(account="Sim101", instrument="MES 12-26", delay=1.5)

    assert (answer.status_code, answer.json()["status"]) == (202, "scheduled"), answer.text
    record = relay.ended(answer.json()["alert_id"])
    assert (record["status"], outcomes(record)) == ("confirmed", {order: "cancelled"})
    assert state(broker, order) == "Cancelled"
    assert min(call.at for call in broker.calls) >= sent + 1.4
    assert [call.kind for call in broker.cancel_calls] == ["one"]


@pytest.mark.promise(3, 4)
def test_an_order_of_the_same_bar_counts_and_one_after_the_cancel_does_not(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """The entry that the same bar fires arrives after the alert, and goes; what comes later stays."""
    broker.trouble = Trouble(on="one", times=1, status=408)
    alert_id = relay.alert(account="Sim101", instrument="MES 12-26", delay=2.5).json()["alert_id"]
    entry = place(broker, ago=-1.0)

    until(lambda: broker.cancel_calls, what="the cancel")
    newer = place(broker, ago=-5.0)
    record = relay.ended(alert_id)

    assert state(broker, entry) == "Cancelled"
    assert state(broker, newer) == "Working"
    assert outcomes(record) == {entry: "cancelled"}


@pytest.mark.promise(3)
def test_an_alert_is_taken_back_before_its_time(
    stage: Stage, relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Taken back, it is withdrawn for good, and the broker hears nothing of it."""
    order = place(broker)
    alert_id = relay.alert(account="Sim101", instrument="MES 12-26", delay=60).json()["alert_id"]

    answer = delete(relay, alert_id)

    assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn"), answer.text
    assert stage.redis.zscore("relay:due", alert_id) is None
    problem(delete(relay, alert_id), 409, "conflict")
    assert relay.record(alert_id)["status"] == "withdrawn"
    assert broker.calls == []
    assert state(broker, order) == "Working"


@pytest.mark.promise(8)
def test_only_its_own_sender_takes_an_alert_back(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """Without the secret it is a 401, and an id that nobody sent is a 404."""
    place(broker)
    alert_id = relay.alert(account="Sim101", instrument="MES 12-26", delay=60).json()["alert_id"]

    problem(requests.delete(f"{relay.url}/alerts/{alert_id}", timeout=10), 401, "unauthenticated")
    problem(delete(relay, "0" * 32), 404, "not-found")
    assert relay.record(alert_id)["status"] == "scheduled"


@pytest.mark.promise(3)
def test_what_is_under_way_cannot_be_taken_back(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """A cancel that has begun, or ended, is not undone by a DELETE, and the answer says so."""
    order = place(broker)
    broker.behaviour.cancel_after_s = None
    alert_id = relay.alert(account="Sim101", instrument="MES 12-26").json()["alert_id"]

    problem(delete(relay, alert_id), 409, "conflict")
    broker.book.move(order, "Cancelled")

    assert relay.ended(alert_id)["status"] == "confirmed"
    problem(delete(relay, alert_id), 409, "conflict")


@pytest.mark.promise(2)
def test_a_copy_of_a_scheduled_alert_is_answered_with_it(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Sent again while it waits, it is the same alert, and acts once."""
    order = place(broker)
    fields: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26", "delay": 1, "id": "once"}
    answers = [relay.alert(**fields).json() for _ in range(2)]

    assert [each["duplicate"] for each in answers] == [False, True]
    assert answers[0]["alert_id"] == answers[1]["alert_id"]
    record = relay.ended(answers[0]["alert_id"])
    assert outcomes(record) == {order: "cancelled"}
    assert len(broker.cancel_calls) == 1


@pytest.mark.promise(1)
def test_a_scheduled_alert_outlives_the_process_that_took_it(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """Killed while an alert waits, the relay carries it out at its time after a restart."""
    order = place(broker)
    with RunningRelay(environ) as relay:
        alert_id = relay.alert(account="Sim101", instrument="MES 12-26", delay=2).json()["alert_id"]
        relay.kill()
    with redis.Redis.from_url(environ["REDIS_URL"]) as ledger:
        assert ledger.zscore("relay:due", alert_id)

    with RunningRelay(environ) as successor:
        record = successor.ended(alert_id)

    assert record["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"
