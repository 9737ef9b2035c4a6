"""The stand-in for Autoshares logs in, knows its tokens, and counts calls as the vendor's documents say."""

from __future__ import annotations

from typing import Literal

import pytest

from relay.sandbox.autoshares import AutosharesBehaviour, AutosharesSandbox
from tests.sandbox.conftest import NOON, USERNAME, Clock, Trader

pytestmark = pytest.mark.promise(10)

DENIED = {"Message": "Authorization has been denied for this request."}


def test_name_and_password_give_a_token(trader: Trader) -> None:
    """A log-in is one call without a body, and the token opens the rest."""
    answer = trader.ask_for_token()
    assert (answer.status_code, answer.json()["State"]) == (200, "Succeeded")
    assert trader.get("users/@me/info").json()["Login"] == USERNAME


@pytest.mark.parametrize(
    "wrong", [{"Username": "other"}, {"Password": "other"}, {"Password": "\u00e9"}, {"Username": ""}]
)
def test_wrong_credentials_are_a_401_with_its_reason(trader: Trader, wrong: dict[str, str]) -> None:
    """The refusal names its step, and says the same of a wrong name and a wrong password."""
    answer = trader.ask_for_token(**wrong)
    assert answer.status_code == 401
    assert (
        answer.json().items()
        >= {"State": "Failed", "Step": "BaseAuthentication", "Reason": "Invalid credentials"}.items()
    )


@pytest.mark.parametrize(
    ("login", "header", "given", "asked"),
    [
        ("pin", "PinCode", "1234", ("SecutityPin", "Invalid pin")),
        ("code", "VerificationCode", "246810", ("VerificationCode", "Expecting confirmation code")),
    ],
)
def test_a_log_in_may_take_two_steps(  # noqa: PLR0913, PLR0917 - what a step is made of
    autoshares: AutosharesSandbox,
    trader: Trader,
    login: Literal["pin", "code"],
    header: str,
    given: str,
    asked: tuple[str, str],
) -> None:
    """The first call is a 202 with an interim token, which opens nothing but the second step."""
    autoshares.behaviour.login = login
    answer = trader.ask_for_token()
    interim = f"Bearer {answer.json()['Token']}"
    assert answer.status_code == 202
    step, reason = asked
    assert answer.json().items() >= {"State": "Expecting", "Step": step, "Reason": reason}.items()
    assert trader.send("GET", "/v1.0/users/@me/info", headers={"Authorization": interim}).status_code == 401
    corrupted = trader.ask_for_token(**{header: given, "Authorization": "Bearer x"})
    assert (corrupted.status_code, corrupted.json()["Reason"]) == (401, "Corrupted ticket")
    wrong = trader.ask_for_token(**{header: "0000", "Authorization": interim})
    assert (wrong.status_code, wrong.json()["State"], wrong.json()["Step"]) == (401, "Failed", step)
    right = trader.ask_for_token(**{header: given, "Authorization": interim})
    assert (right.status_code, right.json()["State"]) == (200, "Succeeded")


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        ("expired_password", "Your Password has expired and must be changed"),
        ("pin_not_set", "PIN code is not init"),
    ],
)
def test_a_log_in_may_be_refused_for_good(
    autoshares: AutosharesSandbox,
    trader: Trader,
    refused: Literal["expired_password", "pin_not_set"],
    reason: str,
) -> None:
    """What only the user can mend is a 401 in the vendor's words."""
    autoshares.behaviour.login_refused = refused
    answer = trader.ask_for_token()
    assert (answer.status_code, answer.json()["Reason"]) == (401, reason)


@pytest.mark.parametrize("credential", [None, "", "Bearer", "Bearer x", "bearer {}", "Bearer  {}", "{}"])
def test_only_a_token_opens_the_rest(
    autoshares: AutosharesSandbox, trader: Trader, credential: str | None
) -> None:
    """The header is `Bearer`, one space and the token; anything else is denied, and nothing is cancelled."""
    [order_id] = autoshares.place_many(1)
    token = str(trader.session.headers["Authorization"]).removeprefix("Bearer ")
    given = None if credential is None else credential.format(token)
    answer = trader.send("DELETE", f"/v1.0/accounts/6303/orders/{order_id}", headers={"Authorization": given})
    assert (answer.status_code, answer.json()) == (401, DENIED)
    assert autoshares.book.order(order_id).state == "New"


