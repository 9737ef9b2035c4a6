"""The stand-in for AlphaPoint cancels what the documents of its version say, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from relay.sandbox.alphapoint import AlphaPointSandbox
from tests.sandbox.conftest import Clock, Member
from tests.sandbox.desk import DONE, a_desk, gone, rest

pytestmark = pytest.mark.promise(10)

GONE = {"result": False, "errormsg": "Resource Not Found", "errorcode": 104, "detail": None}

#: An id that a float takes for its neighbour.
LONG_ID = 2**53 + 1


def test_true_proves_receipt_only(exchange: AlphaPointSandbox, member: Member, clock: Clock) -> None:
    """A cancel answered with true leaves its order Working until the exchange confirms."""
    order_id = rest(exchange)
    answer = member.post("CancelOrder", OrderId=int(order_id))
    assert (answer.status_code, answer.json()) == (200, DONE)
    assert member.row(order_id)["OrderState"] == "Working"
    assert member.open_ids() == [order_id]
    clock.now += 0.2
    row = member.row(order_id)
    assert (row["OrderState"], row["Quantity"], row["ChangeReason"]) == ("Canceled", 0, "UserModified")
    assert member.open_ids() == []
    states = [transition.state for transition in exchange.book.order(order_id).history]
    assert states == ["Working", "Canceled"]


@pytest.mark.parametrize(
    ("switches", "state"),
    [
        ({"fill_before_cancel": "race"}, "FullyExecuted"),
        ({"refuse_cancel": True}, "Working"),
        ({"cancel_after_s": None}, "Working"),
    ],
)
def test_true_may_be_followed_by_no_cancel(
    exchange: AlphaPointSandbox, member: Member, clock: Clock, switches: dict[str, Any], state: str
) -> None:
    """After true an order may fill, may be refused its cancel, or may go on as if nothing had been asked."""
    for name, value in switches.items():
        setattr(exchange.behaviour, name, value)
    order_id = rest(exchange)
    assert member.code("CancelOrder", OrderId=order_id) == 0
    clock.now += 60
    assert member.row(order_id)["OrderState"] == state


def test_a_refused_cancel_may_be_asked_for_again(
    exchange: AlphaPointSandbox, member: Member, clock: Clock
) -> None:
    """An order whose cancel was refused still takes another, with what had been filled before."""
    exchange.behaviour.refuse_cancel = True
    order_id = rest(exchange)
    exchange.fill(order_id, "0.1")
    member.post("CancelOrder", OrderId=order_id)
    clock.now += 0.2
    assert member.row(order_id)["OrderState"] == "Working"
    exchange.behaviour.refuse_cancel = False
    member.post("CancelOrder", OrderId=order_id)
    clock.now += 0.2
    row = member.row(order_id)
    assert (row["OrderState"], str(row["QuantityExecuted"]), row["Quantity"]) == ("Canceled", "0.1", 0)


def test_a_gone_and_an_unknown_order_read_the_same(
    exchange: AlphaPointSandbox, member: Member, clock: Clock
) -> None:
    """Cancelled, filled first or never there: 104 at once, or true and nothing."""
    exchange.behaviour.fill_before_cancel = "first"
    filled, cancelled = rest(exchange), rest(exchange)
    assert member.post("CancelOrder", OrderId=filled).json() == GONE
    exchange.behaviour.fill_before_cancel = None
    member.post("CancelOrder", OrderId=cancelled)
    clock.now += 0.2
    for order_id in (filled, cancelled, "17"):
        assert member.code("CancelOrder", OrderId=order_id) == 104
    exchange.behaviour.gone_order = "accepted"
    for order_id in (filled, cancelled, "17"):
        assert member.post("CancelOrder", OrderId=order_id).json() == DONE


def test_an_id_reaches_only_what_the_user_may_trade_in(exchange: AlphaPointSandbox, member: Member) -> None:
    """A colleague's order in a shared account goes; a stranger's stays, and one with a wrong account."""
    exchange.behaviour.cancel_after_s = 0
    desk = a_desk(exchange)
    assert member.code("CancelOrder", OrderId=desk["stranger"]) == 20
    exchange.behaviour.strangers_order = 104
    assert member.code("CancelOrder", OrderId=desk["stranger"]) == 104
    assert member.code("CancelOrder", OrderId=desk["btc"], AccountId=8) == 104
    assert gone(exchange, desk) == set()
    assert member.code("CancelOrder", OrderId=desk["colleague btc"], AccountId=7) == 0
    assert gone(exchange, desk) == {"colleague btc"}


@pytest.mark.parametrize("key", ["ClOrderId", "ClientOrderId", "clorderid"])
def test_a_clients_id_needs_its_account_and_keeps_its_digits(
    exchange: AlphaPointSandbox, member: Member, key: str
) -> None:
    """An id past 2^53 finds its own order, not the neighbour's, and only together with the account."""
    exchange.behaviour.cancel_after_s = 0
    neighbour = rest(exchange, client_id=str(LONG_ID - 1))
    wanted = rest(exchange, client_id=str(LONG_ID))
    elsewhere = rest(exchange, 8, client_id=str(LONG_ID))
    assert member.code("CancelOrder", **{key: LONG_ID}) == 100
    assert member.code("CancelOrder", AccountId=9, **{key: LONG_ID}) == 20
    assert member.code("CancelOrder", AccountId=7, **{key: LONG_ID}) == 0
    assert member.code("CancelOrder", AccountId=7, **{key: LONG_ID}) == 104
    assert member.row(wanted)["ClientOrderId"] == LONG_ID
    states = [exchange.book.order(each).state for each in (neighbour, wanted, elsewhere)]
    assert states == ["Working", "Canceled", "Working"]


