"""Everything that can go wrong, as one small tree.

RelayError
├── Refusal                 the sender is told, as problem+json; nothing was sent to a vendor
│   ├── MalformedBody       400
│   ├── Unauthenticated     401
│   ├── Forbidden           403
│   ├── HttpsRequired       403
│   ├── NotFound            404
│   ├── Conflict            409
│   ├── BodyTooLarge        413
│   ├── InvalidAlert        422, with the fields at fault
│   ├── InvalidQuery        422, with the parameters at fault
│   ├── StaleAlert          422
│   ├── IdReused            422
│   ├── TooManyRequests     429
│   └── NotReady            503, resending is safe
├── VendorError             what a vendor's answer, or its silence, means
│   ├── Refused             answered: no, definitely
│   │   ├── LogInRefused    at a log-in, so that no call of an alert has left
│   │   │   └── CredentialRefused  the credential itself is wrong, or the user is locked
│   │   └── Gone            answered: no such order, or it is over (proves nothing by itself)
│   ├── Throttled           answered: later
│   ├── NotSent             no byte of the request can have left
│   │   └── SessionLost     the connection that the session lived in is gone: log in, and send it then
│   └── Unknown             the request may have arrived; nobody knows what became of it
│       └── Unreadable      an answer came, in a shape that proves nothing
└── LeaseEnded              another process may hold the record by now: write nothing

SettingsError               outside the tree: a mistake of the operator, reported at start
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class RelayError(Exception):
    """Stand at the root of what the relay foresees."""


class Refusal(RelayError):
    """Tell the sender that nothing was done, and why.

    `problem` ends the problem's type, `status` is its HTTP status.
    """

    problem: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, detail: str, *, errors: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = {name: list(said) for name, said in (errors or {}).items()}


class MalformedBody(Refusal):
    """The body is not readable as JSON, key=value; text or a form."""

    problem, title, status = "malformed-body", "The body cannot be read", 400


class Unauthenticated(Refusal):
    """No credential, or one that is wrong: one wording for all."""

    problem, title, status = "unauthenticated", "Who are you?", 401

    def __init__(self) -> None:
        super().__init__(
            "A valid credential is missing. Send the relay's secret as `Authorization: Bearer …`, "
            "as the field `secret` (in the text form `key`) of the message, or sign it (Standard Webhooks)."
        )


class Forbidden(Refusal):
    """The secret is right, but this address, certificate or account is not allowed."""

    problem, title, status = "forbidden", "Not allowed", 403


class HttpsRequired(Refusal):
    """The alert, and the secret in it, crossed the network unencrypted."""

    problem, title, status = "https-required", "Use https", 403


class NotFound(Refusal):
    """There is no such record, or it is another sender's."""

    problem, title, status = "not-found", "Not found", 404


class Conflict(Refusal):
    """The record is not in the state that the request is about."""

    problem, title, status = "conflict", "Not as it stands", 409


class BodyTooLarge(Refusal):
    """The body is over the size that any alert needs."""

    problem, title, status = "body-too-large", "The body is too large", 413


class InvalidAlert(Refusal):
    """Fields are at fault; `errors` has a list for each."""

    problem, title, status = "invalid-alert", "The alert cannot be carried out as it stands", 422


class InvalidQuery(Refusal):
    """Parameters of a list are at fault; `errors` has a list for each."""

    problem, title, status = "invalid-query", "The list cannot be given as it was asked for", 422


class StaleAlert(Refusal):
    """The alert is too old to act on, or comes from the future."""

    problem, title, status = "stale-alert", "The alert is not of now", 422


class IdReused(Refusal):
    """The same key arrived before with another content."""

    problem, title, status = "id-reused", "This id belongs to another alert", 422


class TooManyRequests(Refusal):
    """Too many wrong credentials came from this address."""

    problem, title, status = "too-many-requests", "Too many wrong credentials", 429


class NotReady(Refusal):
    """Redis cannot be reached: not known to be recorded, nothing sent."""

    problem, title, status = "not-ready", "The relay cannot record alerts now", 503


class VendorError(RelayError):
    """Say what a call to a vendor came to, in words for the trader."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Refused(VendorError):
    """The vendor answered, and the answer is a definite no."""


class LogInRefused(Refused):
    """The vendor refused a log-in: no word about any order."""


class CredentialRefused(LogInRefused):
    """The vendor will not let this credential in: it rests for a growing while, lest it is locked."""


class Gone(Refused):
    """The vendor does not know the order as a working one; a mistyped id gets this too."""


class Throttled(VendorError):
    """The vendor wants to be asked later; it did not act."""

    def __init__(self, words: str, wait_ms: int) -> None:
        super().__init__(words)
        self.wait_ms = wait_ms


class NotSent(VendorError):
    """No byte of the request can have reached the vendor.

    `tried` is false where not even a connection was attempted (an empty rate budget); `wait_ms` is
    how long it makes sense to wait before the next try, where that is known.
    """

    def __init__(self, words: str, *, tried: bool = True, wait_ms: int | None = None) -> None:
        super().__init__(words)
        self.tried = tried
        self.wait_ms = wait_ms


class SessionLost(NotSent):
    """The connection that the session lived in is gone; another log-in opens the next."""

    def __init__(self) -> None:
        super().__init__("the connection that the session lived in is gone", tried=False)


class Unknown(VendorError):
    """A byte may have left and no readable answer came: never a failure, never sent again as it was."""


class Unreadable(Unknown):
    """The vendor answered in a shape that its documents do not have: never read as empty, or as a yes."""


class LeaseEnded(RelayError):
    """The lease on the record is over, so another process may be at work on it."""


class SettingsError(Exception):
    """Report every mistake in the settings together."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)

    def report(self) -> str:
        """Give one readable text with a line for each mistake."""
        count = len(self.mistakes)
        lines = [f"Cancel Relay cannot start: {count} mistake{'s' if count > 1 else ''} in the settings."]
        return "\n".join(lines + [f"  - {mistake}" for mistake in self.mistakes])
