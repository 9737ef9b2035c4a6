"""A list taken beside a send: what was there when the alert came, which nothing can tell later."""

from __future__ import annotations

import threading
from collections.abc import Callable

from relay import log
from relay.errors import LeaseEnded, LogInRefused, NotReady, VendorError
from relay.threads import started
from relay.vendor import Order


class Survey:
    """A list in a thread of its own; where it fails, or comes too late, there is no such evidence."""

    def __init__(self, take: Callable[[], tuple[Order, ...] | None]) -> None:
        """Take the way to list; nothing starts yet."""
        self._take = take
        self._orders: tuple[Order, ...] | None = None
        #: What the vendor said, where it let nobody in: no call can go then.
        self.refused: LogInRefused | None = None
        self._thread: threading.Thread | None = None
        self._called_off = False
        self._starting = threading.Lock()

    def start(self) -> None:
        """Begin to list, unless it was called off, or has begun."""
        with self._starting:
            if not self._called_off and self._thread is None:
                thread = threading.Thread(target=self._run, name="survey", daemon=True)
                if started(thread):
                    self._thread = thread

    def call_off(self) -> None:
        """Do not begin any more; what has begun goes on."""
        with self._starting:
            self._called_off = True

    def result(self, within_s: float) -> tuple[Order, ...] | None:
        """Wait so long at most, and give the list, if there is one by then."""
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join(within_s)
        return self._orders

    def _run(self) -> None:
        try:
            self._orders = self._take()
        except LogInRefused as refused:
            self.refused = refused
        except (VendorError, LeaseEnded, NotReady):
            self._orders = None
        except Exception:  # noqa: BLE001 - the thread's last door: there is no such evidence then, and it is logged
            log.say_unforeseen({"where": "survey"})
