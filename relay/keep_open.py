"""WebSockets that are to be open before an alert needs them: opened, asked for a sign of life, and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from relay import log
from relay.converse import CALL_SHARE, Line
from relay.errors import NotReady, NotSent, SessionLost, VendorError
from relay.ledger import Ledger
from relay.scrubber import Scrubber
from relay.vendor import Answer, Call, cleared

#: Seconds between two looks: fewer than those of silence after which a call would have to ask first.
LOOK_EVERY_S = 4.0

#: Seconds to the next look after one that found no way, doubled each time, up to the longest.
_AGAIN_S, _AGAIN_MOST_S = 1.0, 60.0


class KeepOpen:
    """Look after the sockets of some lines in a thread of its own; it starts none where there are none."""

    def __init__(self, lines: Iterable[Line], ledger: Ledger, scrubber: Scrubber) -> None:
        """Take the lines whose sockets are to be open."""
        self._lines = list(lines)
        self._ledger = ledger
        self._scrubber = scrubber
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run, args=(line,), name=f"keep-open {line.vendor.name}", daemon=True
            )
            for line in self._lines
        ]

    def start(self) -> None:
        """Look from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more; a look that is under way ends with its connection."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until nobody looks."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self, line: Line) -> None:
        failures = 0
        while True:
            try:
                self._look(line)
            except (VendorError, NotReady) as failure:
                words = failure.words if isinstance(failure, VendorError) else "Redis is away"
                if not failures:
                    facts = {"vendor": line.vendor.name, "words": self._scrubber.scrub(words)}
                    log.say("socket_not_open", facts, logging.WARNING)
                failures += 1
            except Exception:  # noqa: BLE001 - what is unforeseen must not end the looking
                log.say_unforeseen({"where": "keep-open"})
                failures += 1
            else:
                failures = 0
            pause_s = min(_AGAIN_MOST_S, _AGAIN_S * 2 ** min(failures - 1, 10)) if failures else LOOK_EVERY_S
            if self._stopping.wait(pause_s):
                return

    def _look(self, line: Line) -> None:
        """Have the socket open and the session in it, as a call of an alert would."""
        within_s = self._ledger.lease_s * CALL_SHARE

        def carry(call: Call) -> Answer:
            wait_ms = self._ledger.spend(line.budget, call.limit)
            if wait_ms:
                raise NotSent("the log-ins of this minute are used up", tried=False, wait_ms=wait_ms)
            return line.transport.carry(call, session=None, within_s=within_s, clearance=cleared)

        session = line.session.get(carry)
        try:
            line.transport.ready(session=session, within_s=within_s)
        except SessionLost:
            if session is not None:
                session = line.session.renewed(session, carry, lost=True)
            line.transport.ready(session=session, within_s=within_s)
