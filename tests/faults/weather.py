"""What a broker does to each call: drawn from the seed, the account that the call names, and its count there.

So the third call about an account meets the same trouble in every run of a seed, if it is of the same kind.
"""

from __future__ import annotations

import dataclasses
import json
import random
import threading
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, unquote

from relay.sandbox.alphapoint import AlphaPointSandbox
from relay.sandbox.autoshares import AutosharesSandbox
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.futures import dated_name
from relay.sandbox.ninjatrader import NINJATRADER
from relay.sandbox.order_book import OrderBook
from relay.sandbox.server import SandboxServer
from relay.sandbox.trouble import Entry, Met, Trouble, Troubles
from relay.sandbox.wire import Kind, Request
from tests.faults.frames import over_http

#: The day of a contract's name that has its own date is of no account.
SOME_DAY = date(2026, 1, 1)

#: Seconds after which a call that hangs is let go: long after the relay's own patience.
HANG_S = 8.0

#: How an account fares: how often, how many of its first calls meet trouble, and how likely each does.
CLIMATES = ((0.50, 1_000, 0.02), (0.35, 12, 0.3), (0.15, 8, 0.75))

#: How likely a call that names no account meets trouble: a log-in, a list of instruments.
ELSEWHERE = 0.05

#: Answers of a shape that no document has. None reads as an empty list, or as a yes with nothing in it: those
#: are in the documented shape, and a broker that lies so is believed.
GARBAGE = (
    "",
    "OK",
    "null",
    "{}",
    "[[]]",
    '{"success": tru',
    '{"orders": null}',
    '{"success": "yes", "orders": {}}',
    '{"result": 1, "errorcode": "none"}',
    '[{"OrderId": 1}]',
    "<!doctype html><title>Maintenance</title><p>We are back soon.",
    "\udcff\udcfe\udc80",
)

#: What a broker says of an order that it takes for gone, though it works.
_GONE: Mapping[str, Callable[[str], tuple[int, str]]] = {
    "crosstrade": lambda order: (
        400,
        json.dumps({"error": f"Order linked to '{order}' not found or already terminal."}),
    ),
    "alphapoint": lambda _: (
        200,
        '{"result":false,"errormsg":"Resource Not Found","errorcode":104,"detail":null}',
    ),
    "autoshares": lambda _: (409, ""),
}

#: What a broker says that refuses for good.
_REFUSAL: Mapping[str, tuple[int, str]] = {
    "crosstrade": (400, '{"error": "Invalid request"}'),
    "alphapoint": (200, '{"result":false,"errormsg":"Operation Failed","errorcode":101,"detail":null}'),
    "autoshares": (422, '{"message": "it does not pass validation"}'),
}

#: The kinds of trouble, and how often each comes to a call of a kind. Latency is short for bulk calls: one
#: that left in time and is carried out seconds later takes newer orders with it, whoever sent it.
_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "dropped before it acted": {"bulk": 3, "one": 3, "read": 3, "login": 3},
    "dropped after it acted": {"bulk": 4, "one": 4, "read": 2, "login": 1},
    "answer cut in the middle": {"bulk": 3, "one": 2, "read": 3, "login": 1},
    "hung before it acted": {"bulk": 2, "one": 2, "read": 2, "login": 1},
    "hung after it acted": {"bulk": 3, "one": 2},
    "answer dripped": {"bulk": 2, "one": 2, "read": 2, "login": 1},
    "slow": {"bulk": 3, "one": 4, "read": 5, "login": 2},
    "5xx before it acted": {"bulk": 2, "one": 2, "read": 3, "login": 2},
    "5xx after it acted": {"bulk": 3, "one": 3},
    "408 before it acted": {"bulk": 1, "one": 1, "read": 1},
    "408 after it acted": {"bulk": 2, "one": 1},
    "429": {"bulk": 0.4, "one": 0.4, "read": 0.4},
    "garbage before it acted": {"bulk": 1, "one": 1, "read": 4, "login": 1},
    "garbage after it acted": {"bulk": 3, "one": 2},
    "said yes, did nothing": {"bulk": 2, "one": 2},
    "said gone, still works": {"one": 1.5},
    "refused": {"bulk": 0.3, "one": 0.2},
}


