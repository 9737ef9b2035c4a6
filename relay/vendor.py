"""What a vendor answers for: a few small conversations, and how to read its answers.

A conversation is a generator: it yields a `Call` and is sent the `Answer` to it. A vendor file
translates and reads, and does nothing else: no socket, no clock, no retry. Which orders an alert
means, what is asked first and what counts as proof stands once, in `relay.deliver`.

A vendor derives from `Vendor` and writes what has no body here; the rest says what most brokers have
none of. Its readers raise `Refused`, `Gone`, `Throttled` or `Unknown` (`relay.errors`); an answer of
another shape than documented is `Unknown`, never an empty list.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self, TypeVar

from relay.cancel import Cancel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Frame:
    """A call as a vendor's WebSocket has it: a function's name, and what it is given."""

    name: str
    payload: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a vendor: a path below its address, and a JSON body where it has one."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    #: Headers of this call alone: a log-in's credentials, which are never shown.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Which of the vendor's limits it counts against: the limit's name, and what it is for, as "cancels 7".
    limit: str = ""
    #: Seconds for which its answer serves everybody; 0: each asks for himself.
    keep_s: float = 0.0
    #: How it goes over a WebSocket; None: it goes over HTTP whatever the transport is.
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said: status, headers with lower-case names, and the body as it came.

    An answer in a frame has the status 0, where its vendor's frames carry none. `connection` is the number of
    the WebSocket that it came over, 0 over HTTP.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    connection: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class LoggedIn:
    """An open session: the headers that make a call one of it, its log-in's number, and where it lives."""

    headers: Mapping[str, str] = field(repr=False)
    number: int
    #: The WebSocket that the session ends with; 0: none.
    connection: int = 0


class State(StrEnum):
    """Whether an order still works. UNCLEAR is no evidence either way."""

    WORKING = "working"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FILLED = "filled"
    OVER = "over"
    UNCLEAR = "unclear"

    @property
    def over(self) -> bool:
        """Say whether the vendor's word proves that the order works no more."""
        return self in {State.CANCELLED, State.FILLED, State.OVER}


@dataclass(frozen=True, slots=True)
class Created:
    """When an order was created, as its vendor shows it, in ms since 1970."""

    ms: int
    #: Whether the time has an offset, or the operator named its zone.
    zone_is_sure: bool = True


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of an order that goes with it when it is cancelled."""

    instrument: str
    instrument_id: int | None
    side: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """One order as its vendor shows it. What is None, its row does not tell."""

    order_id: str | int
    account: str | int
    #: As people read it: a contract, a symbol, or an id where the vendor's rows have no more.
    instrument: str | int
    side: str | None
    state: State
    state_words: str
    created: Created | None
    #: The vendor's number for the instrument, where it shows both.
    instrument_id: int | None = None
    #: What the trader himself calls the order.
    client_id: str | int | None = None
    #: Who entered it.
    user_id: int | None = None
    legs: tuple[Leg, ...] = ()


class Vendor(Protocol):
    """A broker: pure translation."""

    #: As in the alert's field `vendor`.
    name: str

    def of(self, cancel: Cancel) -> Self:  # noqa: ARG002 - for vendors that an alert tells how to speak
        """Give the vendor as it speaks for this cancel."""
        return self

    def log_in(self) -> Generator[Call, Answer, Mapping[str, str]] | None:
        """Log in, and give the headers that make every other call one of the session; None: no log-in.

        Raises `CredentialRefused` only where the vendor says that the credential itself is wrong.
        """
        return None

    def session_ended(self, answer: Answer) -> bool:  # noqa: ARG002 - for vendors with a log-in
        """Say whether an answer may mean that the session is over; the call was not carried out."""
        return False

    def meaning(self, cancel: Cancel) -> Generator[Call, Answer, Cancel] | None:  # noqa: ARG002 - for ids behind names
        """Turn the name of an instrument into the vendor's id; None where there is nothing to turn."""
        return None

    def has_bulk(self, cancel: Cancel) -> bool:
        """Say whether one call expresses exactly this cancel."""
        ...

    def names_its_orders(self, cancel: Cancel) -> bool:
        """Say whether the bulk call's answer is documented to name the orders it took."""
        ...

    def bulk(self, cancel: Cancel) -> Generator[Call, Answer, tuple[str | int, ...] | None]:
        """Cancel all that `cancel` means in one call; give the ids it names, None where it names none."""
        ...

    def accounts(self) -> Generator[Call, Answer, tuple[str | int, ...]]:
        """List the accounts that the credential may act in."""
        ...

    def working(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]]:
        """List the orders of the account that are not over."""
        ...

    def recent(self, account: str | int) -> Generator[Call, Answer, tuple[Order, ...]] | None:  # noqa: ARG002 - for vendors with client ids
        """List the account's newest orders, over or not, the newest first; None where that cannot be had."""
        return None

    def cancel_one(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, None]:
        """Ask for the cancel of one order; raise `Gone` when the vendor does not know it as working."""
        ...

    def look(self, account: str | int, order_id: str | int) -> Generator[Call, Answer, Order]:
        """Read one order; raise `Gone` when the vendor does not know it in that account."""
        ...

    def same_instrument(self, asked: str | int, shown: Order) -> bool | None:
        """Say whether an order's instrument is the one asked for; None where it cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What one message on a WebSocket says: the answer to a call, or what became of an order."""

    #: Of the call that it answers; None: it answers none.
    number: int | None = None
    answer: Answer | None = None
    order: Order | None = None


class Frames(Protocol):
    """How a vendor writes and reads the messages on its WebSocket."""

    #: Whether the vendor documents that his ping is answered, by its number and in its turn.
    answers_pings: bool

    def write(self, number: int, frame: Frame) -> str:
        """Write a call; its answer will bear the number."""
        ...

    def ping(self, number: int) -> str:
        """Write what the vendor answers, or is kept awake by, and does nothing."""
        ...

    def read(self, text: str) -> Heard:
        """Read a message. What nobody asked for, or nobody can read, says nothing: its call stays open."""
        ...

    def subscription(self, frame: Frame) -> Frame | None:
        """Give the call after which the vendor tells by itself what becomes of a call's orders, if any."""
        ...


#: Told immediately before the first byte of a request leaves; raises `LeaseEnded` to stop it.
Clearance = Callable[[], None]


def cleared() -> None:
    """Let a call go that is made for no alert: no record is held, so no lease can end."""


def held(conversation: Generator[Call, Answer, T], carry: Callable[[Call], Answer]) -> T:
    """Hold a conversation to its end, each call carried by `carry`, and give its result."""
    try:
        call = next(conversation)
        while True:
            call = conversation.send(carry(call))
    except StopIteration as end:
        result: T = end.value
        return result
