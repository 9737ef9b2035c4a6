"""AlphaPoint's lists and orders, fed with answers: what they show, and what is no list."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import Gone, Refused, Throttled, Unknown, Unreadable, VendorError
from relay.vendor import Answer, Created, Order, State
from tests.vendors.dialogue import answer, any_json, came_of, held, kind_of
from tests.vendors.of_alphapoint import ACCOUNT, AP, AT_MS, BIG, BY_SYMBOL, OF_ACCOUNT, ORDER, refusal, row


def listed(*rows: dict[str, Any]) -> tuple[Order, ...]:
    """Give the working orders that a list with these rows shows."""
    return came_of(AP.working(ACCOUNT), answer(list(rows)))


def read(**changes: object) -> Order:
    """Give the order that a row shows."""
    return came_of(AP.look(ACCOUNT, ORDER), answer([row(**changes)]))


@pytest.mark.promise(5)
def test_an_order_is_read_from_its_row() -> None:
    """Numbers stay numbers, and a number stands for the instrument, since rows have no symbol."""
    assert listed(row(ClientOrderId=BIG)) == (
        Order(
            ORDER,
            ACCOUNT,
            "instrument 8",
            "buy",
            State.WORKING,
            "Working",
            Created(AT_MS),
            instrument_id=8,
            client_id=BIG,
            user_id=57,
        ),
    )


@pytest.mark.promise(5)
@pytest.mark.parametrize("number", [BIG, 2**63 - 1])
def test_an_id_of_64_bits_survives(number: int) -> None:
    """An id that a float would round comes and goes with all its digits."""
    raw = f'[{{"OrderId": {number}, "Account": {ACCOUNT}, "Instrument": {number}, "ClientOrderId": {number},'
    raw += f' "EnteredBy": {number}, "OrderState": "Working"}}]'

    (order,) = came_of(AP.working(ACCOUNT), answer(raw.encode()))

    assert (order.order_id, order.instrument_id, order.client_id, order.user_id) == (number,) * 4
    assert json.dumps(next(AP.cancel_one(ACCOUNT, order.order_id)).body) == (
        f'{{"OMSId": 1, "AccountId": 4, "OrderId": {number}}}'
    )
    assert next(AP.look(ACCOUNT, number)).path.endswith(f"&OrderId={number}")


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("said", "state"),
    [
        *((said, State.WORKING) for said in ("Working", "working", "WORKING", 1, "1")),
        *((said, State.OVER) for said in ("Rejected", 2, "Expired", 4)),
        *((said, State.CANCELLED) for said in ("Canceled", "Cancelled", 3)),
        *((said, State.FILLED) for said in ("FullyExecuted", "Fully Executed", 5)),
        *((said, State.UNCLEAR) for said in ("Unknown", 0, 6, "PendingCancel", "PartiallyFilled", "Done")),
        *((said, State.UNCLEAR) for said in (None, True, 3.5, [3], {"a": 3}, " Canceled")),
    ],
    ids=repr,
)
def test_each_state_is_read_as_a_word_and_as_a_number(said: object, state: State) -> None:
    """A spelling that nobody documented is no evidence."""
    order = read(OrderState=said)

    assert order.state is state
    assert order.state_words == str(said)


@pytest.mark.promise(5)
def test_a_list_keeps_all_that_may_still_work() -> None:
    """Orders that are over are left out; one of an unclear state is not."""
    states = ["Working", "Canceled", "FullyExecuted", "Rejected", "Expired", "Unknown", "Sleeping"]
    rows = [row(OrderId=number, OrderState=state) for number, state in enumerate(states, 1)]

    assert [order.order_id for order in listed(*rows)] == [1, 6, 7]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("said", "side"),
    [
        ("Buy", "buy"), ("SELL", "sell"), ("Short", "sell"), (0, "buy"), (1, "sell"), (2, "sell"),
        ("Unknown", None), (3, None), ("", None), (None, None), (False, None), ([], None),
    ],
    ids=repr,
)  # fmt: skip
def test_a_side_is_read_or_left_open(said: object, side: str | None) -> None:
    """A side that nobody documented is no side."""
    assert read(Side=said).side == side


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("said", "created"),
    [
        (AT_MS, Created(AT_MS)),
        (str(AT_MS), Created(AT_MS)),
        (0, None),
        (None, None),
        ("soon", None),
        (AT_MS + 0.5, None),
        # .NET's way of saying "no time", in ms since 1970.
        (-62_135_596_800_000, None),
        (-1, None),
    ],
    ids=repr,
)
def test_an_orders_time_is_read_only_where_it_tells_a_moment(said: object, created: Created | None) -> None:
    """A time that means no moment decides nothing about an order."""
    assert read(ReceiveTime=said).created == created


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("said", "own_id"), [(0, 0), (17, 17), ("17", 17), (None, None), ("mine", None)], ids=repr
)
def test_a_client_id_of_0_names_no_order(said: object, own_id: int | None) -> None:
    """Every order that was given none has 0, which no alert can ask for; one that is unreadable is open."""
    assert read(ClientOrderId=said).client_id == own_id


@pytest.mark.promise(5)
@pytest.mark.parametrize("name", ["Instrument", "EnteredBy", "ClientOrderId", "ReceiveTime", "Side"])
def test_what_a_row_does_not_show_is_left_open(name: str) -> None:
    """A row that lacks a key is an order all the same, which must not be lost."""
    bare = {key: value for key, value in row().items() if key != name}

    (order,) = listed(bare)
    assert order.order_id == ORDER
    assert None in {order.instrument_id, order.user_id, order.client_id, order.created, order.side}


@pytest.mark.promise(5)
def test_the_newest_orders_come_first_whatever_their_state() -> None:
    """GetOrdersHistory promises no order of its rows: the highest id is the newest."""
    rows = [row(OrderId=number, OrderState="Canceled") for number in (5, 12, 7)]

    found = came_of(AP.recent(ACCOUNT), answer(rows))

    assert [order.order_id for order in found] == [12, 7, 5]


#: Rows, and what else is no list of orders.
_NO_LISTS: list[object] = [
    *(None, {}, "", 0, False, "[]", [None], [7], [[]], [[row()]], {"Orders": []}, {"result": True}),
    *(b"", b"<html>", b"[", [row(), {}]),
    *([row(), row(OrderId=number)] for number in (None, 0, "x", 1.5, True)),
    *([row(), row(Account=number)] for number in (5, "5")),
    [row(), row(OrderState="")],
]


@pytest.mark.promise(5)
@pytest.mark.parametrize("ask", [AP.working, AP.recent], ids=["open", "history"])
@pytest.mark.parametrize("body", _NO_LISTS, ids=repr)
def test_a_list_of_another_shape_is_unreadable_and_never_empty(ask: Any, body: object) -> None:  # noqa: ANN401 - either list
    """An empty list proves that orders are gone, so only a real one counts."""
    assert kind_of(ask(ACCOUNT), answer(body)) is Unreadable


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer([], 500), Unknown),
        (answer([], 429), Throttled),
        (answer([], 401), Refused),
        (answer([], 404), Refused),
        (answer([], 302), Refused),
        (answer(refusal(104)), Gone),
        (answer(refusal(102)), Unknown),
        (answer(b"", 204), Unreadable),
    ],
    ids=str,
)
def test_an_error_is_no_empty_list(given: Answer, kind: type[VendorError]) -> None:
    """With any status but a success, and with any number but 0, there is no list."""
    assert kind_of(AP.working(ACCOUNT), given) is kind


@pytest.mark.promise(5)
def test_an_empty_list_is_a_list() -> None:
    """An account in which nothing works answers with an empty array, which is evidence."""
    assert listed() == ()


@pytest.mark.promise(5)
@pytest.mark.parametrize("body", [[row()], row(), {"orderId": ORDER, "orderState": 1, "account": ACCOUNT}])
def test_one_order_is_read_from_an_array_or_by_itself(body: object) -> None:
    """The documents show an array of one, public clients the order itself."""
    assert came_of(AP.look(ACCOUNT, ORDER), answer(body)).state is State.WORKING


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ([], Gone),
        ([row(), row()], Unreadable),
        ([row(OrderId=7)], Unreadable),
        ([row(Account=5)], Unreadable),
        ([None], Unreadable),
        ("Working", Unreadable),
        (refusal(104), Gone),
        (refusal(101), Refused),
    ],
    ids=str,
)
def test_an_order_that_was_not_asked_for_is_no_answer(body: object, kind: type[VendorError]) -> None:
    """Only the very order in the very account tells of it; 104 says that it is not known there."""
    assert kind_of(AP.look(ACCOUNT, ORDER), answer(body)) is kind


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "body", [[], {}, None, [0], [7, 0], [7, None], ["x"], [{"AccountId": 7}], "7"], ids=str
)
def test_accounts_that_cannot_be_read_are_none_to_cancel_in(body: object) -> None:
    """Half a list of accounts would leave orders working that are called gone."""
    assert kind_of(AP.accounts(), answer(body)) is Unreadable


@pytest.mark.promise(4)
def test_accounts_are_the_numbers_that_are_listed() -> None:
    """An array of ids, in quotes or not."""
    assert came_of(AP.accounts(), answer([7, "9", 2**63 - 1])) == (7, 9, 2**63 - 1)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("asked", "shown", "same"), [(8, 8, True), (8, 9, False), (8, None, None), ("BTCCAD", 8, None)]
)
def test_instruments_are_compared_by_number(
    asked: str | int, shown: int | None, *, same: bool | None
) -> None:
    """A name that was not turned into a number means no order, and a row without one is left open."""
    assert AP.same_instrument(asked, read(Instrument=shown)) is same


_ANY_JSON = any_json(
    [
        "result", "Result", "errorcode", "ErrorCode", "errormsg", "OrderId", "OrderState", "Account",
        "Instrument", "InstrumentId", "Symbol", "Authenticated", "SessionToken",
    ],
    ["Working", "Canceled", 3, 104, 20, ORDER, "BTCCAD", ""],
)  # fmt: skip


@pytest.mark.promise(5)
@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(100, 599) | st.just(200), st.binary(max_size=60) | _ANY_JSON)
def test_any_answer_is_read_or_means_something(status: int, body: object) -> None:
    """Whatever a vendor says, each conversation gives its result or one of the foreseen errors."""
    instruments = AP.meaning(BY_SYMBOL)
    assert instruments is not None
    for conversation in (
        AP.log_in(),
        AP.bulk(OF_ACCOUNT),
        AP.cancel_one(ACCOUNT, ORDER),
        AP.working(ACCOUNT),
        AP.recent(ACCOUNT),
        AP.accounts(),
        AP.look(ACCOUNT, ORDER),
        instruments,
    ):
        try:
            held(conversation, answer(body, status))
        except VendorError as meant:
            assert meant.words  # noqa: PT017 - one of several that may come
        else:
            assert 200 <= status < 300
    assert AP.session_ended(answer(body, status)) in {True, False}


@pytest.mark.promise(5)
@settings(max_examples=500, deadline=None, derandomize=True)
@given(_ANY_JSON)
def test_no_answer_but_a_yes_is_a_success_and_none_but_an_array_a_list(body: object) -> None:
    """Success has `result: true` in it, an empty list is an array, and an array shows each of its rows."""
    given = answer(body)
    for conversation in (AP.bulk(OF_ACCOUNT), AP.cancel_one(ACCOUNT, ORDER)):
        try:
            held(conversation, given)
        except VendorError:
            pass
        else:
            assert isinstance(body, dict)
            assert True in [value for name, value in body.items() if name.lower() == "result"]
    try:
        found = came_of(AP.recent(ACCOUNT), given)
    except VendorError:
        pass
    else:
        assert isinstance(body, list)
        assert len(found) == len(body)
