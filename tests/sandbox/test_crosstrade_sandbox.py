"""The stand-in for CrossTrade does what the vendor's documents say, over real sockets."""

from __future__ import annotations

from datetime import date

import pytest

from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from relay.sandbox.futures import dated_name, front_month
from tests.sandbox.conftest import NOON, TOKEN, Client, Clock

pytestmark = pytest.mark.promise(10)

GONE = "Order linked to '{}' not found or already terminal."


def limit_buy(broker: CrossTradeSandbox, instrument: str = "MES 12-26", account: str = "Sim101") -> str:
    """Rest an order at the broker."""
    return broker.book.place(account=account, instrument=instrument, action="Buy", limit_price="5000.25")


def test_a_cancel_is_pending_at_the_reply_and_comes_true_later(
    broker: CrossTradeSandbox, client: Client, clock: Clock
) -> None:
    """A 200 says that the cancel was passed on; the exchange confirms it afterwards."""
    order_id = limit_buy(broker)
    answer = client.cancel(order_id)
    assert (answer.status_code, answer.json()) == (200, {"orderId": order_id, "success": True})
    assert client.state(order_id) == "CancelPending"
    clock.now += 0.2
    assert client.state(order_id) == "Cancelled"
    states = [transition.state for transition in broker.book.order(order_id).history]
    assert states == ["Working", "CancelPending", "Cancelled"]


def test_a_cancel_may_stay_pending(broker: CrossTradeSandbox, client: Client, clock: Clock) -> None:
    """A cancel that the exchange never confirms leaves its order among the working ones."""
    broker.behaviour.cancel_after_s = None
    order_id = limit_buy(broker)
    client.cancel(order_id)
    clock.now += 86400
    assert client.state(order_id) == "CancelPending"
    assert [order.id for order in broker.book.working()] == [order_id]


def test_an_order_may_fill_after_the_reply(broker: CrossTradeSandbox, client: Client, clock: Clock) -> None:
    """A cancel answered with success loses the race, and the order shows how much was filled."""
    broker.behaviour.fill_before_cancel = "race"
    order_id = limit_buy(broker)
    assert client.cancel(order_id).json()["success"] is True
    clock.now += 0.2
    row = client.get(f"accounts/Sim101/orders/{order_id}").json()
    assert (row["orderState"], row["filled"], row["averageFillPrice"]) == ("Filled", 1, 5000.25)


def test_an_order_may_fill_before_the_cancel(broker: CrossTradeSandbox, client: Client) -> None:
    """A cancel that comes too late is told so in the words the vendor keeps stable, without `success`."""
    broker.behaviour.fill_before_cancel = "first"
    order_id = limit_buy(broker)
    answer = client.cancel(order_id)
    assert (answer.status_code, answer.json()) == (400, {"error": GONE.format(order_id)})
    assert client.state(order_id) == "Filled"
    assert client.post("accounts/Sim101/orders/cancel").json() == {"orderIds": [], "success": True}


def test_a_gone_an_unknown_and_a_strangers_order_read_the_same(
    broker: CrossTradeSandbox, client: Client, clock: Clock
) -> None:
    """A second cancel, one of an id never given and one in the wrong account all find nothing."""
    order_id, other = limit_buy(broker), limit_buy(broker, account="Sim102")
    client.cancel(order_id)
    assert client.cancel(order_id).status_code == 200
    clock.now += 0.2
    for gone in (order_id, "0" * 32, other):
        answer = client.cancel(gone)
        assert (answer.status_code, answer.json()) == (400, {"error": GONE.format(gone)})
    assert broker.book.order(other).state == "Working"


def test_a_pending_cancel_may_refuse_the_next(broker: CrossTradeSandbox, client: Client) -> None:
    """NinjaTrader may call an order gone that can still fill."""
    broker.behaviour.pending_refuses_cancel = True
    order_id = limit_buy(broker)
    client.cancel(order_id)
    assert client.cancel(order_id).json() == {"error": GONE.format(order_id)}
    assert broker.fill(order_id).state == "Filled"


def test_a_part_filled_order_keeps_its_fill_through_a_cancel(
    broker: CrossTradeSandbox, client: Client, clock: Clock
) -> None:
    """Only the rest of an order is cancelled."""
    order_id = broker.book.place(account="Sim101", instrument="ES 12-26", action="Buy", quantity=5)
    broker.fill(order_id, 2)
    assert client.state(order_id) == "PartFilled"
    client.cancel(order_id)
    clock.now += 0.2
    row = client.get(f"accounts/Sim101/orders/{order_id}").json()
    assert (row["orderState"], row["quantity"], row["filled"]) == ("Cancelled", 5, 2)


