"""Let an AlphaPoint user in: by password, by the signature of an API key, by a session, and with 2FA.

https://alphapoint.github.io/slate/ (AuthenticateUser, Authenticate2FA, LogOut) says what is sent and answered
over a WebSocket; how it goes over HTTP is what public clients do [3P]. That a session is bound to the
address it came from is documented, and left out: everything here comes from one machine.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from relay.sandbox.alphapoint_behaviour import AlphaPointBehaviour
from relay.sandbox.alphapoint_wire import Payload

#: The names of a signed log-in, in a payload or as headers of a call.
SIGNED = ("APIKey", "Signature", "UserId", "Nonce")

#: Seconds in which failed log-ins are in rapid succession [U].
RAPID_S = 60.0

#: The documented words of a failed log-in.
BAD_LOGIN = "Invalid username or password"

#: The words for a locked user are not known [U].
LOCKED = "User is locked"


@dataclass(frozen=True)
class User:
    """Name a user of the exchange, and what he logs in with."""

    id: int
    name: str
    password: str
    api_key: str
    api_secret: str


class LoginFailedError(Exception):
    """The log-in is answered with `Authenticated` false, and these words."""


class NoSessionError(Exception):
    """The call comes without a session that lives, and without a signature."""


class Access:
    """Keep the sessions of one user; safe between threads."""

    def __init__(
        self,
        user: User,
        *,
        oms_id: int,
        account: int,
        behaviour: AlphaPointBehaviour,
        clock: Callable[[], float],
    ) -> None:
        self.user = user
        self._oms_id = oms_id
        self._account = account
        self._behaviour = behaviour
        self._clock = clock
        self._lock = threading.Lock()
        self._last_calls: dict[str, float] = {}
        self._pending: set[str] = set()
        self._failures: deque[float] = deque()

    def with_password(self, name: str, password: str) -> dict[str, object]:
        """Answer `Authenticate`, which has a name and a password."""
        self._let_in(_same(name, self.user.name) & _same(password, self.user.password))
        if self._behaviour.two_factor_code is None:
            return {"Authenticated": True, "UserId": self.user.id, "SessionToken": self._open()}
        return {
            "Authenticated": True,
            "Requires2FA": True,
            "AuthType": "Google",
            "AddtlInfo": "",
            "Pending2FaToken": self._await_code(),
        }

    def with_any(self, credentials: Payload) -> dict[str, object]:
        """Answer `AuthenticateUser`, which has a signature, or a name and a password."""
        second = self._behaviour.two_factor_code is not None
        if credentials.text("APIKey") is None:
            name, password = credentials.text("UserName") or "", credentials.text("Password") or ""
            self._let_in(_same(name, self.user.name) & _same(password, self.user.password))
        else:
            self._let_in(self._is_signed(credentials))
            second = second and self._behaviour.api_key_needs_two_factor
        if second:
            return self._welcome({"Pending2FaToken": self._await_code()}, second=True)
        return self._welcome({"SessionToken": self._open()}, second=False)

    def with_session(self, token: str) -> dict[str, object]:
        """Answer a log-in by a session that lives; one that does not is a wrong one, and locks nobody [I]."""
        if not self.admits(token, {}):
            raise LoginFailedError(BAD_LOGIN)
        return self._welcome({"SessionToken": token}, second=False)

    def _welcome(self, token: Mapping[str, object], *, second: bool) -> dict[str, object]:
        return {
            "Authenticated": True,
            **token,
            "User": {
                "UserId": self.user.id,
                "UserName": self.user.name,
                "Email": self.user.name,
                "EmailVerified": True,
                "AccountId": self._account,
                "OMSId": self._oms_id,
                "Use2FA": self._behaviour.two_factor_code is not None,
            },
            "Locked": False,
            "Requires2FA": second,
            "EnforceEnable2FA": False,
            "TwoFAType": "Google" if second else "",
            "TwoFAToken": "",
            "errormsg": None,
        }

    def with_code(self, pending: str | None, code: str | None) -> dict[str, object]:
        """Answer `Authenticate2FA`, which has the code that a log-in waits for."""
        with self._lock:
            waits = pending in self._pending
        # A wrong code leaves the log-in waiting [I].
        self._let_in(waits and code is not None and _same(code, self._behaviour.two_factor_code or ""))
        with self._lock:
            self._pending.discard(pending or "")
        return {"Authenticated": True, "UserId": self.user.id, "SessionToken": self._open()}

    def admits(self, token: str | None, signed: Mapping[str, str | None]) -> bool:
        """Tell whether a call comes with a session that lives, which it prolongs, or with a signature."""
        if token is None:
            return signed.get("APIKey") is not None and self._has_signed(signed)
        with self._lock:
            lives = self._lives(token)
            if lives:
                self._last_calls[token] = self._clock()
            else:
                self._last_calls.pop(token, None)
            return lives

    def lives(self, token: str | None) -> bool:
        """Tell whether a session lives, without prolonging it."""
        with self._lock:
            return token is not None and self._lives(token)

    def _lives(self, token: str) -> bool:
        last = self._last_calls.get(token)
        return last is not None and self._clock() - last < self._behaviour.session_idle_s

    def log_out(self, token: str | None) -> None:
        """End one session."""
        with self._lock:
            self._last_calls.pop(token or "", None)

    def expire(self) -> None:
        """End every session."""
        with self._lock:
            self._last_calls.clear()

    def refused(self, words: str) -> dict[str, object]:
        """Make the documented answer to a failed log-in."""
        return {"Authenticated": False, "Locked": self._behaviour.locked, "errormsg": words}

    def _has_signed(self, signed: Mapping[str, str | None]) -> bool:
        try:
            self._let_in(self._is_signed(Payload(signed)))
        except LoginFailedError:
            return False
        return True

    def _is_signed(self, credentials: Payload) -> bool:
        """Check the signature as two public clients make it [3P]; any nonce will do, a used one too [I]."""
        key, signature, user_id, nonce = (credentials.text(name) or "" for name in SIGNED)
        message = nonce + user_id + key
        right = hmac.new(self.user.api_secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        known = _same(key, self.user.api_key) & _same(user_id, str(self.user.id))
        return known & _same(signature, right)

    def _let_in(self, right: bool) -> None:  # noqa: FBT001 - one function that takes one bool
        """Raise where a log-in is wrong or the user is locked, and count what is wrong."""
        limit = self._behaviour.lock_after
        with self._lock:
            if self._behaviour.locked:
                raise LoginFailedError(LOCKED)
            if right:
                self._failures.clear()
                return
            now = self._clock()
            while self._failures and now - self._failures[0] >= RAPID_S:
                self._failures.popleft()
            self._failures.append(now)
            if limit is not None and len(self._failures) >= limit:
                self._failures.clear()
                self._behaviour.locked = True
        raise LoginFailedError(BAD_LOGIN)

    def _open(self) -> str:
        token = str(uuid.uuid4())
        with self._lock:
            self._last_calls[token] = self._clock()
        return token

    def _await_code(self) -> str:
        token = str(uuid.uuid4())
        with self._lock:
            self._pending.add(token)
        return token


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())
