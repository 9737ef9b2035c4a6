"""One list for all who wait for it: asked for after each of them came, and nobody left waiting."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from relay.cancel import Cancel, Scope
from relay.errors import LeaseEnded, NotSent, Unknown
from relay.shared_lists import Orders, SharedLists
from relay.vendor import Answer, Call, Order, State
from tests.running import until
from tests.scripted import Stage
from tests.vendors.dialogue import answer
from tests.vendors.of_alphapoint import ACCOUNT, AP, row

#: Seconds for which these tests wait for what comes at once; and for what never comes.
LONG, SHORT = 20.0, 0.05


def orders(name: str) -> Orders:
    """Give a list that can be told from others."""
    return (Order(name, ACCOUNT, "MES 12-26", "buy", State.WORKING, "Working", None),)


class Watched(SharedLists):
    """Lists that tell who has come, and say when a leader gives up."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[str] = []
        self.before_giving_up: Callable[[], object] = lambda: None

    def _joined(self, of: str) -> tuple[Any, bool]:
        found = super()._joined(of)
        self.came.append(of)
        return found

    def _withdrawn(self, of: str, mine: Any) -> bool:  # noqa: ANN401 - the lists' own
        self.before_giving_up()
        return super()._withdrawn(of, mine)

    def wait_for(self, number: int) -> None:
        """Wait until so many have come."""
        until(lambda: len(self.came) == number, what="whoever comes")


class Asking:
    """A way to ask for a list that waits until it may answer."""

    def __init__(self, name: str, failure: Exception | None = None) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.times = 0
        self._name, self._failure = name, failure

    def __call__(self) -> Orders:
        """Ask for the list."""
        self.times += 1
        self.begun.set()
        assert self.may_end.wait(LONG)
        if self._failure is not None:
            raise self._failure
        return orders(self._name)


def never() -> Orders:
    """Stand for a list that nobody may ask for."""
    raise AssertionError("this one was to wait for another's list")


class Scene:
    """A list under way, and whoever comes meanwhile, one after the other."""

    def __init__(self, pool: ThreadPoolExecutor, first: Asking) -> None:
        self.lists = Watched()
        self._pool = pool
        self.first = self.comes(first)
        assert first.begun.wait(LONG)

    def comes(self, ask: Callable[[], Orders], patience_s: float = LONG, of: str = "7") -> Future[Orders]:
        """Have another come, and wait until it has."""
        number = len(self.lists.came) + 1
        future = self._pool.submit(self.lists.get, of, ask, patience_s)
        self.lists.wait_for(number)
        return future


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Give threads."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.mark.promise(5)
def test_whoever_is_alone_asks_at_once() -> None:
    """Nothing is kept: each asks anew where nobody else does."""
    lists = SharedLists()

    assert lists.get("7", lambda: orders("one"), 0.0) == orders("one")
    assert lists.get("7", lambda: orders("two"), 0.0) == orders("two")


@pytest.mark.promise(3, 5)
def test_a_list_serves_only_who_came_before_it_was_asked_for(pool: ThreadPoolExecutor) -> None:
    """Whoever comes while a list is under way gets the next one, all of them the same."""
    one, two = Asking("one"), Asking("two")
    scene = Scene(pool, one)
    second, third, fourth = scene.comes(two), scene.comes(never), scene.comes(never)

    one.may_end.set()
    assert two.begun.wait(LONG)
    assert scene.first.result(LONG) == orders("one")
    assert not third.done()
    two.may_end.set()

    assert [each.result(LONG) for each in (second, third, fourth)] == [orders("two")] * 3
    assert (one.times, two.times) == (1, 1)


@pytest.mark.promise(3)
def test_whoever_comes_while_the_next_list_runs_waits_for_the_one_after(pool: ThreadPoolExecutor) -> None:
    """A list that is under way is never joined, however many wait already."""
    one, two, three = Asking("one"), Asking("two"), Asking("three")
    scene = Scene(pool, one)
    second = scene.comes(two)
    one.may_end.set()
    assert two.begun.wait(LONG)

    late = scene.comes(three)
    two.may_end.set()
    assert second.result(LONG) == orders("two")
    assert three.begun.wait(LONG)
    three.may_end.set()

    assert late.result(LONG) == orders("three")


@pytest.mark.promise(1)
def test_a_failure_reaches_all_who_waited_for_it(pool: ThreadPoolExecutor) -> None:
    """What the vendor said to whoever asked is said to the others, and to nobody after them."""
    one, two = Asking("one"), Asking("two", Unknown("no answer within 4 s"))
    scene = Scene(pool, one)
    second, third = scene.comes(two), scene.comes(never)
    one.may_end.set()
    two.may_end.set()

    for each in (second, third):
        with pytest.raises(Unknown) as raised:
            each.result(LONG)
        assert raised.value.words == "no answer within 4 s"
    assert scene.first.result(LONG) == orders("one")
    assert scene.lists.get("7", lambda: orders("three"), 0.0) == orders("three")


@pytest.mark.promise(2)
def test_whoever_asks_and_loses_its_lease_is_no_answer_to_the_others(pool: ThreadPoolExecutor) -> None:
    """Its own record is another's by now; theirs are not, so for them nothing was sent."""
    one, two = Asking("one"), Asking("two", LeaseEnded())
    scene = Scene(pool, one)
    second, third = scene.comes(two), scene.comes(never)
    one.may_end.set()
    two.may_end.set()

    with pytest.raises(LeaseEnded):
        second.result(LONG)
    with pytest.raises(NotSent) as raised:
        third.result(LONG)
    assert not raised.value.tried
    assert scene.lists.get("7", lambda: orders("three"), 0.0) == orders("three")


