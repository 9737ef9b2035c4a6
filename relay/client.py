"""Speak to a relay as its senders do: over its web address, with a secret."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode

import requests
from marshmallow import ValidationError

from relay.exit_status import ExitStatus
from relay.settings import Secret
from schemas.client import ClientSchema

#: Seconds to open a connection.
CONNECT_S = 5.0

#: Seconds that a relay may be silent: RELAY_REPLY_WITHIN is 30 at most.
ANSWER_S = 35.0

#: Longest Retry-After that is believed, in seconds.
_LONGEST_WAIT_S = 60

_SCHEMA = ClientSchema()

_SERVER_ERROR = 500

#: What the relay's answers have, and no other server's.
_OF_REPLIES = ("alert_id", "status", "message", "warnings")
_OF_RECORDS = (*_OF_REPLIES, "received_at", "http", "cancels", "history")
_OF_LISTS = ("alerts", "before", "warnings")


class ClientError(Exception):
    """Say in a line why there is nothing else to say. `problem` is what the relay said, where it said it."""

    status = ExitStatus.MISTAKEN
    kind, title = "mistaken", "What was typed or set is wrong"

    def __init__(self, words: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.problem = problem

    @property
    def document(self) -> Mapping[str, Any]:
        """Give the same for a script: a problem (RFC 9457), the relay's own where it gave one."""
        made = {"type": f"urn:cancel-relay:problem:{self.kind}", "title": self.title, "detail": self.words}
        return made if self.problem is None else self.problem


class AwayError(ClientError):
    """No answer came, or one that asks for a resend. `sent` is false where no byte can have arrived."""

    status = ExitStatus.AWAY
    kind, title = "unreachable", "The relay cannot be reached"

    def __init__(
        self,
        words: str,
        problem: Mapping[str, Any] | None = None,
        *,
        sent: bool = True,
        wait_s: int | None = None,
    ) -> None:
        super().__init__(words, problem)
        self.sent = sent
        self.wait_s = wait_s


class InterruptedByUserError(ClientError):
    """Somebody pressed Ctrl-C."""

    status = ExitStatus.INTERRUPTED
    kind, title = "interrupted", "Interrupted"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the relay answered: its HTTP status and its JSON."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Client:
    """One relay, and one of the secrets it knows."""

    url: str
    _secret: Secret
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    @classmethod
    def read(cls, url: str | None, environ: Mapping[str, str]) -> Self:
        """Take the address and the secret; raise `ClientError` with all that is wrong with them."""
        given = {name: environ[name].strip() for name in _SCHEMA.fields if environ.get(name, "").strip()}
        if url is not None:
            given["RELAY_URL"] = url
        try:
            values = _SCHEMA.load(given)
        except ValidationError as failure:
            said = [f"{name} {words[0]}" for name, words in failure.messages_dict.items()]
            raise ClientError("; ".join(said)) from None
        client = cls(values["RELAY_URL"], Secret(values["RELAY_SECRET"][0]))
        # No .netrc, no proxy and no bundle of certificates that the surroundings name.
        client._session.trust_env = False
        return client

    def send(self, alert: bytes) -> Answer:
        """Send an alert, and give its reply."""
        return self._asked("POST", "/webhook", _OF_REPLIES, alert)

    def show(self, alert_id: str) -> dict[str, Any]:
        """Give an alert's record."""
        return self._asked("GET", f"/alerts/{quote(alert_id, safe='')}", _OF_RECORDS).body

    def retry(self, alert_id: str) -> Answer:
        """Ask for another attempt, and give the reply."""
        return self._asked("POST", f"/alerts/{quote(alert_id, safe='')}/retry", _OF_REPLIES)

    def alerts(self, wanted: Mapping[str, str]) -> dict[str, Any]:
        """Give a page of the list."""
        return self._asked("GET", "/alerts" + (f"?{urlencode(wanted)}" if wanted else ""), _OF_LISTS).body

    def _asked(self, method: str, path: str, has: Collection[str], body: bytes | None = None) -> Answer:
        """Carry one request; raise `AwayError`, or `ClientError` where the relay says no, or is none."""
        try:
            answer = self._session.request(
                method,
                f"{self.url}{path}",
                data=body,
                headers={"Authorization": f"Bearer {self._secret.reveal()}".encode()},
                timeout=(CONNECT_S, ANSWER_S),
                allow_redirects=False,  # the secret goes where it was sent, and nowhere else
            )
        except requests.RequestException as failure:
            why, sent = _why(failure)
            raise AwayError(f"The relay at {self.url} cannot be reached: {why}.", sent=sent) from None
        return self._read(answer, has)

    def _read(self, answer: requests.Response, has: Collection[str]) -> Answer:
        try:
            # Whatever answers there, it may repeat what it was sent.
            body = answer.json() if self._secret.reveal() not in answer.text else None
        except ValueError:
            body = None
        known = body if isinstance(body, dict) else {}
        problem = known if isinstance(known.get("detail"), str) else None
        if answer.status_code >= _SERVER_ERROR:
            said = f": {problem['detail']}" if problem else "."
            words = f"The relay at {self.url} cannot answer now ({answer.status_code}){said}"
            raise AwayError(words, problem, wait_s=_wait_s(answer))
        if problem is not None:
            raise ClientError(f"The relay refuses it ({answer.status_code}): {_told(problem)}", problem)
        if answer.is_redirect:
            raise ClientError(f"{self.url} leads elsewhere ({answer.status_code}): give the address itself")
        if not known.keys() >= set(has):
            words = f"What answers at {self.url} ({answer.status_code}) is no relay: is that its address?"
            raise ClientError(words)
        return Answer(answer.status_code, known)


def _wait_s(answer: requests.Response) -> int | None:
    """Read for how long a resend is to wait."""
    said = answer.headers.get("Retry-After", "")
    return min(int(said), _LONGEST_WAIT_S) if said.isascii() and said.isdecimal() else None


def _told(problem: Mapping[str, Any]) -> str:
    """Say a problem in one line, with what is wrong with each field."""
    errors = problem.get("errors")
    if not isinstance(errors, dict):
        return str(problem["detail"])
    said = [f"{name}: {', '.join(map(str, each))}" for name, each in errors.items() if isinstance(each, list)]
    return f"{problem['detail']} {'; '.join(said)}"


def _why(failure: requests.RequestException) -> tuple[str, bool]:
    """Say why no answer came, and whether a byte of the request may have arrived."""
    causes = list(_causes(failure))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return "its certificate cannot be verified", False
    if any(isinstance(each, socket.gaierror) for each in causes):
        return "there is no such host", False
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return "the connection is refused", False
    if isinstance(failure, requests.ConnectTimeout):
        return f"no connection within {CONNECT_S:g} s", False
    if isinstance(failure, requests.Timeout):
        return f"no answer within {ANSWER_S:g} s", True
    return "the connection broke", True


def _causes(failure: BaseException | None) -> Iterator[BaseException]:
    """Give an exception and what led to it: requests hides it in several places."""
    seen: set[int] = set()
    waiting = [failure]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
