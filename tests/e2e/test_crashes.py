"""Processes die and sleep in mid work: whoever comes next finishes it, without a second bulk call."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import (
    QUICK,
    at_once,
    beside,
    bulk_calls,
    deployed,
    outcomes,
    place,
    settings_for,
    state,
    states,
)
from tests.running import TOKEN, Process, RunningRelay, until, worker

INSTRUMENT: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}

#: Where a relay can die: what the broker does with the call that is under way.
MOMENTS = {
    "before the broker acts": Trouble(on="bulk", times=1, hang=True),
    "after the broker acted": Trouble(on="bulk", times=1, hang=True, act=True),
    "while it reads the answer": Trouble(on="bulk", times=1, drip=True, drip_every_s=0.2),
}

#: The relay's lease in these tests, in seconds, and what a take-over may need beyond it.
LEASE = 1.0
MARGIN = 1.0


@pytest.fixture
def quick(environ: dict[str, str]) -> dict[str, str]:
    """Give the settings of a relay whose leases are short."""
    return {**environ, **QUICK}


@contextmanager
def started(process: Process) -> Iterator[Process]:
    """Run another process for a part of a test."""
    process.start()
    try:
        yield process
    finally:
        if process.running.poll() is None:
            process.kill()


def killed_in_mid_call(environ: dict[str, str], broker: CrossTradeSandbox, **fields: Any) -> str:  # noqa: ANN401
    """Start a relay, kill it while its first call is at the broker, and give the alert's id."""
    with deployed(environ) as relay:
        return dies_in_mid_call(relay, broker, **fields)


def dies_in_mid_call(relay: RunningRelay, broker: CrossTradeSandbox, **fields: Any) -> str:  # noqa: ANN401
    """Kill a relay while its first call is at the broker, and give the alert's id."""
    with beside(lambda: relay.alert(**fields)):
        until(lambda: broker.calls, what="the first call")
        relay.kill()
    (alert_id,) = _alert_ids(relay.environ)
    return alert_id


@pytest.mark.promise(1, 2, 3)
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_relay_killed_in_mid_bulk_call_finishes_by_id_when_it_is_back(
    quick: dict[str, str], broker: CrossTradeSandbox, moment: Trouble
) -> None:
    """What was there goes, what came later stays, and there is one bulk call in all."""
    old = [place(broker), place(broker, ago=2.5 + LEASE)]
    other = place(broker, "NQ 12-26")
    broker.trouble = moment
    alert_id = killed_in_mid_call(quick, broker, **INSTRUMENT)
    received = broker.calls[0].at
    until(lambda: time.time() > received + 2.1, what="the end of any doubt")
    newer = place(broker, ago=0)

    with deployed(quick) as relay:
        record = relay.ended(alert_id)

    assert record["status"] == "confirmed", record
    assert states(broker, old) == {"Cancelled"}
    assert (state(broker, newer), state(broker, other)) == ("Working", "Working")
    assert len(bulk_calls(broker)) == 1


@pytest.mark.promise(1, 2)
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_worker_process_takes_over_from_a_web_process_that_stays_dead(
    quick: dict[str, str], broker: CrossTradeSandbox, moment: Trouble
) -> None:
    """The Procfile's other process finishes what a dead one left, within the lease and a second."""
    order = place(broker)
    broker.trouble = moment
    with started(worker(quick)) as other:
        killed_in_mid_call(quick, broker, **INSTRUMENT)
        killed = time.monotonic()

        until(lambda: state(broker, order) == "Cancelled", what="the cancel")
        until(lambda: other.log("taken_over"), what="the take-over")

    assert time.monotonic() - killed < LEASE + MARGIN + 1.0
    assert len(bulk_calls(broker)) == 1


@pytest.mark.promise(1, 2)
@pytest.mark.parametrize(
    "fields", [{"order_id": ""}, {**INSTRUMENT, "side": "buy"}], ids=["order_id", "side"]
)
def test_a_cancel_by_id_is_finished_too(
    quick: dict[str, str], broker: CrossTradeSandbox, fields: dict[str, Any]
) -> None:
    """Where a relay dies at a list, or at one order's cancel, the next one ends it."""
    order = place(broker)
    fields = {**fields, "account": "Sim101", **({"order_id": order} if "order_id" in fields else {})}
    broker.trouble = Trouble(times=1, hang=True)
    alert_id = killed_in_mid_call(quick, broker, **fields)

    with deployed(quick) as relay:
        record = relay.ended(alert_id)

    assert outcomes(record) == {order: "cancelled"}
    assert state(broker, order) == "Cancelled"
    assert bulk_calls(broker) == []