def test_a_clients_id_of_zero_is_a_trap(exchange: AlphaPointSandbox, member: Member) -> None:
    """An order that was given no id has 0, so that 0 cancels one that nobody meant."""
    exchange.behaviour.cancel_after_s = 0
    named, nameless = rest(exchange, client_id="41"), rest(exchange)
    assert member.row(nameless)["ClientOrderId"] == 0
    assert member.code("CancelOrder", AccountId=7, ClOrderId=0) == 0
    states = [exchange.book.order(each).state for each in (named, nameless)]
    assert states == ["Working", "Canceled"]


def test_a_clients_id_without_an_account_may_hit_a_stranger(
    exchange: AlphaPointSandbox, member: Member
) -> None:
    """Where the server does not insist on the account, the wrong order may go; one key may not be read."""
    exchange.behaviour.cancel_after_s = 0
    exchange.behaviour.client_id_without_account = "any"
    order_id = rest(exchange, 9, client_id="41", user="500")
    assert member.code("CancelOrder", ClOrderId=41) == 0
    assert exchange.book.order(order_id).state == "Canceled"
    exchange.behaviour.client_id_key = "ClientOrderId"
    assert member.code("CancelOrder", AccountId=7, ClOrderId=41) == 100


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"OrderId": "all"},
        {"OrderId": -1},
        {"OrderId": 1.5},
        {"OrderId": True},
        {"OrderId": 2**63},
        {"OrderId": []},
        {"OMSId": 2, "OrderId": 2543565230},
        {"OMSId": None, "OrderId": 2543565230},
    ],
)
def test_an_unreadable_cancel_is_an_invalid_request(
    exchange: AlphaPointSandbox, member: Member, payload: dict[str, object]
) -> None:
    """What names no order, or another system, is refused with 100, and so is what is no JSON object."""
    desk = a_desk(exchange)
    assert member.code("CancelOrder", **payload) == 100
    for body in ("{", "[]", '"x"', "\xff"):
        assert member.send("POST", "CancelOrder", data=body).json()["errorcode"] == 100
    assert gone(exchange, desk) == set()


@pytest.mark.parametrize("number", [int, str])
def test_keys_come_in_any_case_and_a_cancel_by_query_too(
    exchange: AlphaPointSandbox, member: Member, number: type
) -> None:
    """Public clients write `omsId` and `OMSId`, numbers as strings, and either method."""
    first, second, third = rest(exchange), rest(exchange), rest(exchange)
    payload = {"omsid": number(1), "ORDERID": number(first)}
    assert member.send("POST", "CancelOrder", json=payload).json() == DONE
    assert member.get("CancelOrder", OrderId=second).json() == DONE
    assert member.send("POST", "CancelOrder", params={"OMSId": 1, "OrderId": third}).json() == DONE
    assert [call.kind for call in exchange.cancel_calls] == ["one"] * 3


@pytest.mark.parametrize("code", [20, 100, 101, 102, 104, 106])
def test_every_documented_error_can_be_had(exchange: AlphaPointSandbox, member: Member, code: Any) -> None:  # noqa: ANN401
    """Each errorcode comes for both cancels, with whatever status, and cancels nothing."""
    exchange.behaviour.refuse_with = code
    exchange.behaviour.error_status = 500
    desk = a_desk(exchange)
    answer = member.post("CancelOrder", OrderId=desk["btc"])
    assert (answer.status_code, answer.json()["errorcode"]) == (500, code)
    assert member.code("CancelAllOrders", AccountId=7) == code
    assert gone(exchange, desk) == set()


def test_a_cancel_may_want_a_second_factor(exchange: AlphaPointSandbox, member: Member) -> None:
    """A server may name its cancels among the calls that need a code, and then says so."""
    exchange.behaviour.needs_code = True
    order_id = rest(exchange)
    answer = member.post("CancelOrder", OrderId=order_id).json()
    assert "requires 2FACode" in answer["errormsg"]
    assert member.post("CancelOrder", OrderId=order_id, **{"2FACode": "123456"}).json() == DONE
