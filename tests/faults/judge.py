"""Count what must never happen, from the brokers' own books and calls.

The relay's record is read for one thing only: what it told the trader. Where that says that an order was not
cancelled, the order is counted as reported; where it says anything that the book does not, as untrue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from relay.outcome import Outcome, Status
from relay.sandbox.futures import dated_name
from tests.faults.brokers import Evidence
from tests.faults.plan import Alert, Order, Role
from tests.faults.sender import RECORDED, Sending
from tests.faults.weather import SOME_DAY, account_of, order_of, payload

#: Seconds after the alert from which on an order is newer: the promise's own, not what the relay makes of it.
NEWER_S = 2.0

#: The same for an alert with a delay: what its own bar has entered meanwhile is meant, too.
NEWER_THAN_DELAYED_S = 10.0

#: Seconds by which two readings of one machine's clock may differ.
CLOCK_S = 0.05

#: States of an order that is over, as the three books have them, and those that only a cancel brings.
CANCELLED = frozenset({"Cancelled", "Canceled"})
FILLED = frozenset({"Filled", "FullyExecuted"})
OVER = CANCELLED | FILLED | {"Rejected", "Expired", "DoneForDay", "Error"}

#: Statuses under which a cancel that did not come true is reported to the trader.
REPORTED = frozenset({Status.FAILED, Status.EXPIRED, Status.UNKNOWN, Status.REJECTED})

#: What an order's outcome says of the book.
_SAYS = {
    Outcome.CANCELLED: CANCELLED,
    Outcome.FILLED: FILLED,
    Outcome.ALREADY_DONE: OVER,
}


class Kind(StrEnum):
    """What must never happen. The first four are the promises; the others are what they rest on."""

    LOST = "lost"
    TWICE = "bulk sent twice"
    NEWER = "newer orders touched"
    WIDER = "wrong orders touched"
    STUCK = "never ended"
    UNTRUE = "said otherwise than the book"
    REWRITTEN = "changed after its end"
    AFTER = "written to the broker after its end"
    UNFORESEEN = "exceptions that nobody foresaw"


#: The four that the suite is about.
PROMISES = (Kind.LOST, Kind.TWICE, Kind.NEWER, Kind.WIDER)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not have happened, in a sentence."""

    kind: Kind
    number: int
    words: str


@dataclass(slots=True)
class Case:
    """One alert with all that is known of it from outside."""

    alert: Alert
    #: The orders that were placed, by their ids.
    orders: dict[str, Order] = field(default_factory=dict)
    sendings: list[Sending] = field(default_factory=list)
    #: Its records as they stand at the end, by their ids; more than one is one too many.
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: The first record of it that was seen to have ended, by its id.
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def answered(self) -> list[Sending]:
        """List the sendings whose answer said that the alert is recorded."""
        return [each for each in self.sendings if each.status in RECORDED]

    @property
    def accepted(self) -> bool:
        """Say whether the relay has taken it: it said so, or it keeps a record of it."""
        return bool(self.answered or self.records)

    def of_role(self, role: Role) -> list[str]:
        """List the orders that are this to the alert."""
        return [order_id for order_id, order in self.orders.items() if order.role is role]


@dataclass(slots=True)
class Verdict:
    """What a round came to."""

    findings: list[Finding] = field(default_factory=list)
    #: Cases by how they ended: a record's status, or why there is none.
    ended_as: Counter[str] = field(default_factory=Counter)
    #: Orders that were meant, by what became of them.
    orders: Counter[str] = field(default_factory=Counter)
    #: What the relay did that no promise forbids.
    noted: Counter[str] = field(default_factory=Counter)

    def count(self, kind: Kind) -> int:
        """Count the findings of a kind."""
        return sum(each.kind is kind for each in self.findings)


class Judge:
    """Judge the cases of a round by what the brokers show."""

    def __init__(self, evidence: Mapping[str, Evidence], cases: Iterable[Case]) -> None:
        """Take the books and calls by vendor, and the cases."""
        self._evidence = evidence
        self._cases = list(cases)
        self._owner = {
            (case.alert.vendor, order_id): case for case in self._cases for order_id in case.orders
        }
        self._in_account: dict[tuple[str, str | None], list[Alert]] = {}
        for case in self._cases:
            for account in case.alert.accounts:
                self._in_account.setdefault((case.alert.vendor, account), []).append(case.alert)
        self._bulk: dict[int, list[Mapping[str, Any]]] = {}
        self._one: dict[int, list[Mapping[str, Any]]] = {}
        self._strays: list[tuple[str, Mapping[str, Any]]] = []
        for vendor, found in evidence.items():
            for call in found.cancels:
                self._attribute(vendor, call)

    def verdict(self) -> Verdict:
        """Judge all of them."""
        verdict = Verdict()
        for vendor, call in self._strays:
            words = f"{vendor}: {call['method']} {call['path']} {call['body']} belongs to no alert"
            verdict.findings.append(Finding(Kind.WIDER, -1, words))
        for case in self._cases:
            _Trial(self._evidence[case.alert.vendor], case, self._calls(case), verdict).hold()
        return verdict

    def _calls(self, case: Case) -> _Calls:
        number = case.alert.number
        return _Calls(self._bulk.get(number, []), self._one.get(number, []))

    def _attribute(self, vendor: str, call: Mapping[str, Any]) -> None:
        """Find the alert that a cancel call was made for."""
        account = account_of(call["path"], call["body"])
        if call["kind"] == "one":
            owner = self._owner.get((vendor, order_of(call["path"], call["body"]) or ""))
            if owner is None:
                self._strays.append((vendor, call))
            else:
                self._one.setdefault(owner.alert.number, []).append(call)
            return
        wanted = payload(call["body"]).get("instrument")
        instrument = dated_name(wanted, SOME_DAY) if isinstance(wanted, str) else None
        owners = [
            alert
            for alert in self._in_account.get((vendor, account), [])
            if alert.instrument == instrument and not {"side", "delay"} & alert.fields.keys()
        ]
        if len(owners) == 1:
            self._bulk.setdefault(owners[0].number, []).append(call)
        else:
            self._strays.append((vendor, call))


