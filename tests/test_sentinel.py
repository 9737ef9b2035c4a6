"""A real Sentinel set fails over in the middle of traffic, and the relay goes on by itself."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from relay.embedded_redis import find_server
from relay.lifeline import Kept
from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import place, settings_for, state
from tests.running import RunningRelay, free_port, until

#: What the Sentinels call the set.
SERVICE = "relay"

SENTINELS = 3


class SentinelSet:
    """A primary, a replica and three Sentinels that watch them."""

    def __init__(self, folder: Path) -> None:
        """Start all of them; each ends with this process."""
        self._binary = str(find_server())
        self._folder = folder
        self._kept: list[Kept] = []
        self.first, self.second = free_port(), free_port()
        self._server(self.first)
        self._server(self.second, f"replicaof 127.0.0.1 {self.first}")
        until(lambda: self._info(self.second).get("master_link_status") == "up", what="the replica's link")
        self._sentinels = [free_port() for _ in range(SENTINELS)]
        for port in self._sentinels:
            self._sentinel(port)
        until(lambda: all(self._watches(port) for port in self._sentinels), what="the Sentinels' view")

    @property
    def url(self) -> str:
        """Give the address that a relay is set to."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    def primary(self) -> int:
        """Give the port of the server that the first Sentinel calls the primary."""
        with redis.Redis(port=self._sentinels[0]) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name(SERVICE)[1])

    def kill(self, port: int) -> None:
        """End a server by kill -9."""
        os.kill(int(self._info(port)["process_id"]), signal.SIGKILL)

    def stop(self) -> None:
        """End all of them."""
        for kept in self._kept:
            kept.stop()

    def _server(self, port: int, *lines: str) -> None:
        self._run(port, f"port {port}", "appendonly yes", "save ''", *lines)

    def _sentinel(self, port: int) -> None:
        self._run(
            port,
            f"port {port}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.first} 2",
            f"sentinel down-after-milliseconds {SERVICE} 500",
            f"sentinel failover-timeout {SERVICE} 3000",
            sentinel=True,
        )

    def _run(self, port: int, *lines: str, sentinel: bool = False) -> None:
        folder = self._folder / str(port)
        folder.mkdir()
        config = folder / "redis.conf"
        config.write_text("\n".join(["bind 127.0.0.1", f"dir {folder}", *lines, ""]))
        command = [self._binary, str(config), *(["--sentinel"] if sentinel else [])]
        with (folder / "log").open("wb") as output:
            self._kept.append(Kept(command, folder=folder, environ={}, output=output))
        until(lambda: _answers(port), what=f"the server at {port}")

    def _info(self, port: int) -> dict[str, str]:
        with redis.Redis(port=port, decode_responses=True) as client:
            found: dict[str, str] = client.info()
            return found

    def _watches(self, port: int) -> bool:
        with redis.Redis(port=port, decode_responses=True) as sentinel:
            seen = sentinel.sentinel_masters().get(SERVICE, {})
        return (seen.get("num-slaves"), seen.get("num-other-sentinels")) == (1, SENTINELS - 1)


def _answers(port: int) -> bool:
    try:
        with redis.Redis(port=port) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[SentinelSet]:
    """Run a Sentinel set that a test may hurt."""
    made = SentinelSet(tmp_path)
    yield made
    made.stop()


@pytest.mark.promise(1, 2)
def test_a_fail_over_in_the_middle_of_traffic_loses_no_accepted_alert(
    sentinels: SentinelSet, broker: CrossTradeSandbox
) -> None:
    """With no primary the answer is 503; what was answered 2xx is carried out, without a restart."""
    accepted: list[str] = []
    refused: list[int] = []
    enough = threading.Event()

    def send() -> None:
        while not enough.is_set():
            order = place(broker)
            answer = relay.alert(account="Sim101", order_id=order)
            if answer.ok:
                accepted.append(order)
            else:
                refused.append(answer.status_code)

    with RunningRelay(settings_for(sentinels.url, broker.url)) as relay:
        traffic = threading.Thread(target=send)
        traffic.start()
        try:
            until(lambda: len(accepted) > 20, what="some traffic")
            sentinels.kill(sentinels.first)
            until(lambda: sentinels.primary() == sentinels.second, within=30, what="the fail-over")
            before = len(accepted)
            until(lambda: len(accepted) > before + 20, within=30, what="traffic at the new primary")
        finally:
            enough.set()
            traffic.join(30)
        until(
            lambda: all(state(broker, each) == "Cancelled" for each in accepted),
            within=30,
            what="the end of all accepted alerts",
        )
        assert requests.get(f"{relay.url}/readyz", timeout=5).ok

    assert set(refused) <= {503}
