"""The stand-in for AlphaPoint answers frames of its WebSocket as its documents say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from relay.sandbox.alphapoint import AlphaPointSandbox
from relay.sandbox.trouble import Trouble
from tests.sandbox.conftest import EXCHANGE_USER, Clock, Member
from tests.sandbox.desk import DONE, a_desk, gone, rest
from tests.sandbox.frames import Seat

pytestmark = pytest.mark.promise(10)

NOT_AUTHORIZED = {"result": False, "errormsg": "Not Authorized", "errorcode": 20, "detail": None}
BAD = {"Authenticated": False, "Locked": False, "errormsg": "Invalid username or password"}
ALL = {"OMSId": 1, "AccountId": 7}
PASSWORD = {"UserName": EXCHANGE_USER["username"], "Password": EXCHANGE_USER["password"]}


@pytest.fixture
def door(exchange: AlphaPointSandbox) -> Iterator[Seat]:
    """Give a socket that has not logged in."""
    with Seat(exchange.ws_url) as door:
        yield door


@pytest.fixture
def seat(door: Seat) -> Seat:
    """Give a socket that has logged in."""
    assert door.call("AuthenticateUser", **PASSWORD)["Authenticated"] is True
    return door


@pytest.mark.parametrize("path", ["/WSGateway/", "/WSGateway", "/wsgateway/"])
def test_the_gateway_is_found_in_any_case(exchange: AlphaPointSandbox, path: str) -> None:
    """With its slash and without, and a ping needs no session."""
    with Seat(exchange.ws_url.replace("/WSGateway/", path)) as seat:
        assert seat.answer("Ping", {}) == (1, {"msg": "PONG"})


@pytest.mark.parametrize("name", ["AuthenticateUser", "WebAuthenticateUser"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_log_in_makes_the_socket_his(door: Seat, stranger: Member, name: str, *, signed: bool) -> None:
    """Password or signature, all strings; before it every call is not authorized."""
    assert door.answer("GetUserAccounts", {"OMSId": 1}) == (1, NOT_AUTHORIZED)
    answer = door.call(name, **(stranger.signature() if signed else PASSWORD))
    assert (answer["Authenticated"], answer["User"]["AccountId"]) == (True, 7)
    assert door.call("GetUserAccounts") == [7, 8]


def test_a_session_is_the_sockets(exchange: AlphaPointSandbox, seat: Seat, stranger: Member) -> None:
    """Another socket has to log in itself, by credentials or by the session's token, which is HTTP's too."""
    token = seat.call("AuthenticateUser", **PASSWORD)["SessionToken"]
    with Seat(exchange.ws_url) as second:
        assert second.call("GetUserAccounts") == NOT_AUTHORIZED
        assert second.call("WebAuthenticateUser", SessionToken="never") == BAD
        assert second.call("GetUserAccounts") == NOT_AUTHORIZED
        assert second.call("WebAuthenticateUser", SessionToken=token)["SessionToken"] == token
        assert second.call("GetUserAccounts") == [7, 8]
        stranger.session.headers["APToken"] = token
        assert stranger.get("GetUserAccounts").json() == [7, 8]
        assert second.call("LogOut") == DONE
        assert second.call("GetUserAccounts") == NOT_AUTHORIZED
        assert seat.call("GetUserAccounts") == NOT_AUTHORIZED


def test_a_password_may_need_a_second_factor(exchange: AlphaPointSandbox, door: Seat) -> None:
    """The code completes the log-in of its own socket, and of no other."""
    exchange.behaviour.two_factor_code = "123456"
    first = door.call("AuthenticateUser", **PASSWORD)
    assert (first["Requires2FA"], "SessionToken" in first) == (True, False)
    assert door.call("GetUserAccounts") == NOT_AUTHORIZED
    with Seat(exchange.ws_url) as other:
        assert other.call("Authenticate2FA", Code="123456") == BAD
    assert door.call("Authenticate2FA", Code="123456")["Authenticated"] is True
    assert door.call("GetUserAccounts") == [7, 8]


def test_rapid_wrong_log_ins_lock_the_user(exchange: AlphaPointSandbox, door: Seat) -> None:
    """Those over HTTP and over the socket are counted together."""
    for _ in range(4):
        assert door.call("AuthenticateUser", UserName="trader", Password="guess") == BAD
    answer = requests.get(f"{exchange.url}/Authenticate", auth=("trader", "guess"), timeout=5).json()
    assert answer["Locked"] is True
    assert door.call("AuthenticateUser", **PASSWORD)["Locked"] is True


@pytest.mark.parametrize("ending", ["refused", "closes"])
def test_a_session_that_is_ended_ends_with_its_socket_or_without(
    exchange: AlphaPointSandbox,
    seat: Seat,
    member: Member,
    ending: Any,  # noqa: ANN401
) -> None:
    """Steered as over HTTP: the socket is no longer the user's, or is closed."""
    exchange.behaviour.ended_session = ending
    control = exchange.control_url + "behaviour"
    assert requests.put(control, json={"session_idle_s": 0}, timeout=5).ok
    if ending == "closes":
        assert seat.ended() == 1000
    else:
        assert seat.call("CancelAllOrders", AccountId=7) == NOT_AUTHORIZED
        exchange.behaviour.session_idle_s = 3600
        assert seat.call("CancelAllOrders", AccountId=7) == NOT_AUTHORIZED
        assert seat.call("AuthenticateUser", **PASSWORD)["Authenticated"] is True
    assert member.get("GetUserAccounts").status_code in (200, 404)


