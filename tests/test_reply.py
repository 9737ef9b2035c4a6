"""The reply to the letter: its keys, its words, and the HTTP status that each status has."""

import json
from typing import Any

import pytest

from relay import errors, reply
from relay.alert import Alert
from relay.cancel import Cancel, Scope
from relay.errors import Refusal
from relay.outcome import OrderOutcome, Outcome, Progress, Status
from relay.record import Record

MES = Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26")

#: 2026-11-21T14:30:00.123Z in ms.
AT = 1_795_271_400_123


def progress(status: Status, *outcomes: Outcome, reason: str | None = None) -> Progress:
    """Give how far a cancel is, with an order for each outcome."""
    found = [OrderOutcome(f"id-{number}", "Sim101", outcome) for number, outcome in enumerate(outcomes)]
    return Progress(status=status, reason=reason, attempts=1, orders=found)


def record(*known: Progress, cancel: Cancel = MES, must_exist: bool = False) -> Record:
    """Give the record of an alert whose cancels are so far."""
    return Record(
        alert_id="a1",
        sender="default",
        alert=Alert("crosstrade", ("Sim101",), instrument="MES 12-26", must_exist=must_exist, note="exit"),
        cancels=[(cancel, each) for each in known],
        max_age_ms=60_000,
        keyed_by="content",
        request_id="r-1",
        received_ms=AT,
    )


def replied(*known: Progress, **options: Any) -> reply.Reply:  # noqa: ANN401 - passed through
    """Give the reply to an alert whose cancels are so far."""
    return reply.of_record(record(*known, **options), elapsed_ms=84.2)


@pytest.mark.promise(5)
def test_the_reply_is_the_specifications_example() -> None:
    """Key by key and word by word; scripts that read replies rely on it."""
    known = Progress(
        status=Status.CONFIRMED, attempts=1, orders=[OrderOutcome("adb3", "Sim101", Outcome.CANCELLED)]
    )

    given = replied(known)

    assert (given.status, given.content_type, given.headers) == (200, "application/json", {})
    assert given.body == {
        "alert_id": "a1",
        "status": "confirmed",
        "message": "MES 12-26 in Sim101: 1 cancelled. Checked at the broker.",
        "summary": {"cancelled": 1, "filled": 0, "left": 0},
        "duplicate": False,
        "duplicate_by": None,
        "received_at": "2026-11-21T14:30:00.123Z",
        "elapsed_ms": 84.2,
        "links": {"self": "/alerts/a1", "page": None},
        "warnings": [],
        "cancels": [
            {
                "vendor": "crosstrade",
                "account": "Sim101",
                "target": {"instrument": "MES 12-26"},
                "status": "confirmed",
                "reason": None,
                "attempts": 1,
                "orders": [{"order_id": "adb3", "outcome": "cancelled"}],
            }
        ],
    }


HTTP = {
    "scheduled": 202,
    "in_progress": 202,
    "requested": 200,
    "confirmed": 200,
    "nothing_to_cancel": 200,
    "withdrawn": 200,
    "rejected": 424,
    "failed": 424,
    "expired": 424,
    "unknown": 424,
    "refused": 422,
}


@pytest.mark.promise(5)
@pytest.mark.parametrize("status", list(Status))
def test_each_status_has_its_http_status(status: Status) -> None:
    """A platform resends on 5xx, so no outcome is one: a refusal of the vendor's is a 424."""
    given = replied(progress(status, reason="because"))

    assert given.body["status"] == status.value
    assert given.status == HTTP[status.value]
    assert json.loads(json.dumps(given.body)) == given.body


FOREMOST_FIRST = [
    "unknown", "failed", "expired", "rejected", "in_progress", "scheduled", "requested", "confirmed",
    "nothing_to_cancel",
]  # fmt: skip


@pytest.mark.promise(5)
@pytest.mark.parametrize("first", range(len(FOREMOST_FIRST)), ids=FOREMOST_FIRST)
def test_with_several_cancels_the_foremost_status_is_the_alerts(first: int) -> None:
    """One account's bad news is never covered by another's good news; each keeps its own entry."""
    rest = FOREMOST_FIRST[first:]
    given = replied(*(progress(Status(each)) for each in reversed(rest)))

    assert given.body["status"] == rest[0]
    assert given.status == HTTP[rest[0]]
    assert [each["status"] for each in given.body["cancels"]] == rest[::-1]


