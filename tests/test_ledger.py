"""Claim, settle, take over: against a real Redis."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Self

import pytest
import redis

from relay.alert import Alert
from relay.budget import Budget, Rate, Window
from relay.cancel import Cancel, Scope
from relay.embedded_redis import EmbeddedRedis
from relay.errors import LeaseEnded, NotReady
from relay.ledger import Claimed, Key, Ledger
from relay.notice import Kind, Notice
from relay.outbox import Outbox
from relay.outcome import Progress, Status
from relay.record import Record, RefusedAs
from relay.settings import Settings
from tests.running import SECRET, until

ALERT = Alert(vendor="crosstrade", accounts=("Sim101",), instrument="MES 12-26")

#: Seconds of the lease in these tests: short, since some wait for its end.
LEASE_S = 1


def a_record(alert_id: str = "a" * 32, alert: Alert = ALERT, sender: str = "default") -> Record:
    """Give a record that nobody has claimed yet."""
    cancel = Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26")
    return Record(alert_id, sender, alert, [(cancel, Progress())], 60_000, "content", "request-1")


def a_key(value: str = "one", content: str = "c" * 64, sender: str = "default", ttl_ms: int = 30_000) -> Key:
    """Give the key of an alert."""
    return Key(sender, value, content, ttl_ms)


def a_ledger(url: str, **settings: str) -> Ledger:
    """Give a ledger with a short lease."""
    environ = {"REDIS_URL": url, "RELAY_SECRET": SECRET, "RELAY_LEASE": str(LEASE_S), **settings}
    return Ledger(Settings.read(environ))


def to_be_told(url: str) -> list[Notice]:
    """Give what waits to be told, the oldest first."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return [Notice.decode(each) for each in client.zrange("relay:notices", 0, -1)]


@pytest.fixture
def ledger(redis_url: str) -> Ledger:
    """Give a ledger on an empty Redis."""
    return a_ledger(redis_url)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """Run a Redis that a test may hurt."""
    with EmbeddedRedis(tmp_path) as server:
        yield server


@pytest.mark.promise(2)
def test_of_copies_claimed_at_once_one_is_in_hand(ledger: Ledger) -> None:
    """Thirty-two claims of one key at the same moment give one record in hand and 31 duplicates of it."""
    barrier = threading.Barrier(32)

    def claim(number: int) -> tuple[Claimed, str]:
        barrier.wait()
        found = ledger.claim(a_record(f"{number:032x}"), a_key())
        record = found.held.record if found.held else found.record
        assert record is not None
        return found.result, record.alert_id

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(claim, range(32)))

    assert [result for result, _ in answers].count(Claimed.CLAIMED) == 1
    assert len({alert_id for _, alert_id in answers}) == 1


@pytest.mark.promise(2)
def test_a_claim_whose_answer_was_lost_recognises_itself(ledger: Ledger) -> None:
    """A claim that is asked again, since its answer never came, is not a duplicate of itself."""
    record = a_record()
    ledger.claim(record, a_key())

    assert ledger.claim(record, a_key()).result is Claimed.CLAIMED


@pytest.mark.promise(2, 3)
@pytest.mark.parametrize("ttl_ms", [0, 30_000], ids=["without a key", "with a key"])
def test_a_claim_that_is_repeated_late_gets_no_second_life(
    ledger: Ledger, redis_url: str, ttl_ms: int
) -> None:
    """A lost answer, a pause past the lease, the repetition: the record stays its successor's."""
    record = a_record()
    ledger.claim(record, a_key(ttl_ms=ttl_ms))
    (successor,) = until(lambda: a_ledger(redis_url).take_due(5), what="the successor")
    successor.record.cancels[0][1].end(Status.CONFIRMED)
    successor.settle()

    again = ledger.claim(record, a_key(ttl_ms=ttl_ms))

    assert again.held is not None
    with pytest.raises(LeaseEnded):
        again.held.save()
    stored = ledger.read("a" * 32)
    assert stored is not None
    assert stored.status is Status.CONFIRMED
    assert not ledger.take_due(5)


