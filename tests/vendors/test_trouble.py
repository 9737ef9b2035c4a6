"""Whatever goes wrong on the way, nothing is claimed that is not so, and the cancel is done in the end."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from relay.outcome import Status
from relay.record import Record
from relay.sandbox.trouble import On, Trouble
from relay.sandbox.wire import Answer, Kind, Request
from tests.running import until
from tests.vendors.desk import reach
from tests.vendors.expectations import ROWS
from tests.vendors.stage import PATIENCE_S, Stage, StageFor, outcomes

#: Which calls a trouble meets.
KINDS: Mapping[On, tuple[Kind, ...]] = {"cancel": ("one", "bulk"), "read": ("read",), "login": ("login",)}

#: Rounds of reading back that have shown all that there is to be seen.
LOOKS = 2

#: Seconds by which an order is newer than any doubt allows.
NEWER_S = 3.0

#: What may happen to a call before it is carried out, or instead.
TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "no answer": {"hang": True},
    "a byte at a time": {"drip": True, "drip_every_s": 0.1},
    "the connection dropped": {"drop": "before"},
    "an answer cut in the middle": {"drop": "middle"},
    "408": {"status": 408},
    "500": {"status": 500},
    "a proxy's page": {"answer": "<html><title>Welcome</title></html>"},
}

#: What is no word of the vendor's at a log-in; a cancel is refused by it.
AT_THE_LOG_IN: Mapping[str, Mapping[str, Any]] = {
    "a proxy's 403": {"status": 403, "answer": "<html><title>Just a moment</title></html>"},
    "a proxy's redirect": {"status": 302, "headers": {"Location": "/maintenance"}, "answer": ""},
}

#: What may happen to the answer to a call that was carried out.
AFTER: Mapping[str, Mapping[str, Any]] = {
    "no answer, though it acted": {"hang": True, "act": True},
    "the connection dropped, though it acted": {"drop": "after"},
    "503, though it acted": {"status": 503, "act": True},
}

#: Those that the relay has to sit out, call by call.
SLOW = frozenset({"no answer", "a byte at a time", "no answer, though it acted"})


def _of_another_shape(change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    return lambda body: json.dumps(change(json.loads(body))).encode()


def _leaves(change: Callable[[Any], object], value: Any) -> object:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _leaves(change, inner) for name, inner in value.items()}
    return [_leaves(change, inner) for inner in value] if isinstance(value, list) else change(value)


def _rows_of_null(value: Any) -> object:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _rows_of_null(inner) for name, inner in value.items()}
    return [None for _ in value] or [None] if isinstance(value, list) else value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


#: Answers of another shape than documented, made of the right ones.
GARBLED: Mapping[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "half of it": lambda body: body[: len(body) // 2],
    "null": lambda _: b"null",
    "an empty list for an object, or the other way round": _of_another_shape(
        lambda value: [] if isinstance(value, dict) else {}
    ),
    "an object around it": _of_another_shape(lambda value: {"data": value}),
    "null for every value": _of_another_shape(lambda value: _leaves(lambda _: None, value)),
    "texts for numbers and truths": _of_another_shape(lambda value: _leaves(_text, value)),
    "null for every row": _of_another_shape(_rows_of_null),
}


#: What each kind of call is put through: a cancel all of it, the others one of each sort.
CASES: Mapping[On, tuple[str, ...]] = {
    "cancel": (*TROUBLES, *AFTER, *GARBLED),
    "read": ("a byte at a time", "an answer cut in the middle", "500", "a proxy's page", *GARBLED),
    "login": (
        "no answer",
        "the connection dropped",
        "500",
        "half of it",
        "null for every value",
        *AT_THE_LOG_IN,
    ),
}

EACH = [
    pytest.param(row, on, name, id=f"{row}-{on}: {name}")
    for row in ROWS
    for on, names in CASES.items()
    for name in names
    if on in row.tried
]

#: Calls that a vendor may refuse for coming too often: each of these takes a second.
LIMITED = [
    pytest.param(row, on, id=f"{row}-{on}")
    for row in ROWS
    for on in ("cancel", "login")
    if {"read", on} <= row.tried
]


@contextlib.contextmanager
def garbled(stage: Stage, on: On, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Let the broker do what it is asked, and say of it something else."""

    def changed(kind: Kind, request: Request, answer: Callable[[Request], Answer]) -> Answer:
        given = answer(request)
        is_meant = kind in KINDS[on] and given.body
        return dataclasses.replace(given, body=change(given.body)) if is_meant else given

    with stage.between(changed):
        yield


@contextlib.contextmanager
def troubled(stage: Stage, on: On, name: str) -> Iterator[None]:
    """Let it happen to every call of that kind."""
    if name in GARBLED:
        with garbled(stage, on, GARBLED[name]):
            yield
        return
    stage.broker.trouble = Trouble(on=on, **{**TROUBLES, **AFTER, **AT_THE_LOG_IN}[name])
    try:
        yield
    finally:
        stage.broker.trouble = None


