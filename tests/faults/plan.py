"""Which alerts are sent, and which orders lie in the books before and after each: drawn from a seed.

Every alert has orders of its own at its broker: those it means, decoys beside them that it must leave alone,
and newer ones that come after it. No two alerts mean the same orders, so the judge can tell whose each is.
Alert number n of a seed is the same in every run, however many are sent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: The users at AlphaPoint: the relay's own, and a colleague with orders in the same accounts.
OWN_USER, COLLEAGUE = 446, 447

#: Seconds before the alert at which an order is created whose age nobody can doubt, from and to.
OLD_S = (10.0, 86_400.0)

#: The same for one that was just placed: there when the alert came, but too young for its time to prove it.
YOUNG_S = (0.3, 1.5)

#: Seconds after the alert's answer at which newer orders are placed. The rule is 2 s; half a second more is
#: for a bulk call that left in time on a machine that is busy.
NEWER_AFTER_S = (2.5, 4.0)

#: Seconds of an alert's delay, where it has one, and those after its answer at which its entry comes: the
#: same bar has fired it, so it is meant. What comes later than ten seconds after the alert is newer.
DELAY_S = (3, 5)
ENTRY_AFTER_S = (0.3, 1.0)
NEWER_THAN_DELAYED_S = (10.5, 12.0)

#: Alerts that come in one moment, as when several charts' bars close together.
BURSTS = (1, 1, 1, 2, 3, 8)

#: How often each vendor is meant, and each target at it.
MIX: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "crosstrade": (
        50,
        {"instrument": 45, "instrument and side": 15, "account": 20, "two accounts": 5, "order_id": 15},
    ),
    "alphapoint": (
        30,
        {
            "instrument": 30,
            "instrument and side": 10,
            "instrument and user": 10,
            "account": 25,
            "order_id": 15,
            "client_order_id": 10,
        },
    ),
    "autoshares": (
        20,
        {
            "instrument": 40,
            "instrument and side": 15,
            "account": 20,
            "order_id": 15,
            "client_order_id": 10,
        },
    ),
}

#: Instruments of each vendor. CrossTrade's are traps for each other: one root ends in another, and each
#: root has two months.
INSTRUMENTS: Mapping[str, Sequence[str]] = {
    "crosstrade": [f"{root} {month}" for root in ("MES", "ES", "MNQ", "NQ") for month in ("12-26", "03-27")],
    "alphapoint": ["BTCCAD", "ETHCAD", "BTCUSD"],
    "autoshares": ["AAPL", "AAP", "MSFT", "GOOG", "GOOGL"],
}

#: What a vendor calls the two sides.
ACTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "crosstrade": {"buy": ("Buy", "BuyToCover"), "sell": ("Sell", "SellShort")},
    "alphapoint": {"buy": ("Buy",), "sell": ("Sell", "Short")},
    "autoshares": {"buy": ("Buy", "BuyToCover"), "sell": ("Sell", "SellShort")},
}

#: Targets of which two fit into one account, each with an instrument of its own.
_SHAREABLE = {"instrument", "instrument and side", "instrument and user"}

#: Targets that an entry of the same bar may belong to.
_DELAYABLE = {*_SHAREABLE, "account", "two accounts"}

#: First account numbers; an alert's are the ten from there.
_ALPHAPOINT_FIRST, _AUTOSHARES_FIRST, _APART = 1_000_000, 50_000_000, 10


class Role(StrEnum):
    """What an order is to the alert."""

    MEANT = "meant"
    ENTRY = "entry"
    DECOY = "decoy"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Order:
    """An order to place. `ago`: seconds before the alert at which it was created; 0 for newer ones."""

    role: Role
    #: What sets a decoy apart, in words.
    what: str
    fields: Mapping[str, Any]
    ago: float = 0.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: what it says, what is in the books, and how it is sent."""

    number: int
    vendor: str
    target: str
    accounts: tuple[str, ...]
    #: What it says beside vendor and account; an `order_id` is known once its order is placed.
    fields: Mapping[str, Any]
    orders: tuple[Order, ...]
    entries: tuple[Order, ...]
    entry_after_s: float
    newer: tuple[Order, ...]
    newer_after_s: float
    #: What it is known by when it comes again: "timestamp", "id", "id and timestamp" or "content".
    known_by: str
    #: The machine that each copy goes to, all in one moment.
    copies: tuple[int, ...]
    #: Seconds after its answer at which it comes once more; None: it doesn't.
    again_after_s: float | None
    #: "answer": its sender's line breaks before the answer; "body": in the middle of the message.
    cut: str | None
    #: Seconds from the start of its round.
    at: float

    @property
    def note(self) -> str:
        """Give the note by which its record is known."""
        return f"fault suite {self.number}"

    @property
    def delay_s(self) -> int | None:
        """Give the seconds that it wants to wait, where it does."""
        delay_s: int | None = self.fields.get("delay")
        return delay_s

    @property
    def instrument(self) -> str | None:
        """Give the instrument that all of its orders have, where it names one."""
        instrument: str | None = self.fields.get("instrument")
        return instrument