@pytest.mark.parametrize("name", ["MES 12-26", "mes 12-26", "MES", "MES1!", "MESZ26"])
def test_a_bulk_cancel_takes_an_instrument_by_four_names(
    broker: CrossTradeSandbox, client: Client, name: str
) -> None:
    """Each of the four forms means the same contract, in that account alone, and rows keep the dated form."""
    wanted = [limit_buy(broker), limit_buy(broker, "MESZ26")]
    others = [
        limit_buy(broker, "ES 12-26"),
        limit_buy(broker, "MES 03-27"),
        limit_buy(broker, account="Sim102"),
    ]
    answer = client.post("accounts/sim101/orders/cancel", {"instrument": name})
    assert (answer.status_code, answer.json()) == (200, {"orderIds": wanted, "success": True})
    assert [broker.book.order(each).state for each in others] == ["Working"] * 3
    assert {broker.book.order(each).instrument for each in wanted} == {"MES 12-26"}


@pytest.mark.parametrize(
    "body",
    [{}, {"instrument": None}, {"instrument": ""}, {"instruments": "MES 12-26"}, {"symbol": "MES 12-26"}],
)
def test_an_instrument_empty_or_misspelt_is_the_whole_account(
    broker: CrossTradeSandbox, client: Client, body: dict[str, str | None]
) -> None:
    """The trap is real: what does not read as an instrument cancels every order of the account."""
    wanted = [limit_buy(broker), limit_buy(broker, "NQ 12-26")]
    other = limit_buy(broker, account="Sim102")
    assert client.post("accounts/Sim101/orders/cancel", body).json()["orderIds"] == wanted
    assert broker.book.order(other).state == "Working"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"instrument": 7}', b'{"instrument": "no such thing"}'])
def test_an_unreadable_bulk_cancel_is_an_invalid_request(
    broker: CrossTradeSandbox, client: Client, body: bytes
) -> None:
    """A body that makes no sense is refused as documented, without `success`, and cancels nothing."""
    limit_buy(broker)
    answer = client.send("POST", "/v1/api/accounts/Sim101/orders/cancel", data=body)
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid request"})
    assert [order.state for order in broker.book.orders()] == ["Working"]


def test_cancelall_takes_every_account(broker: CrossTradeSandbox, client: Client) -> None:
    """The widest cancel reaches all accounts, and names the orders or not."""
    ids = broker.place_samples()
    assert client.post("orders/cancelall").json() == {"orderIds": ids, "success": True}
    assert client.post("orders/cancelall").json() == {"orderIds": [], "success": True}
    broker.behaviour.cancelall_names_orders = False
    last = limit_buy(broker, account="SimLive")
    assert client.post("orders/cancelall").json() == {"success": True}
    assert broker.book.order(last).state == "CancelPending"


def test_lists_show_rows_as_documented(broker: CrossTradeSandbox, client: Client) -> None:
    """Rows have NinjaTrader's names, states and times, and `activeOnly` leaves out what is over."""
    order_id, done = limit_buy(broker), limit_buy(broker)
    broker.fill(done)
    limit_buy(broker, account="Sim102")
    [row] = client.get("accounts/SIM101/orders?activeOnly=true").json()["orders"]
    assert (
        row.items()
        >= {
            "orderId": order_id,
            "account": "Sim101",
            "instrument": "MES 12-26",
            "instrumentType": "Future",
            "orderType": "Limit",
            "orderState": "Working",
            "orderAction": "Buy",
            "quantity": 1,
            "filled": 0,
            "limitPrice": 5000.25,
            "time": "2026-11-02T12:00:00.0000000",
        }.items()
    )
    assert len(client.get("accounts/Sim101/orders?activeOnly=false").json()["orders"]) == 2
    assert len(client.get("orders?activeOnly=true").json()["orders"]) == 2


def test_accounts_are_found_in_any_case(broker: CrossTradeSandbox, client: Client) -> None:
    """An account answers to its name in any case and is echoed as NinjaTrader writes it."""
    assert client.get("accounts/sImLiVe").json()["name"] == "SimLive"
    broker.behaviour.connection_status = "ConnectionLost"
    accounts = client.get("accounts").json()["accounts"]
    assert [account["name"] for account in accounts] == ["Sim101", "Sim102", "SimLive"]
    assert {account["connectionStatus"] for account in accounts} == {"ConnectionLost"}


@pytest.mark.parametrize("status", [400, 200])
def test_an_unknown_account_is_an_error_whatever_its_status(
    broker: CrossTradeSandbox, client: Client, status: int
) -> None:
    """The documented envelope says `invalid_account`, also inside a 200."""
    broker.behaviour.unknown_account_status = 200 if status == 200 else 400
    answer = client.post("accounts/Sim999/orders/cancel")
    detail = {"success": False, "error": "invalid_account", "detail": "Account Sim999 not found"}
    assert (answer.status_code, answer.json()) == (status, detail)


