"""A stand-in broker's WebSockets get into the trouble they are told to, and end with the broker."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import requests
import websocket

from relay.sandbox.alphapoint import AlphaPointSandbox
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.sandbox.conftest import PATIENCE, TOKEN, Client, Clock
from tests.sandbox.frames import Desk, Seat
from tests.sandbox.test_sandbox_trouble import until

pytestmark = pytest.mark.promise(10)

#: Seconds in which an answer that must not come would have come.
SILENCE_S = 0.3


@pytest.fixture
def desk(broker: CrossTradeSandbox) -> Iterator[Desk]:
    """Give an open socket of the broker's user."""
    with Desk(broker.ws_url) as desk:
        yield desk


@pytest.fixture
def order_id(broker: CrossTradeSandbox) -> str:
    """Rest one order at the broker."""
    return broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")


def is_silent(desk: Desk) -> bool:
    """Tell whether nothing comes for a while, not even a pong."""
    desk.socket.settimeout(SILENCE_S)
    try:
        desk.socket.recv_data(control_frame=True)
    except websocket.WebSocketTimeoutException:
        return True
    finally:
        desk.socket.settimeout(PATIENCE)
    return False


@pytest.mark.parametrize(
    ("when", "state"), [("before", "Working"), ("after", "CancelPending"), ("middle", "CancelPending")]
)
def test_a_socket_may_drop_before_after_or_within_an_answer(
    broker: CrossTradeSandbox, desk: Desk, order_id: str, when: str, state: str
) -> None:
    """The client sees the same break, without a closing handshake; only the book knows what was done."""
    broker.trouble_for("cancel", times=1, drop=when)
    desk.ask("Cancel", account="Sim101", orderId=order_id)
    assert desk.ended() is None
    assert broker.book.order(order_id).state == state
    until(lambda: broker.sockets.open == ())


@pytest.mark.parametrize(("act", "state"), [(False, "Working"), (True, "CancelPending")])
def test_a_call_may_hang_while_its_socket_goes_on(
    broker: CrossTradeSandbox, desk: Desk, order_id: str, *, act: bool, state: str
) -> None:
    """No answer comes to that call, others are answered."""
    broker.trouble_for("one", times=1, hang=True, act=act)
    desk.ask("Cancel", account="Sim101", orderId=order_id)
    assert desk.call("CancelOrders", account="Sim102")["success"] is True
    assert broker.book.order(order_id).state == state
    assert [call.status for call in broker.calls] == [None, 200]


def test_a_slow_call_does_not_hold_up_the_others(
    broker: CrossTradeSandbox, desk: Desk, order_id: str
) -> None:
    """It is carried out when its time has come, and answered after one that was asked later."""
    broker.trouble_for("one", times=1, latency_s=3600)
    first = desk.ask("Cancel", account="Sim101", orderId=order_id)
    assert desk.call("CancelOrders", account="Sim102")["success"] is True
    assert broker.book.order(order_id).state == "Working"
    broker.trouble = None
    assert desk.receive()["id"] == first
    assert broker.book.order(order_id).state == "CancelPending"


def test_an_answer_may_drip(broker: CrossTradeSandbox, desk: Desk) -> None:
    """Its bytes come one by one, and the rest when the trouble is cleared."""
    broker.trouble = Trouble(drip=True, drip_every_s=3600)
    asked = desk.ask("CancelOrders", account="Sim101")
    assert desk.socket.sock is not None
    assert desk.socket.sock.recv(4096, socket.MSG_PEEK) == b"\x81"
    broker.trouble = None
    assert desk.receive()["id"] == asked


def test_what_comes_behind_an_answer_that_drips_is_acted_on(broker: CrossTradeSandbox, desk: Desk) -> None:
    """Only its answer waits: a call that was sent in time is carried out in time."""
    order = broker.book.place(account="Sim102", instrument="MES 12-26", action="Buy", quantity=1)
    broker.trouble = Trouble(drip=True, drip_every_s=3600, times=1)
    desk.ask("CancelOrders", account="Sim101")
    until(lambda: broker.trouble == ())

    desk.ask("Cancel", account="Sim102", orderId=order)

    until(lambda: broker.book.order(order).state != "Working")


