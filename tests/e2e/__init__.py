"""The relay from outside: its web address on one side, the broker's own book and calls on the other."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

import redis
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from relay.sandbox.wire import RecordedCall
from tests.running import SECRET, TOKEN, RunningRelay, free_port, until

T = TypeVar("T")

#: What the relay promises its senders, in seconds.
REPLY_WITHIN = 2.5

#: Seconds that make an order older than any doubt: the rule knows two seconds of it.
LONG_AGO = 10.0

#: Settings under which a take-over is quick: a lease of one second.
QUICK = {"RELAY_LEASE": "1"}

#: Names in Redis that know of no alert, or that one was refused, and is to be told.
_NO_ALERTS = (
    "relay:strikes:",
    "relay:budget:",
    "relay:heartbeat",
    "relay:gate:",
    "relay:notices",
    "relay:telling",
    "relay:service:",
    "relay:refused:",
)


class Stage:
    """A relay as deployed, its broker and its Redis: for all tests of a file, cleaned between them."""

    def __init__(self, server: EmbeddedRedis, **settings: str) -> None:
        """Take the Redis; `settings` add to what points the relay at it."""
        behaviour = CrossTradeBehaviour(burst=None)
        self.broker = CrossTradeSandbox(TOKEN, port=free_port(), behaviour=behaviour)
        # A database of its own: a relay that a test starts beside shares no work with this one.
        url = f"{server.url}?db=1"
        self.redis = redis.Redis.from_url(url)
        self.environ = settings_for(url, self.broker.url) | settings
        self.relay = RunningRelay(self.environ)

    def __enter__(self) -> Self:
        """Start with an empty Redis."""
        self.redis.flushdb()
        self.broker.start()
        self.relay.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it."""
        if self.relay.running.poll() is None:
            self.relay.kill()
        self.broker.stop()
        self.redis.close()

    def clean(self) -> Self:
        """Forget what the last test did: its keys, its orders, its calls, its troubles."""
        self.broker.trouble = None
        for name, value in vars(CrossTradeBehaviour(burst=None)).items():
            setattr(self.broker.behaviour, name, value)
        # A look that is under way would reach the broker after its calls are forgotten.
        until(lambda: not self._in_hand(), what="the end of what the relay has in hand")
        self.redis.flushdb()
        for order in self.broker.book.working():
            self.broker.book.move(order.id, "Rejected")
        self.broker.forget_calls()
        return self

    def _in_hand(self) -> bool:
        """Let nobody come back to what is open, and say whether anybody still is at it."""
        self.redis.delete("relay:due")
        return any(self.redis.hget(name, "token") for name in self.redis.scan_iter("relay:alert:*"))


@contextlib.contextmanager
def deployed(environ: Mapping[str, str]) -> Iterator[RunningRelay]:
    """Run a relay for a part of a test; at the end it is killed, which is quicker than asking it to stop."""
    relay = RunningRelay(environ).start()
    try:
        yield relay
    finally:
        if relay.running.poll() is None:
            relay.kill()


def settings_for(redis_url: str, broker_url: str) -> dict[str, str]:
    """Give the settings of a relay between these two, with the rate budget out of the way."""
    return {
        "REDIS_URL": redis_url,
        "RELAY_SECRET": SECRET,
        "CROSSTRADE_TOKEN": TOKEN,
        "CROSSTRADE_URL": broker_url,
        "CROSSTRADE_BURST": "100000",
        "CROSSTRADE_PER_SECOND": "100000",
    }


def place(
    broker: CrossTradeSandbox,
    instrument: str = "MES 12-26",
    *,
    account: str = "Sim101",
    action: str = "Buy",
    ago: float = LONG_AGO,
) -> str:
    """Put a working order into the book, placed `ago` seconds before now."""
    created = time.time() - ago
    return broker.book.place(account=account, instrument=instrument, action=action, created=created)


