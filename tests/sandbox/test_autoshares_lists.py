"""The stand-in for Autoshares lists orders, accounts and users as the vendor's documents say."""

from __future__ import annotations

from typing import Literal

import pytest

from relay.sandbox.autoshares import AutosharesSandbox
from tests.sandbox.conftest import NOON, Clock, Trader

pytestmark = pytest.mark.promise(10)


def test_a_row_has_the_documented_fields(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """Ids are numbers, the trader's own id is a text, dates are .NET's, and the symbol may be left out."""
    order_id = autoshares.book.place(
        account="6303",
        instrument="aapl",
        action="BuyToCover",
        quantity=150,
        limit_price="156.57",
        client_id="0042",
        time_in_force="Gtc",
        created=NOON + 0.5,
    )
    documented = {
        "Id": int(order_id),
        "SecurityId": 4,
        "Symbol": "AAPL",
        "Quantity": 150,
        "Price": 156.57,
        "StopPrice": 0,
        "ClientId": "0042",
        "ExecutedQuantity": 0,
        "LeavesQuantity": 150,
        "Side": "BuyToCover",
        "Date": "2026-11-02T12:00:00.5Z",
        "CreateDate": "2026-11-02T12:00:00.5Z",
        "Status": "New",
        "ExecutionStatus": "New",
        "Type": "Limit",
        "RequestStatus": "Complete",
        "Target": "New",
        "TimeInForce": "GoodTillCancel",
        "ExecInst": 0,
        "AccountId": 6303,
        "UserId": 7125,
        "ParentId": -1,
        "Legs": [],
    }
    [row] = trader.page()["Result"]
    assert row.items() >= documented.items()
    assert trader.row(order_id) == row
    autoshares.behaviour.shows_symbol = False
    autoshares.behaviour.no_exec_inst = "None"
    sample = trader.row(order_id)
    assert ("Symbol" in sample, sample["SecurityId"], sample["ExecInst"]) == (False, 4, "None")


def test_details_tell_an_orders_history(autoshares: AutosharesSandbox, trader: Trader, clock: Clock) -> None:
    """Each state is a row with its time in milliseconds."""
    [order_id] = autoshares.place_many(1)
    trader.cancel(order_id)
    clock.now += 1
    rows = trader.get(f"accounts/6303/orders/{order_id}/details").json()
    assert [row["Status"] for row in rows] == ["New", "PendingCancel", "Canceled"]
    assert [row["IsRequest"] for row in rows] == [False, True, False]
    assert rows[0]["Date"] == int(NOON * 1000)


@pytest.mark.parametrize("status", [404, 422, 500])
def test_an_order_of_another_account_cannot_be_read(
    autoshares: AutosharesSandbox, trader: Trader, status: Literal[404, 422, 500]
) -> None:
    """An id never given and one of another account read the same, as the switch says."""
    autoshares.behaviour.unread_order_status = status
    [other] = autoshares.place_many(1, account=6304)
    paths = ("orders/1", f"orders/{other}", f"orders/{other}/details", f"syncorders/{other}")
    assert [trader.get(f"accounts/6303/{path}").status_code for path in paths] == [status] * 4


def test_a_list_comes_in_pages_of_a_hundred(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """Pages count from 0, and name all there is; the twin address lists the same."""
    ids = autoshares.place_many(230)
    autoshares.place_many(5, account=6304)
    pages = [trader.page(number) for number in range(4)]
    assert [len(page["Result"]) for page in pages] == [100, 100, 30, 0]
    assert [str(row["Id"]) for page in pages for row in page["Result"]] == ids
    assert {page["TotalCount"] for page in pages} == {230}
    twin = trader.get("accounts/6303/syncorders", pageNumber=2, pageSize=100).json()
    assert twin["Result"] == pages[2]["Result"]


def test_cancelling_while_walking_skips_rows(
    autoshares: AutosharesSandbox, trader: Trader, clock: Clock
) -> None:
    """Pages are cut by offset over what is there: who cancels the first misses as many of the second."""
    ids = autoshares.place_many(150)
    for order_id in trader.ids(filter="Status in (0)"):
        trader.cancel(order_id)
    clock.now += 0.2
    assert trader.page(1, filter="Status in (0)")["Result"] == []
    assert trader.ids(filter="Status in (0)") == ids[100:]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"pageNumber": 0},
        {"pageSize": 100},
        {"pageNumber": 0, "pageSize": 101},
        {"pageNumber": 0, "pageSize": 0},
        {"pageNumber": -1, "pageSize": 10},
        {"pageNumber": "x", "pageSize": 10},
        {"pageNumber": 0, "pageSize": 10, "sortField": "Legs"},
    ],
)
def test_a_page_must_be_one(autoshares: AutosharesSandbox, trader: Trader, query: dict[str, object]) -> None:
    """Number and size are required, a size over 100 is refused, and so is a sort by what does not sort."""
    autoshares.place_many(2)
    assert trader.get("accounts/6303/orders", **query).status_code == 400


