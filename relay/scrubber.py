"""Whatever the relay prints, stores or tells, without the secrets that it knows."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

from relay.settings import MASK, Settings

#: Characters from which on a text in a vendor's answer is surely the credential, and no word of its own.
_SURELY_SECRET = 8

#: Secrets of log-ins that are known at a time, beside those of sessions.
_LEARNT_AT_MOST = 32

#: Secrets of one vendor's sessions that are known: of the one in use, and of the one before.
_OF_A_SESSION = 8

#: An escape within JSON, and the two digits of one that stands for a letter of ASCII.
_ESCAPE = re.compile(rb"\\(?:u00(?P<code>[2-7][0-9a-fA-F])|.)", re.DOTALL)


class Scrubber:
    """Replace every secret that the relay knows by stars, whoever wrote it into a text."""

    def __init__(self, settings: Settings) -> None:
        """Gather the secrets, in every form in which they may come back."""
        credentials = [each.reveal() for each in settings.secrets]
        # As the operator wrote them, behind `whsec_`.
        credentials += [
            base64.b64encode(bytes.fromhex(each.reveal())).decode() for each in settings.signing_keys
        ]
        credentials += [each.reveal() for each in settings.vendors_secrets]
        password = urlsplit(settings.redis_url.reveal()).password or ""
        # A short one may be an everyday word: kept out of logs, but no reason to refuse an alert.
        self._credentials = [each for each in credentials if len(each) >= _SURELY_SECRET]
        # A topic may be an everyday word, too.
        told = {secret for each in settings.notify for secret in each.secrets()}
        plain = {*credentials, *told, password, unquote(password)} - {""}
        self._known = _all_forms(plain)
        self._in_answers = _pattern(self._credentials)
        self._sessions: dict[str, tuple[str, ...]] = {}
        self._passing: tuple[str, ...] = ()
        self._learnt: list[str] = []
        self._learnt_in_answers: re.Pattern[bytes] | None = None
        self._learning = threading.Lock()

    def learn(self, secrets: Iterable[str], *, of: str | None = None) -> None:
        """Know more secrets from now on; those of a session, `of` a vendor, until the one after the next.

        Others, such as a log-in's signature, are forgotten in time. A text of digits alone is none: it
        could be the number of an order.
        """
        new = tuple(each for each in secrets if not each.isdecimal())
        with self._learning:
            if of is None:
                fresh = tuple(each for each in new if each not in self._passing)
                self._passing = (*self._passing, *fresh)[-_LEARNT_AT_MOST:]
            else:
                # The one before may still be under way in a call.
                self._sessions[of] = (*new, *self._sessions.get(of, ()))[:_OF_A_SESSION]
            known = {*self._passing, *(each for kept in self._sessions.values() for each in kept)}
            self._learnt = _all_forms(known)
            self._learnt_in_answers = _pattern(known)

    def scrub(self, text: str) -> str:
        """Give the text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        for secret in self._learnt:
            text = text.replace(secret, MASK)
        return text

    def scrub_bytes(self, body: bytes) -> bytes:
        """Give a vendor's answer without secrets, before anybody reads it: UTF-8, and no needless escapes."""
        body = _plainly(body)
        for pattern in (self._in_answers, self._learnt_in_answers):
            if pattern is not None:
                body = pattern.sub(MASK.encode(), body)
        return body

    def holds(self, text: str) -> bool:
        """Say whether a text holds a credential of a sender's or a vendor's.

        Redis's password is none: it may be an everyday word, and no sender is given it.
        """
        return any(secret in text for secret in (*self._credentials, *self._learnt))


def _plainly(body: bytes) -> bytes:
    """Write an answer so that nothing hides in its encoding: JSON may be UTF-16, or escape every letter."""
    encoding = json.detect_encoding(body)
    if encoding not in {"utf-8", "utf-8-sig"}:
        body = body.decode(encoding, "replace").encode()
    return _ESCAPE.sub(_unescaped, body) if b"\\u00" in body else body


def _unescaped(found: re.Match[bytes]) -> bytes:
    """Give the letter that an escape stands for, but where JSON needs the escape."""
    code = found["code"]
    letter = bytes([int(code, 16)]) if code else b""
    return letter if letter and letter not in b'"\\' else found[0]


def _pattern(secrets: Iterable[str]) -> re.Pattern[bytes] | None:
    """Find secrets in an answer; one of digits alone only where it is a whole number."""
    forms = [each for each in _all_forms(secrets) if len(each) >= _SURELY_SECRET]
    parts = [
        rb"(?<!\d)" + each.encode() + rb"(?!\d)" if each.isdecimal() else re.escape(each.encode())
        for each in forms
    ]
    return re.compile(b"|".join(parts)) if parts else None


def _all_forms(secrets: Iterable[str]) -> list[str]:
    """Give all forms of all secrets, the longest first, so that none hides within another."""
    return sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)


def _forms(secret: str) -> set[str]:
    """Give a secret as it may come back: plain, within JSON, within an address, and as base64."""
    encoded = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        encoded,
    }