#: Statuses of a broker that broke, or of what stands before it.
_BROKEN = (500, 502, 503, 504)

#: The kinds that need to know nothing of the call.
_TROUBLES: Mapping[str, Callable[[Kind, random.Random], Trouble]] = {
    "dropped before it acted": lambda *_: Trouble(drop="before"),
    "dropped after it acted": lambda *_: Trouble(drop="after"),
    "answer cut in the middle": lambda *_: Trouble(drop="middle"),
    "hung before it acted": lambda *_: Trouble(hang=True),
    "hung after it acted": lambda *_: Trouble(hang=True, act=True),
    "answer dripped": lambda _, chance: Trouble(
        drip=True, drip_every_s=chance.choice((0.001, 0.01, 0.05, 0.5))
    ),
    "slow": lambda kind, chance: Trouble(latency_s=chance.uniform(0.05, 0.5 if kind == "bulk" else 1.8)),
    "5xx before it acted": lambda _, chance: Trouble(status=chance.choice(_BROKEN)),
    "5xx after it acted": lambda _, chance: Trouble(status=chance.choice(_BROKEN), act=True),
    "408 before it acted": lambda *_: Trouble(status=408),
    "408 after it acted": lambda *_: Trouble(status=408, act=True),
    "429": lambda *_: Trouble(status=429),
    "garbage before it acted": lambda _, chance: Trouble(answer=chance.choice(GARBAGE)),
    "garbage after it acted": lambda _, chance: Trouble(answer=chance.choice(GARBAGE), act=True),
}


def account_of(target: str, body: bytes | str) -> str | None:
    """Read which account a call to any of the three brokers is about."""
    path, _, query = target.partition("?")
    parts = path.split("/")
    if "accounts" in parts[:-1]:
        return unquote(parts[parts.index("accounts") + 1])
    fields = dict(parse_qsl(query)) | payload(body)
    found = fields.get("AccountId")
    return None if found is None else str(found)


def order_of(target: str, body: bytes | str) -> str | None:
    """Read which order a cancel of one order is about."""
    parts = target.partition("?")[0].split("/")
    for name in ("orders", "syncorders"):
        if name in parts[:-1]:
            return unquote(parts[parts.index(name) + 1])
    found = payload(body).get("OrderId")
    return None if found is None else str(found)


def payload(body: bytes | str) -> dict[str, Any]:
    """Read a body that is a JSON object; any other has no fields."""
    try:
        fields = json.loads(body) if body else {}
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


#: What a call in good weather runs into.
_NOTHING = Met(None, (), None)


class _Bounded(threading.Event):
    """An event that nobody waits for without end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, no longer than a call hangs."""
        return super().wait(HANG_S if timeout is None else timeout)


class Weather(Troubles):
    """Draw what each call of a broker runs into. `severity` multiplies how likely trouble is."""

    def __init__(self, seed: int, vendor: str, severity: float) -> None:
        """Take what it is drawn from."""
        super().__init__()
        self._seed = seed
        self._vendor = vendor
        self._severity = severity
        self._asked = threading.local()
        self._counting = threading.Lock()
        self._nth: Counter[str] = Counter()
        self._calm = threading.Event()
        #: How often each kind of trouble was met.
        self.met: Counter[str] = Counter()

    def clear_up(self) -> None:
        """Meet no call from now on."""
        self._calm.set()

    def asked(self, request: Request, yes: Callable[[Request, Kind], tuple[int, str]]) -> None:
        """Take the call that this thread is about to serve; `yes` is how the broker would agree to it."""
        self._asked.request, self._asked.yes = request, yes

    def take_over_socket(self, kind: Kind) -> Met:
        """Draw what a call in a frame runs into."""
        return self.take(kind)

    def take(self, kind: Kind) -> Met:
        """Draw what the call runs into."""
        request: Request = self._asked.request
        account = account_of(request.target, request.body)
        with self._counting:
            nth = self._nth[account or ""]
            self._nth[account or ""] += 1
        chance = random.Random(f"{self._seed} {self._vendor} {account} {nth}")
        if self._calm.is_set() or chance.random() >= self._likely(account, nth):
            return _NOTHING
        weights = {name: each[kind] for name, each in _WEIGHTS.items() if kind in each}
        if not weights:
            return _NOTHING
        name = chance.choices(list(weights), list(weights.values()))[0]
        trouble = self._trouble(name, kind, request, chance)
        with self._counting:
            self.met[name] += 1
        entry = Entry(trouble)
        entry.ended = _Bounded()
        return Met(
            entry if trouble.decides else None,
            (entry,) if trouble.latency_s else (),
            entry if trouble.drip else None,
        )

    def _likely(self, account: str | None, nth: int) -> float:
        if account is None:
            return ELSEWHERE * self._severity
        chance = random.Random(f"{self._seed} {self._vendor} {account}")
        _, calls, likely = chance.choices(CLIMATES, [share for share, _, _ in CLIMATES])[0]
        return likely * self._severity if nth < calls else 0.0

    def _trouble(self, name: str, kind: Kind, request: Request, chance: random.Random) -> Trouble:
        if name in _TROUBLES:
            return _TROUBLES[name](kind, chance)
        if name == "said yes, did nothing":
            return _answering(self._asked.yes(request, kind))
        if name == "said gone, still works":
            return _answering(_GONE[self._vendor](order_of(request.target, request.body) or ""))
        return _answering(_REFUSAL[self._vendor])


