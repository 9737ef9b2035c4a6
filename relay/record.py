"""The record of an alert: what was asked, how far each of its cancels is, and every step on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from relay.alert import Alert
from relay.cancel import Cancel
from relay.outcome import Progress, Status, foremost

#: Milliseconds after the end of `max_age` in which orders may still be cancelled by id and read back.
READ_BACK_MS = 300_000

#: Steps kept of one alert's history, so that a record stays small whatever a vendor does.
HISTORY_STEPS = 200


@dataclass(slots=True)
class Record:
    """One accepted alert. Times are Redis's, in ms since 1970."""

    alert_id: str
    sender: str
    alert: Alert
    cancels: list[tuple[Cancel, Progress]]
    max_age_ms: int
    #: How its key was chosen: header, id or content.
    keyed_by: str
    request_id: str
    received_ms: int = 0
    ended_ms: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """Give the status of the whole alert."""
        return foremost([progress.status for _, progress in self.cancels])

    @property
    def act_until_ms(self) -> int:
        """Give the moment after which no first try may start."""
        return (self.alert.timestamp_ms or self.received_ms) + self.max_age_ms

    @property
    def read_until_ms(self) -> int:
        """Give the moment after which reading back stops."""
        return self.act_until_ms + READ_BACK_MS

    @property
    def due_ms(self) -> int | None:
        """Give the next moment at which a cancel wants to be looked at, or None when all ended."""
        return min((each.due_ms for _, each in self.cancels if each.due_ms is not None), default=None)

    def note(self, now_ms: int, step: str, **facts: Any) -> None:  # noqa: ANN401 - any JSON value
        """Add a step to the history; when it is full, the last place tells only the newest step."""
        entry = {"at_ms": now_ms, "step": step, **facts}
        if len(self.history) < HISTORY_STEPS:
            self.history.append(entry)
        else:
            self.history[-1] = entry

    def encode(self) -> str:
        """Give the record as the ledger keeps it."""
        return json.dumps(
            {
                "alert_id": self.alert_id,
                "sender": self.sender,
                "alert": self.alert.encode(),
                "cancels": [[cancel.encode(), progress.encode()] for cancel, progress in self.cancels],
                "max_age_ms": self.max_age_ms,
                "keyed_by": self.keyed_by,
                "request_id": self.request_id,
                "ended_ms": self.ended_ms,
                "history": self.history,
            },
            separators=(",", ":"),
        )

    @classmethod
    def decode(cls, text: str, received_ms: int) -> Record:
        """Read back what `encode` gave; the ledger alone knows when it was received."""
        fields = json.loads(text)
        return cls(
            **{
                **fields,
                "alert": Alert.decode(fields["alert"]),
                "cancels": [
                    (Cancel.decode(cancel), Progress.decode(progress))
                    for cancel, progress in fields["cancels"]
                ],
            },
            received_ms=received_ms,
        )