class Three:
    """Alerts that run into it: for one order, for one side of an instrument, and for a whole account.

    No cancel comes true before the trouble is over, so whatever is told as done before is not so.
    """

    def __init__(self, stage: Stage) -> None:
        """Send them; the reply to the last is had when this returns."""
        row, self.stage = stage.row, stage
        desk = stage.set_desk()
        in_account = reach(row, "account")
        self.meant = in_account | {"second buy", "second sell"}
        self.orders = [desk[name] for name in self.meant]
        self.in_account = {row.as_id(desk[name]) for name in in_account}
        stage.broker.behaviour.cancel_after_s = None
        in_second = {"account": row.second, "reply_when": "accepted"}
        one = stage.send(**in_second, order_id=row.as_id(desk["second buy"]))
        side = stage.send(**in_second, instrument=row.instrument, side="sell")
        self.whole = stage.send(account=row.account, scope="account")
        self.replies = [one, side, self.whole]
        self.newer: str | None = None

    def records(self) -> list[Record]:
        """Read what is known of each."""
        return [self.stage.record(reply) for reply in self.replies]

    def have_looked(self) -> bool:
        """Say whether each was looked at again, or has ended."""
        return all(record.status.ended or record.cancels[0][1].looks >= LOOKS for record in self.records())

    def have_waited(self) -> bool:
        """Say whether a call was given up."""
        return any(call["outcome"] == "unknown" for call in self.stage.log("vendor_call"))

    def is_listed(self) -> bool:
        """Say whether the whole account's orders are known: one that is placed now is newer than the list."""
        return outcomes(self.stage.record(self.whole)).keys() == self.in_account

    def is_sent(self) -> bool:
        """Say whether the whole account's one call has come to the broker, if it ever does.

        A broker that works off one socket's frames in turn may come to it late, and by itself.
        """
        return bool(self.stage.calls("bulk")) or self.stage.record(self.whole).cancels[0][1].looks > 0

    def are_asked_for(self) -> bool:
        """Say whether the broker was asked for every order that is meant."""
        return all(map(self.stage.is_asked_for, self.orders))

    def wait(self, true: Callable[[], bool], on: On) -> None:
        """Wait until the trouble is felt, and a list is had if it can be; nothing may have ended by then."""
        until(true, within=PATIENCE_S, what="the trouble")
        if on == "cancel":
            until(self.is_listed, within=PATIENCE_S, what="the list of the account")
            until(self.is_sent, within=PATIENCE_S, what="the account's one call")
            self.newer = self.stage.place(ago_s=-NEWER_S)
        assert not any(record.status.ended for record in self.records())

    def end(self) -> None:
        """Let the cancels come true, and see that the alerts have done what they are for, and no more."""
        self.stage.let_go(self.orders)
        assert {self.stage.ended(reply).status for reply in self.replies} == {Status.CONFIRMED}
        assert (self.stage.cancelled(), self.stage.touched()) == (self.meant, self.meant)
        assert self.newer is None or self.stage.is_untouched(self.newer)
        assert self.stage.sent_twice() == []


@pytest.mark.promise(1, 2, 3, 4, 5)
@pytest.mark.parametrize(("row", "on", "name"), EACH)
def test_it_is_survived(on: On, name: str, stage: Stage) -> None:
    """Nothing is told as done meanwhile, no bulk call is sent twice, and no newer order is touched."""
    with troubled(stage, on, name):
        three = Three(stage)
        three.wait(three.have_waited if name in SLOW else three.have_looked, on)
    three.end()

    assert {reply.status for reply in three.replies} <= {200, 202}


@pytest.mark.promise(1, 6)
@pytest.mark.parametrize(
    "trouble",
    [{"hang": True}, {"drip": True, "drip_every_s": PATIENCE_S}],
    ids=["no answer", "a byte at a time"],
)
def test_a_reply_comes_while_the_vendor_is_silent(trouble: dict[str, Any], stage_for: StageFor) -> None:
    """The sender is answered though the very first call still waits, and the cancel is done later."""
    stage = stage_for(RELAY_LEASE="60", RELAY_REPLY_WITHIN="0.2")
    order = stage.place()
    stage.broker.trouble = Trouble(**trouble)

    reply = stage.cancel(order)
    answered = stage.log("vendor_call")
    stage.calm()
    record = stage.ended(reply)

    assert answered == []
    assert (reply.status, reply.body["status"]) == (202, "in_progress")
    assert record.status is Status.CONFIRMED
    assert stage.state(order) == stage.row.cancelled


@pytest.mark.promise(1, 2, 3, 5)
@pytest.mark.parametrize(("row", "on"), LIMITED)
def test_a_vendor_that_wants_to_be_asked_later_is_asked_later(on: On, stage: Stage) -> None:
    """A rate limit is sat out, and everything is done then."""
    stage.broker.trouble = Trouble(on=on, times=1, status=429, headers={"Retry-After": "1"})
    three = Three(stage)
    three.wait(lambda: stage.broker.trouble == () and three.are_asked_for(), on)
    three.end()
