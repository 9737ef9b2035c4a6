"""What carries a call: a transport brings an answer, or says what can be known without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from relay.vendor import Answer, Call, Clearance, LoggedIn


class Transport(Protocol):
    """A way to one vendor with one credential."""

    def carry(self, call: Call, *, session: LoggedIn | None, within_s: float, clearance: Clearance) -> Answer:
        """Carry the call as one of the session, and bring the answer, all of it within the time.

        `clearance` is asked immediately before the first byte leaves. Raises `NotSent` when no byte
        can have left (`SessionLost` where the session went with its connection), `Unknown` when one may
        have and no whole answer came, and what `clearance` raises.
        """
        ...

    def holds(self, session: LoggedIn) -> bool:
        """Say whether the session can still be used, as far as its connection is concerned."""
        ...

    def ready(self, *, session: LoggedIn | None, within_s: float) -> None:
        """Have the connection that a call needs open, and answering; raise `NotSent` where it is not.

        Where each call opens what it needs there is nothing to do.
        """
        ...

    def close(self) -> None:
        """Close what is open, and leave no thread behind."""
        ...

    def shown(self, call: Call) -> Mapping[str, object]:
        """Show the call as it would be sent, with every credential masked."""
        ...
