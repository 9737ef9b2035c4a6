"""What a vendor allows in a span of time: one budget for all processes that use a credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls at once, and so many a second after that."""

    burst: int
    per_second: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """So many calls in any span of that many seconds."""

    calls: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits on one credential by their names; the one without a name is on every call that names none.

    A call of a limit that is not here is held back only by a 429.
    """

    #: Tells the credential in Redis without telling what it is.
    credential: str
    limits: Mapping[str, Rate | Window]

    def limit(self, of_call: str) -> Rate | Window | None:
        """Give the limit that a call counts against, whose `limit` this is."""
        return self.limits.get(of_call.partition(" ")[0])
