"""What is due: retries, read-backs, and what a dead process left behind."""

from __future__ import annotations

import logging
import threading
import time

from relay import log
from relay.errors import NotReady
from relay.lane import Lanes
from relay.ledger import Held, Ledger
from relay.messenger import Messenger
from relay.outages import Outages

#: Seconds between two looks at what is due: a due record starts within 250 ms of its time.
POLL_S = 0.1

#: Seconds between two looks while Redis is away.
AWAY_S = 1.0

#: Seconds between two looks at how much memory Redis uses.
MEASURE_EVERY_S = 5.0

#: Records taken at once: few enough that each is begun long before its lease ends.
TAKEN_AT_ONCE = 16


class Worker:
    """Take what is due, again and again, in a thread of its own or in the caller's."""

    def __init__(
        self,
        ledger: Ledger,
        lanes: Lanes,
        keep_mb: int | None = None,
        messenger: Messenger | None = None,
        outages: Outages | None = None,
    ) -> None:
        """Take the ledger to look into, the lanes to carry forward in, and what Redis may use at most.

        `messenger` tells the trader, in a thread of its own; `outages` are looked at beside.
        """
        self._messenger = messenger
        self._outages = outages
        self._ledger = ledger
        self._keep_mb = keep_mb
        self._measured_at = 0.0
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
        if self._messenger is not None:
            self._messenger.stop()

    def interrupt(self) -> None:
        """End `run` soon; from another thread, never from a signal handler, which may hold its locks."""
        self._stopping.set()

    @property
    def alive(self) -> bool:
        """Say whether the thread that was started still runs; yes where none was."""
        return self._thread is None or self._thread.is_alive()

    def _carry_on(self, held: Held) -> None:
        if held.interrupted:
            facts = {"alert_id": held.record.alert_id, "request_id": held.record.request_id}
            log.say("taken_over", facts)
        try:
            self._lanes.again(held)
        except Exception:  # noqa: BLE001 - one record that fails must not keep the others from being taken
            log.say_unforeseen({"alert_id": held.record.alert_id})

    def _give_way(self) -> None:
        """Let history give way where Redis uses more than it may, looked at now and then."""
        if self._keep_mb is None or time.monotonic() - self._measured_at < MEASURE_EVERY_S:
            return
        self._measured_at = time.monotonic()
        forgotten = self._ledger.keep_within(self._keep_mb)
        if forgotten:
            log.say("history_gave_way", {"alerts": forgotten})

    def _start_beside(self) -> None:
        if self._messenger is not None:
            self._messenger.start()

    def _look_beside(self) -> None:
        """Look at what is no record's: how much Redis holds, and whether the vendors answer."""
        self._give_way()
        if self._outages is not None:
            self._outages.look()

    def _warn_of_a_redis_that_forgets(self) -> None:
        found = self._ledger.persistence()
        if found and not found.keeps:
            log.say("redis_does_not_persist", {"loses": "alerts under way, with it"}, logging.WARNING)
        if found and found.evicts:
            log.say("redis_evicts", {"set": "maxmemory-policy noeviction"}, logging.WARNING)

    def run(self) -> None:
        """Work in the caller's thread until told to stop."""
        away, warned = False, False
        self._start_beside()
        while not self._stopping.is_set():
            try:
                if not warned:
                    self._warn_of_a_redis_that_forgets()
                    warned = True
                self._look_beside()
                most = min(TAKEN_AT_ONCE, self._lanes.free())
                taken = self._ledger.take_due(most) if most else []
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
                self._carry_on(held)
            if len(taken) < TAKEN_AT_ONCE:
                self._stopping.wait(POLL_S)
