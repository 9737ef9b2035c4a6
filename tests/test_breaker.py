"""A vendor that answers nobody is left alone for a moment, and taken up again by one call."""

import threading

import pytest

from relay import breaker as breakers
from relay.breaker import FAILURES, Breaker
from relay.errors import NotSent
from tests.running import until


def broken() -> Breaker:
    """Give a breaker that has just opened."""
    breaker = Breaker("crosstrade")
    for _ in range(FAILURES):
        breaker.admit()
        breaker.failed("no connection")
    return breaker


def admitted(breaker: Breaker) -> bool:
    """Say whether a call is let through."""
    try:
        breaker.admit()
    except NotSent:
        return False
    return True


def rest_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no rest that begins from now on end within a test."""
    monkeypatch.setattr(breakers, "_OPEN_S", 600.0)
    monkeypatch.setattr(breakers, "_OPEN_MOST_S", 600.0)


@pytest.mark.promise(6)
def test_calls_are_stopped_only_after_several_in_a_row_came_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One answer in between, whatever it says, and the counting begins anew."""
    rest_long(monkeypatch)
    breaker = Breaker("crosstrade")
    for _ in range(FAILURES - 1):
        breaker.failed("no connection")
    breaker.answered()
    for _ in range(FAILURES - 1):
        breaker.failed("no connection")
        breaker.admit()

    breaker.failed("no connection")

    assert not admitted(breaker)


@pytest.mark.promise(1)
def test_what_is_stopped_is_not_sent_and_says_when_to_come_back() -> None:
    """A stopped call is no try, and its wait is short: an alert is good for a minute."""
    with pytest.raises(NotSent) as stopped:
        broken().admit()

    assert stopped.value.tried is False
    assert stopped.value.wait_ms is not None
    assert 0 < stopped.value.wait_ms <= 1_000
    assert "crosstrade" in stopped.value.words
    assert "no connection" in stopped.value.words


@pytest.mark.promise(6)
def test_one_call_finds_out_whether_the_vendor_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the rest is over one of many goes ahead; its answer lets the others go."""
    breaker = broken()
    rest_long(monkeypatch)
    until(lambda: admitted(breaker), what="the first call after the rest")

    assert not any(admitted(breaker) for _ in range(20))
    breaker.answered()

    assert all(admitted(breaker) for _ in range(20))


@pytest.mark.promise(6)
def test_of_many_threads_one_goes_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the rest a single thread is let through, however many ask at once."""
    breaker = broken()
    rest_long(monkeypatch)
    gone: list[int] = []
    over = threading.Event()

    def ask(number: int) -> None:
        while not over.is_set():
            if admitted(breaker):
                gone.append(number)
                return

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: gone, what="the end of the rest")
    finally:
        over.set()
    for thread in threads:
        thread.join(10)

    assert len(gone) == 1
