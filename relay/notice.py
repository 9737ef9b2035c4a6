"""What the trader is to be told, in words, until a service has taken it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Why he is told."""

    NOT_CONFIRMED = "not_confirmed"
    ENDED = "ended"
    #: An order filled before its cancel.
    FILLED = "filled"
    #: Nothing was there: a name may be wrong, or a contract has rolled.
    NOTHING = "nothing"
    #: A copy was not sent again, and may have been meant.
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    LOG_IN = "log_in"
    SILENT = "silent"
    ANSWERS = "answers"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: of which alert, if it is of one, why, and the sentence of that moment."""

    alert_id: str
    kind: Kind
    status: str
    words: str
    #: Tells two notices of one alert apart, when it ended twice since it was tried again.
    number: int
    #: Where the ledger counts what this one stands for; it is read when the notice is told.
    counter: str = ""

    def encode(self) -> str:
        """Give the notice as the ledger keeps it: equal for the same notice."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Notice:
        """Read back what `encode` gave."""
        fields = json.loads(text)
        return cls(**{**fields, "kind": Kind(fields["kind"])})
