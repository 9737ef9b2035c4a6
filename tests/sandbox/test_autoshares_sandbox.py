"""The stand-in for Autoshares cancels, refuses and fails as the vendor's documents say, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal

import pytest
import requests

from relay.sandbox.autoshares import AutosharesSandbox
from tests.running import until
from tests.sandbox.conftest import APP_KEY, PATIENCE, Clock, Trader

pytestmark = pytest.mark.promise(10)

DENIED = {"Message": "Authorization has been denied for this request."}
BROKEN = {"message": "An error occurred while processing your request", "error": "Unexpected server error"}


def rest(broker: AutosharesSandbox, account: int = 6303, order_type: str = "Limit", parent: str = "") -> str:
    """Rest an order at the broker."""
    return broker.book.place(
        account=str(account),
        instrument="AAPL",
        action="Buy",
        order_type=order_type,
        limit_price="156.57",
        oco_id=parent,
    )


def test_a_204_comes_before_the_cancel_is_true(
    autoshares: AutosharesSandbox, trader: Trader, clock: Clock
) -> None:
    """The order system takes the cancel without a word; the venue confirms it afterwards."""
    order_id = rest(autoshares)
    answer = trader.cancel(order_id)
    assert (answer.status_code, answer.content) == (204, b"")
    pending = trader.row(order_id)
    assert (pending["Status"], pending["Target"], pending["LeavesQuantity"]) == ("PendingCancel", "Cancel", 1)
    clock.now += 0.2
    row = trader.row(order_id)
    assert (row["Status"], row["ExecutionStatus"], row["LeavesQuantity"]) == ("Canceled", "Canceled", 0)


def test_a_204_has_no_length_and_keeps_its_connection(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """What has no content ends with its head, and the next request on the same connection is answered."""
    lines = [
        f"DELETE /v1.0/accounts/6303/orders/{rest(autoshares)} HTTP/1.1",
        "Host: x",
        f"Et-App-Key: {APP_KEY}",
        f"Authorization: {trader.session.headers['Authorization']!s}",
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    with socket.create_connection((autoshares.host, autoshares.port), timeout=PATIENCE) as connection:
        connection.sendall(request + request.replace(b"DELETE", b"GET"))
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65536)
    head, _, after = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204 ")
    assert b"content-length" not in head.lower()
    assert after.startswith(b"HTTP/1.1 200 ")


def test_a_success_may_be_a_200(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """The schema names a 200 with an object beside the 204."""
    autoshares.behaviour.cancel_status = 200
    answer = trader.cancel(rest(autoshares))
    assert (answer.status_code, answer.json()) == (200, {})


def test_an_order_may_fill_after_the_204(autoshares: AutosharesSandbox, trader: Trader, clock: Clock) -> None:
    """A cancel that was taken loses the race, and the order shows how much was filled."""
    autoshares.behaviour.fill_before_cancel = "race"
    order_id = rest(autoshares)
    assert trader.cancel(order_id).status_code == 204
    clock.now += 0.2
    row = trader.row(order_id)
    assert (row["Status"], row["ExecutedQuantity"], row["AveragePrice"]) == ("Filled", 1, 156.57)


def test_the_venue_may_refuse_after_the_204(
    autoshares: AutosharesSandbox, trader: Trader, clock: Clock
) -> None:
    """A cancel that was taken comes back as `CancelReject`, and the order works on until the next one."""
    autoshares.behaviour.refuse_cancel = True
    order_id = rest(autoshares)
    assert trader.cancel(order_id).status_code == 204
    clock.now += 0.2
    row = trader.row(order_id)
    assert (row["Status"], row["Target"], row["LeavesQuantity"]) == ("New", "CancelReject", 1)
    assert row["Description"]
    autoshares.behaviour.refuse_cancel = False
    trader.cancel(order_id)
    clock.now += 0.2
    assert trader.row(order_id)["Status"] == "Canceled"


def test_a_refused_cancel_leaves_a_part_fill_part_filled(
    autoshares: AutosharesSandbox, trader: Trader, clock: Clock
) -> None:
    """What filled while the cancel was pending is not forgotten when the venue refuses it."""
    autoshares.behaviour.refuse_cancel = True
    order_id = autoshares.book.place(account="6303", instrument="AAPL", action="Buy", quantity=5)
    trader.cancel(order_id)
    autoshares.fill(order_id, 2)
    clock.now += 0.2
    row = trader.row(order_id)
    assert (row["Status"], row["ExecutedQuantity"], row["LeavesQuantity"]) == ("PartiallyFilled", 2, 3)


def test_what_is_over_is_a_conflict(autoshares: AutosharesSandbox, trader: Trader, clock: Clock) -> None:
    """A filled, a cancelled and a just filled order are each a 409 without a word; a pending one is none."""
    filled, cancelled, late = rest(autoshares), rest(autoshares), rest(autoshares)
    autoshares.fill(filled)
    assert [trader.cancel(cancelled).status_code for _ in range(2)] == [204, 204]
    clock.now += 0.2
    autoshares.behaviour.fill_before_cancel = "first"
    for order_id in (filled, cancelled, late):
        answer = trader.cancel(order_id)
        assert (answer.status_code, answer.content) == (409, b"")
    assert trader.row(late)["Status"] == "Filled"


@pytest.mark.parametrize("status", [409, 422, 500])
def test_an_unknown_order_cannot_be_cancelled(
    autoshares: AutosharesSandbox, trader: Trader, status: Literal[409, 422, 500]
) -> None:
    """An id never given and one of another account get what the switch says, and nothing is cancelled."""
    autoshares.behaviour.unknown_order_status = status
    other = rest(autoshares, account=6304)
    assert [trader.cancel(each).status_code for each in (1, other)] == [status, status]
    assert autoshares.book.order(other).state == "New"


@pytest.mark.parametrize(("outcome", "status"), [(None, 204), ("race", 409), ("refuse", 409)])
def test_syncorders_waits_for_the_venue(
    autoshares: AutosharesSandbox, trader: Trader, outcome: str | None, status: int
) -> None:
    """The slow cancel is answered with what became of the order: cancelled, or filled, or refused."""
    autoshares.behaviour.fill_before_cancel = "race" if outcome == "race" else None
    autoshares.behaviour.refuse_cancel = outcome == "refuse"
    order_id = rest(autoshares)
    assert trader.cancel(order_id, by="syncorders").status_code == status
    state = {None: "Canceled", "race": "Filled", "refuse": "New"}[outcome]
    assert trader.row(order_id)["Status"] == state
    assert trader.cancel(1, by="syncorders").status_code == 409


def test_a_silent_venue_ends_a_syncorders_cancel(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """Where the venue never answers the order stays pending, and the wait ends in an error."""
    autoshares.behaviour.cancel_after_s = None
    order_id = rest(autoshares)
    answer = trader.cancel(order_id, by="syncorders")
    assert (answer.status_code, answer.json()) == (500, BROKEN)
    assert trader.row(order_id)["Status"] == "PendingCancel"


def test_stopping_ends_a_wait_for_the_venue(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """A venue that takes an hour does not keep the sandbox from stopping."""
    autoshares.behaviour.sync_after_s = 3600.0
    order_id = rest(autoshares)
    ended = threading.Event()

    def wait() -> None:
        with contextlib.suppress(requests.ConnectionError):
            trader.cancel(order_id, by="syncorders")
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    until(lambda: autoshares.book.order(order_id).state == "PendingCancel" or None)
    autoshares.stop()
    assert ended.wait(PATIENCE)


def test_a_parent_takes_its_legs_along(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """A cancelled parent takes its legs, and the first order of two takes what it would have triggered."""
    pair = rest(autoshares, order_type="OneCancelOther")
    legs = [rest(autoshares, parent=pair) for _ in range(2)]
    row = trader.row(pair)
    assert (row["ParentId"], [leg["Id"] for leg in row["Legs"]]) == (-1, [int(leg) for leg in legs])
    assert trader.row(legs[0])["ParentId"] == int(pair)
    trader.cancel(pair)
    trigger = rest(autoshares, order_type="OneTriggerOther")
    first, second = (rest(autoshares, parent=trigger) for _ in range(2))
    trader.cancel(first)
    states = [autoshares.book.order(each).state for each in (*legs, second, trigger)]
    assert states == ["PendingCancel", "PendingCancel", "PendingCancel", "New"]


def test_only_an_administrator_may_cancel_where_the_older_documents_hold(
    autoshares: AutosharesSandbox, trader: Trader
) -> None:
    """An ordinary user's cancel is a 401 that logging in again does not mend; reading goes on."""
    order_id = rest(autoshares)
    autoshares.behaviour.admin_required = True
    answer = trader.cancel(order_id)
    assert (answer.status_code, answer.json()) == (401, DENIED)
    assert trader.row(order_id)["Status"] == "New"
    autoshares.behaviour.admin_required = False
    autoshares.behaviour.access_type = "ReadOnly"
    assert trader.cancel(order_id).status_code == 401


