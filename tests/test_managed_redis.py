"""A managed Redis has its ways: few connections, and idle ones that are cut, or fall silent."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import at_once, place, problem, settings_for, states
from tests.running import RunningRelay, relay_command, until

#: Alerts at once: more than a process has connections.
MANY = 24


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """Run a Redis whose limits a test may set."""
    with EmbeddedRedis(tmp_path) as server:
        yield server


class Way:
    """The way to a Redis, by TCP, on which the connections that are open can be lost without a word."""

    def __init__(self, server: EmbeddedRedis) -> None:
        """Listen on the loopback; each connection gets one of its own to the server."""
        self._path = unquote(urlsplit(server.url).path)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._open: list[threading.Event] = []
        threading.Thread(target=self._take, daemon=True).start()

    def count(self) -> int:
        """Give how many connections were opened."""
        return len(self._open)

    def lose(self) -> None:
        """Carry nothing more over the connections that are open, and close none: as a router forgets them."""
        for lost in self._open:
            lost.set()

    def stop(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._path)
                lost = threading.Event()
                self._open.append(lost)
                threading.Thread(target=self._carry, args=(near, far, lost), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket, lost: threading.Event) -> None:
        other = {near: far, far: near}
        # Not by `select`: a process that has run many tests may have files beyond its 1024.
        with near, far, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            for each in other:
                ready.register(each, selectors.EVENT_READ, each)
            while True:
                for each in [key.data for key, _ in ready.select()]:
                    data = each.recv(65_536)
                    if not data:
                        return
                    if not lost.is_set():
                        other[each].sendall(data)


@pytest.fixture
def way(own_redis: EmbeddedRedis) -> Iterator[Way]:
    """Lay a way to a Redis of one's own."""
    laid = Way(own_redis)
    yield laid
    laid.stop()


@pytest.mark.promise(1, 6)
def test_connections_that_fell_silent_cost_no_alert_an_error(way: Way, broker: CrossTradeSandbox) -> None:
    """Every alert after the silence is recorded and answered in time: each connection is opened anew."""
    orders = [place(broker) for _ in range(2 * MANY)]
    broker.trouble = Trouble(latency_s=0.1)
    with RunningRelay(settings_for(way.url, broker.url)) as relay:
        at_once(MANY, lambda n: relay.alert(account="Sim101", order_id=orders[n]))
        opened = way.count()
        way.lose()

        answers = at_once(MANY, lambda n: relay.alert(account="Sim101", order_id=orders[MANY + n]))
        until(lambda: states(broker, orders) == {"Cancelled"}, within=30, what="all cancels")

    assert opened > 1
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2.5


@pytest.mark.promise(1)
def test_a_redis_with_too_many_clients_is_a_503(own_redis: EmbeddedRedis, broker: CrossTradeSandbox) -> None:
    """Nothing is recorded and nothing sent, which the sender is told; it goes on when others have left."""
    order = place(broker)
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxclients", 4)
    path = unquote(urlsplit(own_redis.url).path)
    others = []
    for _ in range(4):
        other = socket.socket(socket.AF_UNIX)
        other.connect(path)
        other.sendall(b"PING\r\n")
        assert other.recv(100) == b"+PONG\r\n"
        others.append(other)
    # No more of its own than Redis takes.
    environ = settings_for(own_redis.url, broker.url) | {"RELAY_REDIS_CONNECTIONS": "3"}
    with RunningRelay(environ) as relay:
        refused = relay.alert(account="Sim101", order_id=order)
        problem(refused, 503, "not-ready")
        assert refused.headers["Retry-After"] == "5"
        assert broker.calls == []
        for other in others:
            other.close()
        until(lambda: requests.get(f"{relay.url}/readyz", timeout=5).ok, what="room for the relay")

        assert relay.alert(account="Sim101", order_id=order).status_code == 200
    assert relay.log("unforeseen") == []


@pytest.mark.promise(6)
def test_three_connections_serve_a_dyno(environ: dict[str, str], broker: CrossTradeSandbox) -> None:
    """On Heroku a process opens three at most, and a hundred alerts at once are all recorded."""
    orders = [place(broker) for _ in range(100)]
    broker.trouble = Trouble(on="one", latency_s=0.3)
    with redis.Redis.from_url(environ["REDIS_URL"]) as client, ExitStack() as stack:
        before = {each["id"] for each in client.client_list()}
        on_heroku = {**environ, "DYNO": "web.1", "RELAY_TRUSTED_PROXIES": "0"}
        relay = stack.enter_context(RunningRelay(on_heroku))
        answers = at_once(len(orders), lambda n: relay.alert(account="Sim101", order_id=orders[n]))
        opened = {each["id"] for each in client.client_list()} - before
        until(lambda: states(broker, orders) == {"Cancelled"}, within=60, what="all cancels")

    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len(opened) <= 3


@pytest.mark.promise(10)
def test_check_says_when_redis_allows_too_few(own_redis: EmbeddedRedis, broker: CrossTradeSandbox) -> None:
    """Counted as during a deploy: the sentence says what to set, and with that all is well."""
    environ = settings_for(own_redis.url, broker.url)
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxclients", 20)

    ended = relay_command("check", environ=environ)

    assert ended.returncode == 1
    assert "Redis allows 20 connections, and 2 web processes and a worker open up to 48" in ended.stdout
    assert "set RELAY_REDIS_CONNECTIONS to 3" in ended.stdout
    assert relay_command("check", environ={**environ, "RELAY_REDIS_CONNECTIONS": "3"}).returncode == 0
