"""A breaker for each credential in each process: leave a vendor alone for a moment that answers nobody.

Without it every alert would wait out its own call at a broker that is down, and fill the lane. It opens
for a second at most: when the broker is back, no alert waits longer than that to find it out.
"""

from __future__ import annotations

import threading
import time

from relay.errors import NotSent

#: Calls in a row that came to nothing, after which the vendor is left alone.
FAILURES = 5

#: Seconds for which it is left alone, doubled with each call that comes to nothing after that: short, since
#: an alert may be good for a second, and one call a second harms no vendor.
_OPEN_S, _OPEN_MOST_S = 0.25, 1.0


class Breaker:
    """Count what comes to nothing; safe between threads."""

    def __init__(self, vendor: str) -> None:
        """Take whom the sentence names."""
        self.vendor = vendor
        self._lock = threading.Lock()
        self._failures = 0
        self._last = ""
        self._open_until = 0.0
        #: The monotonic moments of the last call that was answered, and of the last that came to nothing.
        self.answered_at = self.failed_at = 0.0

    @property
    def is_open(self) -> bool:
        """Say whether the vendor has stopped answering, as far as is known here."""
        return self._failures >= FAILURES

    @property
    def last(self) -> str:
        """Give what the last call that came to nothing came to."""
        return self._last

    def admit(self) -> None:
        """Let a call go; raise `NotSent` while the vendor is left alone.

        When that time is over one call is let through, and the others wait for what comes of it.
        """
        with self._lock:
            if self._failures < FAILURES:
                return
            left_s = self._open_until - time.monotonic()
            if left_s > 0:
                words = f"{self.vendor} has not answered {self._failures} calls in a row: {self._last}"
                raise NotSent(words, tried=False, wait_ms=int(left_s * 1000) + 1)
            self._open()

    def answered(self) -> None:
        """Note that the vendor answered, whatever it said."""
        with self._lock:
            self._failures, self.answered_at = 0, time.monotonic()

    def failed(self, words: str) -> None:
        """Note that a call brought no answer, and why."""
        with self._lock:
            self._failures += 1
            self._last, self.failed_at = words, time.monotonic()
            if self._failures >= FAILURES:
                self._open()

    def _open(self) -> None:
        rest_s = min(_OPEN_MOST_S, _OPEN_S * 2 ** (self._failures - FAILURES))
        self._open_until = time.monotonic() + rest_s
