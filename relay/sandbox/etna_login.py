"""Log users in as ETNA Trader does: one call, or two where a PIN or a code is asked for in between.

https://api-documentation.autoshares.dev/rest-api/trading-api/authentication/requesting-tokens, and
`web-api/trading-api/authentication` and `openapi.json` in https://github.com/AutoSharesAPI/API. "SecutityPin"
is the vendor's spelling.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from relay.sandbox.etna_behaviour import AutosharesBehaviour
from relay.sandbox.wire import Answer, Request

#: Bytes of chance in a token; in base64 it may hold "+", "/" and "=", as the vendor's sample does.
TOKEN_BYTES = 50


@dataclass(frozen=True)
class Step:
    """Name what is asked for after the password, and the vendor's words for it."""

    name: str
    header: str
    waits: str
    wrong: str


PIN = Step("SecutityPin", "PinCode", "Invalid pin", "Invalid pin")

#: What a wrong code is told is not known [U].
CODE = Step("VerificationCode", "VerificationCode", "Expecting confirmation code", "Invalid code")


class Login:
    """Give tokens to the one user there is, and know them again; safe between threads."""

    def __init__(
        self, username: str, password: str, behaviour: AutosharesBehaviour, clock: Callable[[], float]
    ) -> None:
        self._username = username.encode()
        self._password = password.encode()
        self._behaviour = behaviour
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}
        self._interim: set[str] = set()

    def answer(self, request: Request) -> Answer:
        """Answer one call for a token."""
        if not self._knows(request):
            return _failed("BaseAuthentication", "Invalid credentials")
        if self._behaviour.login_refused == "expired_password":  # the step is not documented [I]
            return _failed("BaseAuthentication", "Your Password has expired and must be changed")
        if self._behaviour.login_refused == "pin_not_set":
            return _failed("SecutityPin", "PIN code is not init")
        if self._behaviour.login == "pin":
            return self._second_step(request, PIN, self._behaviour.pin_code)
        if self._behaviour.login == "code":
            return self._second_step(request, CODE, self._behaviour.verification_code)
        return self._succeeded()

    def holds(self, authorization: str | None) -> bool:
        """Tell whether a header carries a token that still lives: `Bearer`, one space, the token."""
        with self._lock:
            given_at = self._tokens.get(_token(authorization))
        # Its life is counted from the log-in and not prolonged by use.
        return given_at is not None and self._clock() < given_at + self._behaviour.token_life_s

    def end(self, authorization: str | None) -> None:
        """Forget the token of whoever logs out."""
        with self._lock:
            self._tokens.pop(_token(authorization), None)

    def end_all(self) -> None:
        """Forget every token, as when their time is over."""
        with self._lock:
            self._tokens.clear()

    def _knows(self, request: Request) -> bool:
        username = (request.header("Username") or "").encode("latin-1", "replace")
        password = (request.header("Password") or "").encode("latin-1", "replace")
        return hmac.compare_digest(username, self._username) & hmac.compare_digest(password, self._password)

    def _second_step(self, request: Request, step: Step, wanted: str) -> Answer:
        given = request.header(step.header)
        if not given:
            interim = _new_token()
            with self._lock:
                self._interim.add(interim)
            expecting = {"Step": step.name, "Reason": step.waits, "State": "Expecting", "Token": interim}
            return Answer.json(202, expecting)
        with self._lock:
            known = _token(request.header("Authorization")) in self._interim
        if not known:  # documented for the code; that a PIN needs the first call's token too is inferred [I]
            return _failed(step.name, "Corrupted ticket")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return _failed(step.name, step.wrong)
        return self._succeeded()

    def _succeeded(self) -> Answer:
        token = _new_token()
        with self._lock:
            self._tokens[token] = self._clock()
        return Answer.json(200, {"State": "Succeeded", "Token": token})


def _failed(step: str, reason: str) -> Answer:
    return Answer.json(401, {"State": "Failed", "Step": step, "Reason": reason, "ConfirmationToken": ""})


def _new_token() -> str:
    return base64.b64encode(secrets.token_bytes(TOKEN_BYTES)).decode()


def _token(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    return token if scheme == "Bearer" else ""
