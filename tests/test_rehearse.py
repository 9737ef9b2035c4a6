"""Dry runs: the calls that would be made, in their order, every credential masked, and none of them made."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from relay.cancel import Cancel, Scope
from relay.compose import compose
from relay.converse import Line
from relay.rehearse import rehearse
from relay.settings import Settings
from tests.running import SECRET, TOKEN

BASIC = {"REDIS_URL": "redis://127.0.0.1", "RELAY_SECRET": SECRET}

AP_URL, AS_URL = "https://api.exchange.example:8443/AP", "https://api.autoshares.dev"

BY_KEY = {
    "ALPHAPOINT_URL": AP_URL,
    "ALPHAPOINT_API_KEY": "tests-only-api-key",
    "ALPHAPOINT_API_SECRET": "tests-only-api-secret",
    "ALPHAPOINT_USER_ID": "96",
}

BY_PASSWORD = {
    "ALPHAPOINT_URL": AP_URL,
    "ALPHAPOINT_USERNAME": "trader@example.com",
    "ALPHAPOINT_PASSWORD": "tests-only-alphapoint-password",
}

AUTOSHARES = {
    "AUTOSHARES_URL": AS_URL,
    "AUTOSHARES_APP_KEY": "tests-only-app-key",
    "AUTOSHARES_USERNAME": "tests-only-user",
    "AUTOSHARES_PASSWORD": "tests-only-autoshares-password",
}

#: What must not show: neither plain nor as HTTP joins and encodes it.
CREDENTIALS = [
    TOKEN,
    *("tests-only-api-key", "tests-only-api-secret", "tests-only-app-key", "tests-only-user"),
    *("trader@example.com", "tests-only-alphapoint-password", "tests-only-autoshares-password"),
    base64.b64encode(b"trader@example.com:tests-only-alphapoint-password").decode(),
]

#: What a call says of when it is made.
ONCE = "once, where no session is open"
EACH = "for each account"


def line(vendor: str, **settings: str) -> Line:
    """Give the line to a vendor of a relay with these settings."""
    return compose(Settings.read({**BASIC, **settings})).lines[vendor]


def shown(cancel: Cancel, **settings: str) -> list[Mapping[str, Any]]:
    """Give the calls that a cancel would make."""
    there = line(cancel.vendor, **settings)
    return rehearse(cancel, there.vendor, there.transport)


def told(calls: list[Mapping[str, Any]]) -> list[tuple[str, Any, str | None]]:
    """Give each call as method and address below the vendor's own, its body, and when it is made."""
    return [
        (
            f"{call['method']} {call['url'].removeprefix(AP_URL).removeprefix(AS_URL)}",
            call.get("json"),
            call.get("when"),
        )
        for call in calls
    ]


LOG_IN = ("GET /AuthenticateUser", None, ONCE)
ACCOUNTS = ("GET /GetUserAccounts?OMSId=1", None, None)
LIST = ("GET /GetOpenOrders?OMSId=1&AccountId=4", None, None)
LIST_EACH = ("GET /GetOpenOrders?OMSId=1&AccountId=EACH-ACCOUNT", None, EACH)


def ap(scope: Scope, name: str | int | None = None, **more: Any) -> Cancel:  # noqa: ANN401 - a cancel's fields
    """Give a cancel at AlphaPoint, in account 4 where the scope is in one."""
    account = None if scope in {Scope.USER, Scope.EVERYTHING} else 4
    return Cancel("alphapoint", account, scope, name, **more)


