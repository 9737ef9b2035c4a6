"""A stand-in for CrossTrade, a clock that the test moves, and a client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from relay.sandbox.crosstrade import CrossTradeSandbox

TOKEN = "an-invented-token-of-a-user"

#: 2026-11-02, 12:00 UTC: the front month is December's.
NOON = 1793620800.0

#: Seconds a test waits at most for something that has to happen.
PATIENCE = 10.0


class Clock:
    """Show a time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Client:
    """Send requests to one broker as its user, over one kept connection."""

    def __init__(self, broker: CrossTradeSandbox, session: requests.Session) -> None:
        self.url = broker.url
        self.session = session
        session.headers["Authorization"] = f"Bearer {TOKEN}"

    def send(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - as in requests
        """Send to any address, following nothing unless told to."""
        options = {"timeout": PATIENCE, "allow_redirects": False, **options}
        return self.session.request(method, self.url + path, **options)

    def get(self, path: str) -> requests.Response:
        """Read below the API."""
        return self.send("GET", "/v1/api/" + path)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:  # noqa: ANN401 - as above
        """Send JSON to an address below the API."""
        return self.send("POST", "/v1/api/" + path, json={} if body is None else body, **options)

    def cancel(self, order_id: str, account: str = "Sim101", **options: Any) -> requests.Response:  # noqa: ANN401
        """Ask for the cancel of one order."""
        return self.post(f"accounts/{account}/orders/{order_id}/cancel", **options)

    def state(self, order_id: str, account: str = "Sim101") -> str:
        """Read one order's state."""
        return str(self.get(f"accounts/{account}/orders/{order_id}").json()["orderState"])


@pytest.fixture
def clock() -> Clock:
    """Give a clock that only the test moves."""
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> Iterator[CrossTradeSandbox]:
    """Run a broker without a budget, so that only the test of the budget meets it."""
    with CrossTradeSandbox(TOKEN, clock=clock) as broker:
        broker.behaviour.burst = None
        yield broker


@pytest.fixture
def client(broker: CrossTradeSandbox) -> Iterator[Client]:
    """Give a client of that broker."""
    with requests.Session() as session:
        yield Client(broker, session)