def test_errors_come_in_either_shape(broker: CrossTradeSandbox, client: Client) -> None:
    """The vendor's pages contradict each other about `success`, so both shapes can be had everywhere."""
    unknown = "accounts/Sim101/orders/" + "0" * 32
    assert client.get(unknown).status_code == 404
    assert client.get(unknown).json()["error"] == "order_not_found"
    broker.behaviour.error_shape = "bare"
    broker.behaviour.unknown_order_status = 400
    assert (client.get(unknown).status_code, client.get(unknown).json()) == (
        400,
        {"error": "Invalid request"},
    )
    broker.behaviour.error_shape = "envelope"
    assert client.cancel("0" * 32).json() == {"success": False, "error": GONE.format("0" * 32)}


@pytest.mark.parametrize("credential", [None, "Bearer wrong", TOKEN, "Bearer"])
def test_only_the_token_gets_in(broker: CrossTradeSandbox, client: Client, credential: str | None) -> None:
    """A token missing or wrong is a 401, and nothing is cancelled."""
    order_id = limit_buy(broker)
    assert client.cancel(order_id, headers={"Authorization": credential}).status_code == 401
    assert broker.book.order(order_id).state == "Working"


def test_a_disconnected_add_on_is_a_408(broker: CrossTradeSandbox, client: Client) -> None:
    """Without NinjaTrader there is an answer in the documented shape, and no cancel."""
    order_id = limit_buy(broker)
    broker.behaviour.connected = False
    answer = client.cancel(order_id)
    assert (answer.status_code, answer.json()["success"]) == (408, False)
    assert broker.book.order(order_id).state == "Working"


def test_the_budget_is_twenty_and_three_a_second(
    broker: CrossTradeSandbox, client: Client, clock: Clock
) -> None:
    """The 21st call at once is refused with the documented words; a second later three more go through."""
    broker.behaviour.burst = CrossTradeBehaviour().burst
    assert [client.get("accounts").status_code for _ in range(21)] == [200] * 20 + [429]
    answer = client.get("accounts")
    assert answer.json() == {"error": "Rate limit exceeded"}
    assert "Retry-After" not in answer.headers
    broker.behaviour.retry_after = "both"
    answer = client.get("accounts")
    assert (answer.headers["Retry-After"], answer.json()["retryAfter"]) == ("1", 1)
    clock.now += 1
    assert [client.get("accounts").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_wrong_address_is_told_apart(broker: CrossTradeSandbox, client: Client) -> None:
    """Below the API a 404 suggests the right address; outside it a redirect leads to a mere page."""
    order_id = limit_buy(broker)
    assert client.send("DELETE", f"/v1/api/accounts/Sim101/orders/{order_id}").status_code == 404
    wrong = client.post("orders/cancel-all")
    assert (wrong.status_code, wrong.json()["success"]) == (404, False)
    assert "POST /v1/api/orders/cancelall" in wrong.json()["did_you_mean"]
    assert client.send("POST", "/api/v1/orders/cancelall").status_code == 302
    followed = client.send("POST", "/api/v1/orders/cancelall", allow_redirects=True)
    assert (followed.status_code, "json" in followed.headers["Content-Type"]) == (200, False)
    assert (broker.calls[-1].method, broker.calls[-1].path) == ("GET", "/")
    assert broker.book.order(order_id).state == "Working"


def test_a_change_may_give_a_new_id_and_move_the_time(
    broker: CrossTradeSandbox, client: Client, clock: Clock
) -> None:
    """NinjaTrader's ids and times are impermanent; the first id goes on resolving, or does not."""
    broker.behaviour.new_id_on_change = broker.behaviour.time_moves_on_change = True
    first = limit_buy(broker)
    clock.now += 90
    second = broker.book.change(first, limit_price="5001.50")
    row = client.get(f"accounts/Sim101/orders/{first}").json()
    assert (row["orderId"], row["limitPrice"]) == (second, 5001.5)
    assert (second != first, row["time"]) == (True, "2026-11-02T12:01:30.0000000")
    assert broker.book.order(second).created == NOON
    broker.behaviour.old_id_resolves = False
    assert client.cancel(first).status_code == 400
    assert client.cancel(second).status_code == 200


def test_the_front_month_is_the_nearest_quarterly_contract() -> None:
    """A contract is the front month up to its third Friday; what has none of the four forms is none."""
    assert [front_month(day) for day in (date(2026, 12, 18), date(2026, 12, 19))] == ["12-26", "03-27"]
    assert dated_name("ESH6", date(2026, 1, 2)) is None
    assert dated_name("{{ticker}}", date(2026, 1, 2)) is None