@pytest.mark.promise(2)
def test_a_lost_answer_on_the_wire_does_not_lose_the_claim(redis_url: str) -> None:
    """A connection that is cut after Redis claimed and before it answered costs nothing."""
    with AnswerLoser(redis_url.removeprefix("unix://")) as loser:
        ledger = a_ledger(f"redis://127.0.0.1:{loser.port}")
        ledger.now_ms()
        loser.lose_next = True

        claim = ledger.claim(a_record(), a_key())

        assert loser.lost == 1
        assert claim.result is Claimed.CLAIMED


@pytest.mark.promise(2)
def test_a_key_with_another_content_is_told_apart(ledger: Ledger) -> None:
    """The same key with another content is neither the first alert nor a new one."""
    ledger.claim(a_record(), a_key())

    assert ledger.claim(a_record("b" * 32), a_key(content="d" * 64)).result is Claimed.REUSED


@pytest.mark.promise(8)
def test_one_sender_cannot_meet_anothers_key(ledger: Ledger) -> None:
    """The same key from two senders makes two alerts."""
    ledger.claim(a_record(), a_key(sender="one"))

    assert ledger.claim(a_record("b" * 32), a_key(sender="two")).result is Claimed.CLAIMED


@pytest.mark.promise(2)
def test_a_key_lives_no_longer_than_its_time(ledger: Ledger) -> None:
    """When the key's life is over, the same message is a new alert."""
    ledger.claim(a_record(), a_key(ttl_ms=50))

    def again() -> bool:
        found = ledger.claim(a_record("b" * 32), a_key(ttl_ms=50))
        return found.held is not None and found.held.record.alert_id == "b" * 32

    until(again, what="the end of the key's life")


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("offset_ms", "stale"), [(-61_000, True), (-59_000, False), (29_000, False), (31_000, True)]
)
def test_age_is_told_by_redis(ledger: Ledger, offset_ms: int, stale: bool) -> None:  # noqa: FBT001 - a table's column
    """An alert older than its max_age, or more than 30 s ahead, is refused and leaves no key."""
    alert = replace(ALERT, timestamp_ms=ledger.now_ms() + offset_ms)

    found = ledger.claim(a_record(alert=alert), a_key())

    assert (found.result is Claimed.STALE) == stale
    assert (ledger.read("a" * 32) is None) == stale


@pytest.mark.promise(1)
def test_an_accepted_alert_always_has_a_time_to_be_looked_at(redis_url: str) -> None:
    """From the claim on, and after each settle that ends nothing, the record is due at some time."""
    ledger = a_ledger(redis_url, RELAY_WARN_AFTER="3600")
    with redis.Redis.from_url(redis_url, decode_responses=True) as raw:
        held = ledger.claim(a_record(), a_key()).held
        assert held is not None
        assert raw.zscore("relay:due", "a" * 32) is not None

        held.record.cancels[0][1].due_ms = held.now_ms() + 60_000
        held.settle()
        # As much later as the way to Redis took.
        assert raw.zscore("relay:due", "a" * 32) == pytest.approx(held.record.due_ms, abs=10_000)

        assert not ledger.take_due(5)


@pytest.mark.promise(1)
def test_what_a_dead_process_held_is_taken_over_as_interrupted(ledger: Ledger) -> None:
    """When a lease ends, another takes the record, and knows that its last holder was in mid work."""
    ledger.claim(a_record(), a_key())

    (held,) = until(lambda: ledger.take_due(5), what="the end of the lease")

    assert held.record.alert_id == "a" * 32
    assert held.interrupted
    assert not ledger.take_due(5)


@pytest.mark.promise(1)
def test_what_was_let_go_is_taken_as_not_interrupted(ledger: Ledger) -> None:
    """A record that its holder settled for later is simply due."""
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    held.record.cancels[0][1].due_ms = held.now_ms()
    held.settle()

    (taken,) = until(lambda: ledger.take_due(5), what="its time")

    assert not taken.interrupted


