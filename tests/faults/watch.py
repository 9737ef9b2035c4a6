"""Follow the records of a round until each has ended, as their senders could."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import redis
import requests

from tests.faults.judge import Case, has_ended
from tests.faults.stage import Stage

#: Seconds between two looks while alerts are sent, and when all that is left is their end.
_LOOK_EVERY_S, _LAST_LOOKS_S = 1.0, 0.2

#: Seconds after its sending before which nobody asks for a record: most have ended by then.
_LOOK_AFTER_S = 1.5

#: Times that a record is asked for at the end, on a machine that is busy.
_ASKED_AT_MOST = 5


class Watch:
    """What is seen of the records of these cases."""

    def __init__(self, stage: Stage, cases: Sequence[Case]) -> None:
        """Take whom to ask, and whose records they are."""
        self._stage = stage
        self._cases = cases
        self._by_note = {case.alert.note: case for case in cases}
        self._since_ms = 0.0
        self._met: set[str] = set()
        self._open: dict[str, float] = {}
        self._known: dict[str, Case] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="watch", daemon=True)
        self._session = requests.Session()
        self._session.trust_env = False

    def start(self, since_ms: float) -> None:
        """Begin, with the records made since then."""
        self._since_ms = since_ms
        self._thread.start()

    def finish(self, within_s: float) -> None:
        """Wait until every record has ended, or that time is over."""
        until = time.monotonic() + within_s
        self._over.set()
        self._thread.join()
        self._met.update(self._answered())
        self._open.update(dict.fromkeys(self._answered() - self._known.keys(), 0.0))
        while (not self._look(after_s=0.0) or self._open) and time.monotonic() < until:
            threading.Event().wait(_LAST_LOOKS_S)

    def read_all(self) -> None:
        """Read every record as it stands now."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._read, list(self._known)))

    def _answered(self) -> set[str]:
        return {each.alert_id for case in self._cases for each in case.sendings if each.alert_id}

    def _read(self, alert_id: str) -> None:
        for attempt in range(_ASKED_AT_MOST):
            try:
                record = self._stage.record(alert_id, self._session)
            except requests.RequestException:
                if attempt + 1 == _ASKED_AT_MOST:
                    raise
            else:
                if record is not None:
                    self._known[alert_id].records[alert_id] = record
                return

    def _follow(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            self._look(after_s=_LOOK_AFTER_S)

    def _look(self, after_s: float) -> bool:
        """Ask for every record that has not ended, and is old enough; say whether Redis could list them."""
        now = time.monotonic()
        try:
            listed = self._stage.alert_ids(self._since_ms)
        except redis.RedisError:
            return False
        for alert_id in listed:
            if alert_id not in self._met:
                self._met.add(alert_id)
                self._open[alert_id] = now
        for alert_id, seen_at in list(self._open.items()):
            if now - seen_at >= after_s:
                with contextlib.suppress(requests.RequestException):
                    self._ask(alert_id)
        return True

    def _ask(self, alert_id: str) -> None:
        record = self._stage.record(alert_id, self._session)
        case = self._by_note.get(record["note"] or "") if record else None
        if record is None or case is None:
            del self._open[alert_id]  # it is not there; or another round's, made in the same millisecond
            return
        self._known[alert_id] = case
        if has_ended(record):
            case.ended[alert_id] = record
            del self._open[alert_id]
