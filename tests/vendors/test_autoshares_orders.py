"""Autoshares' orders, fed with answers: what a row shows, and what it leaves open."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import Gone, Refused, Throttled, Unknown, Unreadable, VendorError
from relay.vendor import Answer, Created, Leg, Order, State
from tests.vendors.dialogue import answer, any_json, came_of, held, kind_of
from tests.vendors.of_autoshares import ACCOUNT, AS, DENIED, NO_ROUTE, ORDER, leg, listed, page, read, row

#: 2026-11-21T14:30:00Z in ms.
AT_MS = 1_795_271_400_000


@pytest.mark.promise(5)
def test_an_order_is_read_from_its_row() -> None:
    """What people call it, what the vendor calls it, and when it was created."""
    assert listed(row(Legs=[leg(Symbol="MSFT", SecurityId=5, Side="SellShort")])) == (
        Order(
            ORDER,
            ACCOUNT,
            "AAPL",
            None,
            State.WORKING,
            "New",
            Created(AT_MS),
            instrument_id=4,
            client_id="mine-1",
            legs=(Leg("MSFT", 5, "sell"),),
        ),
    )


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("said", "state"),
    [
        *(
            (said, State.WORKING)
            for said in (
                *("New", "PartiallyFilled", "PendingNew", "PendingReplace", "Held", "Suspended"),
                *("AcceptedForBidding", "Calculated", "Stopped", "NEW", "partiallyfilled"),
            )
        ),
        *((said, State.CANCELLING) for said in ("PendingCancel", "pendingcancel")),
        *((said, State.CANCELLED) for said in ("Canceled", "CANCELED")),
        ("Filled", State.FILLED),
        *((said, State.OVER) for said in ("Rejected", "Expired", "DoneForDay", "Error")),
        *(
            (said, State.UNCLEAR)
            for said in ("Cancelled", "Working", "Unknown", "?", "Replaced", 4, True, ["New"])
        ),
    ],
    ids=repr,
)
def test_each_status_is_read(said: object, state: State) -> None:
    """A spelling that nobody documented, or a number, is no evidence."""
    order = read(Status=said)

    assert (order.state, order.state_words) == (state, str(said))


#: What may be left of a replaced order, and what is no number.
_LEFT: list[object] = [100, 0.5, None, "", "none", False, []]


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("left", "state"),
    [*((nothing, State.OVER) for nothing in (0, 0.0, "0")), *((some, State.UNCLEAR) for some in _LEFT)],
    ids=repr,
)
@pytest.mark.parametrize("word", ["Replaced", "REPLACED"])
def test_a_replaced_order_is_over_where_nothing_is_left_of_it(word: str, left: object, state: State) -> None:
    """What the word means differs from broker to broker: only a quantity of 0 is evidence."""
    assert read(Status=word, LeavesQuantity=left).state is state


@pytest.mark.promise(5)
def test_a_replaced_order_without_a_quantity_is_unclear() -> None:
    """A row that does not show what is left shows no end either."""
    bare = {name: value for name, value in row(Status="Replaced").items() if name != "LeavesQuantity"}

    assert came_of(AS.look(ACCOUNT, ORDER), answer(bare)).state is State.UNCLEAR


@pytest.mark.promise(5)
@pytest.mark.parametrize("status", ["", None], ids=repr)
def test_the_last_change_stands_in_for_a_status_that_is_missing(status: object) -> None:
    """The vendor prefers Status to ExecutionStatus; a row with neither cannot be read."""
    assert read(Status=status, ExecutionStatus="Filled").state is State.FILLED
    assert read(Status="New", ExecutionStatus="Filled").state is State.WORKING
    assert kind_of(AS.look(ACCOUNT, ORDER), answer(row(Status=status, ExecutionStatus=status))) is Unreadable


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("said", "side"),
    [
        ("Buy", "buy"), ("BuyToCover", "buy"), ("Sell", "sell"), ("SellShort", "sell"), ("SELL", "sell"),
        ("Short", None), ("", None), (None, None), (1, None), ([], None),
    ],
    ids=repr,
)  # fmt: skip
def test_a_side_is_read_or_left_open(said: object, side: str | None) -> None:
    """A side that nobody documented is no side."""
    assert read(Side=said).side == side


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("own", "legs", "side"),
    [
        ("Buy", ["Buy", "BuyToCover"], "buy"),
        ("Buy", ["Sell"], None),
        ("Buy", ["Buy", "Sell"], None),
        ("Buy", ["Unheard of"], None),
        (None, ["Buy"], None),
        (None, ["Unheard of"], None),
    ],
    ids=repr,
)
def test_an_order_has_a_side_where_its_legs_agree(own: object, legs: list[str], side: str | None) -> None:
    """Legs go with their order: one that sells keeps it from being a buy."""
    assert read(Side=own, Legs=[leg(Side=each) for each in legs]).side == side


#: What is no moment, and .NET's and SQL's ways of saying "no time".
_NO_TIMES: list[object] = [
    *(None, "", "soon", "14:30", AT_MS, str(AT_MS), [], True),
    *("0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
    *("1753-01-01T00:00:00", "1900-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59-23:59"),
]


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("written", "created"),
    [
        ("2026-11-21T14:30:00Z", Created(AT_MS)),
        ("2026-11-21T14:30:00.1234567Z", Created(AT_MS + 123)),
        ("2026-11-21T08:30:00-06:00", Created(AT_MS)),
        ("2026-11-21T14:30:00", None),
        ("2026-11-21 14:30:00.123", None),
        *((none, None) for none in _NO_TIMES),
    ],
    ids=repr,
)
def test_an_orders_time_is_read_only_where_it_tells_a_moment(
    written: object, created: Created | None
) -> None:
    """Without an offset it is UTC as far as anybody knows; a time that means none decides nothing."""
    assert read(CreateDate=written).created == created


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("said", "own_id"),
    [("mine-1", "mine-1"), (17, "17"), ("", ""), (None, None)],
    ids=repr,
)
def test_a_client_id_is_a_text(said: object, own_id: str | None) -> None:
    """A number is the text that an alert would have for it; null is none that can be told."""
    assert read(ClientId=said).client_id == own_id


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "name", ["Symbol", "SecurityId", "Side", "ClientId", "CreateDate", "Legs", "AccountId"]
)
def test_what_a_row_does_not_show_is_left_open(name: str) -> None:
    """A row that lacks a key is an order all the same, which must not be lost: samples have no Symbol."""
    bare = {key: value for key, value in row().items() if key != name}

    (order,) = listed(bare)
    assert order.order_id == ORDER


#: What makes a row unreadable, or another account's.
_NO_ROWS: list[Mapping[str, object]] = [
    *({"Id": number} for number in (None, 0, "x", 1.5, True)),
    *({"Status": word, "ExecutionStatus": word} for word in ("", None)),
    *({"AccountId": number} for number in (141, "141")),
    *({"Legs": legs} for legs in ({"a": 1}, "legs", 7)),
    *({"Legs": [leg]} for leg in (7, None, "")),
]


@pytest.mark.promise(5)
@pytest.mark.parametrize("changes", _NO_ROWS, ids=repr)
def test_a_row_of_another_shape_is_unreadable(changes: Mapping[str, object]) -> None:
    """A row that cannot be read, or is another account's, spoils the list: it could be the one that works."""
    assert kind_of(AS.working(ACCOUNT), page(row(), row(**{"Id": 1, **changes}))) is Unreadable


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer(b"", 404), Gone),
        (answer(b"", 409), Gone),
        (answer(b"", 422), Gone),
        (answer({"Message": "no such order"}, 422), Gone),
        (answer(NO_ROUTE, 404), Refused),
        (answer(DENIED, 401), Refused),
        (answer(b"", 403), Refused),
        (answer(b"", 400), Refused),
        (answer(b"", 500), Unknown),
        (answer(b"", 429), Throttled),
        (answer(b"", 204), Unreadable),
        (answer(b""), Unreadable),
        (answer([row()]), Unreadable),
        (answer({}), Unreadable),
        (answer(row(Id=7)), Unreadable),
        (answer(row(AccountId=7)), Unreadable),
        (answer({"Result": [row()]}), Unreadable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.status} {value.body!r}"[:30],
)
def test_an_order_that_was_not_asked_for_is_no_answer(given: Answer, kind: type[VendorError]) -> None:
    """Only the very order in the very account tells of it; 404, 409 and 422 say that it is not there."""
    assert kind_of(AS.look(ACCOUNT, ORDER), given) is kind