@pytest.mark.promise(2)
def test_who_was_paused_past_the_lease_cannot_overwrite(ledger: Ledger) -> None:
    """A settle with a token that another has replaced writes nothing, and says so."""
    paused = ledger.claim(a_record(), a_key()).held
    assert paused is not None
    (successor,) = until(lambda: ledger.take_due(5), what="the end of the lease")
    successor.record.cancels[0][1].end(Status.CONFIRMED)
    successor.settle()

    paused.record.cancels[0][1].end(Status.REJECTED, "what the paused one believes")
    with pytest.raises(LeaseEnded):
        paused.settle()

    stored = ledger.read("a" * 32)
    assert stored is not None
    assert stored.status is Status.CONFIRMED


@pytest.mark.promise(2)
def test_nothing_may_be_sent_after_the_lease(ledger: Ledger) -> None:
    """The clearance before each write to a vendor ends with the lease, by the holder's own clock."""
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    held.clearance()

    until(lambda: held.left_s() <= 0, what="the end of the lease")

    with pytest.raises(LeaseEnded):
        held.clearance()


@pytest.mark.promise(1)
def test_long_work_keeps_its_lease(ledger: Ledger) -> None:
    """Work of many calls renews its lease and writes down what is known on the way."""
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    held.record.cancels[0][1].reason = "half-way"
    end = ledger.now_ms() + LEASE_S * 1500

    def past_the_first_lease() -> bool:
        held.keep(LEASE_S * 0.8)
        assert not ledger.take_due(5)
        return ledger.now_ms() > end

    until(past_the_first_lease, what="the end of the first lease")

    stored = ledger.read("a" * 32)
    assert stored is not None
    assert stored.cancels[0][1].reason == "half-way"


@pytest.mark.promise(1)
def test_an_ended_record_is_never_due_again(ledger: Ledger, redis_url: str) -> None:
    """What has ended leaves the list of what is due, and stays readable."""
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    held.record.cancels[0][1].end(Status.CONFIRMED)
    held.settle()

    with redis.Redis.from_url(redis_url) as raw:
        assert raw.zcard("relay:due") == 0
    stored = ledger.read("a" * 32)
    assert stored is not None
    assert stored.ended_ms is not None


@pytest.mark.promise(1)
def test_an_alert_that_waits_is_in_nobodys_hand(ledger: Ledger) -> None:
    """With a delay the claim promises a look at its time, and whoever takes it then is no successor."""
    waiting = a_record(alert=replace(ALERT, delay_ms=1_000))
    claim = ledger.claim(waiting, a_key())

    assert (claim.result, claim.held) == (Claimed.CLAIMED, None)
    assert not ledger.take_due(5)
    (held,) = until(lambda: ledger.take_due(5), what="its time")
    assert not held.interrupted
    assert held.now_ms() >= waiting.received_ms + 1_000


@pytest.mark.promise(2)
def test_a_record_in_hand_cannot_be_taken_by_its_id(ledger: Ledger) -> None:
    """Who takes back, or tries again, has the record alone; while it is in hand nobody else has."""
    claimed = ledger.claim(a_record(), a_key()).held
    assert claimed is not None
    assert ledger.take_one("a" * 32) is None
    assert ledger.take_one("b" * 32) is None

    claimed.record.cancels[0][1].end(Status.CONFIRMED)
    claimed.settle()
    held = ledger.take_one("a" * 32)

    assert held is not None
    assert held.record.status is Status.CONFIRMED
    assert ledger.take_one("a" * 32) is None


@pytest.mark.promise(7)
@pytest.mark.parametrize("status", list(Status))
def test_what_ends_without_success_is_to_be_told(ledger: Ledger, redis_url: str, status: Status) -> None:
    """A failed end and its notice are written in one step; a success is told to nobody."""
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    held.record.cancels[0][1].status = status
    held.record.cancels[0][1].reason = "the broker's words"
    held.settle()

    told = to_be_told(redis_url)

    assert [each.alert_id for each in told] == ["a" * 32] * status.failed
    assert all("the broker's words" in each.words for each in told)