@dataclass(slots=True)
class _Slot:
    """An account being filled: the instruments that nobody has taken yet, and who is in it."""

    number: int
    vendor: str
    free: list[str]
    shareable: bool

    @property
    def account(self) -> str:
        """Name the account."""
        return account(self.vendor, self.number)

    @property
    def other_account(self) -> str:
        """Name an account beside it, whose name begins the same."""
        return account(self.vendor, self.number, beside=1)


def account(vendor: str, number: int, *, beside: int = 0) -> str:
    """Name the account of an alert, or one beside it."""
    if vendor == "crosstrade":
        return f"F{number}{'x' * beside}"
    first = _ALPHAPOINT_FIRST if vendor == "alphapoint" else _AUTOSHARES_FIRST
    return str(first + number * _APART + beside)


def accounts_of(vendor: str, numbers: Sequence[int]) -> list[str]:
    """List the accounts of our own user that these alerts may use."""
    return [account(vendor, number, beside=beside) for number in numbers for beside in (0, 1)]


def strangers_accounts(numbers: Sequence[int]) -> list[int]:
    """List the accounts at AlphaPoint that belong to somebody else."""
    return [int(account("alphapoint", number, beside=2)) for number in numbers]


def alerts(seed: int, first: int, count: int, per_second: float) -> Iterator[Alert]:
    """Draw a round of alerts: `count` of them from number `first` on."""
    slot: _Slot | None = None
    at, burst = 0.0, 0
    for number in range(first, first + count):
        chance = random.Random(f"{seed} alert {number}")
        if burst == 0:
            burst = chance.choice(BURSTS)
            at = (number - first) / per_second
        burst -= 1
        vendor, target = _vendor_and_target(chance)
        shared = (
            slot is not None
            and (slot.vendor, slot.shareable, target in _SHAREABLE) == (vendor, True, True)
            and chance.random() < 0.5
        )
        if slot is None or not shared:
            free = list(INSTRUMENTS[vendor])
            chance.shuffle(free)
            slot = _Slot(number, vendor, free, target in _SHAREABLE)
        else:
            slot.shareable = False
        yield _alert(chance, number, slot, target, at)


def _vendor_and_target(chance: random.Random) -> tuple[str, str]:
    vendor = chance.choices(list(MIX), [weight for weight, _ in MIX.values()])[0]
    targets = MIX[vendor][1]
    return vendor, chance.choices(list(targets), list(targets.values()))[0]


def _alert(chance: random.Random, number: int, slot: _Slot, target: str, at: float) -> Alert:
    draw = _Drawing(chance, number, slot, target)
    meant, decoys = draw.meant(), draw.decoys()
    orders = [*meant, *decoys]
    chance.shuffle(orders)
    copies = chance.choices((1, 2, 3, 4), (75, 15, 6, 4))[0]
    first_machine = chance.randrange(2)
    fields = {**draw.fields(), **draw.manners()}
    delayed = "delay" in fields
    return Alert(
        number=number,
        vendor=slot.vendor,
        target=target,
        accounts=draw.accounts,
        fields=fields,
        orders=tuple(orders),
        entries=draw.after(Role.ENTRY) if delayed else (),
        entry_after_s=chance.uniform(*ENTRY_AFTER_S),
        newer=draw.after(Role.NEWER),
        newer_after_s=chance.uniform(*(NEWER_THAN_DELAYED_S if delayed else NEWER_AFTER_S)),
        known_by=chance.choices(("timestamp", "id", "id and timestamp", "content"), (55, 15, 20, 10))[0],
        copies=tuple((first_machine + copy) % 2 for copy in range(copies)),
        again_after_s=chance.uniform(0.5, 8.0) if chance.random() < 0.1 else None,
        cut=chance.choices((None, "answer", "body"), (95, 3, 2))[0] if copies == 1 else None,
        at=at,
    )


