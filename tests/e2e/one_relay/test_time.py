"""A reply leaves in time whatever the broker does, and the work goes on behind it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import REPLY_WITHIN, Stage, at_once, beside, bulk_calls, outcomes, paused, place, state, states
from tests.running import RunningRelay, until

#: Seconds of silence after which no connection is trusted with an order, as promised.
SILENT_S = 5.0

INSTRUMENT: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis) -> Iterator[Stage]:
    """Run a relay whose calls end soon after its replies, for all of the file."""
    with Stage(redis_server, RELAY_LEASE="4") as stage:
        yield stage


def in_time(answer: requests.Response) -> None:
    """Check the promise with a number: from the request's last byte to the reply's first."""
    assert answer.elapsed.total_seconds() < REPLY_WITHIN


TROUBLES = {
    "hangs": Trouble(on="bulk", times=1, hang=True),
    "hangs after acting": Trouble(on="bulk", times=1, hang=True, act=True),
    "drips a byte a second": Trouble(on="bulk", times=1, drip=True, drip_every_s=1.0),
    "is slow": Trouble(on="bulk", times=1, latency_s=2.9),
}


@pytest.mark.promise(6, 1)
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_the_reply_is_in_time_and_the_work_is_finished_later(
    relay: RunningRelay, broker: CrossTradeSandbox, trouble: Trouble
) -> None:
    """202 within the time, and then the order goes, by one bulk call and no second."""
    order = place(broker)
    broker.trouble = trouble

    answer = relay.alert(**INSTRUMENT)

    in_time(answer)
    assert (answer.status_code, answer.json()["status"]) == (202, "in_progress"), answer.text
    record = relay.ended(answer.json()["alert_id"])
    assert record["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"
    assert len(bulk_calls(broker)) == 1
    # The call was ended by its own deadline: nobody had to wait for the end of the lease.
    assert bulk_calls(broker)[0].path in {step.get("path") for step in record["history"]}


@pytest.mark.promise(5)
def test_a_second_alert_after_a_silence_is_answered_like_the_first(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Alerts are minutes apart: after a silence an answer is read as well as a request sent."""
    place(broker)
    relay.ended(relay.alert(**INSTRUMENT, id="first").json()["alert_id"])
    order = place(broker)
    broker.behaviour.cancel_after_s = 0.0
    silent_until = time.monotonic() + SILENT_S + 0.5

    until(lambda: time.monotonic() > silent_until, what="the end of the silence")
    answer = relay.alert(**INSTRUMENT, id="second")

    assert outcomes(answer.json()) == {order: "requested"}, answer.text
    record = relay.ended(answer.json()["alert_id"])
    assert outcomes(record) == {order: "cancelled"}
    first_call = next(step for step in record["history"] if step["step"] == "call")
    assert first_call["outcome"] == "answered"


