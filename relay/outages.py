"""Whether vendors answer, as this process's breakers see it, told once for all processes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from relay.breaker import Breaker
from relay.notice import Kind
from relay.notify import answers_words, silent_words
from relay.outbox import Outbox
from relay.settings import Scrubber

#: Seconds between two words that an outage lasts.
_STILL_EVERY_S = 10.0


class Outages:
    """Look at the breakers now and then, and tell what has changed."""

    def __init__(self, outbox: Outbox, breakers: Iterable[Breaker], scrubber: Scrubber) -> None:
        """Take the breakers of all lines, and what keeps secrets out of their words."""
        self._outbox = outbox
        self._scrubber = scrubber
        self._breakers = tuple(breakers)
        #: When it was last said that a breaker is open, by its vendor.
        self._open: dict[str, float] = {}

    def look(self) -> None:
        """Tell of each vendor that fell silent or answers again since the last look; raises `NotReady`."""
        for breaker in self._breakers:
            vendor, now = breaker.vendor, time.monotonic()
            said = self._open.get(vendor)
            if breaker.is_open:
                if said is None:
                    words = silent_words(vendor, self._scrubber.scrub(breaker.last))
                    self._outbox.outage(vendor, "open", Kind.SILENT, words)
                elif now - said < _STILL_EVERY_S:
                    continue
                else:
                    self._outbox.outage(vendor, "still", Kind.SILENT, "")
                self._open[vendor] = now
            elif said is not None:
                self._outbox.outage(vendor, "closed", Kind.ANSWERS, answers_words(vendor))
                del self._open[vendor]