class _Drawing:
    """One alert's orders."""

    def __init__(self, chance: random.Random, number: int, slot: _Slot, target: str) -> None:
        self._chance = chance
        self._number = number
        self._slot = slot
        self._vendor = slot.vendor
        self._target = target
        self._instrument = slot.free.pop()
        # What is left is nobody's, but for the last one where another alert may come into the account.
        self._others = slot.free[:-1] if slot.shareable else slot.free
        self._side = chance.choice(("buy", "sell"))
        self._client_id = f"{7_000_000 + number}" if self._vendor == "alphapoint" else f"own-{number}"
        two = (slot.account, slot.other_account)
        self.accounts = two if target == "two accounts" else (slot.account,)

    def fields(self) -> dict[str, Any]:
        """Give what the alert says of its target."""
        if self._target in {"account", "two accounts"}:
            return {"scope": "account"}
        if self._target == "client_order_id":
            return {"client_order_id": self._client_id}
        if self._target == "order_id":
            return {}
        return {
            "instrument": self._instrument,
            **({"side": self._side} if self._target == "instrument and side" else {}),
            **({"user_id": OWN_USER} if self._target == "instrument and user" else {}),
        }

    def manners(self) -> dict[str, Any]:
        """Give how it wants to be answered, and how long it is good for."""
        chance = self._chance
        when = chance.choices((None, "accepted", "confirmed"), (60, 20, 20))[0]
        return {
            **({"reply_when": when} if when else {}),
            **({"max_age": chance.randint(6, 20)} if chance.random() < 0.1 else {}),
            **(
                {"delay": chance.randint(*DELAY_S)}
                if self._target in _DELAYABLE and chance.random() < 0.08
                else {}
            ),
        }

    def meant(self) -> list[Order]:
        """Give the orders that the alert means."""
        chance = self._chance
        count = 1 if self._target in {"order_id", "client_order_id"} else chance.choice((1, 1, 2, 2, 3, 4))
        return [self._meant(number) for number in range(count)]

    def _meant(self, number: int) -> Order:
        chance = self._chance
        wide = self._target in {"account", "two accounts"}
        fields = self._fields(
            account=self.accounts[number % len(self.accounts)],
            instrument=chance.choice(INSTRUMENTS[self._vendor]) if wide else self._instrument,
            side=self._side if self._target == "instrument and side" else chance.choice(("buy", "sell")),
        )
        if self._target == "client_order_id":
            fields["client_id"] = self._client_id
        if wide and self._vendor == "alphapoint" and chance.random() < 0.3:
            fields["user"] = str(COLLEAGUE)  # an account's cancel means whoever entered the order
        young = chance.random() < 0.15
        return Order(Role.MEANT, "meant", fields, chance.uniform(*(YOUNG_S if young else OLD_S)))

    def decoys(self) -> list[Order]:
        """Give the orders beside it that differ in one thing only."""
        own = self.accounts[0]
        found: list[tuple[str, dict[str, Any]]] = []
        if self._target != "two accounts":
            found.append(("another account's", self._fields(account=self._slot.other_account)))
        if self._vendor == "alphapoint":
            strangers = account("alphapoint", self._slot.number, beside=2)
            found.append(("a stranger's account's", self._fields(account=strangers)))
        if self._target in _SHAREABLE:
            other = self._chance.choice(self._others)
            found.append(("another instrument's", self._fields(account=own, instrument=other)))
        if self._target == "instrument and side":
            side = {"buy": "sell", "sell": "buy"}[self._side]
            found.append(("the other side's", self._fields(account=own, side=side)))
        if self._target == "instrument and user":
            found.append(("another user's", self._fields(account=own) | {"user": str(COLLEAGUE)}))
        if self._target == "order_id":
            found.append(("the next order's", self._fields(account=own)))
        if self._target == "client_order_id":
            other_id = f"{self._client_id}0"
            found.append(("another client id's", self._fields(account=own) | {"client_id": other_id}))
            found.append(("without a client id", self._fields(account=own)))
            beside = self._fields(account=self._slot.other_account) | {"client_id": self._client_id}
            found.append(("the same client id's in another account", beside))
        return [Order(Role.DECOY, what, fields, self._chance.uniform(*OLD_S)) for what, fields in found]

    def after(self, role: Role) -> tuple[Order, ...]:
        """Give the orders of the very same kind that come after the alert, one in each account."""
        same = {"client_id": self._client_id} if self._target == "client_order_id" else {}
        return tuple(Order(role, str(role), self._fields(account=each) | same) for each in self.accounts)

    def _fields(
        self, *, account: str, instrument: str | None = None, side: str | None = None
    ) -> dict[str, Any]:
        chance = self._chance
        actions = ACTIONS[self._vendor][side or self._side]
        return {
            "account": account,
            "instrument": instrument or self._instrument,
            "action": chance.choice(actions),
            "quantity": chance.randint(1, 9),
            "limit_price": f"{chance.randint(100, 99_999)}.{chance.randint(0, 99):02}",
        }
