"""A stand-in broker gets into the trouble it is told to, at its sockets and at its control address."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest
import requests

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.sandbox.conftest import PATIENCE, TOKEN, Client

pytestmark = pytest.mark.promise(10)


def until(happened: Callable[[], object]) -> None:
    """Wait for what has to happen."""
    ends = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.001)


@pytest.fixture
def order_id(broker: CrossTradeSandbox) -> str:
    """Rest one order at the broker."""
    return broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")


def raw(broker: CrossTradeSandbox, line: str, header: str = "") -> socket.socket:
    """Send one request just as it is written."""
    connection = socket.create_connection((broker.host, broker.port), timeout=PATIENCE)
    connection.sendall(
        f"{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n{header}\r\n".encode()
    )
    return connection


def test_calls_are_recorded_as_their_bytes_said(broker: CrossTradeSandbox) -> None:
    """A path is neither decoded nor normalised, and an encoded slash does not split a name."""
    targets = [
        "/v1/api/accounts/../orders",
        "/v1/api/accounts/a%2Fb/orders?activeOnly=true",
        "//v1/api//orders",
    ]
    for target in targets:
        with raw(broker, f"GET {target}") as connection:
            assert connection.recv(1)
    assert [call.path for call in broker.calls] == targets
    assert [call.status for call in broker.calls] == [400, 400, 302]


def test_cancels_are_told_from_reads(broker: CrossTradeSandbox, client: Client, order_id: str) -> None:
    """The record keeps method, headers, body and status, and knows the three cancels."""
    client.get("accounts")
    client.cancel(order_id)
    client.post("accounts/Sim101/orders/cancel", {"instrument": "MES 12-26"})
    client.post("orders/cancelall")
    one, bulk, every = broker.cancel_calls
    assert (one.kind, bulk.kind, every.kind) == ("one", "bulk", "bulk")
    assert (bulk.method, bulk.body, bulk.status) == ("POST", b'{"instrument": "MES 12-26"}', 200)
    assert bulk.headers["Authorization"] == f"Bearer {TOKEN}"
    broker.forget_calls()
    assert broker.calls == []


def test_half_a_request_cancels_nothing(broker: CrossTradeSandbox, order_id: str) -> None:
    """A bulk cancel cut off before its instrument does not become one of the whole account."""
    with raw(broker, "POST /v1/api/accounts/Sim101/orders/cancel", "Content-Length: 26\r\n") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert broker.book.order(order_id).state == "Working"


@pytest.mark.parametrize(("when", "state"), [("before", "Working"), ("after", "CancelPending")])
def test_a_connection_may_drop_before_or_after_the_deed(
    broker: CrossTradeSandbox, client: Client, order_id: str, when: str, state: str
) -> None:
    """The client sees the same break either way, and only the book knows what was done."""
    broker.trouble_for("cancel", times=1, drop=when)
    with pytest.raises(requests.ConnectionError):
        client.cancel(order_id)
    assert broker.book.order(order_id).state == state
    assert broker.calls[-1].status is None
    assert client.cancel(order_id).status_code == 200


def test_a_connection_may_drop_in_the_middle_of_the_answer(
    broker: CrossTradeSandbox, client: Client, order_id: str
) -> None:
    """A half answer breaks off after its head, when the deed is done."""
    broker.trouble = Trouble(on="one", drop="middle")
    with pytest.raises(requests.RequestException):
        client.cancel(order_id)
    assert broker.book.order(order_id).state == "CancelPending"


@pytest.mark.parametrize(("act", "state"), [(False, "Working"), (True, "CancelPending")])
def test_a_call_may_hang_until_it_is_let_go(
    broker: CrossTradeSandbox, client: Client, order_id: str, *, act: bool, state: str
) -> None:
    """A hung call is recorded at once, answered never, and ended when the trouble is cleared."""
    broker.trouble = Trouble(hang=True, act=act)
    broken = threading.Event()

    def cancel() -> None:
        with pytest.raises(requests.ConnectionError):
            client.cancel(order_id)
        broken.set()

    thread = threading.Thread(target=cancel)
    thread.start()
    until(lambda: broker.cancel_calls and broker.book.order(order_id).state == state)
    assert not broken.is_set()
    broker.trouble = None
    thread.join(PATIENCE)
    assert broken.is_set()
    assert broker.calls[0].status is None


def test_stopping_ends_what_hangs_and_what_is_kept_alive(order_id: str, broker: CrossTradeSandbox) -> None:
    """A stopped broker is silent on old connections too, and may start again at the same address."""
    with requests.Session() as session:
        client = Client(broker, session)
        assert client.cancel(order_id).status_code == 200
        broker.trouble = Trouble(hang=True)
        idle = socket.create_connection((broker.host, broker.port), timeout=PATIENCE)
        with idle, raw(broker, "GET /v1/api/orders") as hung:
            until(lambda: len(broker.calls) == 2)
            broker.stop()
            assert (hung.recv(1), idle.recv(1)) == (b"", b"")
        with pytest.raises(requests.ConnectionError):
            client.get("accounts")
        broker.start()
        assert client.get("accounts").status_code == 200


def test_a_taken_port_is_an_error(broker: CrossTradeSandbox) -> None:
    """Two brokers do not share an address."""
    with pytest.raises(OSError, match="in use"):
        CrossTradeSandbox(TOKEN, port=broker.port)


def test_a_latency_delays_the_deed_itself(broker: CrossTradeSandbox, client: Client, order_id: str) -> None:
    """A slow cancel has not been carried out while it waits, and is when the wait ends."""
    broker.trouble = Trouble(latency_s=3600)
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(client.cancel(order_id)))
    thread.start()
    until(lambda: broker.cancel_calls)
    assert broker.book.order(order_id).state == "Working"
    broker.trouble = None
    thread.join(PATIENCE)
    assert [answer.status_code for answer in answers] == [200]
    assert broker.book.order(order_id).state == "CancelPending"


def test_an_answer_may_drip(broker: CrossTradeSandbox) -> None:
    """Bytes come one by one, the first of them at once, and the rest when the trouble is cleared."""
    broker.trouble = Trouble(drip=True, drip_every_s=3600)
    with raw(broker, "GET /v1/api/accounts") as connection:
        assert connection.recv(4096) == b"H"
        broker.trouble = None
        assert connection.recv(4, socket.MSG_WAITALL) == b"TTP/"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_status_may_come_without_the_deed(
    broker: CrossTradeSandbox, client: Client, order_id: str, status: int
) -> None:
    """An error of the way there says nothing was done, in the vendor's words where it has some."""
    broker.trouble = Trouble(on="cancel", status=status, headers={"Retry-After": "1s"})
    answer = client.cancel(order_id)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "1s")
    assert answer.json()["error"]
    assert broker.book.order(order_id).state == "Working"
    assert client.get("accounts").status_code == 200


