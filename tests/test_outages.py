"""Whether vendors answer: told once, by whichever process knows it."""

import pytest
import redis

from relay import outages
from relay.breaker import FAILURES, Breaker
from relay.ledger import Ledger
from relay.notice import Kind
from relay.outages import Outages
from relay.outbox import Outbox
from relay.scrubber import Scrubber
from tests.scripted import some_settings


class Process:
    """What one process knows of a vendor."""

    def __init__(self, url: str) -> None:
        """Know nothing yet."""
        settings = some_settings(url)
        self.outbox = Outbox(Ledger(settings))
        self.breaker = Breaker("crosstrade")
        self._outages = Outages(self.outbox, [self.breaker], Scrubber(settings))

    def meets_silence(self) -> None:
        """Call in vain until the breaker opens, and look."""
        for _ in range(FAILURES):
            self.breaker.failed("no connection")
        self.looks()

    def is_answered(self) -> None:
        """Have a call answered, and look."""
        self.breaker.answered()
        self.looks()

    def looks(self) -> None:
        """Look, as its worker does."""
        self._outages.look()


def told(url: str) -> list[Kind]:
    """Take what waits to be told, and let the minute of a vendor that comes and goes be over."""
    outbox = Outbox(Ledger(some_settings(url)))
    batch = outbox.turn()
    if batch is not None:
        outbox.handed_over(batch)
    with redis.Redis.from_url(url) as client:
        client.delete("relay:telling", "relay:outage:crosstrade:told")
    return [each.notice.kind for each in batch.waiting] if batch else []


@pytest.mark.promise(7)
def test_an_answer_to_another_process_ends_an_outage(redis_url: str) -> None:
    """The one that saw the silence may have no call for hours: the next silence is news all the same."""
    first, second = Process(redis_url), Process(redis_url)
    first.meets_silence()
    assert told(redis_url) == [Kind.SILENT]

    second.is_answered()
    first.looks()
    assert told(redis_url) == [Kind.ANSWERS]

    second.meets_silence()
    first.looks()
    assert told(redis_url) == [Kind.SILENT]


@pytest.mark.promise(7)
def test_who_has_not_called_for_long_does_not_know_of_a_silence(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps no outage alive, and tells of the next one that it meets."""
    process = Process(redis_url)
    process.meets_silence()
    monkeypatch.setattr(outages, "_KNOWS_S", 0.0)
    process.looks()
    monkeypatch.undo()
    with redis.Redis.from_url(redis_url) as client:
        client.delete("relay:outage:crosstrade")  # nobody has kept it alive
    assert told(redis_url) == [Kind.SILENT]

    process.meets_silence()

    assert told(redis_url) == [Kind.SILENT]
