"""What these tests share: a relay by the Procfile, cleaned before each test. A file may run another stage."""

from collections.abc import Iterator

import pytest

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import Stage, leftovers, place, state
from tests.running import RunningRelay


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis) -> Iterator[Stage]:
    """Run one relay for all of the file."""
    with Stage(redis_server) as stage:
        yield stage


@pytest.fixture
def relay(stage: Stage) -> RunningRelay:
    """Give the file's relay, with nothing left of the last test."""
    return stage.clean().relay


@pytest.fixture
def broker(stage: Stage) -> CrossTradeSandbox:
    """Give the file's broker, with nothing left of the last test."""
    return stage.clean().broker


@pytest.fixture
def untouched(stage: Stage, relay: RunningRelay) -> Iterator[None]:  # noqa: ARG001 - cleaned before the order
    """Keep a working order, and see afterwards that no refusal reached the broker or left a key."""
    order = place(stage.broker)
    yield
    assert stage.broker.calls == []
    assert state(stage.broker, order) == "Working"
    assert leftovers(stage.redis) == []
