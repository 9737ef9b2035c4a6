"""The stand-in for AlphaPoint lets its user in, in each way that its documents and clients know."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
import requests

from relay.sandbox.alphapoint import AlphaPointSandbox
from tests.sandbox.conftest import EXCHANGE_USER, PATIENCE, Clock, Member

pytestmark = pytest.mark.promise(10)

BAD = {"Authenticated": False, "Locked": False, "errormsg": "Invalid username or password"}
NOT_AUTHORIZED = {"result": False, "errormsg": "Not Authorized", "errorcode": 20, "detail": None}


def basic(password: str = str(EXCHANGE_USER["password"])) -> dict[str, str]:
    """Write name and password as HTTP does."""
    pair = f"{EXCHANGE_USER['username']}:{password}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def by_password(stranger: Member, **headers: str) -> requests.Response:
    """Log in with a password."""
    query = {"grant_type": "client_credentials"}
    return stranger.send("GET", "Authenticate", params=query, headers=headers or basic())


def test_a_password_opens_a_session(stranger: Member) -> None:
    """Name and password give a token, which is read in any case of its header."""
    answer = by_password(stranger).json()
    assert (answer["Authenticated"], answer["UserId"]) == (True, 446)
    for header in ("APToken", "aptoken"):
        headers = {header: answer["SessionToken"]}
        listed = stranger.send("POST", "GetUserAccounts", json={"OMSId": 1}, headers=headers)
        assert listed.json() == [7, 8]


def test_a_password_may_need_a_second_factor(exchange: AlphaPointSandbox, stranger: Member) -> None:
    """A log-in that waits for its code has no token; the right code gives one, once."""
    exchange.behaviour.two_factor_code = "123456"
    first = by_password(stranger).json()
    assert (first["Authenticated"], first["Requires2FA"], "SessionToken" in first) == (True, True, False)
    pending = {"Pending2FaToken": first["Pending2FaToken"]}

    def second(code: str, headers: dict[str, str]) -> dict[str, Any]:
        return dict(stranger.send("GET", "Authenticate2FA", params={"Code": code}, headers=headers).json())

    assert second("123456", {}) == BAD
    assert second("000000", pending) == BAD
    stranger.session.headers["APToken"] = second("123456", pending)["SessionToken"]
    assert stranger.get("GetUserAccounts").json() == [7, 8]
    assert second("123456", pending) == BAD


def test_a_signature_opens_a_session(exchange: AlphaPointSandbox, stranger: Member) -> None:
    """Four headers give a token and the user; a second factor is asked for only where that is on."""
    answer = stranger.send("GET", "AuthenticateUser", headers=stranger.signature()).json()
    assert answer["User"]["AccountId"] == 7
    assert (answer["Authenticated"], answer["Requires2FA"], answer["errormsg"]) == (True, False, None)
    assert answer["SessionToken"]
    exchange.behaviour.two_factor_code = "123456"
    exchange.behaviour.api_key_needs_two_factor = True
    answer = stranger.send("GET", "AuthenticateUser", headers=stranger.signature()).json()
    assert (answer["Requires2FA"], "SessionToken" in answer, "Pending2FaToken" in answer) == (
        True,
        False,
        True,
    )


@pytest.mark.parametrize("signed", [True, False])
def test_credentials_may_come_as_the_payload(stranger: Member, *, signed: bool) -> None:
    """The payload of a WebSocket frame does over HTTP too."""
    names = {"UserName": EXCHANGE_USER["username"], "Password": EXCHANGE_USER["password"]}
    payload = stranger.signature() if signed else names
    assert stranger.send("POST", "AuthenticateUser", json=payload).json()["Authenticated"] is True


def test_a_call_may_be_signed_itself(exchange: AlphaPointSandbox, stranger: Member) -> None:
    """Without any session each call can carry the four headers, and a nonce may come twice."""
    order_id = exchange.book.place(account="7", instrument="BTCCAD", action="Buy")
    stranger.session.headers.update(stranger.signature(nonce="1"))
    assert stranger.open_ids() == [order_id]
    assert stranger.code("CancelOrder", OrderId=order_id) == 0
    stranger.session.headers["Nonce"] = "2"
    assert stranger.post("CancelOrder", OrderId=order_id).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"UserId": "447"},
        {"APIKey": "other"},
        {"Signature": ""},
        {"Signature": "0" * 64},
        {"Nonce": "2"},
    ],
)
@pytest.mark.parametrize("status", [200, 401, 404])
def test_a_wrong_credential_gets_the_documented_words(
    exchange: AlphaPointSandbox,
    stranger: Member,
    wrong: dict[str, str],
    status: Any,  # noqa: ANN401
) -> None:
    """A log-in that is refused says so in its body, whatever its status."""
    exchange.behaviour.bad_login_status = status
    answer = stranger.send("GET", "AuthenticateUser", headers=stranger.signature() | wrong)
    assert (answer.status_code, answer.json()) == (status, BAD)


@pytest.mark.parametrize("credential", ["Basic !", "Basic " + base64.b64encode(b"name").decode(), "Bearer x"])
def test_an_unreadable_password_is_a_wrong_one(stranger: Member, credential: str) -> None:
    """What is no name and password reads like a wrong one; so does an upper-case signature."""
    assert by_password(stranger, Authorization=credential).json() == BAD
    assert by_password(stranger, **basic("guess")).json() == BAD
    shouted = stranger.signature()["Signature"].upper()
    headers = stranger.signature(Signature=shouted)
    assert stranger.send("GET", "AuthenticateUser", headers=headers).json() == BAD


def test_rapid_wrong_log_ins_lock_the_user(
    exchange: AlphaPointSandbox, stranger: Member, clock: Clock
) -> None:
    """After five in succession nothing gets in any more, until an administrator unlocks."""
    for _ in range(6):
        assert by_password(stranger, **basic("guess")).json() == BAD
        clock.now += 60
    answers = [by_password(stranger, **basic("guess")).json() for _ in range(5)]
    assert [answer["Locked"] for answer in answers] == [False] * 4 + [True]
    right = by_password(stranger).json()
    assert (right["Authenticated"], right["Locked"]) == (False, True)
    stranger.session.headers.update(stranger.signature())
    assert stranger.get("GetUserAccounts").status_code == 404
    exchange.behaviour.locked = False
    assert by_password(stranger).json()["Authenticated"] is True


def test_a_session_ends_after_an_idle_hour(exchange: AlphaPointSandbox, member: Member, clock: Clock) -> None:
    """Each call prolongs its session, a ping too, and an hour without one ends it."""
    for name in ("GetUserAccounts", "Ping", "GetUserAccounts"):
        clock.now += 3599
        assert member.get(name).status_code == 200
    clock.now += 3600
    assert member.get("GetUserAccounts").status_code == 404
    member.log_in()
    exchange.behaviour.session_idle_s = 0
    assert member.get("GetUserAccounts").status_code == 404


@pytest.mark.parametrize("status", [404, 401, 200])
def test_a_call_without_a_session_is_told_so(
    exchange: AlphaPointSandbox,
    member: Member,
    status: Any,  # noqa: ANN401
) -> None:
    """A session that never was, that a restart or a log-out ended: one status, and nothing is cancelled."""
    exchange.behaviour.session_ended = status
    order_id = exchange.book.place(account="7", instrument="BTCCAD", action="Buy")
    exchange.expire_sessions()
    answer = member.post("CancelOrder", OrderId=order_id)
    assert (answer.status_code, answer.json()) == (status, NOT_AUTHORIZED)
    member.log_in()
    assert member.post("LogOut").json()["result"] is True
    assert member.post("LogOut").status_code == status
    member.session.headers["APToken"] = "never"
    assert member.post("CancelAllOrders", AccountId=7).status_code == status
    assert exchange.book.order(order_id).state == "Working"


def test_only_calls_are_answered(exchange: AlphaPointSandbox, member: Member) -> None:
    """The gateway answers below /AP in either case, to GET and POST, and to names it knows."""
    assert requests.get(exchange.url.replace("/AP", "/ap") + "/Ping", timeout=PATIENCE).json() == {
        "msg": "PONG"
    }
    for path in ("/AP/NoSuchCall", "/AP/", "/", "/other/Ping", "/AP/Ping/"):
        assert requests.get(exchange.url.replace("/AP", path), timeout=PATIENCE).status_code == 404
    assert member.send("DELETE", "CancelOrder").status_code == 405


def test_a_log_in_gets_into_trouble_too(exchange: AlphaPointSandbox, stranger: Member) -> None:
    """A trouble may meet log-ins alone, and an error that comes by its status has the standard words."""
    exchange.trouble_for("login", times=1, drop="before")
    assert stranger.get("Ping").status_code == 200
    with pytest.raises(requests.ConnectionError):
        stranger.log_in()
    exchange.trouble_for("login", times=1, status=404)
    assert by_password(stranger).json() == NOT_AUTHORIZED
    exchange.trouble_for("any", times=1, status=503)
    assert by_password(stranger).text == "Service Unavailable"
    stranger.post("LogOut")
    kinds = [call.kind for call in exchange.calls]
    assert kinds == ["read", "login", "login", "login", "other"]


def test_many_threads_share_a_session(exchange: AlphaPointSandbox, member: Member) -> None:
    """Calls side by side in one session are each let in, and each order is cancelled once."""
    ids = [exchange.book.place(account="7", instrument="BTCCAD", action="Buy") for _ in range(8)]
    token = {"APToken": str(member.session.headers["APToken"])}
    codes: list[int] = []

    def cancel(order_id: str) -> None:
        payload = {"OMSId": 1, "OrderId": int(order_id)}
        url = f"{exchange.url}/CancelOrder"
        codes.append(requests.post(url, json=payload, headers=token, timeout=PATIENCE).json()["errorcode"])

    threads = [threading.Thread(target=cancel, args=(order_id,)) for order_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert codes == [0] * 8
