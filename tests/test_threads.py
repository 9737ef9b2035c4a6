"""Threads are few on a small dyno: a burst that finds none left loses nothing, and ends no process."""

import contextlib
import json
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from relay.compose import Relay, compose
from relay.ledger import Ledger
from relay.messenger import Messenger
from relay.notice import Kind
from relay.outbox import Outbox
from relay.outcome import Status
from relay.pipeline import Pipeline, Received
from relay.record import Record
from relay.room import LANE
from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from relay.scrubber import Scrubber
from relay.settings import Settings
from tests.e2e import REPLY_WITHIN, at_once, bulk_calls, message, place, state, states
from tests.receiver import Receiver
from tests.running import ROOT, SECRET, TOKEN, RunningRelay, until
from tests.test_run import descendants

# In CI, which is Linux, nothing of it is skipped; elsewhere the limit that it needs cannot be set.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="macOS does not bound a process's memory")

#: Each thread has this much of the address space for its stack: so much that they run out long before memory.
STACK_KB = 65_536

#: The address space of a process: some 40 threads of that kind, beside all else.
SPACE_KB = 3_000_000

#: An alert each, more than a process of that kind has threads for.
ACCOUNTS = [f"Sim{number}" for number in range(60)]

#: Prints the room of a process under a limit, and the threads that gunicorn's hook leaves of the line's. In a
#: process of its own, which lowers the limit for itself.
ROOM = """
import json, os, resource, runpy, sys, types
import gunicorn.config
from relay.settings import Settings
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
server = types.SimpleNamespace(cfg=gunicorn.config.Config())
server.cfg.set("threads", 256)
runpy.run_path("gunicorn.conf.py")["on_starting"](server)
room = Settings.read(os.environ).room
print(json.dumps([server.cfg.threads, [room.lane(vendors) for vendors in (1, 2, 3)]]))
"""


def room_of(limit: int, processes: int) -> tuple[int, list[int]]:
    """Give a web process's threads for requests, and for each of one, two or three lanes, on such a dyno."""
    environ = {
        "DYNO": "web.1",
        "WEB_CONCURRENCY": str(processes),
        "REDIS_URL": "redis://127.0.0.1:1",
        "RELAY_SECRET": SECRET,
    }
    command = [sys.executable, "-c", ROOM, str(limit)]
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    requests, lanes = json.loads(said.stdout)
    return requests, lanes


@pytest.mark.promise(1, 6)
@pytest.mark.parametrize(
    ("limit", "processes"), [(256, 2), (512, 4), (16_384, 5), (32_768, 17), (256, 9), (128, 2)]
)
def test_all_processes_together_stay_below_what_a_dyno_allows(limit: int, processes: int) -> None:
    """Whatever the line says, requests and lanes leave a tenth to single threads, also where it is tight."""
    requests, lanes = room_of(limit, processes)

    assert requests >= 4
    assert min(lanes) >= 4
    for vendors, lane in enumerate(lanes, 1):
        assert processes * (requests + vendors * lane) <= 0.9 * limit


@pytest.mark.promise(6)
def test_a_machine_that_counts_thousands_bounds_nothing() -> None:
    """The line's threads for requests, and three lanes of full width."""
    assert room_of(30_000, 2) == (256, [LANE] * 3)


@pytest.mark.promise(1, 6)
def test_what_answers_requests_runs_before_the_first_one(relay: RunningRelay) -> None:
    """No thread has to be started in a burst: gunicorn's process would die of one that cannot be."""
    (process,) = descendants(relay.running.pid)

    assert len(list(Path(f"/proc/{process}/task").iterdir())) > 256


@pytest.fixture
def broker() -> Iterator[CrossTradeSandbox]:
    """Run a stand-in CrossTrade with many accounts."""
    behaviour = CrossTradeBehaviour(burst=None)
    with CrossTradeSandbox(TOKEN, behaviour=behaviour, accounts=ACCOUNTS) as sandbox:
        yield sandbox