@pytest.mark.promise(7)
def test_what_is_not_confirmed_in_time_is_told_once(redis_url: str) -> None:
    """It is looked at when that time has come, told with the last evidence, and told again when it ends."""
    ledger = a_ledger(redis_url, RELAY_WARN_AFTER="1")
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    _, progress = held.record.cancels[0]
    progress.status, progress.due_ms = Status.REQUESTED, held.now_ms() + 60_000
    held.settle()
    assert not to_be_told(redis_url)

    for _ in range(2):
        (held,) = until(lambda: ledger.take_due(5), what="the time to tell")
        held.record.cancels[0][1].due_ms = held.now_ms() + 100
        held.settle()
    assert [each.kind for each in to_be_told(redis_url)] == [Kind.NOT_CONFIRMED]

    (held,) = until(lambda: ledger.take_due(5), what="its end")
    held.record.cancels[0][1].end(Status.CONFIRMED)
    held.settle()

    assert [each.kind for each in to_be_told(redis_url)] == [Kind.NOT_CONFIRMED, Kind.ENDED]
    assert "NOT confirmed" in to_be_told(redis_url)[0].words


@pytest.mark.promise(7)
def test_what_a_paused_process_would_tell_is_not_queued(ledger: Ledger, redis_url: str) -> None:
    """A stale token writes no record, and no notice either."""
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    until(lambda: a_ledger(redis_url).take_due(5), what="the successor")
    held.record.cancels[0][1].end(Status.FAILED)

    with pytest.raises(LeaseEnded):
        held.settle()

    assert to_be_told(redis_url) == []


@pytest.mark.promise(6)
def test_a_rate_budget_is_one_for_all_processes(ledger: Ledger, redis_url: str) -> None:
    """What one process spends is missing in the other's bucket, and reads leave something to cancels."""
    other = a_ledger(redis_url)

    budget, another = (Budget(name, {"": Rate(4, Decimal("0.01"))}) for name in ("one", "another"))
    granted = [each.spend(budget, "", spare=True) for each in (ledger, other, ledger, other)]
    assert [wait_ms == 0 for wait_ms in granted] == [True, True, True, False]

    assert ledger.spend(budget, "") == 0
    assert other.spend(another, "") == 0


@pytest.mark.promise(6)
def test_a_window_takes_its_number_and_no_more(ledger: Ledger, redis_url: str) -> None:
    """Of 50 calls a minute the 51st waits for the first to be a minute old, each account for itself."""
    other = a_ledger(redis_url)
    budget = Budget("one", {"cancels": Window(50, 60)})

    granted = [each.spend(budget, "cancels 7") for each in (ledger, other) * 25]
    assert granted == [0] * 50

    assert 55_000 < ledger.spend(budget, "cancels 7") <= 61_000
    assert ledger.spend(budget, "cancels 8") == 0
    assert [ledger.spend(budget, "reads") for _ in range(60)] == [0] * 60


@pytest.mark.promise(6)
def test_a_window_lets_the_next_go_when_the_first_has_left_it(ledger: Ledger) -> None:
    """What has left the window makes room again."""
    budget = Budget("one", {"cancels": Window(2, 1)})
    assert [ledger.spend(budget, "cancels 7") for _ in range(2)] == [0, 0]
    assert ledger.spend(budget, "cancels 7") > 0

    until(lambda: ledger.spend(budget, "cancels 7") == 0, what="room in the window")


@pytest.mark.promise(8)
def test_one_process_at_a_time_logs_in(ledger: Ledger, redis_url: str) -> None:
    """While one logs in, the other waits; the turn of one that died ends with its time."""
    other = a_ledger(redis_url, RELAY_LEASE="1")
    assert other.turn_to_log_in("one").mine
    busy = ledger.turn_to_log_in("one")
    assert not busy.mine
    assert not busy.refused
    assert ledger.turn_to_log_in("another").mine

    until(lambda: ledger.turn_to_log_in("one").mine, what="the end of the dead one's turn")
    number = ledger.end_log_in("one", "done")

    assert ledger.log_ins("one") == other.log_ins("one") == number == 1
    assert other.turn_to_log_in("one").mine


