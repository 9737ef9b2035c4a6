"""What a vendor tells by itself: kept for whoever waits, and never more than an order's end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.news import News
from relay.vendor import Order, State
from tests.running import until

#: Seconds that are long enough for whatever is waited for.
LONG = 30.0


def order(order_id: int, state: State = State.CANCELLED, *, account: int = 4) -> Order:
    """Give an order as an event tells it."""
    return Order(order_id, account, "instrument 8", "buy", state, state.value, None)


@pytest.mark.promise(5)
@pytest.mark.parametrize("state", [State.CANCELLED, State.FILLED, State.OVER])
def test_an_orders_end_is_kept_for_its_account_and_id(state: State) -> None:
    """It is found by both, and by nothing else: ids are an account's own."""
    news = News()
    told = order(5, state)

    news.tell(told)

    assert news.of((4, 5)) is told
    assert [news.of(key) for key in ((9, 5), (4, 6), ("4", "5"))] == [None] * 3


@pytest.mark.promise(5)
@pytest.mark.parametrize("state", [State.WORKING, State.CANCELLING, State.UNCLEAR])
def test_what_is_not_over_is_no_news(state: State) -> None:
    """An order that works may be another the next moment; one that is over stays so, whatever comes late."""
    news = News()

    news.tell(order(5, state))
    assert news.of((4, 5)) is None

    news.tell(order(5))
    news.tell(order(5, state))
    told = news.of((4, 5))
    assert told is not None
    assert told.state is State.CANCELLED


@pytest.mark.promise(5)
def test_news_that_are_forgotten_are_told_to_nobody() -> None:
    """One order's are; what was told of another stays."""
    news = News()
    news.tell(order(5))
    news.tell(order(6))

    news.forget((4, 5))
    news.forget((4, 7))

    assert news.of((4, 5)) is None
    assert news.of((4, 6)) is not None
    assert not news.wait(0.0, [(4, 5)])


@pytest.mark.promise(6)
def test_the_oldest_news_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded, and what was told again is young again."""
    monkeypatch.setattr("relay.news._KEPT", 3)
    news = News()
    for order_id in (1, 2, 3, 1, 4):
        news.tell(order(order_id))

    assert [news.of((4, order_id)) is not None for order_id in (1, 2, 3, 4)] == [True, False, True, True]


@pytest.mark.promise(6)
def test_whoever_waits_for_orders_is_woken_by_the_last_of_them() -> None:
    """All of them have to be over; the news may come before the waiting, and in any order."""
    news, waits = News(), threading.Event()
    news.tell(order(1))

    def wait() -> bool:
        waits.set()
        return news.wait(LONG * 100, [(4, 1), (4, 2), (4, 3)])

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert waits.wait(LONG)
        news.tell(order(3))
        news.tell(order(2, account=9))
        assert not waiting.done()
        news.tell(order(2))
        assert waiting.result(LONG) is True


@pytest.mark.promise(6)
def test_whoever_is_told_nothing_waits_no_longer_than_its_time() -> None:
    """Without news the time is over and nothing is claimed, also where there is nothing to wait for."""
    news = News()
    news.tell(order(1))

    assert not news.wait(0.01, [(4, 1), (4, 2)])
    assert not news.wait(0.01, [])


@pytest.mark.promise(6)
def test_many_may_tell_and_wait_at_once() -> None:
    """Each of many threads hears of its own order."""
    news = News()

    with ThreadPoolExecutor(32) as pool:
        waiting = [pool.submit(news.wait, LONG, [(4, number)]) for number in range(16)]
        telling = [pool.submit(news.tell, order(number)) for number in range(16)]
        assert all(each.result(LONG) for each in waiting)
        until(lambda: all(each.done() for each in telling), what="the end of the telling")