def state(broker: CrossTradeSandbox, order_id: str) -> str:
    """Read an order's state in the broker's own book."""
    return broker.book.order(order_id).state


def states(broker: CrossTradeSandbox, order_ids: Sequence[str]) -> set[str]:
    """Read the states of several orders in the broker's own book."""
    return {state(broker, each) for each in order_ids}


def bulk_calls(broker: CrossTradeSandbox) -> list[RecordedCall]:
    """List the calls that could cancel more than one order."""
    return [call for call in broker.cancel_calls if call.kind == "bulk"]


def outcomes(record: Mapping[str, Any]) -> dict[str, str]:
    """Give what a reply or a record says of each order."""
    return {order["order_id"]: order["outcome"] for cancel in record["cancels"] for order in cancel["orders"]}


def leftovers(client: redis.Redis) -> list[bytes]:
    """List the names in Redis that an alert would have left."""
    names = [name for name in client.scan_iter() if not name.decode().startswith(_NO_ALERTS)]
    refused = {name for name in names if name.startswith(b"relay:alert:") and is_refused(client, name)}
    indexes = {b"relay:alerts", b"relay:alerts:default"} if refused else set()
    return [name for name in names if name not in refused | indexes]


def is_refused(client: redis.Redis, name: bytes) -> bool:
    """Say whether a record tells of nothing but a refusal."""
    record = json.loads(client.hget(name, "record") or "{}")
    return record.get("refused") is not None and record["cancels"] == []


def at_once(count: int, do: Callable[[int], T]) -> list[T]:
    """Do something in `count` threads at the same moment, and give what each came to."""
    barrier = threading.Barrier(count)
    found: list[T | BaseException] = [AssertionError("the thread did not end")] * count

    def one(number: int) -> None:
        barrier.wait(30)
        try:
            found[number] = do(number)
        except BaseException as failure:  # noqa: BLE001 - raised again below, in the test's own thread
            found[number] = failure

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    results: list[T] = []
    for each in found:
        if isinstance(each, BaseException):
            raise each
        results.append(each)
    return results


@contextlib.contextmanager
def beside(do: Callable[[], requests.Response]) -> Iterator[Callable[[], requests.Response]]:
    """Send something in a thread, so that the test can act in mid call; call what is given for the answer."""
    answers: list[requests.Response] = []

    def send() -> None:
        # A relay that is killed in mid request answers nobody.
        with contextlib.suppress(requests.RequestException):
            answers.append(do())

    thread = threading.Thread(target=send, daemon=True)
    thread.start()

    def answer() -> requests.Response:
        thread.join(30)
        assert answers, "no answer came"
        return answers[0]

    try:
        yield answer
    finally:
        thread.join(30)


def raw(port: int, data: bytes, *, within: float = 20.0, hang_up: bool = False) -> bytes:
    """Send bytes as they are, and give all that comes back until the relay hangs up or falls silent.

    Silent is it a moment after a whole answer, or when none was whole `within` so many seconds. `hang_up`:
    nothing more can follow, as when a sender's connection broke.
    """
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=within) as connection:
        connection.sendall(data)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while part := connection.recv(65_536):
                received += part
                connection.settimeout(0.3 if _is_whole(received) else within)
    return bytes(received)


def _is_whole(received: bytearray) -> bool:
    """Say whether an answer has come with its whole body."""
    head, found, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    return bool(found) and (length is None or len(body) >= int(length[1]))


def message(**fields: Any) -> str:  # noqa: ANN401 - a JSON value
    """Write an alert as JSON, without a credential."""
    return json.dumps({"action": "cancel", "vendor": "crosstrade", **fields})


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process for a while, as a busy or swapping machine does."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def problem(answer: requests.Response, status: int, kind: str) -> dict[str, Any]:
    """Check that an answer is the problem of that kind, and give it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"].endswith(f":{kind}") or body["type"].endswith(f"/{kind}"), body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body