@pytest.mark.promise(7)
def test_nothing_to_cancel_is_a_failure_where_an_order_must_exist() -> None:
    """`must_exist` turns the 200 into a 424, and no other status into anything."""
    nothing, gone = progress(Status.NOTHING_TO_CANCEL), progress(Status.CONFIRMED, Outcome.CANCELLED)

    assert replied(nothing, must_exist=True).status == 424
    assert replied(nothing, must_exist=True).body["status"] == "nothing_to_cancel"
    assert replied(gone, must_exist=True).status == 200
    assert replied(nothing).status == 200


@pytest.mark.promise(5)
def test_the_summary_counts_every_order_once() -> None:
    """Cancelled and filled are what they are; all that may still work is left."""
    given = replied(
        progress(Status.FAILED, Outcome.CANCELLED, Outcome.FILLED, Outcome.ALREADY_DONE, Outcome.REJECTED),
        progress(Status.UNKNOWN, Outcome.CANCELLED, Outcome.REQUESTED, Outcome.PENDING, Outcome.UNKNOWN),
    )

    assert given.body["summary"] == {"cancelled": 2, "filled": 1, "left": 4}


@pytest.mark.promise(5)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_orders_outcome_is_one_of_the_documented_words(outcome: Outcome) -> None:
    """What was not asked for yet is told as unknown, saying so."""
    (cancel,) = replied(progress(Status.IN_PROGRESS, outcome)).body["cancels"]

    (order,) = cancel["orders"]
    documented = {"requested", "cancelled", "filled", "already_done", "rejected", "unknown"}
    assert order["outcome"] in documented
    assert ("reason" in order) is (outcome is Outcome.PENDING)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("known", "message"),
    [
        (
            progress(Status.CONFIRMED, Outcome.CANCELLED, Outcome.CANCELLED, Outcome.FILLED),
            "MES 12-26 in Sim101: 2 cancelled, 1 had filled first. Checked at the broker.",
        ),
        (
            progress(Status.NOTHING_TO_CANCEL),
            "MES 12-26 in Sim101: nothing to cancel. Checked at the broker.",
        ),
        (
            progress(Status.REQUESTED, Outcome.REQUESTED),
            "MES 12-26 in Sim101: crosstrade took the request; not yet checked.",
        ),
        (progress(Status.REJECTED, reason="no such order"), "MES 12-26 in Sim101: refused (no such order)."),
    ],
    ids=["confirmed", "nothing", "requested", "rejected"],
)
def test_the_message_says_in_words_what_happened(known: Progress, message: str) -> None:
    """A person reads one sentence, and sees an order that filled first."""
    assert replied(known).body["message"] == message


@pytest.mark.promise(5)
@pytest.mark.parametrize("status", [Status.FAILED, Status.EXPIRED, Status.UNKNOWN])
def test_what_is_not_known_to_be_gone_says_to_look(status: Status) -> None:
    """Words that could be taken for success are worse than none."""
    message = replied(progress(status, reason="408")).body["message"]

    assert "NOT" in message
    assert "408" in message
    assert message.endswith("Look at the broker now.")


@pytest.mark.promise(2)
@pytest.mark.parametrize(("status", "http"), [(Status.IN_PROGRESS, 202), (Status.REJECTED, 424)])
def test_a_duplicate_gets_the_first_ones_present_record(status: Status, http: int) -> None:
    """It has the HTTP status that the record has now, and says by what it was known."""
    first = record(progress(status))

    given = reply.of_record(first, elapsed_ms=1.0, duplicate=True, warnings=["same message"])

    assert given.status == http
    assert given.headers == {"Idempotency-Replayed": "true"}
    assert (given.body["duplicate"], given.body["duplicate_by"]) == (True, "content")
    assert given.body["warnings"] == ["same message"]
    assert given.body["alert_id"] == "a1"


@pytest.mark.promise(5)
def test_where_every_account_is_meant_each_order_says_its_own() -> None:
    """With `everything` the cancel has no account, so its orders have."""
    given = replied(
        progress(Status.CONFIRMED, Outcome.CANCELLED), cancel=Cancel("crosstrade", None, Scope.EVERYTHING)
    )

    (cancel,) = given.body["cancels"]
    assert cancel["account"] is None
    assert cancel["target"] == {"scope": "everything"}
    assert cancel["orders"] == [{"order_id": "id-0", "outcome": "cancelled", "account": "Sim101"}]