def test_every_call_of_http_is_there(exchange: AlphaPointSandbox, seat: Seat, member: Member) -> None:
    """Reads give over the socket what they give over HTTP."""
    order_id = int(rest(exchange))
    calls: dict[str, dict[str, object]] = {
        "GetOpenOrders": {"AccountId": 7},
        "GetOrderStatus": {"AccountId": 7, "OrderId": order_id},
        "GetOrdersHistory": {"AccountId": 7},
        "GetOrderHistory": {"AccountId": 7},
        "GetOrderHistoryByOrderId": {"OrderId": order_id},
        "GetInstruments": {},
        "GetProducts": {},
        "GetUserAccounts": {},
        "GetUserAccountInfos": {},
        "Ping": {},
    }
    for name, payload in calls.items():
        assert seat.call(name, **payload) == member.post(name, **payload).json(), name


def test_cancels_hit_what_they_name(exchange: AlphaPointSandbox, seat: Seat, clock: Clock) -> None:
    """One by its id, an account's; a colleague's order in it goes too, a stranger's stays."""
    desk = a_desk(exchange)
    assert seat.call("CancelOrder", OrderId=int(desk["btc"])) == DONE
    assert seat.call("CancelOrder", OrderId=int(desk["stranger"])) == NOT_AUTHORIZED
    clock.now += 1
    assert gone(exchange, desk) == {"btc"}
    assert seat.call("CancelOrder", OrderId=int(desk["btc"]))["errorcode"] == 104
    assert seat.call("CancelAllOrders", AccountId=7) == DONE
    clock.now += 1
    assert gone(exchange, desk) == set(desk) - {"other account", "stranger"}
    kinds = [(call.kind, call.path, call.socket) for call in exchange.cancel_calls]
    assert kinds == [("one", "CancelOrder", 1)] * 3 + [("bulk", "CancelAllOrders", 1)]


def test_keys_come_in_any_case(exchange: AlphaPointSandbox, seat: Seat) -> None:
    """Those of the payload; those of the frame come in any order."""
    order_id = rest(exchange)
    seat.send(o=json.dumps({"omsid": 1, "ORDERID": order_id}), n="CancelOrder", i=7, m=0)
    answer = seat.receive()
    assert json.loads(answer.pop("o")) == DONE
    assert answer == {"m": 1, "i": 7, "n": "CancelOrder"}


@pytest.mark.parametrize("without", [{}, {"o": ""}, {"o": "null"}, {"o": None}, {"o": "{}"}])
def test_a_call_may_come_without_a_payload(door: Seat, without: dict[str, object]) -> None:
    """Public clients send a ping so; a number is echoed, 0 too, though the documents ask for another."""
    door.send(m=0, i=0, n="Ping", **without)
    assert door.receive() == {"m": 1, "i": 0, "n": "Ping", "o": '{"msg":"PONG"}'}