@pytest.mark.promise(6)
def test_whoever_leads_and_waits_too_long_lets_the_others_go(pool: ThreadPoolExecutor) -> None:
    """A list that hangs holds nobody up for longer than their patience; those who come later find a way."""
    one, later = Asking("one"), Asking("later")
    scene = Scene(pool, one)
    scene.lists.before_giving_up = lambda: scene.lists.wait_for(3)
    leader, follower = scene.comes(never, SHORT), scene.comes(never, LONG)

    for each in (leader, follower):
        with pytest.raises(NotSent) as raised:
            each.result(LONG)
        assert not raised.value.tried
    assert not scene.first.done()
    next_one = scene.comes(later)
    one.may_end.set()
    later.may_end.set()

    assert (scene.first.result(LONG), next_one.result(LONG)) == (orders("one"), orders("later"))


@pytest.mark.promise(6)
def test_whoever_follows_waits_no_longer_than_its_patience(pool: ThreadPoolExecutor) -> None:
    """The list that it waits for goes on for the others."""
    one, two = Asking("one"), Asking("two")
    scene = Scene(pool, one)
    leader, follower = scene.comes(two), scene.comes(never, SHORT)

    with pytest.raises(NotSent):
        follower.result(LONG)
    assert not leader.done()
    one.may_end.set()
    two.may_end.set()

    assert leader.result(LONG) == orders("two")


@pytest.mark.promise(6)
def test_a_turn_that_comes_while_its_leader_gives_up_is_taken(pool: ThreadPoolExecutor) -> None:
    """Otherwise nobody would ask, and all who come later would wait for a list that never runs."""
    one = Asking("one")
    scene = Scene(pool, one)

    def give_the_turn() -> None:
        one.may_end.set()
        scene.first.result(LONG)

    scene.lists.before_giving_up = give_the_turn

    assert scene.comes(lambda: orders("two"), SHORT).result(LONG) == orders("two")
    assert scene.lists.get("7", lambda: orders("three"), 0.0) == orders("three")


@pytest.mark.promise(6)
def test_lists_of_different_accounts_do_not_wait_for_each_other(pool: ThreadPoolExecutor) -> None:
    """One account's list that hangs is no other's."""
    one = Asking("one")
    scene = Scene(pool, one)

    assert scene.comes(lambda: orders("other"), of="8").result(LONG) == orders("other")
    one.may_end.set()
    assert scene.first.result(LONG) == orders("one")


@pytest.mark.promise(3, 5)
def test_no_list_is_older_than_whoever_gets_it(pool: ThreadPoolExecutor) -> None:
    """Many come again and again at once: each list was asked for after each of its readers came."""
    lists, moments = SharedLists(), itertools.count()

    def come(_: int) -> tuple[int, int]:
        came = next(moments)
        (order,) = lists.get("7", lambda: orders(f"{next(moments)}"), LONG)
        return came, int(order.order_id)

    found = list(pool.map(come, range(1_000)))

    assert all(asked > came for came, asked in found)


# As conversations use it


def cancel(account: int) -> Cancel:
    """Give the cancel of an account."""
    return Cancel("alphapoint", account, Scope.ACCOUNT)


class Broker:
    """Answer log-ins at once, and a list of orders when it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = threading.Semaphore(0), threading.Semaphore(0)

    def rule(self, call: Call, _: object) -> Answer:
        """Answer as AlphaPoint does."""
        if call.path == "/AuthenticateUser":
            return answer({"Authenticated": True, "SessionToken": "tests-only-token"})
        self.asked.release()
        assert self.may_answer.acquire(timeout=LONG)
        return answer([row()])


@pytest.mark.promise(6)
def test_cancels_that_wait_for_one_account_ask_for_its_list_once(
    redis_url: str, pool: ThreadPoolExecutor
) -> None:
    """Of four that come while a list is under way one asks: the vendor sees two lists, not five."""
    broker, lists = Broker(), Watched()
    stage = Stage(redis_url, AP, broker.rule)
    stage.line = replace(stage.line, lists=lists)
    stage.session.get(stage.carry)

    def listed() -> Orders:
        talk = stage.talk(stage.hold(cancel(ACCOUNT)))
        return talk.list_working(AP, ACCOUNT, urgent=True)

    first = pool.submit(listed)
    assert broker.asked.acquire(timeout=LONG)
    others = [pool.submit(listed) for _ in range(4)]
    lists.wait_for(5)
    broker.may_answer.release(2)

    assert {each.result(LONG)[0].order_id for each in (first, *others)} == {row()["OrderId"]}
    assert len(stage.transport.paths(to="/GetOpenOrders")) == 2


@pytest.mark.promise(6)
def test_a_cancel_that_is_urgent_waits_for_no_list_that_is_not(
    redis_url: str, pool: ThreadPoolExecutor
) -> None:
    """A read-back may come late, since it leaves the rate budget to others: an urgent one does not wait."""
    broker = Broker()
    stage = Stage(redis_url, AP, broker.rule)
    stage.session.get(stage.carry)

    def listed(*, urgent: bool) -> Orders:
        return stage.talk(stage.hold(cancel(ACCOUNT))).list_working(AP, ACCOUNT, urgent=urgent)

    slow = pool.submit(listed, urgent=False)
    assert broker.asked.acquire(timeout=LONG)
    urgent = pool.submit(listed, urgent=True)
    assert broker.asked.acquire(timeout=LONG)
    broker.may_answer.release(2)

    assert len(slow.result(LONG)) == len(urgent.result(LONG)) == 1
    assert len(stage.transport.paths(to="/GetOpenOrders")) == 2
