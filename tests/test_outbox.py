"""The queue of what is to be told: one teller at a time, who takes out only what he has handed over."""

import json

import pytest
import redis

from relay import log
from relay.ledger import Ledger
from relay.notice import Kind
from relay.outbox import PAUSE_MOST_MS, PAUSE_MS, Outbox
from relay.scrubber import Scrubber
from tests.running import until
from tests.scripted import some_settings


def an_outbox(url: str) -> Outbox:
    """Give what another process would have."""
    return Outbox(Ledger(some_settings(url)))


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    """Give a client of the same Redis."""
    return redis.Redis.from_url(redis_url, decode_responses=True)


def rested(client: redis.Redis) -> None:
    """Let the pause be over."""
    client.hset("relay:telling", "rest_until", 0)


def words_of(outbox: Outbox) -> list[str]:
    """Take the turn, and give the words that wait."""
    batch = outbox.turn()
    return [each.notice.words for each in batch.waiting] if batch else []


@pytest.mark.promise(7)
def test_one_process_has_the_turn_until_it_is_gone(redis_url: str, client: redis.Redis) -> None:
    """Another takes it when the first says nothing more; what it had in hand is still there."""
    first, second = an_outbox(redis_url), an_outbox(redis_url)
    first.tell(Kind.LOG_IN, "one")
    assert words_of(first) == ["one"]
    assert words_of(second) == []
    first.keep_turn()
    assert words_of(second) == []

    client.hset("relay:telling", "held_until", 1)

    assert words_of(second) == ["one"]
    first.keep_turn()
    assert client.hget("relay:telling", "holder") not in {"", None}
    assert words_of(first) == []


@pytest.mark.promise(7)
def test_what_is_queued_while_a_message_leaves_stays(redis_url: str, client: redis.Redis) -> None:
    """Only what was in the message leaves the queue, whatever came meanwhile."""
    outbox = an_outbox(redis_url)
    outbox.tell(Kind.LOG_IN, "one")
    batch = outbox.turn()
    assert batch is not None
    outbox.tell(Kind.LOG_IN, "two")

    outbox.handed_over(batch)

    assert client.zcard("relay:notices") == 1
    assert words_of(outbox) == []  # the pause after a message is everybody's
    assert words_of(an_outbox(redis_url)) == []
    rested(client)
    assert words_of(outbox) == ["two"]