#: Rows and legs by what they show of the instrument.
_AAPL, _MSFT = {"Symbol": "AAPL", "SecurityId": 4}, {"Symbol": "MSFT", "SecurityId": 5}
_NAMELESS: dict[str, object] = {"Symbol": None, "SecurityId": None}


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("asked", "own", "legs", "same"),
    [
        ("AAPL", _AAPL, [], True),
        ("aapl", _AAPL, [], True),
        ("AAPL", _MSFT, [], False),
        ("AAP", _AAPL, [], False),
        ("4", _AAPL, [], False),
        (4, _AAPL, [], True),
        (5, _AAPL, [], False),
        # Rows that show only one of the two, or none.
        ("AAPL", {"Symbol": None, "SecurityId": 4}, [], None),
        ("AAPL", {"Symbol": "", "SecurityId": 4}, [], None),
        (4, {"Symbol": "AAPL", "SecurityId": None}, [], None),
        (4, {"Symbol": "AAPL", "SecurityId": 0}, [], None),
        (4, {"Symbol": None, "SecurityId": 4}, [], True),
        ("AAPL", _NAMELESS, [], None),
        (4, _NAMELESS, [], None),
        # Legs that agree with their order, or stand for it where it names nothing.
        ("AAPL", _AAPL, [_AAPL, _AAPL], True),
        ("AAPL", _MSFT, [_MSFT], False),
        ("AAPL", _NAMELESS, [_AAPL, _AAPL], True),
        ("AAPL", _NAMELESS, [_MSFT], False),
        (4, _NAMELESS, [_AAPL], True),
        # Legs that disagree: the whole order would go.
        ("AAPL", _AAPL, [_MSFT], None),
        ("AAPL", _MSFT, [_AAPL], None),
        ("AAPL", _AAPL, [_AAPL, _MSFT], None),
        ("AAPL", _NAMELESS, [_AAPL, _MSFT], None),
        (4, _AAPL, [_MSFT], None),
        ("AAPL", _AAPL, [_NAMELESS], None),
        ("AAPL", _MSFT, [_NAMELESS], None),
        ("AAPL", _NAMELESS, [_NAMELESS], None),
    ],
    ids=repr,
)
def test_an_order_and_its_legs_have_to_agree_about_the_instrument(
    asked: str | int, own: dict[str, Any], legs: list[dict[str, Any]], *, same: bool | None
) -> None:
    """A symbol in any case, or the number; where a part differs, or shows nothing, it cannot be told."""
    order = read(**own, Legs=[leg(**each) for each in legs])

    assert AS.same_instrument(asked, order) is same


