"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest
import redis

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from tests.running import SECRET, TOKEN, RunningRelay, free_port

pytest_plugins = ["pytester", "tests.promises", "tests.faults.shown"]

#: Names, and beginnings of names, that whoever runs the tests may have set for a relay of their own.
SETTINGS = (
    "REDIS_URL",
    "PORT",
    "WEB_CONCURRENCY",
    "GUNICORN_CMD_ARGS",
    "FORWARDED_ALLOW_IPS",
    "DYNO",
    "LOG_LEVEL",
)
BEGINNINGS = ("RELAY_", "CROSSTRADE_", "ALPHAPOINT_", "AUTOSHARES_")


@pytest.fixture(scope="session", autouse=True)
def clean_environ() -> Iterator[None]:
    """Keep the settings of whoever runs the tests from them, and from every process they start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in SETTINGS or name.startswith(BEGINNINGS):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """Run one real Redis for the whole run. A test that kills it makes its own instead."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """Give the address of a Redis with nothing in it."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        client.script_flush()
    return redis_server.url


@pytest.fixture
def broker() -> Iterator[CrossTradeSandbox]:
    """Run a stand-in CrossTrade whose rate limit stays out of the way; a test may set it, or stop it."""
    behaviour = CrossTradeBehaviour(burst=None)
    with CrossTradeSandbox(TOKEN, port=free_port(), behaviour=behaviour) as sandbox:
        yield sandbox


@pytest.fixture
def environ(redis_url: str, broker: CrossTradeSandbox) -> dict[str, str]:
    """Give the settings that point a relay at the test's own Redis and broker."""
    return {
        "REDIS_URL": redis_url,
        "RELAY_SECRET": SECRET,
        "CROSSTRADE_TOKEN": TOKEN,
        "CROSSTRADE_URL": broker.url,
        "CROSSTRADE_BURST": "100000",
        "CROSSTRADE_PER_SECOND": "100000",
    }


@pytest.fixture
def relay(environ: dict[str, str]) -> Iterator[RunningRelay]:
    """Run a relay from the Procfile, with one web process."""
    with RunningRelay(environ) as running:
        yield running


@pytest.fixture
def two_processes(environ: dict[str, str]) -> Iterator[RunningRelay]:
    """Run a relay from the Procfile, with two web processes."""
    with RunningRelay({**environ, "WEB_CONCURRENCY": "2"}) as running:
        yield running
