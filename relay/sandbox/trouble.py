"""Switch on what goes wrong between a broker and its client."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from relay.sandbox.wire import Kind

#: Which calls a trouble meets; "cancel" is "one" and "bulk" together.
On = Literal["any", "cancel", "one", "bulk", "read", "login"]

#: Which way a call has to come for a trouble to meet it.
Over = Literal["any", "http", "socket"]

#: Status of a leak that names none: its words are an error's.
LEAK_STATUS = 400

#: Status of a literal answer that names none: at first sight it is a success.
ANSWER_STATUS = 200


@dataclass(frozen=True)
class Trouble:
    """Describe one thing that goes wrong.

    `times` is the number of calls it meets before it is spent; None is until it is cleared. `latency_s`
    passes before the broker acts, so that a slow cancel may reach an order placed meanwhile. `drop`,
    `hang`, `status`, `answer` and `leak_header` decide how a call ends: of those a call matches, only the
    first in the list is met and spent, so that a list reads as a sequence. `act` says whether a call that
    ends in `hang`, `status`, `answer`, `frame` or `leak_header` is carried out all the same. A lone surrogate
    in `answer` leaves as its one byte.

    `over` narrows it to the calls of one transport. Over a WebSocket a hung call is never answered while the
    connection stays, a drop breaks it off without a closing handshake, `answer` takes the place of what the
    vendor's frame carries, and `leak_header` finds a field of the call, too. `frame`, which only calls over a
    WebSocket meet, takes the place of the whole frame, `$id` in it standing for the id that was asked.
    """

    on: On = "any"
    over: Over = "any"
    times: int | None = None
    latency_s: float = 0.0
    hang: bool = False
    drop: Literal["before", "after", "middle"] | None = None
    drip: bool = False
    drip_every_s: float = 1.0
    status: int | None = None
    answer: str | None = None
    frame: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    leak_header: str | None = None
    act: bool = False

    def __post_init__(self) -> None:
        check(type(self), {each.name: getattr(self, each.name) for each in dataclasses.fields(self)})
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be 1 or more, or null for until cleared; it is {self.times}")
        if self.latency_s < 0 or self.drip_every_s < 0:
            raise ValueError("latency_s and drip_every_s cannot be negative")
        if self.status is not None and not 200 <= self.status <= 599:  # noqa: PLR2004 - HTTP's own bounds
            raise ValueError(f"status must be from 200 to 599; it is {self.status}")
        if self.frame is not None and (self.over == "http" or self.answer is not None):
            raise ValueError(
                "frame is the whole of what a WebSocket carries: not for http, nor with an answer"
            )
        if any(character in text for text in self._header_texts() for character in "\r\n"):
            raise ValueError("a header cannot hold a line break")

    def _header_texts(self) -> Iterable[str]:
        return [*self.headers.keys(), *self.headers.values()]

    @property
    def decides(self) -> bool:
        """Tell whether it ends the call its own way."""
        return bool(self.hang or self.drop) or self.replaces

    @property
    def replaces(self) -> bool:
        """Tell whether the vendor's answer gives way to one of its own."""
        literal = self.answer is not None or self.frame is not None
        return bool(self.status or self.leak_header) or literal

    @property
    def acts(self) -> bool:
        """Tell whether the call is carried out, whatever its sender gets to hear."""
        if self.drop is not None:
            return self.drop != "before"
        return self.act if self.hang or self.replaces else True

    def meets(self, kind: Kind, over: Over) -> bool:
        """Tell whether a call of `kind`, come `over` one transport, runs into it."""
        if self.over not in ("any", over) or (self.frame is not None and over != "socket"):
            return False
        return self.on in ("any", kind) or (self.on == "cancel" and kind in ("one", "bulk"))

    @classmethod
    def from_json(cls, fields: object) -> Trouble:
        """Read one from the control address; ValueError says what is wrong with it."""
        if not isinstance(fields, Mapping):
            raise ValueError(f"a trouble is a JSON object; this is {type(fields).__name__}")  # noqa: TRY004
        check(cls, fields)
        return cls(**fields)


class Entry:
    """Hold one trouble that is switched on: how many calls it has left, and whether it was cleared."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self.left = trouble.times
        self.ended = threading.Event()

    def drip(self, wire: bytes, send: Callable[[bytes], None]) -> bytes:
        """Send byte by byte until that is cleared, and return the rest."""
        for position in range(len(wire)):
            if self.ended.is_set():
                return wire[position:]
            send(wire[position : position + 1])
            self.ended.wait(self.trouble.drip_every_s)
        return b""


@dataclass(frozen=True)
class Met:
    """Name what one call has run into: one end at most, besides any number of delays."""

    deciding: Entry | None
    delaying: tuple[Entry, ...]
    dripping: Entry | None

    @property
    def end(self) -> Trouble:
        """Give the trouble that ends the call, or one that does nothing."""
        return self.deciding.trouble if self.deciding else Trouble()

    def wait(self) -> None:
        """Let the latencies pass, or their clearing."""
        for entry in self.delaying:
            entry.ended.wait(entry.trouble.latency_s)

    def hang(self) -> None:
        """Return when the trouble is cleared or the server stops."""
        if self.deciding:
            self.deciding.ended.wait()


class Troubles:
    """Keep the troubles that are on, in order; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def active(self) -> tuple[Trouble, ...]:
        """List those that will still meet a call."""
        with self._lock:
            return tuple(entry.trouble for entry in self._entries if entry.left != 0)

    def replace(self, troubles: Iterable[Trouble]) -> None:
        """Switch these on instead of the others, letting go of every call that the others hold."""
        entries = [Entry(trouble) for trouble in troubles]
        with self._lock:
            ended, self._entries = self._entries, entries
        for entry in ended:
            entry.ended.set()

    def add(self, trouble: Trouble) -> None:
        """Switch one more on."""
        with self._lock:
            self._entries.append(Entry(trouble))

    def take(self, kind: Kind) -> Met:
        """Spend on one call over HTTP what it runs into."""
        return self._take(kind, "http")

    def take_over_socket(self, kind: Kind) -> Met:
        """Spend on one call over a WebSocket what it runs into."""
        return self._take(kind, "socket")

    def _take(self, kind: Kind, over: Over) -> Met:
        taken: list[Entry] = []
        deciding: Entry | None = None
        with self._lock:
            for entry in self._entries:
                if entry.left == 0 or not entry.trouble.meets(kind, over):
                    continue
                if entry.trouble.decides:
                    if deciding:
                        continue
                    deciding = entry
                if entry.left is not None:
                    entry.left -= 1
                taken.append(entry)
        return Met(
            deciding=deciding,
            delaying=tuple(entry for entry in taken if entry.trouble.latency_s),
            dripping=next((entry for entry in taken if entry.trouble.drip), None),
        )


def check(switches: type[Any], fields: Mapping[str, object]) -> None:
    """Raise ValueError, with a sentence, where a field is not one of the dataclass or not of its type."""
    hints = get_type_hints(switches)
    for name, value in fields.items():
        if name not in hints:
            raise ValueError(f"{name!r} is not a switch; the switches are {', '.join(sorted(hints))}")
        if not _fits(value, hints[name]):
            raise ValueError(f"{name} cannot be {value!r}")


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type hint has no better type
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in get_args(hint))
    if origin is Mapping:
        texts = [each for pair in value.items() for each in pair] if isinstance(value, Mapping) else [None]
        return all(isinstance(each, str) for each in texts)
    if hint in (None, NoneType):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return type(value) is hint  # so that true is not taken for 1
