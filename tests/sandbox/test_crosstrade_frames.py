"""The stand-in for CrossTrade answers over its WebSocket as it does over HTTP, where documents say so."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import websocket

from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.sandbox.conftest import Client, Clock
from tests.sandbox.frames import Desk

pytestmark = pytest.mark.promise(10)


@pytest.fixture
def desk(broker: CrossTradeSandbox) -> Iterator[Desk]:
    """Give an open socket of the broker's user."""
    with Desk(broker.ws_url) as desk:
        yield desk


@pytest.fixture
def order_id(broker: CrossTradeSandbox) -> str:
    """Rest one order at the broker."""
    return broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")


@pytest.mark.parametrize("token", ["", "other"])
def test_a_handshake_needs_the_token(broker: CrossTradeSandbox, token: str) -> None:
    """A wrong token is a 401 and no socket; the record knows the refusal, and no call."""
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Desk(broker.ws_url, token)
    assert refused.value.status_code == 401
    assert (broker.sockets.opened, broker.sockets.open, broker.calls) == (0, (), [])
    [record] = broker.sockets.refused
    assert (record.path, record.status) == ("/ws/stream", 401)


def test_the_address_serves_sockets_beside_http(broker: CrossTradeSandbox, client: Client) -> None:
    """Only one address is a socket's, and only for who asks for one."""
    assert client.send("GET", "/ws/stream").status_code == 302
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Desk(broker.ws_url.replace("/ws/stream", "/v1/api/accounts"))
    assert refused.value.status_code == 200
    assert (broker.sockets.opened, broker.sockets.refused) == (0, ())


def test_one_order_is_cancelled(broker: CrossTradeSandbox, desk: Desk, clock: Clock, order_id: str) -> None:
    """The reply has REST's body, and comes before the exchange confirms."""
    assert desk.call("Cancel", account="sim101", orderId=order_id) == {"orderId": order_id, "success": True}
    assert broker.book.order(order_id).state == "CancelPending"
    clock.now += 0.2
    assert broker.book.order(order_id).state == "Cancelled"
    assert "not found or already terminal" in desk.call("Cancel", account="Sim101", orderId=order_id)["error"]


@pytest.mark.parametrize("args", [{"instrument": "MES1!"}, {}])
def test_orders_of_an_account_are_cancelled(
    broker: CrossTradeSandbox, desk: Desk, args: dict[str, str]
) -> None:
    """One instrument's where it is named, else the account's; another account's stay."""
    orders = (("Sim101", "MES 12-26"), ("Sim101", "NQ 12-26"), ("Sim102", "MES 12-26"))
    ids = [broker.book.place(account=account, instrument=name, action="Buy") for account, name in orders]
    assert desk.call("CancelOrders", account="Sim101", **args) == {
        "orderIds": ids[: 1 if args else 2],
        "success": True,
    }
    assert broker.book.order(ids[2]).state == "Working"


@pytest.mark.parametrize("asked", ["my-request-id", 7, 2**60, None, ["a"], 1.5])
def test_an_id_comes_back_as_it_was_sent(desk: Desk, order_id: str, asked: object) -> None:
    """A text stays a text, a number a number."""
    desk.send(action="rpc", id=asked, api="Cancel", args={"account": "Sim101", "orderId": order_id})
    answer = desk.receive()
    assert answer["id"] == asked
    assert type(answer["id"]) is type(asked)


@pytest.mark.parametrize(
    ("api", "args", "status", "words"),
    [
        ("CancelOrder", {"account": "Sim101"}, 404, "unknown_api"),
        ("CancelAllOrders", {}, 404, "unknown_api"),
        ("Cancel", {"account": "Sim101"}, 400, "Invalid request"),
        ("Cancel", {"account": "", "orderId": "x"}, 400, "Invalid request"),
        ("CancelOrders", {"account": None}, 400, "Invalid request"),
        ("CancelOrders", {"account": "Sim9"}, 400, "invalid_account"),
    ],
)
def test_an_error_is_the_rest_body_or_a_key_of_its_own(  # noqa: PLR0913, PLR0917 - the rows' columns
    broker: CrossTradeSandbox,
    desk: Desk,
    order_id: str,
    api: str,
    args: dict[str, object],
    status: int,
    words: str,
) -> None:
    """What is not understood cancels nothing, in either shape of an error."""
    assert desk.call(api, **args)["error"] == words
    broker.behaviour.rpc_errors = "error"
    asked = desk.ask(api, **args)
    assert desk.receive() == {"id": asked, "error": words}
    assert [call.status for call in broker.calls] == [status, status]
    assert broker.book.order(order_id).state == "Working"


