"""Say what a vendor has to know to talk over one WebSocket."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.sandbox.wire import Answer, Kind, Request


@dataclass(frozen=True)
class Ask:
    """Hold one frame as it was understood: `id` as it was sent, `fields` what it carries.

    `request` is what goes on record. `fault` says that the frame could not be read, so that nothing is done.
    """

    request: Request
    kind: Kind = "other"
    id: object = None
    fields: Mapping[str, object] = field(default_factory=dict)
    fault: bool = False

    @property
    def name(self) -> str:
        """Give the name that was called; "" where there was none."""
        return self.request.target

    @property
    def with_fields(self) -> Request:
        """Give the request with its fields among the headers, for a server that repeats what it was sent."""
        texts = {name: value for name, value in self.fields.items() if isinstance(value, str)}
        return dataclasses.replace(self.request, headers={**self.request.headers, **texts})


@dataclass(frozen=True)
class Reply:
    """Hold the frame that answers, None where the vendor says nothing, and the status HTTP would have had."""

    frame: str | None
    status: int = 200


class Talk(ABC):
    """Speak as one vendor does over one socket, which calls what changes anything under a lock of its own."""

    @abstractmethod
    def read(self, frame: str) -> Ask:
        """Understand a frame; one that is nonsense is a faulty ask, never an exception."""

    @abstractmethod
    def answer(self, ask: Ask) -> Reply:
        """Carry a call out as the vendor would."""

    @abstractmethod
    def wrap(self, ask: Ask, answer: Answer) -> Reply:
        """Put an answer that is not the vendor's own into the frame that the call would have got."""

    @abstractmethod
    def stray(self) -> str:
        """Make an answer to an id that nobody asked."""

    def news(self) -> Sequence[str]:
        """Give the frames that are due though nobody asks now."""
        return ()

    def beside(self) -> Sequence[str]:
        """Give the frames that go out before an answer."""
        return ()

    @property
    def close_code(self) -> int | None:
        """Give the code with which the vendor ends this socket now; None where it goes on."""
        return None