def test_a_page_too_large_may_be_cut(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """What exceeding the maximum does is not documented, so it may give a hundred instead."""
    autoshares.behaviour.page_too_large = "clamped"
    autoshares.place_many(120)
    assert len(trader.page(size=500)["Result"]) == 100


def test_a_list_is_sorted_as_asked(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """`sortField` names any plain field, and `desc` turns the order round."""
    first, second, third = (
        autoshares.book.place(account="6303", instrument="AAPL", action="Buy", limit_price=price)
        for price in ("9.5", "100", "20.25")
    )
    assert trader.ids(sortField="Price") == [first, third, second]
    assert trader.ids(sortField="Id", desc="true") == [third, second, first]


def test_links_come_in_four_shapes(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """The documents show whole links with empty ends, and relative ones with null; both lose the filter."""
    autoshares.place_many(3)
    path = "/v1.0/accounts/6303/orders?pageNumber={}&pageSize=1"

    def links(number: int) -> tuple[str | None, str | None]:
        page = trader.page(number, size=1, filter="SecurityId = 4")
        return page["PreviousPageLink"], page["NextPageLink"]

    assert links(0) == ("", trader.url + path.format(1))
    assert links(2) == (trader.url + path.format(1), "")
    autoshares.behaviour.page_links = "relative"
    assert (links(0), links(2)) == ((None, path.format(1)), (path.format(1), None))
    autoshares.behaviour.page_links_keep_query = True
    assert links(0) == (None, path.format(1) + "&filter=SecurityId%20%3D%204")
    autoshares.behaviour.page_links = "empty"
    assert links(1) == ("", "")
    autoshares.behaviour.page_links = "null"
    assert links(1) == (None, None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "apple old filled held"),
        ("SecurityId = 4", "apple filled"),
        ("SecurityId = 2829 and Status in (0,1,6)", "old"),
        ("Status in (0, 1, 20)", "apple old"),
        ("status IN (2)", "filled"),
        ("Status in (16)", "held"),
        ("CreateDate < #2026-11-02T12:00:00#", "old"),
        ("CreateDate >= #2026-11-02T12:00:00# and SecurityId=4", "apple filled"),
        ("CreateDate between #2026-11-01T00:00:00# and #2026-11-02T11:59:00# and Status in (0)", "old"),
    ],
)
def test_a_filter_chooses(autoshares: AutosharesSandbox, trader: Trader, text: str, wanted: str) -> None:
    """Security, number of state and date of creation choose, alone and joined by `and`."""
    book = autoshares.book
    ids = {
        "apple": book.place(account="6303", instrument="AAPL", action="Buy"),
        "old": book.place(account="6303", instrument="MSFT", action="Buy", created=NOON - 3600),
        "filled": book.place(account="6303", instrument="AAPL", action="Buy", state="Filled"),
        "held": book.place(account="6303", instrument="MSFT", action="Buy", state="Held"),
    }
    assert trader.ids(filter=text) == [ids[name] for name in wanted.split()]


def test_the_number_of_held_may_be_unknown(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """No document numbers Held, so that no filter may find it."""
    autoshares.behaviour.held_number = None
    autoshares.book.place(account="6303", instrument="AAPL", action="Buy", state="Held")
    assert trader.ids(filter="Status in (0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,20)") == []
    assert len(trader.ids()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Symbol = AAPL",
        "Status = 0",
        "Status in ()",
        "Status in (New)",
        "SecurityId = 4 or SecurityId = 5",
        "SecurityId = 4 and",
        "SecurityId = 4 Status in (0)",
        "CreateDate > #yesterday#",
        "CreateDate > 2026-11-02",
        "CreateDate >= ",
    ],
)
def test_a_filter_outside_the_grammar_is_a_400(
    autoshares: AutosharesSandbox, trader: Trader, text: str
) -> None:
    """What the vendor's table does not have is invalid, and an unencoded `#` cuts the filter short."""
    autoshares.place_many(1)
    answer = trader.get("accounts/6303/orders", pageNumber=0, pageSize=10, filter=text)
    assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize("user", ["@me", "7125"])
def test_a_user_sees_himself_and_his_accounts(
    autoshares: AutosharesSandbox, trader: Trader, user: str
) -> None:
    """The user's own id and the directive for it give the same; accounts say what access he has."""
    autoshares.behaviour.access_type = "ClosePositionsOnly"
    info = trader.get(f"users/{user}/info").json()
    assert (info["UserId"], info["Login"]) == (7125, "trader")
    rows = trader.get(f"users/{user}/accounts").json()
    assert [(row["Id"], row["ClearingAccount"], row["AccessType"]) for row in rows] == [
        (6303, "6303", "ClosePositionsOnly"),
        (6304, "6304", "ClosePositionsOnly"),
    ]
    assert rows[0]["Owners"] == [info]


def test_all_accounts_come_in_pages(trader: Trader) -> None:
    """The company's list has the shape of the order list; without page and size it is invalid."""
    page = trader.get("accounts/all", pageNumber=1, pageSize=1).json()
    assert ([row["Id"] for row in page["Result"]], page["TotalCount"]) == ([6304], 2)
    assert trader.get("accounts/all").status_code == 422


def test_strangers_are_denied(trader: Trader) -> None:
    """Another user is a 401, what is no user id is none of 32 bits."""
    for path in ("info", "accounts"):
        assert trader.get(f"users/7126/{path}").status_code == 401
        assert trader.get(f"users/me/{path}").status_code == 400


def test_a_symbol_leads_to_its_id(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """The look-up gives the number that the filter wants; an unknown symbol is a 404."""
    autoshares.place_samples()
    microsoft = trader.get("equities/msft").json()
    assert (microsoft["Id"], microsoft["Symbol"]) == (2829, "MSFT")
    assert len(trader.ids(filter=f"SecurityId = {microsoft['Id']}")) == 1
    assert trader.get("equities/NONE").status_code == 404


def test_samples_work_in_two_accounts_and_two_symbols(autoshares: AutosharesSandbox) -> None:
    """Who starts the stand-in finds something to cancel."""
    ids = autoshares.place_samples()
    orders = autoshares.book.working()
    assert [order.id for order in orders] == ids
    assert {order.account for order in orders} == {"6303", "6304"}
    assert {order.instrument for order in orders} == {"AAPL", "MSFT"}
