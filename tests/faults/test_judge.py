"""The judge sees each thing that must never happen, and nothing where all is well."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.brokers import VENDORS, Evidence
from tests.faults.judge import Case, Judge, Kind, Verdict
from tests.faults.plan import Alert, Role, alerts
from tests.faults.sender import End, Sending

pytestmark = pytest.mark.promise(1, 2, 3, 4)

#: When the alert of a scene was sent, and when its record ended.
SENT = time.time() - 60
ENDED = SENT + 5


def first_alert(vendor: str = "crosstrade", target: str = "instrument") -> Alert:
    """Draw the first whole alert of a kind."""
    drawn = alerts(1, 0, 500, 10)
    return next(
        each
        for each in drawn
        if (each.vendor, each.target, each.cut, each.delay_s) == (vendor, target, None, None)
    )


class Scene:
    """An alert that went well, until a test changes something of it."""

    def __init__(self, alert: Alert | None = None) -> None:
        """Place its orders, cancel those it means, and end its record."""
        self.alert = alert or first_alert()
        self.case = Case(self.alert)
        self.book: dict[str, dict[str, Any]] = {}
        self.calls: list[dict[str, Any]] = []
        after = {Role.NEWER: self.alert.newer_after_s, Role.ENTRY: self.alert.entry_after_s}
        orders = (*self.alert.orders, *self.alert.entries, *self.alert.newer)
        for number, order in enumerate(orders):
            order_id = f"order-{number}"
            self.case.orders[order_id] = order
            at = SENT + after.get(order.role, -order.ago)
            self.book[order_id] = {
                **order.fields,
                "id": order_id,
                "state": "Working",
                "created": at,
                "cancel_asked": False,
                "history": [{"at": at, "state": "Working", "filled": 0}],
            }
        for order_id in self.meant:
            self.move(order_id, "Cancelled")
        self.bulk()
        self.case.records["a"] = self.record()
        self.case.sendings.append(self.sending(200, "a"))

    @property
    def meant(self) -> list[str]:
        """List the orders that it means."""
        return self.case.of_role(Role.MEANT)

    def move(self, order_id: str, state: str) -> None:
        """Bring an order into a state."""
        order = self.book[order_id]
        order["state"] = state
        order["history"] = [*order["history"][:1], {"at": SENT + 1, "state": state, "filled": 0}]

    def work_on(self, order_id: str) -> None:
        """Have an order work as if nobody had asked for its cancel."""
        self.book[order_id].update(state="Working", history=self.book[order_id]["history"][:1])

    def bulk(self, at: float = SENT + 0.1, status: int | None = 200) -> None:
        """Make the alert's bulk call."""
        account, instrument = self.alert.accounts[0], self.alert.instrument
        self.calls.append(
            {
                "kind": "bulk",
                "at": at,
                "method": "POST",
                "path": f"/v1/api/accounts/{account}/orders/cancel",
                "body": f'{{"instrument": "{instrument}"}}',
                "status": status,
            }
        )

    def one(self, order_id: str, at: float) -> None:
        """Cancel one order."""
        path = f"/v1/api/accounts/{self.alert.accounts[0]}/orders/{order_id}/cancel"
        self.calls.append(
            {"kind": "one", "at": at, "method": "POST", "path": path, "body": "{}", "status": 200}
        )

    def record(self, status: str = "confirmed", outcome: str = "cancelled", reason: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """Write the record that says so of every order that was meant."""
        told = [{"order_id": order_id, "outcome": outcome} for order_id in self.meant]
        cancel = {"account": self.alert.accounts[0], "status": status, "reason": reason, "orders": told}
        return {
            "status": status,
            "summary": {},
            "warnings": [],
            "received_at": iso(SENT + 0.01),
            "cancels": [cancel],
            "history": [{"at": iso(SENT + 0.01), "step": "received"}, {"at": iso(ENDED), "step": status}],
        }

    def sending(self, status: int | None, alert_id: str | None = None) -> Sending:
        """Send it, with this answer."""
        end = End.ANSWERED if status else End.GAVE_UP
        return Sending(0, SENT, SENT + 0.2, end, status, {"alert_id": alert_id} if alert_id else {})

    def judged(self) -> Verdict:
        """Have it judged."""
        evidence = {vendor: Evidence({}, []) for vendor in VENDORS}
        evidence[self.alert.vendor] = Evidence(self.book, self.calls)
        return Judge(evidence, [self.case]).verdict()

    @property
    def found(self) -> set[Kind]:
        """Give the kinds of what the judge finds."""
        return {each.kind for each in self.judged().findings}


def iso(at: float) -> str:
    """Write a time as a record does."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def test_an_alert_that_was_carried_out_is_found_right() -> None:
    """Where all is well nothing is found, and every order that was meant is counted."""
    scene = Scene()

    verdict = scene.judged()

    assert verdict.findings == []
    assert verdict.ended_as == {"confirmed": 1}
    assert verdict.orders == {"cancelled": len(scene.meant)}


def test_an_order_that_works_on_is_lost() -> None:
    """A record that says confirmed does not help an order that works: the book counts."""
    scene = Scene()
    scene.work_on(scene.meant[0])

    assert scene.found == {Kind.LOST, Kind.UNTRUE}


@pytest.mark.parametrize("reason", [None, "still working, and the alert's time had run out"])
def test_an_order_that_was_reported_is_not_lost(reason: str | None) -> None:
    """Named with its outcome, or with a reason for all, it is counted as reported."""
    scene = Scene()
    for order_id in scene.meant:
        scene.work_on(order_id)
    record = scene.record("failed", "unknown", reason)
    if reason:
        record["cancels"][0]["orders"] = []
    scene.case.records["a"] = record

    verdict = scene.judged()

    assert verdict.findings == []
    assert verdict.orders == {"still working, and reported": len(scene.meant)}


def test_a_failure_that_names_nothing_reports_nothing() -> None:
    """A record that failed without an order and without a reason leaves the trader with nothing."""
    scene = Scene()
    scene.work_on(scene.meant[0])
    scene.case.records["a"] = scene.record("failed", reason=None)
    scene.case.records["a"]["cancels"][0]["orders"] = []

    assert scene.found == {Kind.LOST}


def test_an_answer_without_a_record_is_lost() -> None:
    """A 2xx that nothing stands behind is found, also where its sender never asks again."""
    scene = Scene()
    scene.case.records.clear()

    assert scene.found == {Kind.LOST}


@pytest.mark.parametrize("status", [200, 502, None])
def test_a_second_bulk_call_is_found(status: int | None) -> None:
    """Whatever the broker answered to it, or to the first: it may have acted."""
    scene = Scene()
    scene.bulk(SENT + 2, status)

    assert scene.found == {Kind.TWICE}


@pytest.mark.parametrize("status", [401, 404])
def test_a_bulk_call_in_a_session_that_had_ended_is_none(status: int) -> None:
    """The broker does not carry it out, so it is made once more, in the next session."""
    scene = Scene()
    scene.bulk(SENT + 0.05, status)

    assert scene.found == set()


def test_a_second_record_is_found() -> None:
    """Two records of one alert are two alerts to the broker."""
    scene = Scene()
    scene.case.records["b"] = scene.record()

    assert scene.found == {Kind.TWICE}


def test_a_newer_order_that_is_touched_is_found() -> None:
    """Cancelled, filled by a cancel that came too late, or only asked for."""
    for state in ("Cancelled", "Filled", "CancelPending"):
        scene = Scene()
        scene.move(scene.case.of_role(Role.NEWER)[0], state)

        assert scene.found == {Kind.NEWER}


def test_an_order_of_the_two_seconds_around_the_alert_is_nobodys_to_judge() -> None:
    """Where the alert came late, an order placed for after it may have been before it."""
    scene = Scene()
    newer = scene.case.of_role(Role.NEWER)[0]
    scene.move(newer, "Cancelled")
    scene.case.records["a"]["received_at"] = iso(scene.book[newer]["created"] - 1)
    scene.case.sendings[:] = [scene.sending(None)]

    assert scene.found == set()


def test_with_a_delay_an_entry_of_the_same_bar_is_meant() -> None:
    """It came after the alert and before its time, so it goes; a bulk call would be nobody's."""
    drawn = alerts(1, 0, 2_000, 10)
    alert = next(each for each in drawn if each.delay_s and each.target == "instrument" and not each.cut)
    scene = Scene(alert)
    assert scene.found == {Kind.LOST, Kind.WIDER}

    scene.calls.clear()
    for entry in scene.case.of_role(Role.ENTRY):
        scene.move(entry, "Cancelled")

    assert scene.found == set()


def test_an_alert_cannot_have_come_after_its_answer() -> None:
    """The relay's word for when it came is bounded by its sender's clock."""
    scene = Scene()
    scene.case.records["a"]["received_at"] = iso(SENT + 3)

    assert scene.found == {Kind.UNTRUE}


@pytest.mark.parametrize(
    ("vendor", "target"),
    [
        ("crosstrade", "instrument"),
        ("crosstrade", "instrument and side"),
        ("alphapoint", "instrument and user"),
        ("autoshares", "client_order_id"),
        ("alphapoint", "order_id"),
        ("alphapoint", "account"),
    ],
)
def test_each_decoy_that_is_touched_is_found(vendor: str, target: str) -> None:
    """Another account, instrument, side, user or id: each of them by itself."""
    alert = first_alert(vendor, target)
    decoys = Scene(alert).case.of_role(Role.DECOY)
    assert decoys
    for decoy in decoys:
        scene = Scene(alert)
        scene.calls.clear()
        scene.move(decoy, "Cancelled")

        findings = scene.judged().findings

        assert [each.kind for each in findings] == [Kind.WIDER]
        assert scene.case.orders[decoy].what in findings[0].words


def test_an_order_that_is_touched_for_an_alert_that_was_not_taken_is_found() -> None:
    """What was answered 503 and never recorded must not have acted."""
    scene = Scene()
    scene.case.records.clear()
    scene.case.sendings[:] = [scene.sending(503)]

    assert scene.found == {Kind.WIDER}


def test_a_call_that_belongs_to_no_alert_is_found() -> None:
    """A bulk call for a whole account whose alert names an instrument is nobody's."""
    scene = Scene()
    scene.calls[0]["body"] = "{}"

    assert scene.found == {Kind.WIDER}


def test_half_a_message_must_not_be_taken() -> None:
    """A message that was cut has no record."""
    scene = Scene(next(each for each in alerts(1, 0, 900, 10) if each.cut == "body"))
    scene.calls.clear()
    for order_id in scene.meant:
        scene.work_on(order_id)
    scene.case.sendings[:] = [Sending(0, SENT, SENT, End.CUT)]
    scene.case.records.clear()
    assert scene.found == set()

    scene.case.records["a"] = scene.record("unknown", "unknown")

    assert Kind.WIDER in scene.found


def test_a_record_that_does_not_end_is_found() -> None:
    """In progress for ever is no ending."""
    scene = Scene()
    scene.case.records["a"] = scene.record("in_progress")

    assert scene.found == {Kind.STUCK}


def test_a_record_that_changes_after_its_end_is_found() -> None:
    """What the trader was told as the end has to stay so."""
    scene = Scene()
    scene.case.ended["a"] = scene.record("unknown", "unknown")

    assert scene.found == {Kind.REWRITTEN}


def test_a_cancel_after_the_end_is_found() -> None:
    """Whoever slept past its lease must not write to the broker what its successor has ended."""
    scene = Scene()
    scene.one(scene.meant[0], ENDED + 1)

    assert scene.found == {Kind.AFTER}


@pytest.mark.parametrize("status", ["rejected", "expired", "nothing_to_cancel"])
def test_a_cancel_that_is_told_as_not_done_is_found(status: str) -> None:
    """Refused, never sent, nothing to do: untrue where the book shows the cancel."""
    scene = Scene()
    scene.case.records["a"] = scene.record(status, "cancelled", "its words")

    assert scene.found == {Kind.UNTRUE}


def test_an_outcome_that_the_book_does_not_show_is_found() -> None:
    """An order told as cancelled has filled."""
    scene = Scene()
    scene.move(scene.meant[0], "Filled")

    assert scene.found == {Kind.UNTRUE}
