"""The session of one credential in this process: opened by one log-in at a time, shared by all threads.

Vendors lock users who log in too often or wrongly. So log-ins take turns across all processes, a
credential that was refused is left alone for a growing while (`Ledger.turn_to_log_in`), and whoever
waits for a log-in waits only a moment: the alert comes back later.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping

from relay import log
from relay.errors import CredentialRefused, LogInRefused, NotReady, NotSent, Refused, Throttled, VendorError
from relay.ledger import LOG_IN_REST_MOST_MS, LOG_IN_REST_MS, Ledger
from relay.notice import Kind
from relay.notify import log_in_words
from relay.outbox import Outbox
from relay.reading import folded, json_of
from relay.scrubber import Scrubber
from relay.vendor import Answer, Call, LoggedIn, Vendor, held

#: Seconds to wait for another thread's log-in, and for another process's: most take a tenth of that.
_PATIENCE_S = 1.0

#: The part of a lease that each of the two may take: whoever waits holds a record.
_LEASE_SHARE = 0.3

#: Seconds between two looks whether another process has ended its log-in.
_LOOK_EVERY_S = 0.05

#: Seconds for which a refusal that looked like the end of a session makes the next one be looked into.
_DOUBT_S = 300.0

#: Milliseconds after which an alert whose log-in came to nothing makes sense to try again.
_AGAIN_MS = 1_000

#: Seconds of a session's life below which its loss is no accident: a broker that is starting, or another
#: process of ours at a broker that keeps one session a user.
_SHORT_S = 5.0

#: Such losses in a row after which the next log-in waits.
_SHORT_LIVES = 2

#: Characters from which on a header of a log-in, or of a session, is taken for a secret.
_SECRET_CHARACTERS = 8

#: Headers that name the user: his orders and his alerts may be called by it.
_NAMES = frozenset({"username", "userid"})

#: Carries one call of a log-in, its answer unscrubbed: it holds the session that is asked for.
Carry = Callable[[Call], Answer]


class Session:
    """The one session that a process has with one credential. Nothing is opened before the first use."""

    def __init__(self, vendor: Vendor, credential: str, ledger: Ledger, scrubber: Scrubber) -> None:
        """Take where to log in, the credential's name in the ledger, and what has to learn its secrets."""
        self._vendor = vendor
        self._credential = credential
        self._ledger = ledger
        self._outbox = Outbox(ledger)
        self._scrubber = scrubber
        self._lock = threading.Lock()
        self._current: LoggedIn | None = None
        self._doubted_until = 0.0
        #: When this process logged in last, and which of all log-ins that was.
        self._opened_at = 0.0
        self._number = 0
        #: The last session whose loss was counted, and how many in a row had a short life.
        self._counted: LoggedIn | None = None
        self._short_lives = 0
        self._patience_s = min(_PATIENCE_S, ledger.lease_s * _LEASE_SHARE)
        #: Seconds that `get` or `renewed` may wait at most, beside the log-in's own calls.
        self.waits_s = 2 * self._patience_s

    @property
    def is_open(self) -> bool:
        """Say whether there is a session, as far as is known here."""
        return self._current is not None

    def get(self, carry: Carry) -> LoggedIn | None:
        """Give the session, logging in where there is none; None where the vendor has no log-in.

        Raises `CredentialRefused`, `Refused` or `Throttled` where the vendor says so, and `NotSent` for
        all else that keeps a session from being there: no call of an alert has left then.
        """
        return self._current or self._opened(None, carry)

    def renewed(self, ended: LoggedIn, carry: Carry, *, lost: bool) -> LoggedIn | None:
        """Give another session than the one that ended, by a log-in where nobody has made one meanwhile.

        `lost`: it went with its socket, where it may else be a refusal that looks like its end.
        """
        current = self._current
        if current is not None and current is not ended:
            return current
        return self._opened(ended, carry, lost=lost)

    def doubt(self) -> None:
        """Note that a session seemed to have ended, and a new one seems so, too: it was a refusal."""
        self._doubted_until = time.monotonic() + _DOUBT_S

    @property
    def in_doubt(self) -> bool:
        """Say whether what looks like the end of a session may be a refusal, as it was a while ago."""
        return time.monotonic() < self._doubted_until

    def superseded(self, session: LoggedIn) -> bool:
        """Say whether another process has logged in since, which may have ended this session."""
        return self._ledger.log_ins(self._credential) != session.number

    def _opened(self, ended: LoggedIn | None, carry: Carry, *, lost: bool = False) -> LoggedIn | None:
        if not self._lock.acquire(timeout=self._patience_s):
            raise NotSent(f"a log-in at {self._vendor.name} takes long", tried=False, wait_ms=_AGAIN_MS)
        try:
            if self._current is None or self._current is ended:
                if ended is not None and lost:
                    self._pace(ended)
                # Where the log-in fails the old one stays: it may live, and only this call have been refused.
                self._current = self._log_in(carry)
            return self._current
        finally:
            self._lock.release()

    def _pace(self, ended: LoggedIn) -> None:
        """Space the log-ins whose sessions are lost at once; raise `NotSent` while the next one has to wait.

        The first such loss is made good at once. Without the spacing a second of it would use up the log-ins
        of a minute, and leave the rest of it without any.
        """
        if ended is not self._counted:
            self._counted = ended
            short = time.monotonic() - self._opened_at < _SHORT_S
            self._short_lives = self._short_lives + 1 if short else 0
        if self._short_lives < _SHORT_LIVES:
            return
        doubled = min(self._short_lives - _SHORT_LIVES, 10)
        rest_ms = min(LOG_IN_REST_MOST_MS, LOG_IN_REST_MS << doubled)
        left_ms = rest_ms - int((time.monotonic() - self._opened_at) * 1000)
        if left_ms > 0:
            words = f"{self._vendor.name} ended {self._short_lives} sessions right after their log-ins"
            raise NotSent(words, tried=False, wait_ms=self._unless_elsewhere(left_ms))

    def _unless_elsewhere(self, wait_ms: int) -> int:
        """Give the ms to wait; a moment where another process has logged in since, and may take the alert."""
        elsewhere = self._ledger.log_ins(self._credential) != self._number
        return min(wait_ms, _AGAIN_MS) if elsewhere else wait_ms

    def _log_in(self, carry: Carry) -> LoggedIn | None:
        conversation = self._vendor.log_in()
        if conversation is None:
            return None
        self._take_turn()
        last: Answer | None = None

        def learn_and_carry(call: Call) -> Answer:
            # A signature is as good as a password: known as a secret before it leaves.
            nonlocal last
            self._scrubber.learn(_secrets(call.headers))
            last = carry(call)
            return last

        try:
            headers = held(conversation, learn_and_carry)
        except CredentialRefused as refused:
            refused.words = self._scrubber.scrub(refused.words)
            wait_ms = self._ledger.end_log_in(self._credential, "refused")
            facts = {"vendor": self._vendor.name, "words": refused.words, "not_again_for_s": wait_ms // 1000}
            log.say("log_in_refused", facts, logging.WARNING)
            self._tell(refused.words, wait_ms)
            raise
        except Throttled as failure:
            failure.words = self._scrubber.scrub(failure.words)
            self._ledger.end_log_in(self._credential, "failed")
            raise
        except VendorError as failure:
            if isinstance(failure, Refused) and last is not None and folded(json_of(last)):
                # No word about the credential itself, yet the vendor's own: a wrong application, say.
                words = self._scrubber.scrub(failure.words)
                self._tell(words, self._ledger.end_log_in(self._credential, "failed"))
                raise LogInRefused(words) from failure
            # A redirect or a bare 403 may be of what stands before the vendor, and be over in a moment.
            # Where nothing reached the vendor no limit of his was used, and he may be back in a second.
            how = "unreached" if isinstance(failure, NotSent) else "failed"
            self._ledger.end_log_in(self._credential, how)
            words = f"no log-in at {self._vendor.name}: {self._scrubber.scrub(failure.words)}"
            tried = not isinstance(failure, NotSent) or failure.tried
            wait_ms = getattr(failure, "wait_ms", None) or _AGAIN_MS
            raise NotSent(words, tried=tried, wait_ms=self._unless_elsewhere(wait_ms)) from failure
        self._scrubber.learn(_secrets(headers), of=self._credential)
        number = self._ledger.end_log_in(self._credential, "done")
        self._number, self._opened_at = number, time.monotonic()
        log.say("logged_in", {"vendor": self._vendor.name})
        return LoggedIn(headers, number, 0 if last is None else last.connection)

    def _tell(self, words: str, wait_ms: int) -> None:
        """Have the trader told of a refusal; where Redis is away by now, what came of the alert will be."""
        said = log_in_words(self._vendor.name, words, wait_ms)
        with contextlib.suppress(NotReady):
            self._outbox.tell(Kind.LOG_IN, said, gate=f"log-in {self._credential}")

    def _take_turn(self) -> None:
        """Wait a moment for the turn to log in; raise `NotSent` where it does not come."""
        until = time.monotonic() + self._patience_s
        while True:
            turn = self._ledger.turn_to_log_in(self._credential)
            if turn.mine:
                return
            if turn.refused:
                words = (
                    f"{self._vendor.name} refused the log-in, which rests for {turn.wait_ms // 1000} s: "
                    "look at the settings, and whether the user is locked"
                )
                raise NotSent(words, tried=False, wait_ms=turn.wait_ms)
            if time.monotonic() >= until:
                words = f"another log-in at {self._vendor.name} is under way, or has just failed"
                raise NotSent(words, tried=False, wait_ms=min(turn.wait_ms, _AGAIN_MS))
            time.sleep(_LOOK_EVERY_S)


def _secrets(headers: Mapping[str, str]) -> list[str]:
    """Give what is secret in headers: each whole, and what stands behind a scheme, as behind "Bearer"."""
    said = [value for name, value in headers.items() if name.casefold() not in _NAMES]
    parts = [part for value in said for part in (value, value.rpartition(" ")[2])]
    return [part for part in parts if len(part) >= _SECRET_CHARACTERS]
