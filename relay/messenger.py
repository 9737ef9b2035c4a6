"""The thread that hands over what the trader is to be told. Each process has one, and one at a time is at it.

A service may be dead, or hang for ever: each is asked in a thread of its own, waited for only so long, and no
alert, reply or visit waits for any of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from relay import digest, log
from relay.errors import NotReady
from relay.outbox import Batch, Outbox
from relay.scrubber import Scrubber
from relay.service import Message, Service
from relay.threads import started

#: Seconds between two looks whether something waits.
_LOOK_S = 0.25

#: Seconds between two looks while Redis is away.
_AWAY_S = 1.0

#: Seconds that a service may take: mail is slow, and what takes longer hangs.
SERVICE_S = 15.0

_SILENT = f"it did not answer within {SERVICE_S:g} s"

#: Seconds between two words that the turn is still in use.
_KEEP_EVERY_S = 1.0

#: Threads that one service may leave hanging before it is asked no more.
_HANGING = 4

#: Seconds that the thread may take to end when it is told to.
_STOP_S = 3.0


class _Attempt:
    """One message on its way to one service, in a thread of its own that may never end."""

    def __init__(self, service: Service, message: Message, over: threading.Condition) -> None:
        self.service = service
        self.until = time.monotonic() + SERVICE_S
        self.done = False
        self.failure: str | None = None
        #: Whether it was noted that it takes too long.
        self.overdue = False
        self._message = message
        self._over = over
        thread = threading.Thread(target=self._run, name=f"service-{service.number}", daemon=True)
        if not started(thread):
            # Raised, it would keep in the queue what another service has brought: again and again.
            self.failure, self.done = "this machine lets no more threads start", True

    def _run(self) -> None:
        try:
            failure = self.service.take(self._message)
        except Exception as error:  # noqa: BLE001 - a plugin of somebody else's, whatever it raises: it took nothing
            failure = f"its plugin failed ({type(error).__name__})"
        with self._over:
            self.failure, self.done = failure, True
            self._over.notify_all()


class Messenger:
    """Tell what waits, again and again, in a thread of its own."""

    def __init__(
        self, outbox: Outbox, services: Sequence[Service], scrubber: Scrubber, url: str | None
    ) -> None:
        """Take where it waits, who brings it, and the relay's own address for links."""
        self._outbox = outbox
        self._services = services
        self._scrubber = scrubber
        self._url = url
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        #: Attempts that nobody waited for to the end, as far as they are not noted yet.
        self._late: list[_Attempt] = []
        #: Services that failed last: the others do not wait for them.
        self._failing: set[int] = set()

    def start(self) -> None:
        """Begin, where there is anybody to tell."""
        if self._services and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="messenger", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End soon; what was not handed over waits in Redis for another process."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        away = False
        while not self._stopping.wait(_AWAY_S if away else _LOOK_S):
            try:
                batch = self._outbox.turn()
                if batch is not None:
                    self._deliver(batch)
                self._note_late()
                away = False
            except NotReady:
                away = True
            except Exception:  # noqa: BLE001 - whoever tells must not fall silent: it is logged, and tried again
                log.say_unforeseen({"where": "messenger"})
                away = True

    def _deliver(self, batch: Batch) -> None:
        """Hand a batch to every service; it counts as handed over when one has taken it."""
        composed = digest.compose(batch, self._url)
        message = Message(
            self._scrubber.scrub(composed.title), self._scrubber.scrub(composed.body), good=composed.good
        )
        over = threading.Condition()
        taken = self._told(batch, self._asked(message, over), over)
        if taken:
            log.say("notified", {"notices": len(batch.waiting), "services": taken})
        elif not self._stopping.is_set():
            wait_ms = self._outbox.not_handed_over()
            facts = {"notices": len(batch.waiting), "again_in_s": wait_ms / 1000}
            log.say("not_notified", facts, logging.ERROR)

    def _asked(self, message: Message, over: threading.Condition) -> list[_Attempt]:
        """Ask every service that does not hang in too many threads already."""
        attempts = []
        for service in self._services:
            hanging = sum(each.service is service for each in self._late)
            if hanging < _HANGING:
                attempts.append(_Attempt(service, message, over))
            else:
                self._note(service, f"it hangs: {_HANGING} messages to it never came to an end")
        return attempts

    def _told(self, batch: Batch, attempts: list[_Attempt], over: threading.Condition) -> list[str]:
        """Wait for the services, note how each did, and give the names of those that took it."""
        until = max((each.until for each in attempts), default=0.0)
        taken: list[str] = []
        open_attempts = attempts
        try:
            while open_attempts and time.monotonic() < until:
                if self._stopping.is_set():
                    until = min(until, time.monotonic() + _STOP_S / 2)
                done = _done(open_attempts, over)
                open_attempts = [each for each in open_attempts if each not in done]
                if not done:
                    self._outbox.keep_turn()
                took = [each.service.name for each in done if each.failure is None]
                if took and not taken:
                    self._outbox.handed_over(batch)
                taken += took
                for each in done:
                    self._note(each.service, each.failure)
                if taken and all(each.service.number in self._failing for each in open_attempts):
                    break  # what failed before keeps the next message from nobody
        finally:
            # Also where Redis went away meanwhile: what hangs has to be counted.
            self._late += open_attempts
        return taken

    def _note_late(self) -> None:
        """Note how those did that were not waited for: some end well, some take too long, or for ever."""
        for each in list(self._late):
            if each.done:
                self._note(each.service, each.failure)
                self._late.remove(each)
            elif time.monotonic() > each.until and not each.overdue:
                self._note(each.service, _SILENT)
                each.overdue = True

    def _note(self, service: Service, failure: str | None) -> None:
        """Remember how a service did, where `check` finds it."""
        if failure is None:
            self._failing.discard(service.number)
            self._outbox.service(service.name, "took")
            return
        self._failing.add(service.number)
        words = self._scrubber.scrub(failure)
        log.say("service_failed", {"service": service.name, "words": words}, logging.WARNING)
        self._outbox.service(service.name, "failed", words)


def try_out(service: Service, message: Message) -> str | None:
    """Hand one service a message; None when it took it in time, else what became of it."""
    over = threading.Condition()
    attempt = _Attempt(service, message, over)
    while not _done([attempt], over):
        if time.monotonic() > attempt.until:
            return _SILENT
    return attempt.failure


def _done(attempts: list[_Attempt], over: threading.Condition) -> list[_Attempt]:
    """Wait a moment for one of the attempts, and give those that are over."""
    with over:
        over.wait_for(lambda: any(each.done for each in attempts), _KEEP_EVERY_S)
        return [each for each in attempts if each.done]