def one_by_one(of: str, account: object = 4, **more: object) -> tuple[str, dict[str, object], str]:
    """Give the form of AlphaPoint's call for each order that a list shows."""
    body = {"OMSId": 1, "AccountId": account, "OrderId": "EACH-MATCHING-ORDER", **more}
    return ("POST /CancelOrder", body, f"for each working order of {of}")


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("cancel", "calls"),
    [
        pytest.param(
            ap(Scope.ORDER, 6562),
            [LOG_IN, ("POST /CancelOrder", {"OMSId": 1, "AccountId": 4, "OrderId": 6562}, None)],
            id="an order",
        ),
        pytest.param(
            ap(Scope.CLIENT_ORDER, 17),
            [LOG_IN, LIST, one_by_one("order with client id 17 in 4", ClOrderId=17)],
            id="an order by the trader's own id",
        ),
        pytest.param(
            ap(Scope.INSTRUMENT, 8), [LOG_IN, LIST, one_by_one("8 in 4")], id="an instrument by its number"
        ),
        pytest.param(
            ap(Scope.INSTRUMENT, "BTCCAD"),
            [
                LOG_IN,
                ("GET /GetInstruments?OMSId=1", None, None),
                LIST,
                one_by_one("ID-OF-BTCCAD in 4"),
            ],
            id="an instrument by its symbol",
        ),
        pytest.param(
            ap(Scope.ACCOUNT),
            [LOG_IN, LIST, ("POST /CancelAllOrders", {"OMSId": 1, "AccountId": 4}, None)],
            id="an account",
        ),
        pytest.param(
            ap(Scope.ACCOUNT, side="buy"), [LOG_IN, LIST, one_by_one("all buy orders in 4")], id="one side"
        ),
        pytest.param(
            ap(Scope.USER, user_id=57),
            [
                LOG_IN,
                ACCOUNTS,
                LIST_EACH,
                one_by_one("all orders of user 57 in every account of alphapoint", "EACH-ACCOUNT"),
            ],
            id="a user",
        ),
        pytest.param(
            ap(Scope.EVERYTHING),
            [
                LOG_IN,
                ACCOUNTS,
                LIST_EACH,
                ("POST /CancelAllOrders", {"OMSId": 1, "AccountId": "EACH-ACCOUNT"}, EACH),
            ],
            id="everything",
        ),
        pytest.param(
            ap(Scope.EVERYTHING, side="sell"),
            [
                LOG_IN,
                ACCOUNTS,
                LIST_EACH,
                one_by_one("every account of alphapoint, sell orders", "EACH-ACCOUNT"),
            ],
            id="all sells",
        ),
    ],
)
def test_alphapoints_calls_are_shown_order_by_order(
    cancel: Cancel, calls: list[tuple[str, Any, str | None]]
) -> None:
    """The log-in, what is asked first, the list, and the form of what follows for each match."""
    assert told(shown(cancel, **BY_KEY)) == calls


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("cancel", "last"),
    [
        pytest.param(
            ap(Scope.INSTRUMENT, 8),
            ("POST /CancelAllOrders", {"OMSId": 1, "AccountId": 4, "InstrumentId": 8}, None),
            id="an instrument",
        ),
        pytest.param(
            ap(Scope.INSTRUMENT, "BTCCAD"),
            ("POST /CancelAllOrders", {"OMSId": 1, "AccountId": 4, "InstrumentId": "ID-OF-BTCCAD"}, None),
            id="an instrument by its symbol",
        ),
        pytest.param(
            ap(Scope.USER, user_id=57),
            ("POST /CancelAllOrders", {"OMSId": 1, "AccountId": "EACH-ACCOUNT", "UserId": 57}, EACH),
            id="a user",
        ),
        pytest.param(
            ap(Scope.INSTRUMENT, 8, oms_id=2),
            ("POST /CancelAllOrders", {"OMSId": 2, "AccountId": 4, "InstrumentId": 8}, None),
            id="in another order management system",
        ),
        pytest.param(ap(Scope.INSTRUMENT, 8, side="buy"), one_by_one("8 buy orders in 4"), id="one side"),
    ],
)
def test_a_server_that_reads_all_keys_is_shown_one_call(
    cancel: Cancel, last: tuple[str, Any, str | None]
) -> None:
    """What the operator's `bulk` makes of a cancel shows before anything is sent."""
    assert told(shown(cancel, **BY_KEY, ALPHAPOINT_CANCEL="bulk"))[-1] == last


DELETE = "DELETE /v1.0/accounts/140/orders"
TOKEN_CALL = ("POST /token", None, ONCE)


