"""The one Redis primary: how it is reached, by its own address or through Sentinel.

redis-py retries ten times by itself, waits 5 s for an answer, and lets a hundred connections be opened:
all three would pass the reply time, or a small plan's limit. Here a silence is told within a second.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from relay.settings import Settings

#: Seconds to open a connection, to wait for an answer, and to wait for one of the pool's connections.
#: Redis answers within a millisecond; with one repetition a silence is told within a second. A connection of
#: the pool is waited for longer: that others are many is no sign that Redis is away.
_CONNECT_S = 0.2
_ANSWER_S = 0.3
_POOL_S = 0.9

_SENTINEL_PORT = 26379


class _SentinelPool(SentinelConnectionPool, redis.BlockingConnectionPool):
    """A pool of a few connections that are waited for, to whichever server Sentinel calls the primary."""


def connect(settings: Settings) -> redis.Redis:
    """Give a client of the primary; no connection is opened before its first use."""
    url = settings.redis_url.reveal()
    options: dict[str, Any] = {
        "max_connections": settings.redis_connections,
        "timeout": _POOL_S,
        "socket_connect_timeout": _CONNECT_S,
        "socket_timeout": _ANSWER_S,
        # One repetition, for a connection that was cut while idle, or a primary that is none any more. A
        # claim and a settle that are repeated recognise themselves.
        "retry": Retry(NoBackoff(), 1),
        "decode_responses": True,
        "protocol": 2,
    }
    if url.startswith("rediss") and not settings.redis_verified and "ssl_cert_reqs" not in url:
        options |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    if "+sentinel:" not in url:
        return redis.Redis(connection_pool=redis.BlockingConnectionPool.from_url(url, **options))
    return redis.Redis(connection_pool=_through_sentinel(url, options))


def _through_sentinel(url: str, options: dict[str, Any]) -> _SentinelPool:
    """Make the pool of `redis+sentinel://:password@host:26379,host:26379/service/0`."""
    parts = urlsplit(url)
    user_and_password, _, hosts = parts.netloc.rpartition("@")
    user, _, password = user_and_password.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    asking = {
        "socket_connect_timeout": _CONNECT_S,
        "socket_timeout": _ANSWER_S,
        "retry": Retry(NoBackoff(), 0),  # there are others to ask
    }
    sentinels = []
    for each in hosts.split(","):
        host, _, port = each.rpartition(":") if ":" in each else (each, "", "")
        sentinels.append((host.strip("[]"), int(port or _SENTINEL_PORT)))
    return _SentinelPool(  # type: ignore[no-untyped-call]  # redis-py has none here
        service,
        Sentinel(sentinels, sentinel_kwargs=asking),  # type: ignore[no-untyped-call]  # the same
        ssl=parts.scheme.startswith("rediss"),
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        **options,
    )