def _answering(said: tuple[int, str]) -> Trouble:
    return Trouble(status=said[0], answer=said[1])


class Faulty(SandboxServer):
    """A stand-in broker in bad weather, whose connections can be cut."""

    weather: Weather
    #: Every stand-in has one.
    book: OrderBook

    def under(self, weather: Weather) -> None:
        """Let every call run into what the weather draws."""
        self.weather = self._troubles = weather

    def serve(self, request: Request, send: Callable[[bytes], None]) -> bool:
        """Answer one call, as the weather is."""
        self.weather.asked(request, self.yes)
        return super().serve(request, send)

    def record(self, request: Request, kind: Kind, over_socket: int | None = None) -> int:
        """Note whose call in a frame this is, before it meets the weather."""
        if over_socket is not None:
            target, body = over_http(request.target, request.body)
            self.weather.asked(dataclasses.replace(request, target=target, body=body), self.yes)
        return super().record(request, kind, over_socket)

    def cut(self) -> None:
        """Cut every connection, in the middle of whatever goes over it."""
        if self._listener:
            self._listener.hang_up()

    def end_sessions(self) -> None:
        """End every session; a broker without any has none."""

    @abstractmethod
    def yes(self, request: Request, kind: Kind) -> tuple[int, str]:
        """Give status and body with which the broker would agree to a cancel."""


class FaultyCrossTrade(Faulty, CrossTradeSandbox):
    """CrossTrade in bad weather."""

    def yes(self, request: Request, kind: Kind) -> tuple[int, str]:
        """Name the very orders that the cancel means."""
        if kind == "one":
            said: dict[str, Any] = {"orderId": order_of(request.target, b""), "success": True}
        else:
            wanted = payload(request.body).get("instrument")
            instrument = dated_name(wanted, SOME_DAY) if isinstance(wanted, str) else None
            said = {
                "success": True,
                "orderIds": [
                    order.id
                    for order in self.book.working(account_of(request.target, request.body))
                    if instrument in (None, order.instrument) and order.state != NINJATRADER.cancel_pending
                ],
            }
        return 200, json.dumps(said)


class FaultyAlphaPoint(Faulty, AlphaPointSandbox):
    """AlphaPoint in bad weather."""

    def yes(self, request: Request, kind: Kind) -> tuple[int, str]:  # noqa: ARG002 - the same for all
        """Say what it always says."""
        return 200, '{"result":true,"errormsg":null,"errorcode":0,"detail":null}'

    def end_sessions(self) -> None:
        """End every session."""
        self.expire_sessions()


class FaultyAutoshares(Faulty, AutosharesSandbox):
    """Autoshares in bad weather."""

    def yes(self, request: Request, kind: Kind) -> tuple[int, str]:  # noqa: ARG002 - the same for all
        """Say that there is nothing to add."""
        return 204, ""

    def end_sessions(self) -> None:
        """End every token."""
        self.expire_tokens()
