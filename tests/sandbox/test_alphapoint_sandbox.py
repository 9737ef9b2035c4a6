"""The stand-in for AlphaPoint shows orders, instruments and accounts as documents and clients have them."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests

from relay.sandbox.alphapoint import AlphaPointBehaviour, AlphaPointSandbox
from tests.sandbox.conftest import PATIENCE, Clock, Member

pytestmark = pytest.mark.promise(10)


def test_a_row_has_the_wires_keys_and_every_digit(exchange: AlphaPointSandbox, member: Member) -> None:
    """Numbers are JSON numbers, ids whole, prices and quantities without a digit lost or added."""
    order_id = exchange.book.place(
        account="7",
        instrument="BTCCAD",
        action="Sell",
        order_type="StopLimit",
        quantity="0.10000000000000000001",
        limit_price="89010.50",
        stop_price="89100",
        user="447",
        client_id="9223372036854775807",
    )
    exchange.fill(order_id, "0.1")
    answer = member.get("GetOpenOrders", AccountId=7)
    assert '"Price":89010.50,"Quantity":0.00000000000000000001,' in answer.text
    [row] = answer.json(parse_float=Decimal)
    assert (
        row.items()
        >= {
            "Side": "Sell",
            "OrderId": 2543565230,
            "Instrument": 1,
            "Account": 7,
            "OrderType": "StopLimit",
            "ClientOrderId": 2**63 - 1,
            "OrderState": "Working",
            "ReceiveTime": 1793620800000,
            "ReceiveTimeTicks": 639292176000000000,
            "LastUpdatedTime": 1793620800000,
            "OrigQuantity": Decimal("0.10000000000000000001"),
            "QuantityExecuted": Decimal("0.1"),
            "GrossValueExecuted": Decimal("8901.05"),
            "AvgPrice": Decimal("89010.50"),
            "ChangeReason": "Trade",
            "EnteredBy": 447,
            "UserName": "user-447",
            "StopPrice": 89100,
            "IsQuote": False,
            "OMSId": 1,
        }.items()
    )


def test_replies_may_be_spelt_as_in_the_documents(exchange: AlphaPointSandbox, member: Member) -> None:
    """Camel case, numbers for words, an empty text for no text and an array of one are switches."""
    exchange.behaviour.keys = "camel"
    exchange.behaviour.words = "numbers"
    exchange.behaviour.no_message = "empty"
    exchange.behaviour.status_of_one = "array"
    order_id = exchange.book.place(account="7", instrument="ETHCAD", action="Sell")
    [row] = member.get("GetOrderStatus", AccountId=7, OrderId=order_id).json()
    assert (row["omsId"], row["orderId"], row["origClOrdId"]) == (1, int(order_id), 0)
    assert (row["side"], row["orderType"], row["orderState"]) == (1, 2, 1)
    assert member.get("GetInstruments").json()[0]["instrumentId"] == 1
    done = {"result": True, "errormsg": "", "errorcode": 0, "detail": ""}
    assert member.post("CancelOrder", OrderId=order_id).json() == done
    login = member.send("GET", "AuthenticateUser", headers=member.signature()).json()
    assert (login["authenticated"], login["requires2FA"], login["user"]["omsId"]) == (True, False, 1)


def test_a_status_is_found_in_its_account_alone(exchange: AlphaPointSandbox, member: Member) -> None:
    """An order unknown, or named with another account than its own, is 104; a stranger's account is 20."""
    order_id = exchange.book.place(account="7", instrument="BTCCAD", action="Buy")
    assert member.row(order_id)["OrderId"] == int(order_id)
    assert member.code("GetOrderStatus", AccountId=8, OrderId=order_id) == 104
    assert member.code("GetOrderStatus", AccountId=7, OrderId=17) == 104
    assert member.code("GetOrderStatus", AccountId=9, OrderId=order_id) == 20
    assert member.code("GetOrderStatus", OrderId=order_id) == 100


def test_open_orders_are_an_accounts_own(exchange: AlphaPointSandbox, member: Member) -> None:
    """A list shows the working orders of all users of one account, of one instrument where that is asked."""
    ids = exchange.place_samples()
    assert [member.open_ids(account) for account in (7, 8)] == [ids[:4], ids[4:]]
    rows = member.post("GetOpenOrders", AccountId=7, InstrumentId=3).json()
    assert [str(row["OrderId"]) for row in rows] == [ids[2]]
    exchange.fill(ids[4])
    assert member.get("GetOpenOrders", AccountId=8).json() == []
    assert member.get("GetOpenOrders", AccountId=9).json()["errorcode"] == 20
    assert member.get("GetOpenOrders").json()["errorcode"] == 100


def test_the_samples_differ_in_account_instrument_and_user(exchange: AlphaPointSandbox) -> None:
    """To begin with there are orders that a cancel too wide would take."""
    exchange.place_samples()
    orders = exchange.book.working()
    assert {order.account for order in orders} == {"7", "8"}
    assert {order.instrument for order in orders} == {"BTCCAD", "ETHCAD"}
    assert {order.user for order in orders} == {"446", "447"}


