"""The three stand-in brokers together, and the settings that point a relay at them."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from relay.errors import SettingsError
from relay.port import LOOPBACK, refuse_taken
from relay.sandbox.alphapoint import AlphaPointSandbox
from relay.sandbox.autoshares import AutosharesSandbox
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.order import Order

#: Ports that they take, one after the other: CrossTrade's, AlphaPoint's, Autoshares's.
PORTS = 3

#: The highest number of a user or an OMS: an int32's.
_HIGHEST = 2**31 - 1

_NUMBER = re.compile(r"0*[1-9][0-9]{0,9}")


def _secret() -> str:
    return secrets.token_urlsafe(24)


def _name() -> str:
    return f"trader-{secrets.token_hex(4)}"


#: What a credential is where the environment has none. The two numbers are no secret.
_INVENTED: Mapping[str, Callable[[], str]] = {
    "CROSSTRADE_TOKEN": _secret,
    "ALPHAPOINT_API_KEY": _secret,
    "ALPHAPOINT_API_SECRET": _secret,
    "ALPHAPOINT_USER_ID": lambda: "446",
    "ALPHAPOINT_USERNAME": _name,
    "ALPHAPOINT_PASSWORD": _secret,
    "ALPHAPOINT_OMS_ID": lambda: "1",
    "AUTOSHARES_APP_KEY": _secret,
    "AUTOSHARES_USERNAME": _name,
    "AUTOSHARES_PASSWORD": _secret,
}

_NUMBERS = ("ALPHAPOINT_USER_ID", "ALPHAPOINT_OMS_ID")


@dataclass(frozen=True)
class StandIn:
    """A broker that serves: its name, the address that steers it, and its orders at the start."""

    name: str
    control_url: str
    orders: tuple[Order, ...]

    @property
    def vendor(self) -> str:
        """Give its name as alerts have it."""
        return self.name.lower()

    @property
    def book_url(self) -> str:
        """Give the address that shows its order book, and takes a new order."""
        return f"{self.control_url}orders"

    @property
    def holdings(self) -> str:
        """Say which instruments its orders are of, account by account."""
        held: dict[str, dict[str, None]] = {}
        for order in self.orders:
            held.setdefault(order.account, {})[order.instrument] = None
        return "; ".join(f"{', '.join(instruments)} in {account}" for account, instruments in held.items())


@dataclass(frozen=True)
class StandIns:
    """All three: CrossTrade, AlphaPoint, Autoshares, and the settings of a relay that is to use them."""

    brokers: tuple[StandIn, StandIn, StandIn]
    settings: Mapping[str, str]


def taken(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the credentials that the environment has; stripped, as the relay reads them."""
    return {name: environ[name].strip() for name in _INVENTED if environ.get(name, "").strip()}


def credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment's credentials, and invent the others; raise `SettingsError` where one is none."""
    given = taken(environ)
    mistakes = []
    for name, value in given.items():
        if name in _NUMBERS:
            if not _NUMBER.fullmatch(value) or int(value) > _HIGHEST:
                mistakes.append(f"{name} must be a whole number from 1 to {_HIGHEST}")
        elif not value.isprintable():
            mistakes.append(f"{name} holds a character that no line can carry, such as a line break")
    if mistakes:
        raise SettingsError(mistakes)
    # A number as the broker shows it: it is signed as a text, without zeros before it.
    given |= {name: str(int(given[name])) for name in _NUMBERS if name in given}
    return {name: given.get(name) or invent() for name, invent in _INVENTED.items()}


@contextlib.contextmanager
def started(given: Mapping[str, str], first_port: int | None = None) -> Iterator[StandIns]:
    """Let all three serve these credentials, with sample orders in their books, while the context lasts.

    They listen at the first port and the two after it, or at three that are free. Raises `PortError` before
    anything is started.
    """
    ports = [0] * PORTS if first_port is None else [first_port + number for number in range(PORTS)]
    for port in filter(None, ports):
        refuse_taken(port, f"choose others by --port, which names the first of {PORTS}")
    with contextlib.ExitStack() as serving:
        crosstrade = serving.enter_context(
            CrossTradeSandbox(given["CROSSTRADE_TOKEN"], host=LOOPBACK, port=ports[0])
        )
        alphapoint = serving.enter_context(
            AlphaPointSandbox(
                username=given["ALPHAPOINT_USERNAME"],
                password=given["ALPHAPOINT_PASSWORD"],
                api_key=given["ALPHAPOINT_API_KEY"],
                api_secret=given["ALPHAPOINT_API_SECRET"],
                user_id=int(given["ALPHAPOINT_USER_ID"]),
                oms_id=int(given["ALPHAPOINT_OMS_ID"]),
                host=LOOPBACK,
                port=ports[1],
            )
        )
        autoshares = serving.enter_context(
            AutosharesSandbox(
                app_key=given["AUTOSHARES_APP_KEY"],
                username=given["AUTOSHARES_USERNAME"],
                password=given["AUTOSHARES_PASSWORD"],
                host=LOOPBACK,
                port=ports[2],
            )
        )
        yield StandIns(
            (
                _with_samples("CrossTrade", crosstrade),
                _with_samples("AlphaPoint", alphapoint),
                _with_samples("Autoshares", autoshares),
            ),
            {
                **given,
                "CROSSTRADE_URL": crosstrade.url,
                "CROSSTRADE_WS_URL": crosstrade.ws_url,
                # The stand-in's order times are UTC, without saying so.
                "CROSSTRADE_TIMEZONE": "UTC",
                "ALPHAPOINT_URL": alphapoint.url,
                "ALPHAPOINT_WS_URL": alphapoint.ws_url,
                "AUTOSHARES_URL": autoshares.url,
            },
        )


def _with_samples(name: str, broker: CrossTradeSandbox | AlphaPointSandbox | AutosharesSandbox) -> StandIn:
    orders = tuple(broker.book.order(order_id) for order_id in broker.place_samples())
    return StandIn(name, broker.control_url, orders)
