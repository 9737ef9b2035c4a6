"""Dynos are restarted daily and at deploys, and the store cuts what is idle: no accepted alert notices."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from relay.sandbox.trouble import Trouble
from tests.e2e import at_once, bulk_calls, place, state, states
from tests.heroku.stage import ACCOUNTS, Dyno, Heroku
from tests.running import until

#: Senders beside each other in the traffic of these tests.
SENDERS = 4

#: Accounts kept for what is sent by hand; the traffic has one of the others for each alert.
KEPT = 2

#: The router's answer while no dyno runs, and the seconds after which a sender goes on then.
BAD_GATEWAY, PAUSE_S = 502, 0.2

#: The answer where Redis is too slow: on two cores with eight web processes it may be.
SLOW = 503


class Traffic:
    """Alerts one after the other, each for an account of its own, until told that it is enough."""

    def __init__(self, heroku: Heroku) -> None:
        """Take the platform; nothing is sent yet."""
        self._heroku = heroku
        self._accounts = iter(ACCOUNTS[KEPT:])
        self._lock = threading.Lock()
        self._enough = threading.Event()
        #: The order of each alert that was sent, and what the router said.
        self.said: dict[str, int] = {}

    def accepted(self) -> list[str]:
        """Give the orders of the alerts that were answered 2xx."""
        return [order for order, status in dict(self.said).items() if status in {200, 202}]

    @contextmanager
    def flows(self) -> Iterator[None]:
        """Send for a part of a test."""
        threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in threads:
                thread.join()

    def more(self, count: int) -> None:
        """Wait for so many more to be accepted."""
        before = len(self.accepted())
        until(lambda: len(self.accepted()) >= before + count, within=30, what="more traffic")

    def _send(self) -> None:
        while not self._enough.is_set():
            with self._lock:
                account = next(self._accounts)
            order = place(self._heroku.broker, account=account)
            self.said[order] = self._heroku.alert(account=account, scope="account").status
            if self.said[order] == BAD_GATEWAY:
                self._enough.wait(PAUSE_S)


def carried_out_once(heroku: Heroku, traffic: Traffic) -> None:
    """Wait until all that was accepted is carried out, and see that no account had a second bulk call."""
    accepted = traffic.accepted()
    until(lambda: states(heroku.broker, accepted) == {"Cancelled"}, within=30, what="all that was accepted")
    assert set(Counter(call.path for call in bulk_calls(heroku.broker)).values()) == {1}


def recorded(heroku: Heroku) -> bool:
    """Send an alert that is answered once it is recorded, and say whether it was: Redis may be slow."""
    answer = heroku.alert(account=ACCOUNTS[0], scope="account", reply_when="accepted")
    assert answer.status in {202, SLOW}
    return answer.status != SLOW


def without_surprise(*dynos: Dyno) -> None:
    """See that no dyno met what nobody foresaw."""
    assert [line for dyno in dynos for line in dyno.log("unforeseen")] == []


@pytest.mark.promise(1, 2)
def test_a_daily_restart_loses_nothing_that_was_accepted(heroku: Heroku) -> None:
    """SIGTERM to every process in mid traffic: all end in time, and what was answered 2xx is done once."""
    heroku.broker.trouble = Trouble(on="bulk", latency_s=0.3)
    traffic = Traffic(heroku)
    with ExitStack() as stack:
        old = [stack.enter_context(heroku.up()), stack.enter_context(heroku.worker())]
        with traffic.flows():
            traffic.more(10)
            # One that has only been recorded when the dyno is told to end.
            late = place(heroku.broker, account=ACCOUNTS[0])
            until(lambda: recorded(heroku), what="the record of the one")
            ends = at_once(len(old), lambda n: old[n].told_to_end())
            new = [stack.enter_context(heroku.up()), stack.enter_context(heroku.worker())]
            traffic.more(10)

        assert ends == [0, 0]
        until(lambda: state(heroku.broker, late) == "Cancelled", what="the one that was recorded")
        carried_out_once(heroku, traffic)
        without_surprise(*old, *new)
    # While no dyno runs the router answers; Heroku's waits, and the platform hangs up.
    assert set(traffic.said.values()) <= {200, 202, SLOW, BAD_GATEWAY}


@pytest.mark.promise(1, 2)
def test_a_deploy_of_two_dynos_stays_inside_a_small_plans_connections(heroku: Heroku) -> None:
    """With preboot, new ones beside the old, each two dynos and a worker: the store's forty are enough."""
    heroku.broker.trouble = Trouble(on="bulk", latency_s=0.3)
    traffic = Traffic(heroku)
    orders = [place(heroku.broker, account=ACCOUNTS[0]) for _ in range(100)]
    with ExitStack() as stack:
        old = [stack.enter_context(heroku.up(number)) for number in (0, 1)]
        old.append(stack.enter_context(heroku.worker()))
        with traffic.flows():
            traffic.more(5)
            new = [stack.enter_context(heroku.up(number)) for number in (2, 3)]
            new.append(stack.enter_context(heroku.worker()))
            heroku.route(1)
            burst = at_once(len(orders), lambda n: heroku.alert(account=ACCOUNTS[0], order_id=orders[n]))
            ends = at_once(len(old), lambda n: old[n].told_to_end())
            traffic.more(5)

        without_surprise(*old, *new)
        assert {answer.status for answer in burst} <= {200, 202, SLOW}
        assert ends == [0] * len(old)
        assert int(heroku.redis.info("stats")["rejected_connections"]) == 0
        taken = [order for order, answer in zip(orders, burst, strict=True) if answer.status != SLOW]
        assert len(taken) > len(orders) / 2
        until(lambda: states(heroku.broker, taken) == {"Cancelled"}, within=30, what="the burst's cancels")
        carried_out_once(heroku, traffic)
    assert set(traffic.said.values()) <= {200, 202, SLOW}


@pytest.mark.promise(1)
def test_idle_connections_that_were_cut_cost_no_alert_an_error(heroku: Heroku) -> None:
    """After the store has cut all that were idle a burst is recorded as before, without a 503."""
    heroku.broker.trouble = Trouble(on="one", latency_s=0.1)
    orders = [place(heroku.broker, account=ACCOUNTS[0]) for _ in range(40)]

    def connections() -> int:
        return int(heroku.redis.info("clients")["connected_clients"])

    with heroku.up() as dyno:
        first = at_once(20, lambda n: heroku.alert(account=ACCOUNTS[0], order_id=orders[n]))
        opened = connections()
        # What stays is the test's own, and one of each process that looks for what is due.
        until(lambda: connections() <= 1 + 2, what="the cut of the idle ones")
        second = at_once(20, lambda n: heroku.alert(account=ACCOUNTS[0], order_id=orders[20 + n]))
        until(lambda: states(heroku.broker, orders) == {"Cancelled"}, what="all cancels")
        without_surprise(dyno)

    assert opened > 1 + 2
    assert {answer.status for answer in first + second} <= {200, 202}