@pytest.mark.parametrize("body", ["<html>gateway</html>", '{"orderIds": []}', "[]", "", "\udcff\udcfe"])
def test_an_answer_may_be_anything(
    broker: CrossTradeSandbox, client: Client, order_id: str, body: str
) -> None:
    """A 200 may be a page, lack its flag, have another shape, be empty, or be no text at all."""
    broker.trouble = Trouble(on="one", answer=body, act=True)
    answer = client.cancel(order_id)
    assert (answer.status_code, answer.content) == (200, body.encode("utf-8", "surrogateescape"))
    assert broker.book.order(order_id).state == "CancelPending"


def test_an_error_may_leak_the_credential(broker: CrossTradeSandbox, client: Client, order_id: str) -> None:
    """A careless broker repeats the header it was sent."""
    broker.trouble = Trouble(leak_header="Authorization", status=500)
    answer = client.cancel(order_id)
    assert (answer.status_code, TOKEN in answer.json()["error"]) == (500, True)


def test_troubles_follow_one_another(broker: CrossTradeSandbox, client: Client, order_id: str) -> None:
    """A list reads as a sequence: each is met as often as it says, by the calls it means."""
    broker.trouble = [Trouble(on="one", times=2, status=503), Trouble(on="cancel", times=1, status=429)]
    broker.trouble_for("bulk", status=500)
    assert [client.cancel(order_id).status_code for _ in range(4)] == [503, 503, 429, 200]
    assert broker.trouble == (Trouble(on="bulk", status=500),)
    assert client.post("orders/cancelall").status_code == 500