@pytest.fixture
def cramped(environ: dict[str, str]) -> Iterator[RunningRelay]:
    """Run a relay that can have some forty threads, and is told of no limit."""
    relay = RunningRelay({**environ, "WEB_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "1", "RELAY_LEASE": "2"})
    relay.line = _under(f"ulimit -s {STACK_KB} && ulimit -v {SPACE_KB}", relay.line)
    with relay:
        yield relay


@pytest.mark.promise(1, 2, 6)
def test_a_burst_without_threads_is_answered_and_carried_out_once(
    cramped: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Every alert gets a 2xx in time, each order goes, no account has two bulk calls, no process ends."""
    orders = [place(broker, account=each) for each in ACCOUNTS for _ in range(3)]
    broker.trouble = Trouble(latency_s=0.5)

    answers = at_once(
        len(ACCOUNTS),
        lambda n: cramped.alert(
            account=ACCOUNTS[n], scope="account", side="buy" if n % 2 else None, max_age=120
        ),
    )
    until(lambda: states(broker, orders) == {"Cancelled"}, within=60, what="all cancels")

    assert {answer.status_code for answer in answers} <= {200, 202}
    # By the relay's own clock; the senders' is given twice the time, as their threads are here too.
    assert max(answer.json()["elapsed_ms"] for answer in answers) < REPLY_WITHIN * 1000
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2 * REPLY_WITHIN
    until(lambda: cramped.log("no_thread"), what="the line that there was no thread")
    assert cramped.log("unforeseen") == []
    assert "Worker" not in cramped.text
    calls = Counter(call.path for call in bulk_calls(broker))
    assert calls
    assert set(calls.values()) == {1}


@contextlib.contextmanager
def no_thread(name: str) -> Iterator[None]:
    """Let no thread of that name start, as the operating system does when there are too many."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(name):
            message = "can't start new thread"
            raise RuntimeError(message)
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield


@pytest.fixture
def parts(environ: dict[str, str]) -> Iterator[Relay]:
    """Put a relay together in this process, its worker not yet started. A long lease gives no help."""
    relay = compose(Settings.read({**environ, "RELAY_LEASE": "60"}))
    yield relay
    relay.worker.stop()


def sent(parts: Relay, account: str, **target: str) -> str:
    """Send an alert through the pipeline, and give its id."""
    pipeline = Pipeline(parts.settings, parts.ledger, parts.lanes, parts.lines, parts.scrubber)
    body = message(secret=SECRET, account=account, reply_when="accepted", **target).encode()
    answer = pipeline.handle(Received(body, {}, "127.0.0.1", "request-1", time.monotonic()))
    return str(answer.body["alert_id"])


def ended(parts: Relay, alert_id: str) -> Record | None:
    """Give a record that has ended."""
    record = parts.ledger.read(alert_id)
    return record if record and record.status.ended else None


def ended_visit(parts: Relay, alert_id: str) -> bool:
    """Say whether an alert's first visit is over."""
    record = parts.ledger.read(alert_id)
    return record is not None and record.status is not Status.IN_PROGRESS


@pytest.mark.promise(2)
def test_what_is_let_go_for_want_of_a_thread_is_not_done_by_another_as_well(
    parts: Relay, broker: CrossTradeSandbox
) -> None:
    """The pool keeps such work: a thread that comes to it leaves it, as the record is another's by then."""
    account = ACCOUNTS[0]
    first, second, third = (place(broker, account=account) for _ in range(3))
    broker.trouble = Trouble(on="one", times=1, latency_s=60)
    before = sent(parts, account, order_id=first)
    until(lambda: broker.calls, what="the first alert's call")
    with no_thread("lane"):
        let_go = sent(parts, account, order_id=second)
    broker.trouble = None
    until(lambda: ended_visit(parts, before), what="the end of the first visit")
    sent(parts, account, order_id=third)
    until(lambda: state(broker, third) == "Cancelled", what="the cancel after it")

    assert state(broker, second) == "Working"
    parts.worker.start()
    assert until(lambda: ended(parts, let_go), what="its end").status is Status.CONFIRMED
    assert len([call for call in broker.cancel_calls if second in call.path]) == 1


@pytest.mark.promise(1, 2)
def test_a_call_that_nothing_could_end_in_time_is_not_begun(parts: Relay, broker: CrossTradeSandbox) -> None:
    """Without the thread that cuts calls off nothing leaves; it is tried again when there is one."""
    order = place(broker, account=ACCOUNTS[0])
    parts.worker.start()
    with no_thread("alarm"):
        alert_id = sent(parts, ACCOUNTS[0], scope="account")
        until(lambda: (found := parts.ledger.read(alert_id)) and found.cancels[0][1].looks, what="the try")
        assert broker.calls == []

    record = until(lambda: ended(parts, alert_id), what="the end")
    assert (record.status, state(broker, order)) == (Status.CONFIRMED, "Cancelled")


@pytest.mark.promise(7)
def test_a_service_that_has_no_thread_lets_another_tell_once(redis_url: str) -> None:
    """It counts as one that took nothing; what the other brought leaves the queue."""
    with Receiver() as phone, no_thread("service-2"), redis.Redis.from_url(redis_url) as client:
        settings = Settings.read(
            {"REDIS_URL": redis_url, "RELAY_SECRET": SECRET, "RELAY_NOTIFY": f"{phone.url}, {phone.url}"}
        )
        outbox = Outbox(Ledger(settings))
        messenger = Messenger(outbox, settings.notify, Scrubber(settings), None)
        outbox.tell(Kind.LOG_IN, "the log-in was refused")
        messenger.start()
        until(lambda: client.zcard("relay:notices") == 0, what="the end of the queue")
        failing = until(lambda: outbox.service("number 2 (json)").words, what="the word about the other")
        messenger.stop()

    assert phone.count("the log-in was refused") == 1
    assert failing == "this machine lets no more threads start"


def _under(limits: str, line: str) -> str:
    """Give a line for a shell that lowers its limits first."""
    return f"/bin/sh -c {shlex.quote(f'{limits} && exec {line}')}"