@pytest.mark.promise(3)
def test_an_order_of_the_last_two_seconds_is_left_alone_after_a_crash(
    quick: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """Nobody can tell whether it was there when the alert came, so it stays and is named."""
    broker.trouble = Trouble(on="bulk", times=1, hang=True)
    with deployed(quick) as relay:
        # As old as that only once the relay has started, however long that took.
        doubtful = place(broker, ago=0.5)
        alert_id = dies_in_mid_call(relay, broker, **INSTRUMENT)
    received = broker.calls[0].at
    until(lambda: time.time() > received + 2.1, what="the end of the time in which a list tells")

    with deployed(quick) as relay:
        record = relay.ended(alert_id)

    assert record["status"] == "unknown", record
    assert outcomes(record) == {doubtful: "unknown"}
    assert state(broker, doubtful) == "Working"


@pytest.mark.promise(3)
def test_a_relay_that_was_down_too_long_cancels_nothing_more(
    quick: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """An alert whose max_age ended while nobody lived is reported, and no order is touched."""
    order = place(broker)
    broker.trouble = Trouble(on="bulk", times=1, hang=True)
    alert_id = killed_in_mid_call(quick, broker, **INSTRUMENT, max_age=1)
    died = time.monotonic()
    until(lambda: time.monotonic() > died + 1.5, what="the end of max_age")

    with deployed(quick) as relay:
        record = relay.ended(alert_id)

    assert record["status"] in {"failed", "unknown"}
    assert state(broker, order) == "Working"
    assert len(broker.cancel_calls) == 1


@pytest.mark.promise(2, 3)
def test_a_process_that_slept_past_its_lease_sends_nothing_more(
    quick: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """It wakes with a list in hand and the lease gone: the orders were its successor's to cancel."""
    order = place(broker)
    broker.trouble = Trouble(on="read", times=1, latency_s=60)
    with deployed(quick) as sleeper, beside(lambda: sleeper.alert(**INSTRUMENT, side="buy")) as answer:
        until(lambda: broker.calls, what="the list")
        sleeper.signal_all(signal.SIGSTOP)
        broker.trouble = None  # it is answered
        with deployed(quick) as successor:
            until(lambda: state(broker, order) == "Cancelled", what="the successor's cancel")
            until(lambda: _ended(successor), what="the successor's proof")
            record = successor.record(_alert_ids(quick)[0])
            newer = place(broker)
            broker.forget_calls()
            sleeper.signal_all(signal.SIGCONT)
            assert answer().status_code in {200, 202}
            until(lambda: sleeper.log("lease_ended"), what="the sleeper's end")
            after = successor.record(_alert_ids(quick)[0])

    assert record["status"] == "confirmed"
    assert broker.calls == []
    assert state(broker, newer) == "Working"
    assert after == record


@pytest.mark.promise(2)
def test_what_a_sleeper_finds_out_does_not_overwrite_its_successors_record(
    quick: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """A bulk call's answer that was read after the lease counts for nothing in the record."""
    order = place(broker)
    broker.trouble = Trouble(on="bulk", times=1, latency_s=60)
    with deployed(quick) as sleeper, beside(lambda: sleeper.alert(**INSTRUMENT)):
        until(lambda: broker.calls, what="the bulk call")
        sleeper.signal_all(signal.SIGSTOP)
        broker.trouble = None  # it is carried out, and answered
        with deployed(quick) as successor:
            until(lambda: _ended(successor), what="the successor's proof")
            record = successor.record(_alert_ids(quick)[0])
            sleeper.signal_all(signal.SIGCONT)
            until(lambda: sleeper.log("lease_ended"), what="the sleeper's end")
            after = successor.record(_alert_ids(quick)[0])

    assert record["status"] == "confirmed"
    assert after == record
    assert state(broker, order) == "Cancelled"
    assert len(bulk_calls(broker)) == 1


@pytest.mark.promise(1)
def test_a_record_that_cannot_be_read_stops_nobody_elses_alert(
    quick: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """One damaged record, or one that a newer version wrote, leaves the worker at its work."""
    order = place(broker)
    with redis.Redis.from_url(quick["REDIS_URL"]) as client, deployed(quick) as relay:
        for number, text in enumerate(("no JSON", "{}", '{"alert_id": "x", "of_a_newer_version": 1}', "[]")):
            client.hset(f"relay:alert:damaged{number}", mapping={"record": text, "received": 1, "token": ""})
            client.zadd("relay:due", {f"damaged{number}": 1})
        until(lambda: (client.zscore("relay:due", "damaged3") or 2) > 1, what="the worker's look at them")
        broker.trouble = Trouble(on="bulk", times=1, drop="before")

        answer = relay.alert(**INSTRUMENT, reply_when="accepted")

        assert relay.ended(answer.json()["alert_id"])["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"


@pytest.mark.promise(1)
def test_a_redis_that_crashes_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """Alerts answered 2xx before a crash of Redis are carried out after it, each with one bulk call."""
    behaviour = CrossTradeBehaviour(burst=None)
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis(tmp_path))
        with redis.Redis.from_url(server.url) as client:
            client.config_set(
                "appendfsync", "always"
            )  # what the promise rests on: a slow disk puts writes off
        broker = stack.enter_context(CrossTradeSandbox(TOKEN, behaviour=behaviour))
        relay = stack.enter_context(deployed({**settings_for(server.url, broker.url), **QUICK}))
        orders = [place(broker, f"{root} 12-26") for root in ("MES", "NQ", "ES", "CL")]
        broker.trouble = Trouble(on="bulk", times=4, latency_s=0.6)

        roots = ("MES", "NQ", "ES", "CL")
        answers = at_once(
            4,
            lambda number: relay.alert(
                account="Sim101", instrument=f"{roots[number]} 12-26", reply_when="accepted"
            ),
        )
        until(lambda: len(bulk_calls(broker)) == 4, what="the bulk calls")
        server.kill()
        assert {answer.status_code for answer in answers} == {202}
        refused = relay.alert(account="Sim102", scope="account")
        assert refused.status_code == 503
        server.start()
        records = [relay.ended(answer.json()["alert_id"]) for answer in answers]

    assert {record["status"] for record in records} == {"confirmed"}
    assert states(broker, orders) == {"Cancelled"}
    assert len(bulk_calls(broker)) == 4


@pytest.mark.promise(1)
def test_a_relay_that_is_told_to_stop_ends_what_it_has_in_hand(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """SIGTERM in mid call, as at every deploy: the sender is answered, and the answer is settled."""
    order = place(broker)
    broker.trouble = Trouble(on="bulk", times=1, latency_s=0.5)
    with deployed(environ) as relay, beside(lambda: relay.alert(**INSTRUMENT)) as answer:
        until(lambda: broker.calls, what="the bulk call")
        relay.stop()
        said = answer()
    with deployed(environ) as relay:
        record = relay.ended(said.json()["alert_id"])

    assert (said.status_code, said.json()["status"]) == (200, "requested"), said.text
    assert (record["status"], outcomes(record)) == ("confirmed", {order: "cancelled"})
    assert len(bulk_calls(broker)) == 1


@pytest.mark.promise(1)
def test_a_worker_that_is_told_to_stop_hands_over_what_takes_too_long(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """With more slow calls before it than it may wait for, it ends in time, and another does the rest."""
    orders = [place(broker) for _ in range(64)]
    broker.trouble = Trouble(on="one", latency_s=3.5)
    with deployed(environ) as relay:
        relay.alert(account="Sim101", scope="account", side="buy", reply_when="accepted", max_age=600)
        until(lambda: broker.cancel_calls, what="the first slow call")
        relay.kill()
    broker.forget_calls()
    with worker(environ) as process:
        # A call of the relay that was killed may come late: it says nothing of the worker.
        until(lambda: process.log("taken_over"), within=30, what="the worker's start with the alert")
        until(lambda: broker.cancel_calls, within=30, what="the worker's first slow call")
        process.running.send_signal(signal.SIGTERM)
        status = process.wait(within=25)
    broker.trouble = None

    with deployed(environ):
        until(lambda: states(broker, orders) == {"Cancelled"}, within=60, what="the rest")
    assert status == 0
    assert process.log("handed_over")


def _alert_ids(environ: dict[str, str]) -> list[str]:
    with redis.Redis.from_url(environ["REDIS_URL"]) as client:
        return [alert_id.decode() for alert_id in client.zrange("relay:alerts", 0, -1)]


def _ended(relay: RunningRelay) -> bool:
    alert_ids = _alert_ids(relay.environ)
    return bool(alert_ids) and relay.record(alert_ids[0])["status"] not in {"in_progress", "requested"}