@pytest.mark.promise(7)
def test_while_a_storm_lasts_each_message_waits_longer(redis_url: str, client: redis.Redis) -> None:
    """2, 4, 8, 15 s between messages that follow each other; a calm as long as the longest begins anew."""
    outbox = an_outbox(redis_url)

    def pause() -> int:
        outbox.tell(Kind.LOG_IN, "one more")
        batch = outbox.turn()
        assert batch is not None
        return outbox.handed_over(batch)

    def back_by(seconds: int) -> None:
        client.hset("relay:telling", "rest_until", int(client.time()[0]) * 1000 - seconds * 1000)

    pauses = []
    for _ in range(5):
        back_by(1)
        pauses.append(pause())
    back_by(PAUSE_MOST_MS // 1000 + 2)

    assert pauses == [PAUSE_MS, 4_000, 8_000, PAUSE_MOST_MS, PAUSE_MOST_MS]
    assert pause() == PAUSE_MS


@pytest.mark.promise(7)
def test_the_rest_doubles_while_nobody_takes_anything(redis_url: str, client: redis.Redis) -> None:
    """1, 2, 4 … 60 s, for all processes; after a message it begins anew."""
    outbox, rests = an_outbox(redis_url), []
    outbox.tell(Kind.LOG_IN, "one")
    for _ in range(8):
        assert words_of(outbox) == ["one"]
        rests.append(outbox.not_handed_over())
        assert words_of(an_outbox(redis_url)) == []
        rested(client)
    batch = outbox.turn()
    assert batch is not None
    outbox.handed_over(batch)
    outbox.tell(Kind.LOG_IN, "two")
    rested(client)
    assert words_of(outbox) == ["two"]

    assert rests == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert outbox.not_handed_over() == 1_000
    assert PAUSE_MS < 5_000


@pytest.mark.promise(7)
def test_what_the_teller_of_before_sent_leaves_the_queue_though_his_turn_is_over(
    redis_url: str, client: redis.Redis
) -> None:
    """It was told: a second time would be once too often; the turn stays with its new holder."""
    first, second = an_outbox(redis_url), an_outbox(redis_url)
    first.tell(Kind.LOG_IN, "one")
    batch = first.turn()
    assert batch is not None
    client.hset("relay:telling", "held_until", 1)
    assert words_of(second) == ["one"]
    holder = client.hget("relay:telling", "holder")

    first.handed_over(batch)

    assert client.zcard("relay:notices") == 0
    assert client.hget("relay:telling", "holder") == holder


@pytest.mark.promise(7)
def test_a_notice_of_another_version_neither_stops_the_others_nor_is_lost(
    redis_url: str, client: redis.Redis
) -> None:
    """An older one is told and leaves, a newer one waits for whoever understands it."""
    older = json.dumps({"alert_id": "a", "kind": "ended", "number": 1, "status": "failed", "words": "older"})
    newer = json.dumps({"kind": "of a later day", "words": "newer"})
    client.zadd("relay:notices", {older: 1, newer: 2})
    outbox = an_outbox(redis_url)
    batch = outbox.turn()
    assert batch is not None

    outbox.handed_over(batch)

    assert [each.notice.words for each in batch.waiting] == ["older"]
    assert client.zrange("relay:notices", 0, -1) == [newer]


@pytest.mark.promise(7)
def test_what_only_another_version_understands_keeps_no_turn_from_it(
    redis_url: str, client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who understands nothing of what waits gives the turn back, and says so once."""
    newer = json.dumps({"kind": "of a later day", "words": "newer"})
    client.zadd("relay:notices", {newer: 1})
    settings = some_settings(redis_url)
    log.configure("WARNING", Scrubber(settings))
    outbox = Outbox(Ledger(settings))

    for _ in range(3):
        assert outbox.turn() is None
        assert client.hget("relay:telling", "holder") == ""
        rested(client)

    assert client.zrange("relay:notices", 0, -1) == [newer]
    assert capsys.readouterr().out.count("not_understood") == 1


@pytest.mark.promise(7)
def test_what_there_is_no_room_for_is_counted(redis_url: str, client: redis.Redis) -> None:
    """The oldest give way, and how many is told once."""
    outbox = an_outbox(redis_url)
    client.zadd("relay:notices", {f"old {number}": number for number in range(1_004)})

    outbox.tell(Kind.LOG_IN, "newest")

    batch = outbox.turn()
    assert batch is not None
    assert (batch.dropped, client.zcard("relay:notices")) == (5, 1_000)
    assert [each.notice.words for each in batch.waiting] == ["newest"]
    outbox.handed_over(batch)
    assert not client.exists("relay:notices:dropped")


@pytest.mark.promise(7)
def test_behind_a_gate_one_is_told_and_the_rest_counted(redis_url: str, client: redis.Redis) -> None:
    """The count comes when the minute is over, though nothing more happens."""
    outbox = an_outbox(redis_url)
    told = [outbox.tell(Kind.LOG_IN, "refused", gate="one") for _ in range(4)]
    other = outbox.tell(Kind.LOG_IN, "another", gate="two")

    assert (told, other) == ([True, False, False, False], True)
    batch = outbox.turn()
    assert batch is not None
    assert [each.notice.words for each in batch.waiting] == ["refused", "another"]
    outbox.handed_over(batch)
    rested(client)
    client.zunionstore("relay:notices", {"relay:notices": 0.0})
    after = outbox.turn()
    assert after is not None
    assert [each.count for each in after.waiting] == [3]
    assert "The same happened again" in after.waiting[0].notice.words


@pytest.mark.promise(7)
def test_a_gap_is_told_in_the_step_that_ends_it(redis_url: str, client: redis.Redis) -> None:
    """The heart beats on only with the notice; of several processes one tells."""
    first, second = an_outbox(redis_url), an_outbox(redis_url)
    now_ms, before_ms = first.beat()
    assert before_ms == 0
    assert first.beat()[1] == 0
    client.set("relay:heartbeat", now_ms - 60_000)

    seen = [first.beat()[1], second.beat()[1]]
    assert seen == [now_ms - 60_000] * 2
    assert client.zcard("relay:notices") == 0
    for outbox in (first, second):
        outbox.beat(now_ms - 60_000, "away")

    assert client.zcard("relay:notices") == 1
    assert int(client.get("relay:heartbeat") or 0) >= now_ms


@pytest.mark.promise(7)
def test_an_outage_is_told_once_for_all_processes(redis_url: str, client: redis.Redis) -> None:
    """Several breakers open and close: one message each; one that comes and goes is told once a minute."""
    processes = [an_outbox(redis_url) for _ in range(3)]
    for how, kind in (("open", Kind.SILENT), ("still", Kind.SILENT), ("closed", Kind.ANSWERS)) * 2:
        for each in processes:
            each.outage("crosstrade", how, kind, how)

    batch = until(processes[0].turn, what="the turn")
    assert [each.notice.words for each in batch.waiting] == ["open", "closed"]
    assert client.zcard("relay:notices") == 2


@pytest.mark.promise(7)
def test_an_answer_from_before_a_silence_ends_none(redis_url: str, client: redis.Redis) -> None:
    """What one process heard a second ago is no sign that the vendor answers now."""
    outbox = an_outbox(redis_url)
    outbox.outage("crosstrade", "open", Kind.SILENT, "silent")

    outbox.outage("crosstrade", "closed", Kind.ANSWERS, "answers", answered_ms_ago=1_000)
    assert words_of(outbox) == ["silent"]

    outbox.outage("crosstrade", "closed", Kind.ANSWERS, "answers")
    assert client.zcard("relay:notices") == 2


@pytest.mark.promise(7)
def test_a_silence_soon_after_another_is_told_when_it_lasts(redis_url: str, client: redis.Redis) -> None:
    """Or the last word would be that the vendor answers."""
    outbox = an_outbox(redis_url)
    for how, kind in (("open", Kind.SILENT), ("closed", Kind.ANSWERS), ("open", Kind.SILENT)):
        outbox.outage("crosstrade", how, kind, how)
    assert client.zcard("relay:notices") == 2

    client.delete("relay:outage:crosstrade:told")  # the minute is over
    for _ in range(2):
        outbox.outage("crosstrade", "still", Kind.SILENT, "lasts")

    assert sorted(words_of(outbox)) == ["closed", "lasts", "open"]