@pytest.mark.promise(8)
def test_a_refused_log_in_rests_for_a_growing_while(ledger: Ledger, redis_url: str) -> None:
    """For 1, 2, 4 … 60 minutes no process tries that credential again; a log-in that works ends it."""
    with redis.Redis.from_url(redis_url) as raw:
        for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
            assert ledger.turn_to_log_in("one").mine
            assert ledger.end_log_in("one", "refused") == minutes * 60_000
            turn = a_ledger(redis_url).turn_to_log_in("one")
            assert (turn.mine, turn.refused) == (False, True)
            raw.hset("relay:log-in:one", "refused_until", 0)
    assert ledger.turn_to_log_in("one").mine
    ledger.end_log_in("one", "done")
    assert ledger.turn_to_log_in("one").mine
    assert ledger.end_log_in("one", "refused") == 60_000


@pytest.mark.promise(8)
def test_a_log_in_that_came_to_nothing_rests_for_a_moment(ledger: Ledger, redis_url: str) -> None:
    """A vendor that is down is not asked for a session by every alert at once."""
    assert ledger.turn_to_log_in("one").mine
    ledger.end_log_in("one", "failed")

    turn = a_ledger(redis_url).turn_to_log_in("one")

    assert (turn.mine, turn.refused) == (False, False)
    assert 0 < turn.wait_ms <= 1_000


@pytest.mark.promise(1)
def test_a_vendor_that_is_away_uses_up_no_limit_on_log_ins(ledger: Ledger, redis_url: str) -> None:
    """The rest after a failed log-in grows to ten seconds, and a log-in that works ends it."""
    with redis.Redis.from_url(redis_url) as raw:
        for seconds in (1, 2, 4, 8, 10, 10):
            assert ledger.turn_to_log_in("one").mine
            assert ledger.end_log_in("one", "failed") == seconds * 1_000
            raw.hset("relay:log-in:one", "rest_until", 0)
    assert ledger.turn_to_log_in("one").mine
    ledger.end_log_in("one", "done")
    assert ledger.turn_to_log_in("one").mine

    assert ledger.end_log_in("one", "failed") == 1_000


@pytest.mark.promise(6)
def test_a_vendor_that_asks_for_patience_holds_every_process_back(ledger: Ledger, redis_url: str) -> None:
    """After a 429 no process calls with that credential until the vendor's time has passed."""
    a_ledger(redis_url).hold_back("one", 60_000)

    for limits in ({"": Rate(20, Decimal(3))}, {}):
        assert 59_000 < ledger.spend(Budget("one", limits), "") <= 60_000


@pytest.mark.promise(6)
def test_a_redis_that_hangs_is_not_waited_for(own_redis: EmbeddedRedis) -> None:
    """A Redis that takes connections and answers nothing is given up, and used again when it goes on."""
    ledger = a_ledger(own_redis.url)
    ledger.now_ms()
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        with pytest.raises(NotReady):
            ledger.claim(a_record(), a_key())
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)

    assert until(lambda: _answers(ledger), what="an answer of Redis")


@pytest.mark.promise(1)
def test_a_redis_that_was_restarted_is_used_again(own_redis: EmbeddedRedis) -> None:
    """A restart costs no restart of ours, and what was recorded is still there."""
    ledger = a_ledger(own_redis.url)
    ledger.claim(a_record(), a_key())
    own_redis.restart()

    until(lambda: _answers(ledger), what="an answer of Redis")

    assert ledger.read("a" * 32) is not None


def _answers(ledger: Ledger) -> bool:
    try:
        return ledger.now_ms() > 0
    except NotReady:
        return False