@pytest.mark.parametrize("status", [408, 429, 500])
def test_a_status_comes_as_the_body_it_has(
    broker: CrossTradeSandbox, desk: Desk, order_id: str, status: int
) -> None:
    """Over the socket an error of the way there is REST's body, and nothing was done."""
    broker.trouble = Trouble(on="cancel", status=status)
    assert desk.call("Cancel", account="Sim101", orderId=order_id)["error"]
    assert broker.calls[0].status == status
    assert broker.book.order(order_id).state == "Working"


def test_an_answer_may_be_anything(broker: CrossTradeSandbox, desk: Desk) -> None:
    """What the frame carries, or the whole of it, with the id that was asked or another."""
    broker.trouble = [
        Trouble(times=1, answer='{"orderIds": []}'),
        Trouble(times=1, answer="<html>"),
        Trouble(times=1, frame="no JSON"),
        Trouble(times=1, frame='{"id":"other","data":{"success":true}}'),
        Trouble(times=1, frame='{"id":$id,"data":7}'),
    ]
    assert desk.call("CancelOrders", account="Sim101") == {"orderIds": []}
    for said in ('{"id":4,"data":<html>}', "no JSON", '{"id":"other","data":{"success":true}}'):
        desk.ask("CancelOrders", account="Sim101")
        assert desk.socket.recv() == said
    assert desk.call("CancelOrders", account="Sim101") == 7


def test_a_trouble_may_meet_one_transport_alone(
    broker: CrossTradeSandbox, client: Client, desk: Desk, order_id: str
) -> None:
    """A frame meets no call over HTTP; `over` keeps any trouble to its own side."""
    broker.trouble = [
        Trouble(over="http", status=500, times=1),
        Trouble(frame="{}", times=1),
        Trouble(over="socket", status=503, times=1),
    ]
    desk.ask("Cancel", account="Sim101", orderId=order_id)
    assert desk.receive() == {}
    assert client.cancel(order_id).status_code == 500
    assert client.cancel(order_id).status_code == 200
    assert desk.call("Cancel", account="Sim101", orderId=order_id) == {"error": "Service Unavailable"}
    for wrong in ({"over": "http", "frame": "{}"}, {"frame": "{}", "answer": "{}"}, {"over": "wire"}):
        answer = client.send("PUT", "/_sandbox/trouble", json=[wrong])
        assert answer.status_code == 400


def test_an_error_frame_may_come_instead_of_a_reply(exchange: AlphaPointSandbox) -> None:
    """AlphaPoint's type 5 for the very number that was asked."""
    exchange.trouble_for("one", frame='{"m":5,"i":$id,"n":"CancelOrder","o":"no"}')
    with Seat(exchange.ws_url) as seat:
        asked = seat.ask("CancelOrder", {})
        assert seat.receive() == {"m": 5, "i": asked, "n": "CancelOrder", "o": "no"}


def test_a_handshake_may_be_refused(broker: CrossTradeSandbox, client: Client, desk: Desk) -> None:
    """With any status, steered at the control address; sockets that are open stay so."""
    shown = client.send("PUT", "/_sandbox/sockets", json={"refuse_handshake": 503}).json()
    assert shown["behaviour"]["refuse_handshake"] == 503
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Desk(broker.ws_url)
    assert refused.value.status_code == 503
    shown = client.send("GET", "/_sandbox/sockets").json()
    assert [(each["path"], each["status"]) for each in shown["refused"]] == [("/ws/stream", 503)]
    assert desk.call("CancelOrders", account="Sim101")["success"] is True
    wrong = client.send("PUT", "/_sandbox/sockets", json={"refuse_handshakes": 503})
    assert (wrong.status_code, "is not a switch" in wrong.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("header", "status"),
    [("Sec-WebSocket-Version: 12", 426), ("Sec-WebSocket-Version: 13", 400), ("", 400)],
)
def test_half_a_handshake_is_refused(broker: CrossTradeSandbox, header: str, status: int) -> None:
    """A version that is not the standard's, or no key, opens nothing."""
    names, values = zip(*(line.split(": ") for line in [header] if line), strict=True) if header else ((), ())
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        **dict(zip(names, values, strict=True)),
    }
    answer = requests.get(f"{broker.url}/ws/stream", headers=headers, timeout=PATIENCE)
    assert answer.status_code == status
    assert broker.sockets.opened == 0