@pytest.mark.parametrize(("shape", "kind"), [("reply", 1), ("error", 5)])
def test_an_error_is_a_reply_or_a_frame_of_its_own_type(
    exchange: AlphaPointSandbox,
    seat: Seat,
    shape: Any,  # noqa: ANN401
    kind: int,
) -> None:
    """Which of the two is not documented, so it is a switch; the payload is the standard one."""
    exchange.behaviour.error_frame = shape
    exchange.behaviour.refuse_with = 102
    answered = seat.answer("CancelAllOrders", ALL)
    assert (answered[0], answered[1]["errorcode"]) == (kind, 102)


def test_an_unknown_call_is_an_error_frame(exchange: AlphaPointSandbox, door: Seat) -> None:
    """With an error object, or with words that are no JSON."""
    kind, answer = door.answer("CancelEverything", {})
    assert (kind, answer["result"]) == (5, False)
    exchange.behaviour.unknown_call = "text"
    asked = door.ask("Authenticate", {})
    assert door.receive() == {"m": 5, "i": asked, "n": "Authenticate", "o": "Endpoint Not Found"}


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "{",
        json.dumps({"m": 0, "i": 2, "n": "CancelAllOrders", "o": ALL}),
        json.dumps({"m": 0, "i": 2, "n": "CancelAllOrders", "o": "{"}),
        json.dumps({"m": 0, "i": 2, "n": "CancelAllOrders", "o": json.dumps([ALL])}),
        json.dumps({"m": 1, "i": 2, "n": "CancelAllOrders", "o": json.dumps(ALL)}),
        json.dumps({"i": 2, "n": "CancelAllOrders", "o": json.dumps(ALL)}),
        json.dumps({"m": 0, "i": 2, "n": "Ping", "o": {}}),
    ],
)
def test_a_frame_that_is_none_cancels_nothing(exchange: AlphaPointSandbox, seat: Seat, frame: str) -> None:
    """A payload is encoded twice; what is not is an invalid request, and the socket goes on."""
    desk = a_desk(exchange)
    seat.socket.send(frame)
    assert json.loads(seat.receive()["o"])["errorcode"] == 100
    assert seat.call("GetUserAccounts") == [7, 8]
    assert gone(exchange, desk) == set()


@pytest.mark.parametrize("kind", [0, 2])
def test_events_follow_a_subscription(
    exchange: AlphaPointSandbox, seat: Seat, clock: Clock, kind: int
) -> None:
    """What happens in that account from then on is told, once, whoever asked for it; no other account's."""
    before = rest(exchange)
    asked = {"OMSId": 1, "AccountId": 7}
    assert seat.answer("SubscribeAccountEvents", asked, kind) == (1, {"Subscribe": True})
    assert seat.answer("SubscribeAccountEvents", {"OMSId": 1, "AccountId": 9})[1] == NOT_AUTHORIZED
    placed = rest(exchange)
    assert seat.event()[1]["OrderId"] == int(placed)
    rest(exchange, 8)
    exchange.fill(before, "0.1")
    name, row = seat.event()
    assert (name, row["OrderId"], row["OrderState"]) == ("OrderStateEvent", int(before), "Working")
    assert str(row["QuantityExecuted"]) == "0.1"
    assert seat.call("CancelAllOrders", AccountId=7) == DONE
    clock.now += 1
    cancelled = [seat.event()[1] for _ in range(2)]
    assert {row["OrderId"]: row["OrderState"] for row in cancelled} == {
        int(before): "Canceled",
        int(placed): "Canceled",
    }
    assert seat.call("Ping") == {"msg": "PONG"}


@pytest.mark.parametrize("by", ["LogOut", "the exchange"])
def test_events_end_with_their_session(exchange: AlphaPointSandbox, seat: Seat, by: str) -> None:
    """Who has logged in again hears nothing of what happened meanwhile, until he subscribes again."""
    assert seat.call("SubscribeAccountEvents", AccountId=7) == {"Subscribe": True}
    if by == "LogOut":
        assert seat.call("LogOut") == DONE
    else:
        exchange.expire_sessions()
    rest(exchange)
    assert seat.call("Ping") == {"msg": "PONG"}
    assert seat.call("AuthenticateUser", **PASSWORD)["Authenticated"] is True
    rest(exchange)
    for _ in range(3):
        assert seat.call("GetUserAccounts") == [7, 8]
    seat.call("SubscribeAccountEvents", AccountId=7)
    told = rest(exchange)
    assert seat.event()[1]["OrderId"] == int(told)


