"""The worker's round: it rests where there is nothing to take, and nothing that Redis does ends it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from relay.alert import Alert
from relay.cancel import Cancel, Scope
from relay.compose import Relay, compose
from relay.embedded_redis import EmbeddedRedis
from relay.errors import NotReady
from relay.ledger import Held, Key, Ledger, Persistence
from relay.outcome import Progress, Status
from relay.pipeline import Pipeline, Received
from relay.record import Record
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.settings import Settings
from relay.worker import Worker
from tests.e2e import message, place
from tests.running import SECRET, until

#: Rounds that are watched.
ROUNDS = 5


def without_vendor(redis_url: str) -> Relay:
    """Put a relay together that has no broker."""
    return compose(Settings.read({"REDIS_URL": redis_url, "RELAY_SECRET": SECRET, "RELAY_LEASE": "1"}))


class Resting(threading.Event):
    """A worker's stop, which counts how often it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.rests = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Count, and wait."""
        self.rests += 1
        return super().wait(timeout)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """Run a Redis that a test may hurt."""
    with EmbeddedRedis(tmp_path) as server:
        yield server


@pytest.mark.promise(6)
@pytest.mark.parametrize("free", [0, 1], ids=["full lanes", "room for one"])
def test_a_worker_that_finds_nothing_to_take_rests(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    """Each round ends with a rest: a full lane does not make it turn for its own sake."""
    relay = without_vendor(redis_url)
    rounds = threading.Semaphore(0)

    def count() -> int:
        rounds.release()
        return free

    monkeypatch.setattr(relay.lanes, "free", count)
    resting = Resting()
    monkeypatch.setattr(relay.worker, "_stopping", resting)
    relay.worker.start()
    for _ in range(ROUNDS):
        assert rounds.acquire(timeout=10)
    rests = resting.rests
    relay.worker.stop()

    assert rests >= ROUNDS - 1


@pytest.mark.promise(6)
def test_a_relay_that_has_stopped_leaves_no_thread_and_no_connection(
    redis_url: str, broker: CrossTradeSandbox, environ: dict[str, str]
) -> None:
    """Neither to Redis nor to the broker: an alert and a look at its time had opened some."""
    with redis.Redis.from_url(redis_url) as client:
        threads = set(threading.enumerate())
        connections = {each["id"] for each in client.client_list()}
        relay = compose(Settings.read({**environ, "RELAY_REPLY_WITHIN": "20"}))
        pipeline = Pipeline(relay.settings, relay.ledger, relay.lanes, relay.lines, relay.scrubber)
        relay.start()
        body = message(secret=SECRET, account="Sim101", order_id=place(broker), reply_when="confirmed")
        reply = pipeline.handle(Received(body.encode(), {}, "127.0.0.1", "request-1", time.monotonic()))
        during = {each["id"] for each in client.client_list()} - connections

        relay.stop()

        # The broker, and Redis, notice in their own time.
        until(lambda: not set(threading.enumerate()) - threads, what="the end of the threads")
        until(
            lambda: not {each["id"] for each in client.client_list()} - connections,
            what="the end of the connections",
        )

    assert (reply.status, bool(during)) == (200, True)


@pytest.mark.promise(1)
def test_where_no_vendor_is_on_an_alert_still_comes_to_its_end(redis_url: str) -> None:
    """A record that nobody can carry out is ended when its time is over, and says why."""
    relay = without_vendor(redis_url)
    alert = Alert(vendor="crosstrade", accounts=("Sim101",), instrument="MES 12-26")
    cancel = Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26")
    record = Record("a" * 32, "default", alert, [(cancel, Progress())], 500, "content", "request-1")
    held = relay.ledger.claim(record, Key("default", "one", "c" * 64, 30_000)).held
    assert held is not None
    held.record.cancels[0][1].due_ms = held.now_ms()
    held.settle()
    relay.worker.start()

    def look() -> Record | None:
        found = relay.ledger.read("a" * 32)
        return found if found and found.status.ended else None

    ended = until(look, what="its end")
    relay.worker.stop()

    assert ended.status is Status.EXPIRED
    assert "not configured" in (ended.cancels[0][1].reason or "")


@pytest.mark.promise(1)
def test_a_redis_that_goes_away_while_it_is_looked_at_does_not_end_the_worker(
    own_redis: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking what Redis keeps is no safer than any other question: the worker asks again."""
    relay = without_vendor(own_redis.url)
    asked = threading.Event()
    persistence = Ledger.persistence

    def away_once(ledger: Ledger) -> Persistence | None:
        if not asked.is_set():
            asked.set()
            raise NotReady("away for a moment")
        return persistence(ledger)

    monkeypatch.setattr(Ledger, "persistence", away_once)
    taken = threading.Event()

    def take_nothing(_ledger: Ledger, _most: int) -> list[Held]:
        taken.set()
        return []

    monkeypatch.setattr(Ledger, "take_due", take_nothing)
    worker = Worker(relay.ledger, relay.lanes)
    worker.start()

    assert asked.wait(10)
    assert taken.wait(10)
    assert worker.alive
    worker.stop()
