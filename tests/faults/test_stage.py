"""What the suite stands on."""

from pathlib import Path

import pytest
import redis

from tests.faults.stage import DurableRedis


@pytest.mark.promise(1)
def test_the_suites_redis_has_every_write_on_the_disk(tmp_path: Path) -> None:
    """A Redis that answers before it has written would lose what it was killed over."""
    with DurableRedis(tmp_path) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.config_get("append*")["appendfsync"] == "always"
        assert client.config_get("append*")["appendonly"] == "yes"