def test_a_handshake_may_stay_unanswered(broker: CrossTradeSandbox) -> None:
    """The connection is accepted, nothing comes; who waits is let in when that is over."""
    broker.sockets.behaviour.mute_handshake = True
    token = {"Authorization": f"Bearer {TOKEN}"}
    with pytest.raises(websocket.WebSocketTimeoutException):
        websocket.create_connection(broker.ws_url, timeout=SILENCE_S, header=token)
    opened: list[Desk] = []
    thread = threading.Thread(target=lambda: opened.append(Desk(broker.ws_url)))
    thread.start()
    broker.sockets.behaviour.mute_handshake = False
    thread.join(PATIENCE)
    with opened[0] as desk:
        assert desk.call("CancelOrders", account="Sim101")["success"] is True
    # The first client's connection is over too, without having become a socket.
    until(lambda: not any("process_request_thread" in each.name for each in threading.enumerate()))
    assert (broker.sockets.opened, broker.sockets.refused) == (1, ())


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 4000, None])
def test_a_socket_may_close_after_some_calls(broker: CrossTradeSandbox, desk: Desk, code: int | None) -> None:
    """With any code, or without a word, when its last call is answered."""
    broker.sockets.behaviour.close_after_calls = 2
    broker.sockets.behaviour.close_code = code
    for _ in range(2):
        assert desk.call("CancelOrders", account="Sim101")["success"] is True
    assert desk.ended() == code
    with Desk(broker.ws_url) as second:
        assert second.call("CancelOrders", account="Sim101")["success"] is True
    assert broker.sockets.opened == 2


def test_nothing_is_done_after_a_close(broker: CrossTradeSandbox, desk: Desk, order_id: str) -> None:
    """What a client sends while the close is on its way is not acted on."""
    broker.sockets.behaviour.close_after_calls = 1
    desk.ask("CancelOrders", account="Sim102")
    desk.ask("Cancel", account="Sim101", orderId=order_id)
    assert desk.ended() == 1001
    until(lambda: broker.sockets.open == ())
    assert broker.book.order(order_id).state == "Working"


def test_an_idle_socket_may_close(broker: CrossTradeSandbox, clock: Clock) -> None:
    """By the stand-in's clock; each frame prolongs it."""
    broker.sockets.behaviour.close_when_idle_s = 60
    with Desk(broker.ws_url) as idle, Desk(broker.ws_url) as busy:
        clock.now += 59
        assert busy.call("CancelOrders", account="Sim101")["success"] is True
        clock.now += 59
        assert idle.ended() == 1001
        assert busy.call("CancelOrders", account="Sim101")["success"] is True


def test_a_black_hole_swallows_pings_and_calls(broker: CrossTradeSandbox, desk: Desk, order_id: str) -> None:
    """The connection stays, nothing is read; when it is over, what had arrived is carried out."""
    broker.sockets.behaviour.black_hole = True

    def swallows_a_ping() -> bool:
        desk.socket.ping()
        return is_silent(desk)

    until(swallows_a_ping)
    desk.ask("Cancel", account="Sim101", orderId=order_id)
    assert is_silent(desk)
    assert (broker.calls, broker.book.order(order_id).state) == ([], "Working")
    broker.sockets.behaviour.black_hole = False
    assert desk.receive()["data"]["success"] is True


def test_protocol_pings_may_stay_unanswered(broker: CrossTradeSandbox, desk: Desk) -> None:
    """Calls are answered as before."""
    broker.sockets.behaviour.pongs = False
    desk.socket.ping()
    desk.ask("CancelOrders", account="Sim101")
    code, _ = desk.socket.recv_data(control_frame=True)
    assert code == websocket.ABNF.OPCODE_TEXT


def test_a_broker_may_ping_too(broker: CrossTradeSandbox, desk: Desk, clock: Clock) -> None:
    """Every so often by its clock."""
    broker.sockets.behaviour.ping_every_s = 30
    for _ in range(2):
        clock.now += 30
        code, data = desk.socket.recv_data(control_frame=True)
        assert (code, data) == (websocket.ABNF.OPCODE_PING, b"are you there")


def test_answers_may_come_in_another_order(broker: CrossTradeSandbox, desk: Desk) -> None:
    """The last that was asked is answered first."""
    broker.sockets.behaviour.turn_round = 3
    asked = [desk.ask("CancelOrders", account="Sim101") for _ in range(3)]
    assert [desk.receive()["id"] for _ in asked] == asked[::-1]


