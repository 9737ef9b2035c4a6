"""Say what travels between a client and a stand-in broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import responses
from typing import Literal
from urllib.parse import parse_qsl, unquote

#: What a call is: a cancel of one order, of many, a look at something, a log-in, or none of these.
Kind = Literal["one", "bulk", "read", "login", "other"]


@dataclass(frozen=True)
class Request:
    """Hold a request as its bytes said it: `target` is neither decoded nor normalised."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Give the target without its query, still raw."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """Read the query; of a name given twice the last counts."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """Find a header in any case."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Answer:
    """Hold what goes back."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
        """Answer with a JSON document."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        return cls(status, json.dumps(value).encode(), headers)

    @property
    def closes(self) -> bool:
        """Tell whether it ends its connection."""
        return any(pair == ("connection", "close") for pair in _lowered(self.headers))

    def as_bytes(self, *, without_body: bool = False) -> bytes:
        """Write it out as HTTP/1.1."""
        # Without content there is no length either: RFC 9110, section 8.6.
        has_content = self.status != HTTPStatus.NO_CONTENT
        headers = {"Content-Length": str(len(self.body))} if has_content else {}
        headers |= self.headers
        status_line = f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"
        lines = [status_line, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        head = "\r\n".join(lines).encode("latin-1", "replace")
        return head + self.body if has_content and not without_body else head


@dataclass(frozen=True)
class RecordedCall:
    """Record one call from its arrival; `status` comes when it is answered, and stays None when it is not.

    `socket` is the number of the WebSocket that it came over, None for HTTP. Of such a call `path` is the
    name that was called, `body` the frame, `headers` are those of the handshake, and `status` is what HTTP
    would have had for the answer.
    """

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    kind: Kind
    socket: int | None = None


@dataclass(frozen=True)
class Route:
    """Tie a method and a path such as `/accounts/{account}/orders` to what carries it out."""

    method: str
    template: str
    kind: Kind
    carry_out: Callable[[Request, Mapping[str, str]], Answer]

    def match(self, request: Request) -> dict[str, str] | None:
        """Read the names out of the path, or return None where it is another one.

        The path is cut at its slashes first and decoded after: an encoded slash stays inside its name.
        """
        wanted, given = self.template.split("/"), request.path.split("/")
        if request.method != self.method or len(wanted) != len(given):
            return None
        names: dict[str, str] = {}
        for part, segment in zip(wanted, given, strict=True):
            if part.startswith("{") and segment:
                names[part.strip("{}")] = unquote(segment)
            elif part != segment:
                return None
        return names


def _lowered(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.lower(), value.lower()) for name, value in headers.items()]