def test_a_foreign_account_and_a_users_id_are_told_apart(
    autoshares: AutosharesSandbox, trader: Trader
) -> None:
    """Another user's account is denied; the user's id in place of an account's breaks the server."""
    order_id = rest(autoshares)
    foreign, user = trader.cancel(order_id, account=9999), trader.cancel(order_id, account=7125)
    assert (foreign.status_code, foreign.json()) == (401, DENIED)
    assert (user.status_code, user.json()) == (500, BROKEN)
    assert autoshares.book.order(order_id).state == "New"


@pytest.mark.parametrize("bad", ["x", "2147483648", "1.0", "%2e", "\u0661", "0x1", "-", "{{order}}"])
def test_ids_are_numbers_of_32_bits(autoshares: AutosharesSandbox, trader: Trader, bad: str) -> None:
    """What is no int32 in the path is a 400, or by the switch an address that is not there."""
    assert trader.cancel(bad).status_code == 400
    assert trader.cancel(1, account=bad).status_code == 400
    autoshares.behaviour.bad_id_status = 404
    answer = trader.cancel(bad)
    assert (answer.status_code, "No HTTP resource" in answer.json()["Message"]) == (404, True)


def test_an_address_that_is_not_there_says_so(trader: Trader) -> None:
    """Another version, a list to delete and another host's base path are each a 404 with its sentence."""
    for method, path in (
        ("GET", "/v2.0/users/@me/info"),
        ("DELETE", "/v1.0/accounts/6303/orders"),
        ("GET", "/api/v1.0/users/@me/info"),
    ):
        answer = trader.send(method, path)
        words = f"No HTTP resource was found that matches the request URI '{trader.url}{path}'."
        assert (answer.status_code, answer.json()) == (404, {"Message": words})


