"""What carries a call: a transport brings an answer, or says what can be known without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from relay.vendor import Answer, Call, Clearance


class Transport(Protocol):
    """A way to one vendor with one credential."""

    def carry(
        self, call: Call, *, session: Mapping[str, str], within_s: float, clearance: Clearance
    ) -> Answer:
        """Carry the call and bring the answer, all of it within the time.

        `session` is what makes it a call of a session: headers, or nothing.

        `clearance` is asked immediately before the first byte leaves. Raises `NotSent` when no byte
        can have left, `Unknown` when one may have and no whole answer came, and what `clearance`
        raises.
        """
        ...

    def shown(self, call: Call) -> Mapping[str, object]:
        """Show the call as it would be sent, with every credential masked."""
        ...