@pytest.mark.promise(6)
def test_the_reply_is_in_time_when_reading_back_hangs(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """A broker that takes the cancel and then shows nothing: said so in time, never as confirmed."""
    order = place(broker)
    broker.trouble = Trouble(on="read", hang=True)

    answer = relay.alert(**INSTRUMENT, reply_when="confirmed")

    in_time(answer)
    assert answer.status_code in {200, 202}
    assert answer.json()["status"] in {"requested", "in_progress"}
    assert outcomes(answer.json()) == {order: "requested"}
    broker.trouble = None
    assert relay.ended(answer.json()["alert_id"])["status"] == "confirmed"


@pytest.mark.promise(6, 1)
@pytest.mark.parametrize("count", [40, 160])
def test_many_alerts_at_a_broker_that_hangs_are_all_answered(
    relay: RunningRelay, broker: CrossTradeSandbox, count: int
) -> None:
    """A hanging broker takes none of the threads that replies need, and no alert is lost to it.

    The larger number fills its lane. The senders' clocks are given twice the time, as their threads, and the
    broker's, are here too; the relay's own is held to the promise, but for the larger number.
    """
    orders = [place(broker) for _ in range(count)]
    broker.trouble = Trouble(on="one", hang=True)

    answers = at_once(count, lambda number: relay.alert(account="Sim101", order_id=orders[number]))

    assert {answer.status_code for answer in answers} == {202}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2 * REPLY_WITHIN
    if count <= 40:
        assert max(answer.json()["elapsed_ms"] for answer in answers) < REPLY_WITHIN * 1000
    broker.trouble = None
    until(lambda: states(broker, orders) == {"Cancelled"}, within=40, what="the cancel of every order")


@pytest.mark.promise(6, 5)
def test_a_sender_is_answered_as_far_on_as_he_asked(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """reply_when: recorded; taken by the broker; read back."""
    broker.behaviour.cancel_after_s = takes_s = 1.5
    order = place(broker)
    broker.trouble = Trouble(on="bulk", times=1, latency_s=takes_s)

    accepted = relay.alert(**INSTRUMENT, reply_when="accepted", id="accepted")
    assert (accepted.status_code, accepted.json()["status"]) == (202, "in_progress")
    assert accepted.elapsed.total_seconds() < takes_s
    assert state(broker, order) == "Working"
    assert relay.ended(accepted.json()["alert_id"])["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"

    order = place(broker)
    requested = relay.alert(**INSTRUMENT, reply_when="requested", id="requested")
    assert (requested.status_code, requested.json()["status"]) == (200, "requested")
    assert outcomes(requested.json()) == {order: "requested"}
    assert state(broker, order) == "CancelPending"
    assert relay.ended(requested.json()["alert_id"])["status"] == "confirmed"

    broker.behaviour.cancel_after_s = 0.1
    order = place(broker)
    confirmed = relay.alert(**INSTRUMENT, reply_when="confirmed", id="confirmed")
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    assert outcomes(confirmed.json()) == {order: "cancelled"}
    assert state(broker, order) == "Cancelled"


@pytest.mark.promise(6)
def test_who_asks_for_proof_that_takes_long_is_not_kept_waiting(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """reply_when confirmed waits no longer than the reply time; the proof is in the record later."""
    broker.behaviour.cancel_after_s = 2.6
    order = place(broker)

    answer = relay.alert(**INSTRUMENT, reply_when="confirmed")

    in_time(answer)
    assert answer.json()["status"] in {"requested", "in_progress"}
    assert relay.ended(answer.json()["alert_id"])["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"


@pytest.mark.promise(6, 1)
def test_a_redis_that_does_not_answer_is_a_refusal_in_time(
    relay: RunningRelay, redis_server: EmbeddedRedis, broker: CrossTradeSandbox
) -> None:
    """A Redis that hangs: 503 in time; what it heard of all the same is carried out once."""
    order = place(broker)
    with paused(redis_server.pid):
        answer = relay.alert(**INSTRUMENT, id="exit-1")

    assert answer.status_code == 503
    in_time(answer)
    assert broker.cancel_calls == []
    resent = relay.alert(**INSTRUMENT, id="exit-1")
    assert resent.status_code in {200, 202}, resent.text
    assert relay.ended(resent.json()["alert_id"])["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"
    assert len(bulk_calls(broker)) <= 1


@pytest.mark.promise(6)
def test_a_body_that_comes_slowly_keeps_nobody_else_waiting(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """A sender who drips his request takes one thread, and other alerts go through meanwhile."""
    order = place(broker)

    def drip() -> Iterator[bytes]:
        for byte in b'{"action": "cancel"}':
            yield bytes([byte])
            time.sleep(0.1)

    with beside(lambda: requests.post(f"{relay.url}/webhook", data=drip(), timeout=30)) as slow:
        answer = relay.alert(**INSTRUMENT, reply_when="confirmed")
        in_time(answer)

    assert answer.json()["status"] == "confirmed", answer.text
    assert state(broker, order) == "Cancelled"
    assert slow().status_code == 401