@pytest.mark.parametrize("frame", ["", "x", "[]", "7", '{"action":"jump"}', '{"id":1}'])
def test_a_frame_that_is_none_is_an_error(broker: CrossTradeSandbox, desk: Desk, frame: str) -> None:
    """Nonsense gets an answer, and the socket goes on."""
    desk.socket.send(frame)
    assert desk.receive()["type"] == "error"
    desk.send(action="rpc", id=1, api="Cancel", args="all")
    assert desk.receive() == {"id": 1, "data": {"error": "Invalid request"}}
    desk.send(action="ping")
    assert desk.receive() == {"type": "pong"}
    assert broker.sockets.open == (1,)


def test_a_ping_may_stay_unanswered(broker: CrossTradeSandbox, desk: Desk) -> None:
    """The action's pong is a switch; a protocol ping always gets its own back."""
    broker.behaviour.pong = "nothing"
    desk.send(action="ping")
    desk.socket.ping("a")
    assert desk.socket.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"a")
    assert [(call.path, call.status) for call in broker.calls] == [("ping", None)]


def test_one_budget_is_shared_with_http(broker: CrossTradeSandbox, client: Client, desk: Desk) -> None:
    """Calls of both transports empty one bucket, and over it the frame has the body of HTTP's 429."""
    broker.behaviour.burst = 2
    client.get("accounts")
    assert desk.call("CancelOrders", account="Sim101") == {"orderIds": [], "success": True}
    assert desk.call("CancelOrders", account="Sim101") == {"error": "Rate limit exceeded"}
    assert client.get("accounts").status_code == 429
    assert [(call.status, call.socket) for call in broker.calls] == [
        (200, None),
        (200, 1),
        (429, 1),
        (429, None),
    ]


def test_an_add_on_that_is_off_says_so(broker: CrossTradeSandbox, desk: Desk, order_id: str) -> None:
    """The socket is open, NinjaTrader is not there, nothing is cancelled."""
    broker.behaviour.connected = False
    assert desk.call("Cancel", account="Sim101", orderId=order_id)["success"] is False
    assert broker.calls[0].status == 408
    assert broker.book.order(order_id).state == "Working"


def test_pushes_come_between_answers(broker: CrossTradeSandbox, desk: Desk) -> None:
    """Quotes and profit that were asked for come before an answer, and unasked where that is switched on."""
    desk.send(action="subscribe", instruments=["ES 12-26"])
    desk.send(action="streamPnl", enabled=True, interval=1)
    asked = desk.ask("CancelOrders", account="Sim101")
    assert [desk.receive().get("type") for _ in range(2)] == ["marketData", "pnlUpdate"]
    assert desk.receive()["id"] == asked
    desk.send(action="unsubscribe", instruments=["ES 12-26"])
    desk.send(action="streamPnl", enabled=False)
    assert desk.call("CancelOrders", account="Sim101")["success"] is True
    broker.behaviour.streams = "unasked"
    desk.ask("CancelOrders", account="Sim101")
    assert [desk.receive().get("type") for _ in range(3)] == ["marketData", "pnlUpdate", None]


def test_calls_are_recorded_with_their_socket(
    broker: CrossTradeSandbox, client: Client, desk: Desk, order_id: str
) -> None:
    """The record tells a cancel of one from one of many, and over which socket it came; no token is shown."""
    with Desk(broker.ws_url) as second:
        second.call("CancelOrders", account="Sim102")
        desk.call("Cancel", account="Sim101", orderId=order_id)
        client.cancel(order_id)
        shown = client.send("GET", "/_sandbox/sockets").json()
        assert (shown["opened"], shown["open"], shown["refused"]) == (2, [1, 2], [])
    calls = [(call.kind, call.path, call.socket) for call in broker.cancel_calls]
    assert calls[:2] == [("bulk", "CancelOrders", 2), ("one", "Cancel", 1)]
    assert (calls[2][0], calls[2][2]) == ("one", None)
    shown = client.send("GET", "/_sandbox/calls")
    assert [call["socket"] for call in shown.json()["calls"]] == [2, 1, None]
    assert "an-invented-token" not in shown.text


def test_sockets_side_by_side_cancel_each_order_once(broker: CrossTradeSandbox) -> None:
    """Eight sockets at a time are each answered with their own order."""
    ids = [broker.book.place(account="Sim101", instrument="ES 12-26", action="Buy") for _ in range(8)]
    answers: list[object] = []

    def cancel(order_id: str) -> None:
        with Desk(broker.ws_url) as desk:
            answers.append(desk.call("Cancel", account="Sim101", orderId=order_id)["orderId"])

    threads = [threading.Thread(target=cancel, args=(order_id,)) for order_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, answers)) == sorted(ids)
    assert broker.sockets.opened == 8
