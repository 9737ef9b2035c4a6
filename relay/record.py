"""The record of an alert: what was asked, how far each of its cancels is, and every step on the way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from relay.alert import Alert
from relay.cancel import Cancel, Scope
from relay.notice import Kind, Notice
from relay.outcome import Progress, Status, foremost

#: Milliseconds around the alert in which a vendor's creation time decides nothing: clocks differ.
UNCERTAIN_MS = 2_000

#: Milliseconds after the end of `max_age` in which orders may still be cancelled by id and read back.
READ_BACK_MS = 300_000

#: Milliseconds after an alert with a delay in which an order may be placed that it means: the entry and its
#: "cancel if not filled" are fired by the same bar.
SAME_BAR_MS = 10_000

#: Steps kept of one alert's history, so that a record stays small whatever a vendor does.
HISTORY_STEPS = 200


@dataclass(frozen=True, slots=True)
class RefusedAs:
    """Why a known sender's alert was refused: the problem, and what could be read of the alert."""

    problem: str
    http: int
    title: str
    detail: str
    errors: dict[str, list[str]] = field(default_factory=dict)
    #: The alert's fields without a credential, as texts.
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """One accepted alert, or a known sender's that was `refused`. Times are Redis's, in ms since 1970."""

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
    #: When its sender last asked for another attempt.
    retried_ms: int | None = None
    #: Whether it has been said that it is not confirmed yet.
    warned: bool = False
    #: How many notices were written of it.
    noticed: int = 0
    #: Notices that the next write to the ledger takes along.
    notices: list[Notice] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    #: Set where nothing of it was carried out: it has no cancels then.
    refused: RefusedAs | None = None

    @property
    def status(self) -> Status:
        """Give the status of the whole alert."""
        if self.refused is not None:
            return Status.REFUSED
        return foremost([progress.status for _, progress in self.cancels])

    @property
    def act_until_ms(self) -> int:
        """Give the moment after which no first try may start."""
        if self.retried_ms is not None:
            return self.retried_ms + self.max_age_ms
        if self.alert.delay_ms:
            return self.starts_ms + self.max_age_ms
        return (self.alert.timestamp_ms or self.received_ms) + self.max_age_ms

    @property
    def starts_ms(self) -> int:
        """Give the moment at which it is to be carried out."""
        return self.received_ms + self.alert.delay_ms

    @property
    def doubt_ms(self) -> tuple[int, int]:
        """Give the span in which an order's time of creation does not tell whether the alert means it.

        What was created before it is meant, what was created after it is newer. With a delay nothing is
        doubtful: an order of the same bar counts, if it was there when the delay was over.
        """
        if self.alert.delay_ms:
            end_ms = self.received_ms + min(SAME_BAR_MS, max(UNCERTAIN_MS, self.alert.delay_ms))
            return end_ms + 1, end_ms
        return self.received_ms - UNCERTAIN_MS, self.received_ms + UNCERTAIN_MS

    @property
    def read_until_ms(self) -> int:
        """Give the moment after which reading back stops."""
        return self.act_until_ms + READ_BACK_MS

    @property
    def due_ms(self) -> int | None:
        """Give the next moment at which a cancel wants to be looked at, or None when all ended."""
        return min((each.due_ms for _, each in self.cancels if each.due_ms is not None), default=None)

    @property
    def first_visit_in_ms(self) -> int:
        """Give the ms until somebody has to look at it; 0 where that is now."""
        named = all(cancel.scope is Scope.ORDER for cancel, _ in self.cancels)
        return self.alert.delay_ms if named else min(self.alert.delay_ms, SAME_BAR_MS)

    def tell(self, kind: Kind, words: str) -> None:
        """Have the trader told, in the same step that writes what he is told of."""
        self.noticed += 1
        self.notices.append(Notice(self.alert_id, kind, self.status.value, words, self.noticed))

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
                "retried_ms": self.retried_ms,
                "warned": self.warned,
                "noticed": self.noticed,
                "history": self.history,
                **({} if self.refused is None else {"refused": asdict(self.refused)}),
            },
            separators=(",", ":"),
        )

    @classmethod
    def decode(cls, text: str, received_ms: int) -> Record:
        """Read back what `encode` gave; the ledger alone knows when it was received."""
        fields = json.loads(text)
        if "refused" in fields:
            # It ended as it came.
            fields |= {"refused": RefusedAs(**fields["refused"]), "ended_ms": received_ms}
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