def as_list(account: object = 140, when: str | None = None) -> tuple[str, None, str | None]:
    """Give Autoshares' call for the working orders of an account."""
    states = "Status%20in%20%280%2C1%2C5%2C6%2C7%2C9%2C10%2C11%2C13%2C14%2C16%2C20%29"
    query = f"pageNumber=0&pageSize=100&filter={states}&sortField=Id&desc=false"
    return (f"GET /v1.0/accounts/{account}/orders?{query}", None, when)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("cancel", "calls"),
    [
        pytest.param(
            Cancel("autoshares", 140, Scope.ORDER, 9626),
            [TOKEN_CALL, (f"{DELETE}/9626", None, None)],
            id="an order",
        ),
        *(
            pytest.param(
                cancel,
                [
                    TOKEN_CALL,
                    as_list(),
                    (f"{DELETE}/EACH-MATCHING-ORDER", None, f"for each working order of {cancel.words()}"),
                ],
                id=cancel.words(),
            )
            for cancel in (
                Cancel("autoshares", 140, Scope.CLIENT_ORDER, "mine-1"),
                Cancel("autoshares", 140, Scope.INSTRUMENT, "AAPL"),
                Cancel("autoshares", 140, Scope.INSTRUMENT, 4, "sell"),
                Cancel("autoshares", 140, Scope.ACCOUNT),
            )
        ),
        pytest.param(
            Cancel("autoshares", None, Scope.EVERYTHING),
            [
                TOKEN_CALL,
                ("GET /v1.0/users/@me/accounts", None, None),
                as_list("EACH-ACCOUNT", EACH),
                (
                    "DELETE /v1.0/accounts/EACH-ACCOUNT/orders/EACH-MATCHING-ORDER",
                    None,
                    "for each working order of every account of autoshares",
                ),
            ],
            id="everything",
        ),
    ],
)
def test_autoshares_calls_are_shown(cancel: Cancel, calls: list[tuple[str, Any, str | None]]) -> None:
    """The log-in, the list, and the form of what follows for each match: there is no call for several."""
    assert told(shown(cancel, **AUTOSHARES)) == calls


@pytest.mark.promise(5)
def test_a_cancel_that_waits_for_the_venue_is_shown_so() -> None:
    """What the operator chose for proof shows in the address."""
    order = Cancel("autoshares", 140, Scope.ORDER, 9626)

    assert shown(order, **AUTOSHARES, AUTOSHARES_CONFIRM="venue")[-1]["url"].endswith(
        "/v1.0/accounts/140/syncorders/9626"
    )


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("cancel", "settings", "headers"),
    [
        pytest.param(
            ap(Scope.INSTRUMENT, "BTCCAD"),
            BY_KEY,
            {"Nonce", "APIKey", "Signature", "UserId"},
            id="a signature",
        ),
        pytest.param(ap(Scope.EVERYTHING), BY_PASSWORD, {"Authorization"}, id="a password"),
        pytest.param(
            Cancel("autoshares", 140, Scope.INSTRUMENT, "AAPL"),
            AUTOSHARES,
            {"Username", "Password", "Et-App-Key"},
            id="an application's key",
        ),
        pytest.param(
            Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26"),
            {"CROSSTRADE_TOKEN": TOKEN},
            {"Authorization", "Content-Type"},
            id="a token",
        ),
    ],
)
def test_every_credential_is_masked(cancel: Cancel, settings: dict[str, str], headers: set[str]) -> None:
    """Whoever sends a dry run sees which credentials go out, and none of them."""
    calls = shown(cancel, **settings)
    text = json.dumps(calls)

    assert set(calls[0]["headers"]) == headers
    assert {value for call in calls for name, value in call["headers"].items() if name != "Content-Type"} <= {
        "***"
    }
    for credential in CREDENTIALS:
        assert credential not in text
    if cancel.vendor == "autoshares":
        assert all(call["headers"]["Et-App-Key"] == "***" for call in calls)


@pytest.mark.promise(4)
def test_a_vendor_without_a_log_in_is_shown_none() -> None:
    """CrossTrade's token goes with each call."""
    cancel = Cancel("crosstrade", "Sim101", Scope.ACCOUNT)

    (call,) = shown(cancel, CROSSTRADE_TOKEN=TOKEN)

    assert (call["method"], "when" in call) == ("POST", False)


@pytest.mark.promise(4)
@pytest.mark.parametrize("vendor", ["alphapoint", "autoshares"])
def test_a_rehearsal_sends_nothing(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a log-in: a dry run may not lock anybody, nor end a session that is open."""
    there = line(vendor, **BY_KEY, **AUTOSHARES)

    def sent(*_: object, **__: object) -> None:
        raise AssertionError("a dry run has sent something")

    monkeypatch.setattr(type(there.transport), "carry", sent)
    monkeypatch.setattr(type(there.session), "get", sent)
    for scope in (Scope.ORDER, Scope.CLIENT_ORDER, Scope.INSTRUMENT, Scope.ACCOUNT):
        rehearse(Cancel(vendor, 4, scope, 17), there.vendor, there.transport)
    for scope in (Scope.USER, Scope.EVERYTHING):
        rehearse(replace(ap(scope, user_id=57), vendor=vendor), there.vendor, there.transport)
