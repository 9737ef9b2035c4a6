"""Outcome or error → HTTP status and JSON. The only place that chooses a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from relay.cancel import Cancel
from relay.errors import NotReady, Refusal, TooManyRequests
from relay.outcome import OrderOutcome, Outcome, Progress, Status
from relay.record import Record

#: 424 and never 5xx for a vendor's refusal: a charting platform resends on 5xx, and must not.
_HTTP = {
    Status.SCHEDULED: 202,
    Status.IN_PROGRESS: 202,
    Status.REQUESTED: 200,
    Status.CONFIRMED: 200,
    Status.NOTHING_TO_CANCEL: 200,
    Status.WITHDRAWN: 200,
    Status.REJECTED: 424,
    Status.FAILED: 424,
    Status.EXPIRED: 424,
    Status.UNKNOWN: 424,
    Status.REFUSED: 422,
}

_FAILED = 424

#: Seconds after which a sender may try again, by the kind of refusal.
_RETRY_AFTER: Mapping[type[Refusal], str] = {NotReady: "5", TooManyRequests: "60"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    body: Mapping[str, Any]
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def of_record(
    record: Record,
    *,
    elapsed_ms: float,
    duplicate: bool = False,
    warnings: Sequence[str] = (),
) -> Reply:
    """Give the reply to an alert, or to its duplicate, as its record stands."""
    body = _body(record, elapsed_ms, warnings)
    body["duplicate"] = duplicate
    body["duplicate_by"] = record.keyed_by if duplicate else None
    headers = {"Idempotency-Replayed": "true"} if duplicate else {}
    return Reply(_http_status(record), body, headers=headers)


def of_stored(record: Record) -> Reply:
    """Give a record with its whole history; 200 whatever became of the alert."""
    history = [
        {"at": _iso(record.received_ms), "step": "received"},
        *({"at": _iso(each["at_ms"])} | _without_time(each) for each in record.history),
        *([{"at": _iso(record.ended_ms), "step": record.status.value}] if record.ended_ms else []),
    ]
    return Reply(200, {**_stored(record), "history": history})


def of_list(
    records: Sequence[Record], *, before: str | None, following: str | None, unreadable: int
) -> Reply:
    """Give a page of records without their histories, and where the next page begins."""
    left_out = [f"{unreadable} of them left out: another version of the relay wrote them"] * bool(unreadable)
    body = {
        "alerts": [_stored(record) for record in records],
        "before": before,
        "links": {"next": following},
        "warnings": left_out,
    }
    return Reply(200, body)


def of_rehearsal(
    record: Record,
    cancels: Sequence[tuple[Cancel, Sequence[Mapping[str, Any]]]],
    *,
    now_ms: int,
    elapsed_ms: float,
) -> Reply:
    """Give the reply to a dry run: the calls that would be made, and that none was."""
    words = "; ".join(cancel.words() for cancel, _ in cancels)
    body = {
        "alert_id": record.alert_id,
        "status": "dry_run",
        "message": f"{words}: nothing was sent, this is a dry run.",
        "summary": {"cancelled": 0, "filled": 0, "left": 0},
        "duplicate": False,
        "duplicate_by": None,
        "received_at": _iso(now_ms),
        "elapsed_ms": elapsed_ms,
        "links": {"self": None, "page": None},
        "warnings": _warnings(record),
        "cancels": [
            {
                "vendor": cancel.vendor,
                "account": cancel.account,
                "target": cancel.target,
                "status": "dry_run",
                "reason": None,
                "attempts": 0,
                "orders": [],
                "calls": list(calls),
            }
            for cancel, calls in cancels
        ],
        "calls": [call for _, calls in cancels for call in calls],
    }
    return Reply(200, body)


def of_refusal(refusal: Refusal, request_id: str) -> Reply:
    """Give the problem (RFC 9457) that a refusal makes."""
    retry_after = _RETRY_AFTER.get(type(refusal))
    return problem(
        refusal.problem,
        refusal.title,
        refusal.status,
        refusal.detail,
        request_id,
        errors=refusal.errors or None,
        headers={"Retry-After": retry_after} if retry_after else {},
    )


def problem(  # noqa: PLR0913 - the members of RFC 9457
    kind: str,
    title: str,
    status: int,
    detail: str,
    request_id: str,
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Give any error as a problem (RFC 9457)."""
    body: dict[str, Any] = {
        "type": problem_type(kind),
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    if errors:
        body["errors"] = errors
    return Reply(status, body, "application/problem+json", headers or {})


def problem_type(kind: str) -> str:
    """Give the type (RFC 9457) of a problem that ends so."""
    return f"urn:cancel-relay:problem:{kind}"


def message(record: Record) -> str:
    """Say in words what became of an alert, a sentence for each cancel."""
    if record.refused is not None:
        return f"{record.refused.title}. {record.refused.detail}"
    return " ".join(_words(record, cancel, progress) for cancel, progress in record.cancels)


def _http_status(record: Record) -> int:
    if record.refused is not None:
        return record.refused.http
    nothing = any(progress.status is Status.NOTHING_TO_CANCEL for _, progress in record.cancels)
    if record.alert.must_exist and nothing and record.status.ended:
        return _FAILED
    return _HTTP[record.status]


def _body(record: Record, elapsed_ms: float, warnings: Sequence[str]) -> dict[str, Any]:
    orders = [order for _, progress in record.cancels for order in progress.orders]
    outcomes = [order.outcome for order in orders]
    return {
        "alert_id": record.alert_id,
        "status": record.status.value,
        "message": message(record),
        "summary": {
            "cancelled": outcomes.count(Outcome.CANCELLED),
            "filled": outcomes.count(Outcome.FILLED),
            "left": sum(not each.over for each in outcomes),
        },
        "duplicate": False,
        "duplicate_by": None,
        "received_at": _iso(record.received_ms),
        "elapsed_ms": elapsed_ms,
        # There are no pages to link to yet.
        "links": {"self": f"/alerts/{record.alert_id}", "page": None},
        "warnings": [*_warnings(record), *warnings],
        "cancels": [_cancel(cancel, progress) for cancel, progress in record.cancels],
    }


def _stored(record: Record) -> dict[str, Any]:
    """Give a record as its sender reads it. `http` is what its alert, sent again, would be answered with."""
    last_ms = record.ended_ms or (record.history[-1]["at_ms"] if record.history else record.received_ms)
    body = _body(record, float(last_ms - record.received_ms), ())
    body |= {"sender": record.sender, "note": record.alert.note, "http": _http_status(record)}
    if record.refused is not None:
        body["refused"] = {
            "type": problem_type(record.refused.problem),
            "status": record.refused.http,
            "title": record.refused.title,
            "detail": record.refused.detail,
            "errors": record.refused.errors,
            "fields": record.refused.fields,
            "request_id": record.request_id,
        }
    return body


def _warnings(record: Record) -> list[str]:
    """Give what the cancels warn of, each sentence once."""
    return list(dict.fromkeys(each for _, progress in record.cancels for each in progress.warnings))


def _cancel(cancel: Cancel, progress: Progress) -> dict[str, Any]:
    return {
        "vendor": cancel.vendor,
        "account": cancel.account,
        "target": cancel.target,
        "status": progress.status.value,
        "reason": progress.reason,
        "attempts": progress.attempts,
        "orders": [_order(cancel, order) for order in progress.orders],
    }


def _order(cancel: Cancel, order: OrderOutcome) -> dict[str, Any]:
    shown: dict[str, Any] = {"order_id": order.order_id, "outcome": order.outcome.value}
    if order.outcome is Outcome.PENDING:
        shown["outcome"] = Outcome.UNKNOWN.value
        shown["reason"] = order.reason or "not asked for yet"
    elif order.reason:
        shown["reason"] = order.reason
    if cancel.account is None:
        shown["account"] = order.account
    return shown


def _words(record: Record, cancel: Cancel, progress: Progress) -> str:
    """Say in a sentence what became of a cancel."""
    because = f" ({progress.reason})" if progress.reason else ""
    counted = _counted(progress)
    said = {
        Status.CONFIRMED: f"{counted or 'nothing that was there works any more'}. Checked at the broker.",
        Status.NOTHING_TO_CANCEL: f"nothing to cancel{', ' * bool(counted)}{counted}. Checked at the broker.",
        Status.REQUESTED: f"{cancel.vendor} took the request; not yet checked{because}.",
        Status.IN_PROGRESS: f"not finished yet, the relay goes on by itself{because}.",
        Status.SCHEDULED: f"waiting until {_iso(record.starts_ms)}.",
        Status.WITHDRAWN: "taken back before its time: nothing was sent.",
        Status.REFUSED: "not taken: nothing was sent.",
        Status.REJECTED: f"refused{because}.",
        Status.FAILED: f"NOT all cancelled{because}. {counted or ''}".rstrip() + " Look at the broker now.",
        Status.EXPIRED: f"NOT sent{because}. Look at the broker now.",
        Status.UNKNOWN: f"{_unclear(progress)}{because}. {counted}".rstrip(". ")
        + ". Look at the broker now.",
    }[progress.status]
    return f"{cancel.words()}: {said}"


def _unclear(progress: Progress) -> str:
    """Say what it is that nobody knows: what became of it, or whether an order was meant at all."""
    alone = sum(each.untold for each in progress.orders)
    return f"{alone} left alone" if alone else "it is NOT known what became of it"


def _counted(progress: Progress) -> str:
    """Count the orders that are over, as "2 cancelled, 1 had filled first"."""
    outcomes = [order.outcome for order in progress.orders]
    counts = (
        (outcomes.count(Outcome.CANCELLED), "cancelled"),
        (outcomes.count(Outcome.FILLED), "had filled first"),
        (outcomes.count(Outcome.ALREADY_DONE), "was over already"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def _iso(ms: int) -> str:
    """Write a moment as in "2026-11-21T14:30:00.123Z"."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def _without_time(step: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "at_ms"}
