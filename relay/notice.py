"""What the trader is to be told of an alert, in words, until somebody has told him."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Why he is told."""

    NOT_CONFIRMED = "not_confirmed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: which alert, why, and the sentence that stood when it was written."""

    alert_id: str
    kind: Kind
    status: str
    words: str
    #: Tells two notices of one alert apart, when it ended twice since it was tried again.
    number: int

    def encode(self) -> str:
        """Give the notice as the ledger keeps it: equal for the same notice."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Notice:
        """Read back what `encode` gave."""
        fields = json.loads(text)
        return cls(**{**fields, "kind": Kind(fields["kind"])})