def test_a_history_tells_what_became_of_an_order(
    exchange: AlphaPointSandbox, member: Member, clock: Clock
) -> None:
    """An account's history holds what is over, the newest first; an order's, each of its states."""
    first, second = (exchange.book.place(account="7", instrument="BTCCAD", action="Buy") for _ in range(2))
    exchange.book.place(account="7", instrument="ETHCAD", action="Buy", state="Rejected")
    clock.now += 1
    exchange.fill(first)
    rows = member.get("GetOrderHistory", AccountId=7, InstrumentId="1").json()
    assert [(str(row["OrderId"]), row["OrderState"]) for row in rows] == [
        (second, "Working"),
        (first, "FullyExecuted"),
    ]
    [newest] = member.get("GetOrdersHistory", AccountId=7, Depth=1).json()
    assert (newest["OrderState"], newest["ChangeReason"]) == ("Rejected", "NewInputRejected")
    states = member.post("GetOrderHistoryByOrderId", OrderId=first).json()
    assert [(row["OrderState"], row["LastUpdatedTime"] - row["ReceiveTime"]) for row in states] == [
        ("FullyExecuted", 1000),
        ("Working", 0),
    ]
    assert member.code("GetOrderHistoryByOrderId", OrderId=17) == 104


def test_instruments_and_products_need_no_log_in(stranger: Member) -> None:
    """Symbols, ids, products and increments can be read by anybody, as public clients do."""
    rows = stranger.get("GetInstruments").json(parse_float=Decimal)
    assert [(row["InstrumentId"], row["Symbol"], row["SessionStatus"]) for row in rows] == [
        (1, "BTCCAD", "Running"),
        (3, "ETHCAD", "Running"),
        (74, "BTCUSD", "Running"),
    ]
    assert (rows[0]["PriceIncrement"], rows[0]["QuantityIncrement"]) == (
        Decimal("0.01"),
        Decimal("0.00000001"),
    )
    products = {row["ProductId"]: row["Product"] for row in stranger.get("GetProducts").json()}
    assert all(products[row["Product1"]] == row["Product1Symbol"] for row in rows)
    assert stranger.send("GET", "GetInstruments").json()["errorcode"] == 100


def test_a_user_sees_his_own_accounts(member: Member) -> None:
    """The accounts come as an array of ids and as rows, and another user's do not."""
    named = {"UserId": "446", "UserName": "trader@example.com"}
    assert member.get("GetUserAccounts", **named).json() == [7, 8]
    assert [row["AccountId"] for row in member.get("GetUserAccountInfos").json()] == [7, 8]
    assert member.get("GetUserAccounts", UserId=447).json()["errorcode"] == 20


def test_ids_may_be_longer_than_a_float(member: Member, exchange: AlphaPointSandbox) -> None:
    """An order's id past 2^53 is told from its neighbour's all the way."""
    exchange.behaviour.first_order_id = 2**53
    exchange.behaviour.cancel_after_s = 0
    even, odd = (exchange.book.place(account="7", instrument="BTCCAD", action="Buy") for _ in range(2))
    assert (int(even), int(odd)) == (2**53, 2**53 + 1)
    assert member.code("CancelOrder", OrderId=int(odd)) == 0
    assert member.open_ids() == [even]


def test_the_control_address_places_fills_and_switches(exchange: AlphaPointSandbox, member: Member) -> None:
    """Orders with a user and a client's id can be placed over HTTP, in fractions, and switches set."""
    control = exchange.control_url
    wanted = {"account": "8", "instrument": "74", "action": "Buy", "quantity": "0.5", "client_id": "41"}
    placed = requests.post(control + "orders", json={**wanted, "user": "447"}, timeout=PATIENCE).json()
    assert (placed["instrument"], placed["quantity"], placed["user"]) == ("BTCUSD", "0.5", "447")
    fill = requests.post(control + f"orders/{placed['id']}/fill", json={"quantity": "0.2"}, timeout=PATIENCE)
    assert fill.json()["filled"] == "0.2"
    for wrong in ({"client_id": "x"}, {"quantity": "0"}, {"quantity": "much"}, {"instrument": "XRPCAD"}):
        answer = requests.post(control + "orders", json={**wanted, **wrong}, timeout=PATIENCE)
        assert answer.status_code == 400
    switch = requests.put(
        control + "behaviour", json={"version": "3.2", "session_idle_s": 0}, timeout=PATIENCE
    )
    assert switch.json()["version"] == "3.2"
    assert member.get("GetUserAccounts").status_code == 404
    exchange.behaviour.session_idle_s = AlphaPointBehaviour().session_idle_s
    member.send("GET", "AuthenticateUser", headers=member.signature())
    headers = requests.get(control + "calls", timeout=PATIENCE).json()["calls"][-1]["headers"]
    assert (headers["APIKey"], headers["Signature"], headers["Nonce"]) == ("***", "***", "2247733562")
