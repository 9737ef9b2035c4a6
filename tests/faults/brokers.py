"""The three stand-in brokers of one round: where orders are placed, and what is read for the judge."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import requests

from relay.sandbox.alphapoint import AlphaPointBehaviour
from relay.sandbox.autoshares import AutosharesBehaviour
from relay.sandbox.book_behaviour import BookBehaviour
from relay.sandbox.crosstrade import CrossTradeBehaviour
from tests.faults.frames import over_http
from tests.faults.plan import OWN_USER, Order, accounts_of, strangers_accounts
from tests.faults.weather import Faulty, FaultyAlphaPoint, FaultyAutoshares, FaultyCrossTrade, Weather

#: Credentials that are nobody's.
TOKEN = "faults-only-crosstrade-token"
API_KEY, API_SECRET = "faults-only-alphapoint-key", "faults-only-alphapoint-secret"
APP_KEY, USERNAME, PASSWORD = "faults-only-autoshares-key", "trader-in-trouble", "faults-only-password"

VENDORS = ("crosstrade", "alphapoint", "autoshares")

#: Seconds in which a book of a thousand alerts, or its calls, is read.
_READ_S = 60.0

#: How the books behave between moods.
_USUAL = {
    name: getattr(BookBehaviour(), name)
    for name in ("cancel_after_s", "fill_before_cancel", "refuse_cancel", "pending_refuses_cancel")
}


@dataclass(frozen=True)
class Evidence:
    """What a broker shows at the end: its orders by their ids, and its cancel calls in order."""

    orders: Mapping[str, Mapping[str, Any]]
    cancels: Sequence[Mapping[str, Any]]


class Brokers:
    """CrossTrade, AlphaPoint and Autoshares, each with the accounts of these alerts."""

    def __init__(self, seed: int, numbers: Sequence[int], ports: Sequence[int], severity: float) -> None:
        """Take the seed of the weather, the alerts' numbers, the ports (0: a free one), and how bad it is."""
        crosstrade, alphapoint = CrossTradeBehaviour(burst=None), AlphaPointBehaviour()
        # Autoshares' limits are not what is tried here, and would spread ten thousand alerts over hours.
        autoshares = AutosharesBehaviour(
            tokens_per_minute=None, actions_per_minute=None, queries_per_minute=None
        )
        self._behaviours: Mapping[str, BookBehaviour] = {
            "crosstrade": crosstrade,
            "alphapoint": alphapoint,
            "autoshares": autoshares,
        }
        self.by_vendor: Mapping[str, Faulty] = {
            "crosstrade": FaultyCrossTrade(
                TOKEN,
                port=ports[0],
                accounts=accounts_of("crosstrade", numbers),
                behaviour=crosstrade,
            ),
            "alphapoint": FaultyAlphaPoint(
                username="trader",
                password="faults-only-password",
                api_key=API_KEY,
                api_secret=API_SECRET,
                user_id=OWN_USER,
                port=ports[1],
                accounts=map(int, accounts_of("alphapoint", numbers)),
                other_accounts=strangers_accounts(numbers),
                behaviour=alphapoint,
            ),
            "autoshares": FaultyAutoshares(
                app_key=APP_KEY,
                username=USERNAME,
                password=PASSWORD,
                port=ports[2],
                accounts=map(int, accounts_of("autoshares", numbers)),
                behaviour=autoshares,
            ),
        }
        for vendor, broker in self.by_vendor.items():
            broker.under(Weather(seed, vendor, severity))
        self._stack = ExitStack()
        #: Held by whoever has a broker down, so that the others know where to wait.
        self._up: Mapping[str, threading.Lock] = {vendor: threading.Lock() for vendor in VENDORS}

    def __enter__(self) -> Self:
        """Let all three serve."""
        for broker in self.by_vendor.values():
            self._stack.enter_context(broker)
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._stack.close()

    @property
    def ports(self) -> tuple[int, ...]:
        """Give where they listen, for the next round's."""
        return tuple(broker.port for broker in self.by_vendor.values())

    @property
    def settings(self) -> dict[str, str]:
        """Give the settings of a relay that speaks to these."""
        return {
            "CROSSTRADE_TOKEN": TOKEN,
            "CROSSTRADE_URL": self.by_vendor["crosstrade"].url,
            "CROSSTRADE_TIMEZONE": "UTC",
            "CROSSTRADE_BURST": "1000000",
            "CROSSTRADE_PER_SECOND": "1000000",
            "ALPHAPOINT_URL": self.by_vendor["alphapoint"].url,
            "ALPHAPOINT_API_KEY": API_KEY,
            "ALPHAPOINT_API_SECRET": API_SECRET,
            "ALPHAPOINT_USER_ID": str(OWN_USER),
            "AUTOSHARES_URL": self.by_vendor["autoshares"].url,
            "AUTOSHARES_APP_KEY": APP_KEY,
            "AUTOSHARES_USERNAME": USERNAME,
            "AUTOSHARES_PASSWORD": PASSWORD,
            "AUTOSHARES_PER_MINUTE": "100000",
        }

    @property
    def sockets(self) -> dict[str, str]:
        """Give the settings that have it speak over WebSockets, one from the first call on, one always."""
        crosstrade, alphapoint = self.by_vendor["crosstrade"], self.by_vendor["alphapoint"]
        assert isinstance(crosstrade, FaultyCrossTrade)
        assert isinstance(alphapoint, FaultyAlphaPoint)
        return {
            "CROSSTRADE_TRANSPORT": "websocket",
            "CROSSTRADE_WS_URL": crosstrade.ws_url,
            "ALPHAPOINT_TRANSPORT": "websocket",
            "ALPHAPOINT_WS_URL": alphapoint.ws_url,
            "ALPHAPOINT_WS_OPEN": "always",
        }

    @property
    def met(self) -> Counter[str]:
        """Count the troubles that calls met."""
        return sum((broker.weather.met for broker in self.by_vendor.values()), Counter())

    def place(self, vendor: str, order: Order) -> str:
        """Put an order into the book, created as long ago as it says, and give its id."""
        book = self.by_vendor[vendor].book
        return book.place(created=time.time() - order.ago, **order.fields)

    def go_down(self, vendor: str, back: threading.Event, seconds: float) -> None:
        """Refuse every connection for a while, or until `back`."""
        with self._up[vendor]:
            self.by_vendor[vendor].stop()
            back.wait(seconds)
            self.by_vendor[vendor].start()

    def turn(self, vendor: str, **mood: object) -> None:
        """Change how a book behaves."""
        for name, value in mood.items():
            setattr(self._behaviours[vendor], name, value)

    def usual(self, vendor: str) -> None:
        """Let a book behave as usual again."""
        self.turn(vendor, **_USUAL)

    def calm(self) -> None:
        """Let every call through from now on, and every book behave."""
        for vendor, broker in self.by_vendor.items():
            broker.weather.clear_up()
            self.usual(vendor)

    def evidence(self, vendor: str) -> Evidence:
        """Read a broker's book and calls, as anybody could, over HTTP."""
        control = self.by_vendor[vendor].control_url
        orders = requests.get(f"{control}orders", timeout=_READ_S).json()["orders"]
        calls = requests.get(f"{control}calls", timeout=_READ_S).json()["calls"]
        return Evidence(
            {order["id"]: order for order in orders},
            [_over_http(call) for call in calls if call["kind"] in {"one", "bulk"}],
        )


def _over_http(call: Mapping[str, Any]) -> Mapping[str, Any]:
    path, body = over_http(call["path"], call["body"])
    return {**call, "path": path, "body": body.decode("utf-8", "replace")}
