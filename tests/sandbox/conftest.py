"""Stand-ins for brokers, a clock that the test moves, and a client of each."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from relay.sandbox.alphapoint import AlphaPointSandbox
from relay.sandbox.autoshares import AutosharesBehaviour, AutosharesSandbox
from relay.sandbox.crosstrade import CrossTradeSandbox

TOKEN = "an-invented-token-of-a-user"

#: What the user of the stand-in for Autoshares logs in with.
APP_KEY, USERNAME, PASSWORD = "an-invented-application-key", "trader", "an-invented-password"

#: What the user of the stand-in for AlphaPoint logs in with; a password may hold a colon.
EXCHANGE_USER = {
    "username": "trader@example.com",
    "password": "invented:password",
    "api_key": "28c68ac3",
    "api_secret": "an-invented-secret",
    "user_id": 446,
}

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


class Trader:
    """Send requests to one stand-in for Autoshares as its user, over one kept connection."""

    def __init__(self, broker: AutosharesSandbox, session: requests.Session) -> None:
        self.url = broker.url
        self.session = session
        session.headers["Et-App-Key"] = APP_KEY

    def send(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - as in requests
        """Send to any address, following nothing."""
        options = {"timeout": PATIENCE, "allow_redirects": False, **options}
        return self.session.request(method, self.url + path, **options)

    def get(self, path: str, **query: object) -> requests.Response:
        """Read below the version."""
        return self.send("GET", "/v1.0/" + path, params=query)

    def ask_for_token(self, **headers: str) -> requests.Response:
        """Log in, with more headers than name and password or with others."""
        return self.send("POST", "/token", headers={"Username": USERNAME, "Password": PASSWORD, **headers})

    def log_in(self) -> None:
        """Use a new token from now on."""
        self.session.headers["Authorization"] = f"Bearer {self.ask_for_token().json()['Token']}"

    def cancel(self, order_id: object, account: object = 6303, by: str = "orders") -> requests.Response:
        """Ask for the cancel of one order."""
        return self.send("DELETE", f"/v1.0/accounts/{account}/{by}/{order_id}")

    def row(self, order_id: str, account: int = 6303) -> dict[str, Any]:
        """Read one order."""
        row: dict[str, Any] = self.get(f"accounts/{account}/orders/{order_id}").json()
        return row

    def page(self, number: int = 0, size: int = 100, **query: object) -> dict[str, Any]:
        """Read one page of the first account's orders."""
        page: dict[str, Any] = self.get(
            "accounts/6303/orders", pageNumber=number, pageSize=size, **query
        ).json()
        return page

    def ids(self, **query: str) -> list[str]:
        """List the ids of the first account's orders, as the book writes them."""
        return [str(row["Id"]) for row in self.page(0, 100, **query)["Result"]]


class Member:
    """Send calls to one stand-in for AlphaPoint as its user, over one kept connection."""

    def __init__(self, exchange: AlphaPointSandbox, session: requests.Session) -> None:
        self.url = exchange.url
        self.session = session

    def send(self, method: str, name: str, **options: Any) -> requests.Response:  # noqa: ANN401 - as in requests
        """Send any call in any way."""
        options = {"timeout": PATIENCE, "allow_redirects": False, **options}
        return self.session.request(method, f"{self.url}/{name}", **options)

    def get(self, name: str, **query: object) -> requests.Response:
        """Send a call as a query."""
        return self.send("GET", name, params={"OMSId": 1, **query})

    def post(self, name: str, **payload: object) -> requests.Response:
        """Send a call as JSON."""
        return self.send("POST", name, json={"OMSId": 1, **payload})

    def code(self, name: str, **payload: object) -> int:
        """Send a call as JSON and read its errorcode; 0 is a success."""
        answer = self.post(name, **payload).json()
        assert answer["result"] is (answer["errorcode"] == 0)
        return int(answer["errorcode"])

    def row(self, order_id: str, account: int = 7) -> dict[str, Any]:
        """Read one order, with every digit."""
        answer = self.get("GetOrderStatus", AccountId=account, OrderId=order_id)
        return dict(answer.json(parse_float=Decimal))

    def open_ids(self, account: int = 7) -> list[str]:
        """List the ids of an account's working orders."""
        return [str(row["OrderId"]) for row in self.get("GetOpenOrders", AccountId=account).json()]

    def signature(self, *, nonce: str = "2247733562", **instead: str) -> dict[str, str]:
        """Sign a log-in with the API key."""
        message = f"{nonce}{EXCHANGE_USER['user_id']}{EXCHANGE_USER['api_key']}"
        secret = str(EXCHANGE_USER["api_secret"])
        signature = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        user_id, key = str(EXCHANGE_USER["user_id"]), str(EXCHANGE_USER["api_key"])
        return {"Nonce": nonce, "APIKey": key, "Signature": signature, "UserId": user_id, **instead}

    def log_in(self) -> None:
        """Begin a session, which every later call is in."""
        answer = self.send("GET", "AuthenticateUser", headers=self.signature())
        self.session.headers["APToken"] = answer.json()["SessionToken"]


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


@pytest.fixture
def autoshares(clock: Clock) -> Iterator[AutosharesSandbox]:
    """Run a stand-in for Autoshares without limits, so that only the tests of the limits meet them."""
    behaviour = AutosharesBehaviour(
        sync_after_s=0, tokens_per_minute=None, actions_per_minute=None, queries_per_minute=None
    )
    with AutosharesSandbox(
        app_key=APP_KEY, username=USERNAME, password=PASSWORD, clock=clock, behaviour=behaviour
    ) as autoshares:
        yield autoshares


@pytest.fixture
def trader(autoshares: AutosharesSandbox) -> Iterator[Trader]:
    """Give a client of that broker who has logged in."""
    with requests.Session() as session:
        trader = Trader(autoshares, session)
        trader.log_in()
        yield trader


@pytest.fixture
def exchange(clock: Clock) -> Iterator[AlphaPointSandbox]:
    """Run an exchange whose user has the accounts 7 and 8, and somebody else 9."""
    user = EXCHANGE_USER
    with AlphaPointSandbox(
        username=str(user["username"]),
        password=str(user["password"]),
        api_key=str(user["api_key"]),
        api_secret=str(user["api_secret"]),
        user_id=446,
        clock=clock,
    ) as exchange:
        yield exchange


@pytest.fixture
def stranger(exchange: AlphaPointSandbox) -> Iterator[Member]:
    """Give a client that has not logged in."""
    with requests.Session() as session:
        yield Member(exchange, session)


@pytest.fixture
def member(stranger: Member) -> Member:
    """Give a client that has logged in."""
    stranger.log_in()
    return stranger