def test_the_control_address_steers(broker: CrossTradeSandbox, client: Client) -> None:
    """Orders are placed and filled, troubles and behaviour set, and none of it is on the record."""
    fields = {
        "account": "sim101",
        "instrument": "ES1!",
        "action": "Buy",
        "quantity": 2,
        "limit_price": "6000.25",
    }
    placed = client.send("POST", "/_sandbox/orders", json=fields).json()
    assert (placed["account"], placed["instrument"], placed["limit_price"]) == (
        "Sim101",
        "ES 12-26",
        "6000.25",
    )
    client.send("PUT", "/_sandbox/trouble", json=[{"on": "read", "status": 500}])
    client.send("PUT", "/_sandbox/behaviour", json={"connected": False, "cancel_after_s": None})
    assert (broker.trouble, broker.behaviour.connected) == ((Trouble(on="read", status=500),), False)
    client.send("PUT", "/_sandbox/trouble", json=[])
    assert broker.trouble == ()
    assert client.send("POST", f"/_sandbox/orders/{placed['id']}/fill").json()["state"] == "Filled"
    [order] = client.send("GET", "/_sandbox/orders").json()["orders"]
    assert order["filled"] == 2
    assert broker.calls == []


def test_the_control_address_shows_no_credential(broker: CrossTradeSandbox, client: Client) -> None:
    """The record over HTTP hides the token that a trader may have tried with."""
    client.get("accounts")
    shown = client.send("GET", "/_sandbox/calls")
    assert shown.json()["calls"][0]["path"] == "/v1/api/accounts"
    assert TOKEN not in shown.text
    assert broker.calls[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("request_line", "body", "words"),
    [
        ("PUT trouble", {"hang": True}, "JSON list"),
        ("PUT trouble", [{"tims": 1}], "'tims' is not a switch"),
        ("PUT trouble", [{"times": 0}], "times must be 1 or more"),
        ("PUT trouble", [{"times": True}], "times cannot be True"),
        ("PUT trouble", [{"on": "cancels"}], "on cannot be 'cancels'"),
        ("PUT trouble", [{"latency_s": -1}], "negative"),
        ("PUT trouble", [{"headers": {"A": "b\r\nC: d"}}], "line break"),
        ("PUT trouble", [7], "JSON object"),
        ("PUT behaviour", {"connected": "no"}, "connected cannot be 'no'"),
        ("POST orders", {"account": "Sim101"}, "an order needs instrument, action"),
        ("POST orders", {"account": "Sim9", "instrument": "ES", "action": "Buy"}, "no account 'Sim9'"),
        ("POST orders", {"account": "Sim101", "instrument": "?", "action": "Buy"}, "names no instrument"),
        ("POST orders", {"account": "Sim101", "instrument": "ES", "action": "buy"}, "action 'buy'"),
        (
            "POST orders",
            {"account": "Sim101", "instrument": "ES", "action": "Buy", "state": "?"},
            "state '?'",
        ),
        (
            "POST orders",
            {"account": "Sim101", "instrument": "ES", "action": "Buy", "created": 1e20},
            "created",
        ),
        (
            "POST orders",
            {"account": "Sim101", "instrument": "ES", "action": "Buy", "limit_price": "1e400"},
            "not a price",
        ),
        (f"POST orders/{'0' * 32}/fill", {}, "there is no order"),
    ],
)
def test_a_mistake_at_the_control_address_is_explained(
    broker: CrossTradeSandbox, client: Client, request_line: str, body: object, words: str
) -> None:
    """A switch misspelt never reads as no trouble."""
    method, path = request_line.split()
    answer = client.send(method, f"/_sandbox/{path}", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert (broker.trouble, broker.book.orders()) == ((), [])
