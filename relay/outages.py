"""Whether vendors answer, as this process's breakers see it, told once for all processes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from relay.breaker import Breaker
from relay.notice import Kind
from relay.notify import answers_words, silent_words
from relay.outbox import Outbox
from relay.scrubber import Scrubber

#: Seconds between two words that an outage lasts, or that the vendor answers.
_AGAIN_AFTER_S = 10.0

#: Seconds after a call that came to nothing in which this process knows that the vendor is silent: later ones
#: may be another's, and answered.
_KNOWS_S = 60.0


class Outages:
    """Look at the breakers now and then, and tell what has changed."""

    def __init__(self, outbox: Outbox, breakers: Iterable[Breaker], scrubber: Scrubber) -> None:
        """Take the breakers of all lines, and what keeps secrets out of their words."""
        self._outbox = outbox
        self._scrubber = scrubber
        self._breakers = tuple(breakers)
        #: When it was last said that a vendor is silent, and that it answers.
        self._open: dict[str, float] = {}
        self._well: dict[str, float] = {}

    def look(self) -> None:
        """Tell of each vendor that fell silent or answers again since the last look; raises `NotReady`."""
        for breaker in self._breakers:
            if breaker.is_open and time.monotonic() - breaker.failed_at < _KNOWS_S:
                self._silent(breaker)
            else:
                self._answers(breaker)

    def _silent(self, breaker: Breaker) -> None:
        vendor, now = breaker.vendor, time.monotonic()
        said = self._open.get(vendor)
        if said is not None and now - said < _AGAIN_AFTER_S:
            return
        words = silent_words(vendor, self._scrubber.scrub(breaker.last))
        self._outbox.outage(vendor, "open" if said is None else "still", Kind.SILENT, words)
        self._open[vendor] = now

    def _answers(self, breaker: Breaker) -> None:
        """Say that a vendor has answered: who saw its silence may have no call for it any more."""
        vendor, now = breaker.vendor, time.monotonic()
        said = self._well.get(vendor, 0.0)
        saw_silence = vendor in self._open
        if breaker.answered_at > said and (saw_silence or now - said >= _AGAIN_AFTER_S):
            ms = int((now - breaker.answered_at) * 1000)
            self._outbox.outage(vendor, "closed", Kind.ANSWERS, answers_words(vendor), answered_ms_ago=ms)
            self._well[vendor] = now
        self._open.pop(vendor, None)
