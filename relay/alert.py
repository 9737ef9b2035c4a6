"""The alert: what a sender asked for, checked, without vendor or transport in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class ReplyWhen(StrEnum):
    """How far to go before the sender is answered."""

    ACCEPTED = "accepted"
    REQUESTED = "requested"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, as the schema let it pass. Times and spans are whole milliseconds."""

    vendor: str
    accounts: tuple[str | int, ...]
    order_id: str | int | None = None
    client_order_id: str | int | None = None
    instrument: str | int | None = None
    scope: str | None = None
    side: str | None = None
    user_id: int | None = None
    oms_id: int | None = None
    timestamp_ms: int | None = None
    id: str | None = None
    max_age_ms: int | None = None
    delay_ms: int = 0
    reply_when: ReplyWhen = ReplyWhen.REQUESTED
    dry_run: bool = False
    must_exist: bool = False
    note: str | None = None

    def content(self) -> str:
        """Give the SHA-256 of what was asked: equal for the same alert however it was spelled."""
        return hashlib.sha256(json.dumps(self.encode(), sort_keys=True).encode()).hexdigest()

    def encode(self) -> dict[str, Any]:
        """Give the alert as JSON can carry it, without what was left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Alert:
        """Read back what `encode` gave."""
        return cls(
            **{
                **fields,
                "accounts": tuple(fields["accounts"]),
                "reply_when": ReplyWhen(fields["reply_when"]),
            }
        )
