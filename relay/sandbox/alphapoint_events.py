"""Keep what AlphaPoint tells of an account without being asked, for those who subscribe to it.

SubscribeAccountEvents and the events are pages of https://alphapoint.github.io/slate/; the keys of
OrderStateEvent there are fewer than those of an order's row, which are sent [3P].
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from relay.sandbox.alphapoint_instruments import instrument_named
from relay.sandbox.order import Order

#: Why an exchange lets an order work on though it was asked to cancel it; the words are not known [U].
TOO_LATE = "Order could not be canceled"


@dataclass(frozen=True)
class Event:
    """Hold one event of an account: its name and its payload."""

    account: str
    name: str
    payload: dict[str, object]


class AccountEvents:
    """Remember every event since the start, in order; safe between threads."""

    def __init__(self, oms_id: int) -> None:
        self._oms_id = oms_id
        self._lock = threading.Lock()
        self._past: list[Event] = []

    @property
    def count(self) -> int:
        """Count what has happened so far."""
        return len(self._past)

    def after(self, count: int) -> Sequence[Event]:
        """List what has happened since there were so many."""
        with self._lock:
            return self._past[count:]

    def order_changed(self, order: Order, row: dict[str, object]) -> None:
        """Tell that an order has come into a state, or has filled further."""
        self._add(Event(order.account, "OrderStateEvent", row))

    def cancel_refused(self, account: str, order_id: int, order: Order | None, reason: str) -> None:
        """Tell that a cancel which was received has come to nothing."""
        instrument = instrument_named(order.instrument) if order else None
        payload = {
            "OMSId": self._oms_id,
            "AccountId": int(account),
            "OrderId": order_id,
            "OrderRevision": 0,
            "OrderType": "Unknown",
            "InstrumentId": instrument.id if instrument else 0,
            "Status": "Rejected",
            "RejectReason": reason,
        }
        self._add(Event(account, "CancelOrderRejectEvent", payload))

    def bulk_cancel_refused(self, account: str, instrument: int) -> None:
        """Tell that a cancel of many, which was received, has come to nothing."""
        payload: dict[str, object] = {
            "OMSId": self._oms_id,
            "AccountId": int(account),
            "InstrumentId": instrument,
            "Status": "Rejected",
            "RejectReason": "Instrument not found.",
        }
        self._add(Event(account, "CancelAllOrdersRejectEvent", payload))

    def _add(self, event: Event) -> None:
        with self._lock:
            self._past.append(event)
