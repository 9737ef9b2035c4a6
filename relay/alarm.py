"""One thread that does small things at their time: cut off a call, or look around while one is slow."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from relay import log
from relay.errors import NotSent
from relay.threads import started


class Alarm:
    """Ring at set times, all in one thread that starts with the first."""

    def __init__(self) -> None:
        """Start nothing yet: gunicorn may fork after this."""
        self._times: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def after(self, seconds: float, ring: Callable[[], None]) -> None:
        """Call `ring` then, whatever has happened by that time; it has to be quick, and to know.

        Raises `NotSent` where nothing can ring: what has to end in time is not to be begun.
        """
        at = time.monotonic() + seconds
        with self._changed:
            if self._stopped:
                raise NotSent("this process is ending", tried=False)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="alarm", daemon=True)
                if not started(thread):
                    raise NotSent("this machine lets no more threads start")
                self._thread = thread
            heapq.heappush(self._times, (at, next(self._number), ring))
            if self._times[0][0] == at:
                self._changed.notify()

    def stop(self) -> None:
        """Ring no more, and leave no thread behind."""
        with self._changed:
            self._stopped = True
            self._times.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (ring := self._next()) is not None:
            try:
                ring()
            except Exception:  # noqa: BLE001 - one alarm that fails must not silence the others
                log.say_unforeseen({"where": "alarm"})
            del ring  # it would be kept, with all that it knows, until the next

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next time to ring; None when there is none any more."""
        with self._changed:
            while not self._stopped:
                left = self._times[0][0] - time.monotonic() if self._times else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._times)[2]
                self._changed.wait(left)
            return None