class AnswerLoser:
    """A way to Redis on which one answer gets lost: Redis acts, and the connection breaks first."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lose_next = False
        self.lost = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # Linux needs it to wake who listens; macOS knows no such thing
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._path)
            while asked := client.recv(65536):
                server.sendall(asked)
                answer = server.recv(65536)
                # A script that Redis does not know yet was not run: that answer is let through.
                if self.lose_next and b"EVALSHA" in asked and not answer.startswith(b"-NOSCRIPT"):
                    self.lose_next = False
                    self.lost += 1
                    return
                client.sendall(answer)


@pytest.mark.promise(1)
def test_history_gives_way_before_a_claim_does(own_redis: EmbeddedRedis) -> None:
    """A full Redis forgets the oldest alerts that have ended, and none that is under way."""
    ledger = a_ledger(own_redis.url)
    with redis.Redis.from_url(own_redis.url) as raw:
        waiting = ledger.claim(a_record("f" * 32), a_key("waiting")).held
        assert waiting is not None
        raw.config_set("maxmemory", int(raw.info("memory")["used_memory"]) + 400_000)
        for number in range(600):
            ended = a_record(f"{number:032x}")
            ended.alert = replace(ALERT, note="x" * 1_000)
            held = ledger.claim(ended, a_key(str(number))).held
            assert held is not None
            held.record.cancels[0][1].end(Status.CONFIRMED)
            held.settle()

        assert ledger.read(f"{0:032x}") is None
        assert ledger.read(f"{599:032x}") is not None
        assert ledger.read("f" * 32) is not None


@pytest.mark.promise(1)
def test_a_full_redis_with_nothing_to_forget_takes_no_alert(own_redis: EmbeddedRedis) -> None:
    """Where nothing has ended there is nothing to give way: not recorded, and said so."""
    ledger = a_ledger(own_redis.url)
    held = ledger.claim(a_record(), a_key()).held
    assert held is not None
    with redis.Redis.from_url(own_redis.url) as raw:
        raw.config_set("maxmemory", 1)
        with pytest.raises(NotReady):
            ledger.claim(a_record("b" * 32), a_key("two"))
        raw.config_set("maxmemory", 0)

    held.settle()


@pytest.mark.promise(1)
def test_history_keeps_within_its_bound(ledger: Ledger) -> None:
    """What RELAY_KEEP_MB leaves no room for is forgotten, the oldest first."""
    for number in range(300):
        held = ledger.claim(a_record(f"{number:032x}"), a_key(str(number))).held
        assert held is not None
        held.record.cancels[0][1].end(Status.CONFIRMED)
        if number:
            held.settle()

    assert ledger.keep_within(1) == 299
    assert ledger.read(f"{0:032x}") is not None


@pytest.mark.promise(1)
def test_history_that_gives_way_leaves_no_id_behind(ledger: Ledger, redis_url: str) -> None:
    """In no list of its sender's: ids that nobody reads any more would fill a small Redis, and stay."""
    others = a_record("b" * 32, sender='the "other" one: Łódź')
    for record, value in ((a_record(), "one"), (others, "two")):
        held = ledger.claim(record, a_key(value)).held
        assert held is not None
        held.record.cancels[0][1].end(Status.CONFIRMED)
        held.settle()
    waits = ledger.claim(a_record("c" * 32), a_key("three")).held
    as_refused = replace(a_record("d" * 32), cancels=[], refused=RefusedAs("invalid-alert", 422, "No", "no"))
    Outbox(ledger).refused(as_refused, "refused", "more")

    assert (waits is not None, ledger.give_way()) == (True, 3)

    with redis.Redis.from_url(redis_url, decode_responses=True) as raw:
        lists = {
            name: raw.zrange(name, 0, -1) for name in raw.scan_iter("relay:*") if raw.type(name) == "zset"
        }
    lists.pop("relay:notices")
    assert lists == {name: ["c" * 32] for name in ("relay:due", "relay:alerts", "relay:alerts:default")}