def test_events_come_to_a_busy_socket_too(exchange: AlphaPointSandbox, seat: Seat) -> None:
    """Between two answers, however soon a client asks again."""
    seat.call("SubscribeAccountEvents", AccountId=7)
    rest(exchange)
    for _ in range(100):
        asked = seat.ask("Ping", {})
        while (frame := seat.receive())["m"] == 1 and frame["i"] != asked:
            pass
        if frame["m"] == 3:
            return
    pytest.fail("no event came")


def test_a_cancel_that_fails_later_is_an_event(exchange: AlphaPointSandbox, seat: Seat, clock: Clock) -> None:
    """True comes first; then that the order is gone, that it works on, that there is no such instrument."""
    exchange.behaviour.gone_order = exchange.behaviour.unknown_instrument = "accepted"
    exchange.behaviour.version = "both"
    exchange.behaviour.refuse_cancel = True
    order_id = int(rest(exchange))
    seat.call("SubscribeAccountEvents", AccountId=7)
    assert seat.call("CancelOrder", AccountId=7, OrderId=17) == DONE
    assert seat.event() == (
        "CancelOrderRejectEvent",
        {
            "OMSId": 1,
            "AccountId": 7,
            "OrderId": 17,
            "OrderRevision": 0,
            "OrderType": "Unknown",
            "InstrumentId": 0,
            "Status": "Rejected",
            "RejectReason": "Order Not Found",
        },
    )
    assert seat.call("CancelOrder", OrderId=order_id) == DONE
    clock.now += 1
    name, refused = seat.event()
    assert (name, refused["OrderId"], refused["Status"]) == ("CancelOrderRejectEvent", order_id, "Rejected")
    assert seat.call("CancelAllOrders", AccountId=7, InstrumentId=999) == DONE
    assert seat.event() == (
        "CancelAllOrdersRejectEvent",
        {
            "OMSId": 1,
            "AccountId": 7,
            "InstrumentId": 999,
            "Status": "Rejected",
            "RejectReason": "Instrument not found.",
        },
    )


def test_an_event_may_overtake_its_reply_and_bear_its_number(exchange: AlphaPointSandbox, seat: Seat) -> None:
    """An order may be known to be gone before its cancel is answered; the type alone tells which is which."""
    exchange.behaviour.events_first = True
    exchange.behaviour.cancel_after_s = 0
    order_id = int(rest(exchange))
    seat.call("SubscribeAccountEvents", AccountId=7)
    asked = seat.ask("CancelOrder", {"OMSId": 1, "OrderId": order_id})
    frames = [seat.receive() for _ in range(2)]
    assert [frame["m"] for frame in frames] == [3, 1]
    assert (frames[0]["i"], frames[1]["i"]) == (2, asked)
    exchange.behaviour.event_numbers = "zero"
    rest(exchange)
    assert seat.receive()["i"] == 0


def test_a_status_reads_as_an_error_object(exchange: AlphaPointSandbox, seat: Seat) -> None:
    """A trouble's status comes as the code that fits it, or as free text; its words may be any."""
    exchange.trouble = [
        Trouble(on="one", times=1, status=500),
        Trouble(on="one", times=1, status=503),
        Trouble(on="one", times=1, answer="<html>"),
        Trouble(on="login", times=1, status=400, leak_header="Password"),
    ]
    assert seat.call("CancelOrder", OrderId=1)["errorcode"] == 102
    seat.ask("CancelOrder", {})
    assert (answer := seat.receive())["m"] == 5
    assert answer["o"] == "Service Unavailable"
    seat.ask("CancelOrder", {})
    assert seat.receive()["o"] == "<html>"
    assert [call.status for call in exchange.cancel_calls] == [500, 503, 200]
    assert str(PASSWORD["Password"]) in str(seat.call("AuthenticateUser", **PASSWORD))


def test_the_control_address_shows_no_credential(exchange: AlphaPointSandbox, seat: Seat) -> None:
    """A log-in over a socket has its password in the frame, which stays hidden."""
    shown = requests.get(exchange.control_url + "calls", timeout=5)
    assert [call["kind"] for call in shown.json()["calls"]] == ["login"]
    assert str(PASSWORD["Password"]) not in shown.text
    assert str(PASSWORD["Password"]).encode() in exchange.calls[0].body
    assert seat.call("Ping") == {"msg": "PONG"}
