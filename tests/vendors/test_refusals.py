"""What a vendor cannot express, or an id of another type, is refused before anything is sent."""

from collections.abc import Callable, Mapping

import pytest

from relay.errors import InvalidAlert
from tests.vendors.desk import TARGETS, taken_by
from tests.vendors.expectations import Refused, Row
from tests.vendors.stage import Stage

#: What no vendor takes: a row's own schema may only narrow it.
ANY: Mapping[str, Callable[[Row], Refused]] = {
    "no target": lambda row: ({"account": row.account}, "scope"),
    "two targets": lambda row: (
        {"account": row.account, "instrument": row.instrument, "scope": "account"},
        "instrument",
    ),
    "an empty instrument": lambda row: ({"account": row.account, "instrument": ""}, "instrument"),
    "a blank instrument": lambda row: ({"account": row.account, "instrument": " "}, "instrument"),
    "no instrument": lambda row: ({"account": row.account, "instrument": None}, "instrument"),
    "instruments": lambda row: ({"account": row.account, "instrument": [row.instrument]}, "instrument"),
    "a placeholder": lambda row: ({"account": row.account, "instrument": "{{ticker}}"}, "instrument"),
    "a misspelt target": lambda row: ({"account": row.account, "instrumnet": row.instrument}, "instrumnet"),
    "an empty order id": lambda row: ({"account": row.account, "order_id": ""}, "order_id"),
    "no order id": lambda row: ({"account": row.account, "order_id": None}, "order_id"),
    "order ids": lambda row: ({"account": row.account, "order_id": [row.nowhere]}, "order_id"),
    "a side of an order": lambda row: (
        {"account": row.account, "order_id": row.nowhere, "side": "buy"},
        "side",
    ),
    "another side": lambda row: (
        {"account": row.account, "instrument": row.instrument, "side": "long"},
        "side",
    ),
    "an order without its account": lambda row: ({"order_id": row.nowhere}, "account"),
    "an instrument without an account": lambda row: ({"instrument": row.instrument}, "account"),
    "an account's scope without one": lambda _: ({"scope": "account"}, "account"),
    "an empty account": lambda _: ({"account": "", "scope": "account"}, "account"),
    "no account": lambda _: ({"account": None, "scope": "account"}, "account"),
    "an empty list of accounts": lambda _: ({"account": [], "scope": "account"}, "account"),
    "an account twice": lambda row: ({"account": [row.account, row.account], "scope": "account"}, "account"),
    "everything in an account": lambda row: ({"account": row.account, "scope": "everything"}, "account"),
    "another scope": lambda row: ({"account": row.account, "scope": "all"}, "scope"),
}


def among(row: Row, refused: Refused) -> Refused:
    """Put an account that is refused into a list behind a good one."""
    fields, at_fault = refused
    return {**fields, "account": [row.account, fields["account"]]}, at_fault


def said_of(stage: Stage, fields: Mapping[str, object]) -> set[str]:
    """Name the fields that an alert is refused for; none where it is taken."""
    try:
        stage.send(**fields)
    except InvalidAlert as refusal:
        return {name for name, said in refusal.errors.items() if said}
    return set()


@pytest.mark.promise(4)
def test_what_cannot_be_meant_is_refused_by_its_field_and_nothing_is_sent(row: Row, stage: Stage) -> None:
    """Targets that the vendor lacks, ids of another type, and what no alert may say: 422, field by field."""
    stage.set_desk()
    cases = {name: make(row) for name, make in ANY.items()} | dict(row.refused)
    cases |= {
        f"{name}, in a list": among(row, refused)
        for name, refused in row.refused.items()
        if refused[1] == "account"
    }

    taken = {
        name: said
        for name, (fields, at_fault) in cases.items()
        if at_fault not in (said := said_of(stage, fields))
    }

    assert taken == {}
    assert stage.broker.calls == []
    assert stage.touched() == set()


@pytest.mark.promise(4, 9)
def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(row: Row, stage: Stage) -> None:
    """Each target can be rehearsed: calls are shown without a credential, and the broker hears of none."""
    desk = stage.set_desk()

    replies = {
        name: stage.send(**TARGETS[name].fields(row, desk["buy"]), dry_run=True) for name in taken_by(row)
    }

    assert {reply.body["status"] for reply in replies.values()} == {"dry_run"}
    assert [name for name, reply in replies.items() if not reply.body["calls"]] == []
    assert stage.broker.calls == []
    assert stage.touched() == set()
