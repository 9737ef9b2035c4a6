"""Copies of an alert that meet: in one moment, at two machines, or beside a crash."""

from functools import partial
from typing import Any

import pytest

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import QUICK, at_once, beside, bulk_calls, deployed, message, place, state
from tests.running import SECRET, RunningRelay, until

INSTRUMENT: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}


@pytest.mark.promise(2)
@pytest.mark.parametrize("fields", [{"id": "exit-1"}, {}], ids=["by id", "by content"])
def test_copies_in_the_same_moment_at_two_machines_make_one_call(
    environ: dict[str, str], broker: CrossTradeSandbox, fields: dict[str, str]
) -> None:
    """Thirty-two copies at once, half of them at another process, are one call and one alert."""
    order = place(broker)
    alert = message(secret=SECRET, **INSTRUMENT, **fields)
    with deployed(environ) as one, deployed(environ) as two:
        answers = at_once(32, lambda number: (one, two)[number % 2].post(alert))

        for relay in (one, two):
            until(partial(_heard, relay, 16), what="the log of all copies")
        assert len({answer.json()["alert_id"] for answer in answers}) == 1
        assert [answer.json()["duplicate"] for answer in answers].count(False) == 1
        assert {answer.status_code for answer in answers} <= {200, 202}
        record = one.ended(answers[0].json()["alert_id"])
    assert record["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"
    assert len(broker.cancel_calls) == 1


@pytest.mark.promise(2)
def test_copies_at_two_processes_of_one_gunicorn_make_one_call(
    two_processes: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """The same within one gunicorn: its processes share nothing but Redis."""
    # With an order it is one call also where so many at once take longer than a bulk call may wait.
    order = place(broker)
    alert = message(secret=SECRET, account="Sim101", scope="account")

    answers = at_once(32, lambda _: two_processes.post(alert))

    assert len({answer.json()["alert_id"] for answer in answers}) == 1
    assert [answer.json()["duplicate"] for answer in answers].count(False) == 1
    two_processes.ended(answers[0].json()["alert_id"])
    assert state(broker, order) == "Cancelled"
    assert len(broker.cancel_calls) == 1


@pytest.mark.promise(2)
def test_a_copy_that_comes_while_the_first_runs_is_told_so(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """A resend during the first call is answered at once, 202, and sends nothing."""
    place(broker)
    broker.trouble = Trouble(on="bulk", times=1, latency_s=60)

    with beside(lambda: relay.alert(**INSTRUMENT, id="exit-1")) as first:
        until(lambda: broker.cancel_calls, what="the first call")
        second = relay.alert(**INSTRUMENT, id="exit-1")
        broker.trouble = None

    assert (second.status_code, second.json()["status"]) == (202, "in_progress")
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (second.json()["duplicate"], first().json()["duplicate"]) == (True, False)
    assert second.json()["alert_id"] == first().json()["alert_id"]
    assert len(broker.cancel_calls) == 1


@pytest.mark.promise(1, 2)
def test_a_resend_after_a_crash_gets_the_first_ones_record(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """A platform that resends because the relay died in mid call makes no second bulk call."""
    order = place(broker)
    environ = {**environ, **QUICK}
    broker.trouble = Trouble(on="bulk", times=1, hang=True)
    alert = message(secret=SECRET, **INSTRUMENT, id="exit-1")
    relay = RunningRelay(environ).start()
    with beside(lambda: relay.post(alert)):
        until(lambda: bulk_calls(broker), what="the bulk call")
        relay.kill()

    with deployed(environ) as again:
        resent = again.post(alert)
        record = again.ended(resent.json()["alert_id"])

    assert resent.status_code in {200, 202}
    assert (resent.json()["duplicate"], resent.json()["duplicate_by"]) == (True, "id")
    assert record["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"
    assert len(bulk_calls(broker)) == 1


def _heard(relay: RunningRelay, copies: int) -> bool:
    return len(relay.log("alert")) == copies
