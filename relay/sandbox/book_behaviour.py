"""Say how a broker's book may behave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relay.sandbox.order import WhenDue


@dataclass
class BookBehaviour:
    """Set how the orders of a book behave; may be changed at any time.

    `cancel_after_s` is the time between the vendor's reply and the exchange's confirmation; None is never.
    `fill_before_cancel`: "race" fills the order at that moment instead, "first" as soon as the cancel
    arrives, which then comes too late. `refuse_cancel`: the exchange refuses it at that moment, whatever the
    race, and the order works on as before.
    `pending_refuses_cancel`: while a cancel is pending, a second one finds the order gone already.
    """

    cancel_after_s: float | None = 0.1
    fill_before_cancel: Literal["race", "first"] | None = None
    refuse_cancel: bool = False
    pending_refuses_cancel: bool = False
    new_id_on_change: bool = False
    old_id_resolves: bool = True
    time_moves_on_change: bool = False

    @property
    def when_due(self) -> WhenDue:
        """Say what a cancel asked for now comes to."""
        if self.refuse_cancel:
            return "refused"
        return "filled" if self.fill_before_cancel == "race" else "cancelled"