@pytest.mark.parametrize("vendor", ["crosstrade", "alphapoint"])
def test_an_answer_may_come_that_nobody_asked_for(
    broker: CrossTradeSandbox, exchange: AlphaPointSandbox, vendor: str
) -> None:
    """A success, before the answer, to an id that was never sent."""
    line: Desk | Seat = Desk(broker.ws_url) if vendor == "crosstrade" else Seat(exchange.ws_url)
    with line:
        broker.sockets.behaviour.stray_answers = exchange.sockets.behaviour.stray_answers = True
        if isinstance(line, Desk):
            asked = line.ask("CancelOrders", account="Sim101")
            assert line.receive() == {"id": "nobody-asked", "data": {"orderIds": [], "success": True}}
            assert line.receive()["id"] == asked
        else:
            asked = line.ask("Ping", {})
            stray = line.receive()
            assert (stray["m"], stray["i"] > asked, json.loads(stray["o"])["result"]) == (1, True, True)
            assert line.receive()["i"] == asked


def test_a_message_may_come_in_pieces_padded_and_binary(broker: CrossTradeSandbox, desk: Desk) -> None:
    """However it travels, it is the same JSON."""
    behaviour = broker.sockets.behaviour
    behaviour.fragments_of, behaviour.pad_to = 1000, 1_000_000
    desk.ask("CancelOrders", account="Sim101")
    first, *rest = [desk.socket.recv_frame() for _ in range(1000)]  # type: ignore[no-untyped-call]
    assert (first.opcode, first.fin, len(first.data)) == (websocket.ABNF.OPCODE_TEXT, 0, 1000)
    assert {(each.opcode, each.fin) for each in rest[:-1]} == {(websocket.ABNF.OPCODE_CONT, 0)}
    assert rest[-1].fin == 1
    assert json.loads(b"".join(each.data for each in [first, *rest]))["data"]["success"] is True
    behaviour.fragments_of, behaviour.pad_to, behaviour.binary = 7, None, True
    desk.ask("CancelOrders", account="Sim101")
    code, data = desk.socket.recv_data()
    assert (code, json.loads(data)["data"]["success"]) == (websocket.ABNF.OPCODE_BINARY, True)


def test_a_frame_against_the_protocol_ends_the_socket(broker: CrossTradeSandbox, desk: Desk) -> None:
    """Bytes that are no frame are answered with code 1002."""
    assert desk.socket.sock is not None
    desk.socket.sock.sendall(b"\xff" * 8)
    assert desk.ended() == 1002
    until(lambda: broker.sockets.open == ())


def test_a_client_may_close(broker: CrossTradeSandbox, desk: Desk) -> None:
    """The close is answered with its own code."""
    desk.socket.send_close(4001)
    assert desk.ended() == 4001
    until(lambda: broker.sockets.open == ())


def test_every_socket_can_be_ended_at_once(broker: CrossTradeSandbox) -> None:
    """With a code or without a word, as by a restart of the vendor."""
    with Desk(broker.ws_url) as first, Desk(broker.ws_url) as second:
        broker.sockets.close(1012)
        assert (first.ended(), second.ended()) == (1012, 1012)
    with Desk(broker.ws_url) as third:
        broker.sockets.close()
        assert third.ended() is None


@pytest.mark.parametrize("switch", ["black_hole", "mute_handshake", "pongs"])
def test_stopping_ends_every_socket(broker: CrossTradeSandbox, desk: Desk, switch: str) -> None:
    """One that is open, one whose call waits, one in a black hole and one that waits for its handshake."""
    broker.trouble = Trouble(latency_s=3600)
    desk.ask("CancelOrders", account="Sim101")
    until(lambda: broker.calls)
    setattr(broker.sockets.behaviour, switch, True)
    with socket.create_connection((broker.host, broker.port), timeout=PATIENCE) as waiting:
        waiting.sendall(b"GET /ws/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")
        broker.stop()
        assert desk.ended() is None
        # A connection that was not even accepted yet is reset.
        with contextlib.suppress(ConnectionResetError):
            while waiting.recv(4096):
                pass
    until(lambda: broker.sockets.open == ())
    broker.start()
    setattr(broker.sockets.behaviour, switch, switch == "pongs")
    with Desk(broker.ws_url) as again:
        assert again.call("CancelOrders", account="Sim101")["success"] is True