@dataclass(frozen=True, slots=True)
class _Calls:
    """The cancel calls that were made for one alert."""

    bulk: Sequence[Mapping[str, Any]]
    one: Sequence[Mapping[str, Any]]


class _Trial:
    """One case before the judge."""

    def __init__(self, evidence: Evidence, case: Case, calls: _Calls, verdict: Verdict) -> None:
        self._book = evidence.orders
        self._case = case
        self._calls = calls
        self._verdict = verdict

    @property
    def _came(self) -> float | None:
        """Give the moment at which the relay says that it received it."""
        return max((_received_at(record) for record in self._case.records.values()), default=None)

    def _meant(self) -> list[str]:
        """List the orders that it means: those of before, and with a delay those that came before its end."""
        case, came = self._case, self._came
        until = (came or 0.0) + (case.alert.delay_s or 0) - CLOCK_S
        entries = [each for each in case.of_role(Role.ENTRY) if self._book[each]["created"] < until]
        return [*case.of_role(Role.MEANT), *entries]

    def hold(self) -> None:
        """Look at everything that can be wrong with it."""
        case, verdict = self._case, self._verdict
        self._look_at_its_records()
        if case.accepted:
            self._look_for_lost()
            self._look_at_newer()
        else:
            self._look_at_what_nobody_asked_for()
        self._look_for_second_bulk_calls()
        for order_id in case.of_role(Role.DECOY):
            if self._touched(order_id):
                self._find(Kind.WIDER, f"{case.orders[order_id].what} order {self._told(order_id)}")
        for record in case.records.values():
            self._look_for_untruth(record)
            self._look_for_calls_after_its_end(record)
        verdict.ended_as[self._ending()] += 1

    def _find(self, kind: Kind, words: str) -> None:
        self._verdict.findings.append(Finding(kind, self._case.alert.number, words))

    def _ending(self) -> str:
        case = self._case
        if case.records:
            return str(next(iter(case.records.values()))["status"])
        if case.answered:
            return "answered, and no record"
        sendings = case.sendings
        said = next((str(each.status) for each in sendings if each.status), None)
        return f"not taken: {said or sendings[0].end}" if sendings else "not sent"

    def _look_at_its_records(self) -> None:
        case = self._case
        if len(case.records) > 1:
            self._find(Kind.TWICE, f"recorded {len(case.records)} times: {', '.join(case.records)}")
        for each in case.answered:
            if each.alert_id not in case.records:
                self._find(Kind.LOST, f"answered {each.status}, and record {each.alert_id} is not there")
        if case.alert.cut == "body" and case.records:
            self._find(Kind.WIDER, "half a message was taken for a whole one")
        for alert_id, record in case.records.items():
            if not has_ended(record):
                statuses = ", ".join(cancel["status"] for cancel in record["cancels"])
                self._find(Kind.STUCK, f"record {alert_id} is still {statuses}")
            before = case.ended.get(alert_id)
            if before is not None and _substance(before) != _substance(record):
                was, now = _changed(_substance(before), _substance(record))
                self._find(Kind.REWRITTEN, f"record {alert_id} had {was} and has {now}")

    def _look_for_lost(self) -> None:
        case = self._case
        for order_id in self._meant():
            state = self._book[order_id]["state"]
            if state in OVER:
                self._verdict.orders["cancelled" if state in CANCELLED else "filled first"] += 1
            elif any(_reports(record, order_id, self._account(order_id)) for record in case.records.values()):
                self._verdict.orders["still working, and reported"] += 1
            else:
                self._verdict.orders["still working, and not reported"] += 1
                statuses = [record["status"] for record in case.records.values()] or ["no record"]
                self._find(Kind.LOST, f"{self._told(order_id)}, and the record says {', '.join(statuses)}")

    def _look_at_newer(self) -> None:
        case = self._case
        came = self._came
        newer_s = NEWER_THAN_DELAYED_S if case.alert.delay_s else NEWER_S
        answered = min((each.ended_at for each in case.answered), default=None)
        if came is not None and answered is not None and came > answered + CLOCK_S:
            self._find(Kind.UNTRUE, f"answered {came - answered:.3f} s before it says that it was received")
        if came is None:
            return
        for order_id in case.of_role(Role.NEWER):
            if self._book[order_id]["created"] <= came + newer_s:
                self._verdict.noted[
                    "newer orders placed too early to be judged, since the alert came late"
                ] += 1
            elif self._touched(order_id):
                after = self._book[order_id]["created"] - came
                bulk = ", ".join(f"{call['at'] - came:.2f} s" for call in self._calls.bulk) or "none"
                self._find(
                    Kind.NEWER,
                    f"placed {after:.2f} s after the alert, {self._told(order_id)}; bulk calls after: {bulk}",
                )

    def _look_at_what_nobody_asked_for(self) -> None:
        for order_id, order in self._case.orders.items():
            if order.role is Role.DECOY:
                continue
            if self._touched(order_id):
                self._find(Kind.WIDER, f"{self._told(order_id)}, though the alert was never recorded")

    def _look_for_second_bulk_calls(self) -> None:
        by_account: Counter[str | None] = Counter()
        for call in self._calls.bulk:
            # In a session that has ended no call is carried out: it is made once more in the next one.
            if call["status"] not in {401, 404}:
                by_account[account_of(call["path"], call["body"])] += 1
        for account, times in by_account.items():
            if times > 1:
                self._find(Kind.TWICE, f"{times} bulk calls for account {account}")

    def _look_for_untruth(self, record: Mapping[str, Any]) -> None:
        for cancel in record["cancels"]:
            for order in cancel["orders"]:
                order_id, outcome = str(order["order_id"]), order["outcome"]
                says = _SAYS.get(outcome)
                state = self._book[order_id]["state"] if order_id in self._book else "not in the book"
                if says is not None and state not in says:
                    self._find(Kind.UNTRUE, f"order {order_id} is told as {outcome}, and is {state}")
            mine = [
                order_id
                for order_id in self._case.of_role(Role.MEANT)
                if self._account(order_id) == str(cancel["account"])
            ]
            if cancel["status"] in {Status.REJECTED, Status.EXPIRED}:
                for order_id in filter(self._touched, mine):
                    self._find(
                        Kind.UNTRUE,
                        f"told as {cancel['status']} ({cancel['reason']}): {self._told(order_id)}",
                    )
            if cancel["status"] == Status.NOTHING_TO_CANCEL:
                for order_id in mine:
                    if self._book[order_id]["state"] in CANCELLED:
                        self._find(Kind.UNTRUE, f"told as nothing to cancel: {self._told(order_id)}")

    def _look_for_calls_after_its_end(self, record: Mapping[str, Any]) -> None:
        last = record["history"][-1]
        if last["step"] != record["status"]:
            return
        ended_at = datetime.fromisoformat(last["at"]).timestamp()
        for call in (*self._calls.bulk, *self._calls.one):
            if call["at"] > ended_at + CLOCK_S:
                late = f"{call['method']} {call['path']} came {call['at'] - ended_at:.2f} s after its end"
                self._find(Kind.AFTER, late)

    def _account(self, order_id: str) -> str:
        return str(self._book[order_id]["account"])

    def _touched(self, order_id: str) -> bool:
        """Say whether anybody has asked for its cancel; nothing else moves an order here."""
        order = self._book[order_id]
        return bool(order["cancel_asked"]) or len(order["history"]) > 1

    def _told(self, order_id: str) -> str:
        order = self._book[order_id]
        return (
            f"order {order_id} ({order['instrument']} in {order['account']}, {order['action']}) "
            f"is {order['state']}"
        )


