"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest
import redis

from relay.embedded_redis import EmbeddedRedis

pytest_plugins = ["pytester", "tests.promises"]

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
