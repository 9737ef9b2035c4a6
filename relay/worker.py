"""What is due: retries, read-backs, and what a dead process left behind."""

from __future__ import annotations

import logging
import threading

from relay import log
from relay.errors import NotReady
from relay.lane import Lanes
from relay.ledger import Ledger

#: Seconds between two looks at what is due: a due record starts within 250 ms of its time.
POLL_S = 0.1

#: Seconds between two looks while Redis is away.
AWAY_S = 1.0

#: Records taken at once: few enough that each is begun long before its lease ends.
TAKEN_AT_ONCE = 16


class Worker:
    """Take what is due, again and again, in a thread of its own or in the caller's."""

    def __init__(self, ledger: Ledger, lanes: Lanes) -> None:
        """Take the ledger to look into and the lanes to carry forward in."""
        self._ledger = ledger
        self._lanes = lanes
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Work in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more; what runs comes to the end of its visit."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._lanes.stop()

    def interrupt(self) -> None:
        """End `run` soon; from another thread, never from a signal handler, which may hold its locks."""
        self._stopping.set()

    def run(self) -> None:
        """Work in the caller's thread until told to stop."""
        away = False
        while not self._stopping.is_set():
            try:
                taken = self._ledger.take_due(TAKEN_AT_ONCE)
            except NotReady:
                if not away:
                    log.say("redis_away", {}, logging.WARNING)
                away = True
                self._stopping.wait(AWAY_S)
                continue
            except Exception:  # noqa: BLE001 - a worker that ends takes nothing over: it says so, and goes on
                log.say_unforeseen({"where": "worker"})
                self._stopping.wait(AWAY_S)
                continue
            if away:
                log.say("redis_back", {})
                away = False
            for held in taken:
                if held.interrupted:
                    log.say(
                        "taken_over",
                        {"alert_id": held.record.alert_id, "request_id": held.record.request_id},
                    )
                self._lanes.again(held)
            if len(taken) < TAKEN_AT_ONCE:
                self._stopping.wait(POLL_S)
