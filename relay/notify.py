"""What the trader has to be told, decided in the step that writes it down."""

from __future__ import annotations

from relay.notice import Kind
from relay.outcome import Status
from relay.record import Record
from relay.reply import message


def tell(record: Record, now_ms: int, warn_after_ms: int) -> None:
    """Note what is to be told of a record as it is about to be written.

    Told is an alert that ended without success, one that is not proven after `warn_after_ms`, and how
    such a one ended.
    """
    if record.ended_ms is not None:
        nothing = any(progress.status is Status.NOTHING_TO_CANCEL for _, progress in record.cancels)
        if record.warned or record.status.failed or (record.alert.must_exist and nothing):
            record.tell(Kind.ENDED, message(record))
        return
    at_ms = warn_at(record, warn_after_ms)
    if at_ms is not None and now_ms >= at_ms:
        record.warned = True
        after_s = (now_ms - _begun(record)) // 1000
        record.tell(Kind.NOT_CONFIRMED, f"NOT confirmed after {after_s} s. {message(record)}")


def warn_at(record: Record, warn_after_ms: int) -> int | None:
    """Give the moment at which it has to be said that the alert is not confirmed; None once it was said."""
    return None if record.warned else _begun(record) + warn_after_ms


def _begun(record: Record) -> int:
    return record.retried_ms or record.starts_ms
