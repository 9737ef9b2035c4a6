"""The heartbeat of the web processes: when none could take alerts, the trader is told from when to when."""

from __future__ import annotations

import threading

from relay import log
from relay.errors import NotReady
from relay.notify import away_words
from relay.outbox import Outbox

#: Seconds between two beats: several fit into the gap that is told.
BEAT_S = 2.0


class Heartbeat:
    """Beat in a thread of its own, in a process that takes alerts."""

    def __init__(self, outbox: Outbox) -> None:
        """Take where the beats are noted; nothing is started."""
        self._outbox = outbox
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, at once."""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End: from now on this process takes no alerts."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def beat(self) -> None:
        """Note one beat; after a gap, with what has to be told of it."""
        now_ms, last_ms = self._outbox.beat()
        if last_ms:
            log.say("away", {"from_ms": last_ms, "to_ms": now_ms})
            self._outbox.beat(last_ms, away_words(last_ms, now_ms))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.beat()
            except NotReady:
                pass  # logged where Redis was asked; the gap shows when it is back
            except Exception:  # noqa: BLE001 - a heart that stops would be told as an outage
                log.say_unforeseen({"where": "heartbeat"})
            self._stopping.wait(BEAT_S)