@pytest.mark.promise(5)
def test_a_stored_record_has_its_history_and_is_a_200() -> None:
    """Reading a record succeeds whatever became of the alert."""
    stored = record(progress(Status.FAILED))
    stored.note(AT + 877, "call", status=408)
    stored.ended_ms = AT + 1_877

    given = reply.of_stored(Record.decode(stored.encode(), AT))

    assert given.status == 200
    assert given.body["status"] == "failed"
    assert (given.body["note"], given.body["sender"]) == ("exit", "default")
    assert given.body["history"] == [
        {"at": "2026-11-21T14:30:00.123Z", "step": "received"},
        {"at": "2026-11-21T14:30:01.000Z", "step": "call", "status": 408},
        {"at": "2026-11-21T14:30:02.000Z", "step": "failed"},
    ]


@pytest.mark.promise(4)
def test_a_dry_run_shows_the_calls_and_says_that_none_was_made() -> None:
    """Every key of a reply is there, and `calls` beside them."""
    call = {"method": "POST", "url": "https://app.crosstrade.io/v1/api/orders/cancelall"}

    known = progress(Status.IN_PROGRESS)
    known.warnings = ["what MES1! means"]
    given = reply.of_rehearsal(record(known), [(MES, [call])], now_ms=AT, elapsed_ms=1.0)

    assert given.status == 200
    assert set(given.body) == {*replied(progress(Status.CONFIRMED)).body, "calls"}
    assert given.body["status"] == "dry_run"
    assert given.body["calls"] == [call]
    assert given.body["warnings"] == ["what MES1! means"]
    assert "nothing was sent" in given.body["message"]


PROBLEMS = {
    errors.MalformedBody: ("malformed-body", 400),
    errors.Unauthenticated: ("unauthenticated", 401),
    errors.Forbidden: ("forbidden", 403),
    errors.HttpsRequired: ("https-required", 403),
    errors.NotFound: ("not-found", 404),
    errors.Conflict: ("conflict", 409),
    errors.BodyTooLarge: ("body-too-large", 413),
    errors.InvalidAlert: ("invalid-alert", 422),
    errors.InvalidQuery: ("invalid-query", 422),
    errors.StaleAlert: ("stale-alert", 422),
    errors.IdReused: ("id-reused", 422),
    errors.TooManyRequests: ("too-many-requests", 429),
    errors.NotReady: ("not-ready", 503),
}


@pytest.mark.promise(8)
@pytest.mark.parametrize("kind", Refusal.__subclasses__(), ids=lambda kind: kind.__name__)
def test_each_refusal_is_a_problem(kind: type[Refusal]) -> None:
    """RFC 9457: type, title, status, detail and the request id, and nothing else without fields at fault."""
    ends_in, status = PROBLEMS[kind]
    refusal = kind() if kind is errors.Unauthenticated else kind("said in words")

    given = reply.of_refusal(refusal, "r-1")

    assert (given.status, given.content_type) == (status, "application/problem+json")
    assert set(given.body) == {"type", "title", "status", "detail", "request_id"}
    assert given.body["type"].endswith(ends_in)
    assert (given.body["status"], given.body["request_id"]) == (status, "r-1")
    assert given.body["detail"] == refusal.detail


@pytest.mark.promise(8)
def test_only_what_may_be_sent_again_says_when() -> None:
    """A Retry-After asks for a resend, so only a 503 and a 429 have one."""
    waits = {}
    for kind in PROBLEMS:
        refusal = kind() if kind is errors.Unauthenticated else kind("x")
        waits[kind] = reply.of_refusal(refusal, "r-1").headers.get("Retry-After")

    assert waits.pop(errors.NotReady) == "5"
    assert waits.pop(errors.TooManyRequests) is not None
    assert set(waits.values()) == {None}


@pytest.mark.promise(4)
def test_fields_at_fault_are_listed() -> None:
    """`errors` has a list for each field."""
    given = reply.of_refusal(errors.InvalidAlert("x", errors={"side": ("is empty",)}), "r-1")

    assert given.body["errors"] == {"side": ["is empty"]}
