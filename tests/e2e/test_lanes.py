"""A broker that hangs fills its own lane, and nobody else's."""

import threading
from collections.abc import Iterator

import pytest
import redis

from relay.sandbox.alphapoint import AlphaPointSandbox
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import at_once, place, states
from tests.running import RunningRelay, until

#: More alerts than a lane has threads.
MANY = 160


@pytest.fixture
def exchange() -> Iterator[AlphaPointSandbox]:
    """Run a stand-in for AlphaPoint."""
    with AlphaPointSandbox(
        username="trader", password="tests-only-password", api_key="", api_secret="", user_id=7
    ) as sandbox:
        yield sandbox


@pytest.fixture
def both(environ: dict[str, str], exchange: AlphaPointSandbox) -> Iterator[RunningRelay]:
    """Run a relay for two brokers."""
    settings = {
        "ALPHAPOINT_URL": exchange.url,
        "ALPHAPOINT_USERNAME": "trader",
        "ALPHAPOINT_PASSWORD": "tests-only-password",
    }
    # Calls end by the lease: a lane that is full stays so while the test looks.
    with RunningRelay({**environ, **settings, "RELAY_LEASE": "20"}) as relay:
        yield relay


@pytest.mark.promise(6)
def test_a_broker_that_hangs_holds_up_no_other_brokers_alerts(
    both: RunningRelay, exchange: AlphaPointSandbox, broker: CrossTradeSandbox, redis_url: str
) -> None:
    """With one broker's lane full of calls that hang, the other's cancels are confirmed in their replies."""
    exchange.trouble = Trouble(on="any", hang=True)
    orders = [place(broker) for _ in range(10)]
    hung = threading.Thread(
        target=at_once,
        args=(MANY, lambda n: both.alert(vendor="alphapoint", account=7, order_id=n + 1, max_age=2)),
    )
    hung.start()
    until(lambda: exchange.calls, what="the first call that hangs")
    with redis.Redis.from_url(redis_url) as ledger:
        until(lambda: ledger.zcard("relay:alerts") == MANY, what="the record of every alert")

    answers = [
        both.alert(account="Sim101", order_id=order, reply_when="confirmed").json() for order in orders
    ]

    assert {each["status"] for each in answers} == {"confirmed"}
    assert states(broker, orders) == {"Cancelled"}
    exchange.trouble = None
    hung.join(60)


@pytest.mark.promise(6)
def test_eight_connections_to_redis_serve_a_full_house(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """A hundred alerts at once at one process with a slow broker: every one is recorded, none is a 503."""
    orders = [place(broker) for _ in range(100)]
    broker.trouble = Trouble(on="one", latency_s=0.3)
    with RunningRelay({**environ, "RELAY_REDIS_CONNECTIONS": "8"}) as relay:
        answers = at_once(len(orders), lambda n: relay.alert(account="Sim101", order_id=orders[n]))
        until(lambda: states(broker, orders) == {"Cancelled"}, within=60, what="all cancels")

    assert {answer.status_code for answer in answers} <= {200, 202}