def test_errors_may_have_no_body_or_one_each(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """The schema gives errors no body and the pages give some: either can be had."""
    assert trader.cancel(1).content == b""
    autoshares.behaviour.error_bodies = "json"
    assert trader.cancel(1).json() == {"Message": "Conflict"}
    autoshares.behaviour.error_bodies = "empty"
    answer = trader.cancel(1, account=9999)
    assert (answer.status_code, answer.content) == (401, b"")


def test_deletes_are_the_cancels_of_the_record(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """Both cancels are told from reads and log-ins, whatever became of them."""
    trader.page()
    trader.cancel(rest(autoshares))
    trader.cancel("x", by="syncorders")
    assert [(call.method, call.status) for call in autoshares.cancel_calls] == [
        ("DELETE", 204),
        ("DELETE", 400),
    ]
    assert [call.kind for call in autoshares.calls] == ["login", "read", "one", "one"]


def test_troubles_meet_its_cancels_reads_and_log_ins(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """An error put in place of an answer has the vendor's words, and each kind of call can be met alone."""
    order_id = rest(autoshares)
    autoshares.trouble_for("cancel", times=1, status=500)
    autoshares.trouble_for("login", times=1, status=403)
    refused = trader.ask_for_token()
    assert (refused.status_code, list(refused.json())) == (403, ["error"])
    assert trader.row(order_id)["Status"] == "New"
    answer = trader.cancel(order_id)
    assert (answer.status_code, answer.json()) == (500, BROKEN)
    autoshares.trouble_for("cancel", times=1, drop="after")
    with pytest.raises(requests.ConnectionError):
        trader.cancel(order_id)
    assert trader.row(order_id)["Status"] == "PendingCancel"


def test_the_control_address_places_and_switches(trader: Trader) -> None:
    """A person may place an order and set a switch over HTTP, and no credential shows there."""
    placed = trader.send(
        "POST", "/_sandbox/orders", json={"account": "6303", "instrument": "msft", "action": "Sell"}
    )
    assert placed.status_code == 201
    trader.send("PUT", "/_sandbox/behaviour", json={"cancel_status": 200, "token_life_s": 3600})
    assert trader.cancel(placed.json()["id"]).status_code == 200
    shown = trader.send("GET", "/_sandbox/calls").text
    assert not [secret for secret in (APP_KEY, "an-invented-password", "Bearer") if secret in shown]