_ANY_JSON = any_json(
    [
        "Result", "result", "TotalCount", "NextPageLink", "Id", "id", "Status", "AccountId", "Legs", "Symbol",
        "State", "Token", "Message", "UserId",
    ],
    ["New", "Canceled", "Succeeded", "Expecting", "Failed", ORDER, ACCOUNT, "AAPL", ""],
)  # fmt: skip


@pytest.mark.promise(5)
@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(100, 599) | st.just(200), st.binary(max_size=60) | _ANY_JSON)
def test_any_answer_is_read_or_means_something(status: int, body: object) -> None:
    """Whatever a vendor says, each conversation gives its result or one of the foreseen errors."""
    given = answer(body, status)
    for conversation in (
        AS.log_in(),
        AS.cancel_one(ACCOUNT, ORDER),
        AS.working(ACCOUNT),
        AS.recent(ACCOUNT),
        AS.accounts(),
        AS.look(ACCOUNT, ORDER),
    ):
        try:
            held(conversation, *([given] * 3)[: 1 if status < 400 else 3])
        except VendorError as meant:
            assert meant.words  # noqa: PT017 - one of several that may come
        except AssertionError:
            assert status < 300  # a list of several pages wants the next one
        else:
            assert status in {200, 204}
    assert AS.session_ended(given) in {True, False}


@pytest.mark.promise(5)
@settings(max_examples=500, deadline=None, derandomize=True)
@given(_ANY_JSON)
def test_no_answer_but_a_page_is_a_list(body: object) -> None:
    """An empty list has an array in `Result`, and a list shows each of its rows."""
    try:
        found = came_of(AS.recent(ACCOUNT), answer(body))
    except VendorError:
        return
    assert isinstance(body, dict)
    rows = [value for name, value in body.items() if name.lower() == "result"][-1]
    assert isinstance(rows, list)
    assert len(found) == len(rows)