def has_ended(record: Mapping[str, Any]) -> bool:
    """Say whether all of a record's cancels have ended: one that failed gives the whole its status before."""
    return all(Status(cancel["status"]).ended for cancel in record["cancels"])


def _reports(record: Mapping[str, Any], order_id: str, account: str) -> bool:
    """Say whether a record tells the trader that this order was not cancelled, by its id or with a reason."""
    for cancel in record["cancels"]:
        if str(cancel["account"]) != account or cancel["status"] not in REPORTED:
            continue
        told = [order["outcome"] for order in cancel["orders"] if str(order["order_id"]) == order_id]
        if told:
            return told[0] not in _SAYS
        return bool(cancel["reason"])
    return False


def _received_at(record: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(record["received_at"]).timestamp()


def _substance(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what of a record must not change once it has ended."""
    return {name: record[name] for name in ("status", "summary", "cancels", "warnings", "history")}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give what differs between the two, before and after; of a history what follows the steps in common."""
    names = [name for name in after if before[name] != after[name]]
    was, now = ({name: each[name] for name in names} for each in (before, after))
    if "history" in names:
        pairs = zip(before["history"], after["history"], strict=False)
        common = next((at for at, (one, other) in enumerate(pairs) if one != other), None)
        at = min(len(before["history"]), len(after["history"])) if common is None else common
        was["history"], now["history"] = before["history"][at:], after["history"][at:]
    return was, now
