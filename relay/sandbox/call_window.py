"""Count calls minute by minute, and tell the caller where he stands."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Seconds a window is open; the limits are documented "per minute".
WINDOW_S = 60.0


@dataclass(frozen=True)
class Standing:
    """Tell what is left of a window after a call."""

    limit: int
    remaining: int
    resets_at: float
    over: bool
    wait_s: int

    @property
    def headers(self) -> Mapping[str, str]:
        """Write it as the headers that became customary."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.resets_at)),
        }


class CallWindows:
    """Keep a window for each key, open from its first call on; safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, key: str, limit: int) -> Standing:
        """Count one call; one that is over the limit is not counted."""
        with self._lock:
            now = self._clock()
            opened, spent = self._windows.get(key, (now, 0))
            if not opened <= now < opened + WINDOW_S:
                opened, spent = now, 0
            over = spent >= limit
            spent += not over
            self._windows[key] = (opened, spent)
            resets_at = opened + WINDOW_S
            wait_s = max(1, math.ceil(resets_at - now))
            return Standing(limit, max(0, limit - spent), resets_at, over, wait_s)
