"""Count what a client may still send."""

from __future__ import annotations

import threading
from collections.abc import Callable


class TokenBucket:
    """Let `capacity` calls through at once, and `per_second` from then on; safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._spent = 0.0
        self._at = clock()

    def take(self, *, capacity: int, per_second: float) -> float:
        """Spend one token and return 0, or spend none and return the seconds until there is one."""
        with self._lock:
            now = self._clock()
            self._spent = max(0.0, self._spent - max(0.0, now - self._at) * per_second)
            self._at = now
            if self._spent + 1 <= capacity:
                self._spent += 1
                return 0.0
            return (self._spent + 1 - capacity) / per_second if per_second else float("inf")