@pytest.mark.parametrize("life_s", [86400.0, 3600.0])
def test_a_token_ends_and_a_new_one_opens_again(
    autoshares: AutosharesSandbox, trader: Trader, clock: Clock, life_s: float
) -> None:
    """A token's life is counted from its log-in, used or not; the documents give two lengths."""
    autoshares.behaviour.token_life_s = life_s
    clock.now += life_s - 1
    assert trader.get("users/@me/info").status_code == 200
    clock.now += 1
    answer = trader.get("users/@me/info")
    assert (answer.status_code, answer.json()) == (401, DENIED)
    trader.log_in()
    assert trader.get("users/@me/info").status_code == 200
    autoshares.expire_tokens()
    assert trader.get("users/@me/info").status_code == 401


def test_logging_out_ends_one_token(trader: Trader) -> None:
    """The token of whoever logs out is dead at once; another one of the same user lives on."""
    first = trader.session.headers["Authorization"]
    trader.log_in()
    assert trader.send("POST", "/logout", headers={"Authorization": first}).status_code == 200
    assert trader.send("GET", "/v1.0/users/@me/info", headers={"Authorization": first}).status_code == 401
    assert trader.get("users/@me/info").status_code == 200


@pytest.mark.parametrize("status", [403, 401])
@pytest.mark.parametrize("key", [None, "another-key"])
def test_a_wrong_application_key_has_its_own_words(
    autoshares: AutosharesSandbox, trader: Trader, key: str | None, status: Literal[401, 403]
) -> None:
    """Log-in and all other calls want the key; the documents give its refusal two statuses and one body."""
    autoshares.behaviour.app_key_status = status
    trader.session.headers["Et-App-Key"] = key or ""
    for answer in (trader.ask_for_token(), trader.cancel(1), trader.get("users/@me/info")):
        words = {"error": "Application key is not defined or does not exist"}
        assert (answer.status_code, answer.json()) == (status, words)


def test_fifty_order_actions_a_minute_in_each_account(
    autoshares: AutosharesSandbox, trader: Trader, clock: Clock
) -> None:
    """The 51st cancel is refused and does nothing, another account has its own fifty, a minute frees all."""
    autoshares.behaviour.actions_per_minute = AutosharesBehaviour().actions_per_minute
    ids = autoshares.place_many(51)
    clock.now += 0.25
    answers = [trader.cancel(order_id) for order_id in ids]
    assert [answer.status_code for answer in answers] == [204] * 50 + [429]
    assert [answers[0].headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining")] == ["50", "49"]
    late = answers[-1].headers
    assert (late["X-RateLimit-Remaining"], late["X-RateLimit-Reset"]) == ("0", str(int(NOON) + 61))
    assert late["Retry-After"] == "60"
    assert autoshares.book.order(ids[-1]).state == "New"
    assert trader.cancel(1, account=6304).status_code == 409
    autoshares.behaviour.retry_after = False
    assert "Retry-After" not in trader.cancel(ids[-1], by="syncorders").headers
    clock.now += 60
    assert trader.cancel(ids[-1]).status_code == 204


def test_queries_and_log_ins_have_limits_of_their_own(autoshares: AutosharesSandbox, trader: Trader) -> None:
    """Looks at orders share one limit, log-ins another, and cancels go on when both are spent."""
    autoshares.behaviour.queries_per_minute, autoshares.behaviour.tokens_per_minute = 3, 2
    [order_id] = autoshares.place_many(1)
    paths = ["accounts/6303/orders?pageNumber=0&pageSize=1", f"accounts/6303/orders/{order_id}"] * 2
    assert [trader.get(path).status_code for path in paths] == [200, 200, 200, 429]
    assert [trader.ask_for_token().status_code for _ in range(3)] == [200, 200, 429]
    assert trader.get("users/@me/accounts").status_code == 200
    assert trader.cancel(order_id).status_code == 204


def test_the_documented_limits_hold_by_default() -> None:
    """Fifty order actions, 120 queries and ten log-ins a minute are what the vendor's page says."""
    behaviour = AutosharesBehaviour()
    limits = (behaviour.actions_per_minute, behaviour.queries_per_minute, behaviour.tokens_per_minute)
    assert limits == (50, 120, 10)
