"""The stand-in for AlphaPoint cancels in bulk what its version reads, which may be more than was asked."""

from __future__ import annotations

from typing import Any

import pytest

from relay.sandbox.alphapoint import AlphaPointBehaviour, AlphaPointSandbox
from tests.sandbox.conftest import Member
from tests.sandbox.desk import COLLEAGUE, DONE, a_desk, gone

pytestmark = pytest.mark.promise(10)

OWN_ACCOUNT = {"btc", "eth", "colleague btc", "colleague eth"}
BTC = {"btc", "colleague btc"}
EVERYBODY = {*OWN_ACCOUNT, "other account", "stranger"}


@pytest.mark.parametrize(
    ("version", "payload", "expected"),
    [
        ("3.2", {"AccountId": 7, "UserId": 446, "InstrumentId": 1}, {"btc"}),
        ("3.2", {"AccountId": 7, "UserId": 446}, {"btc", "eth"}),
        ("3.2", {"UserId": 446, "InstrumentId": 1}, {"btc", "other account"}),
        ("3.2", {"UserId": 446}, {"btc", "eth", "other account"}),
        ("3.2", {"AccountId": 7, "InstrumentId": 1}, BTC),
        ("3.2", {"AccountId": 7, "IntrumentId": 1}, OWN_ACCOUNT),
        ("3.2", {"AccountId": 7, "UserId": COLLEAGUE, "InstrumentId": 3}, {"colleague eth"}),
        ("3.2", {"AccountId": 7, "UserId": 0, "InstrumentId": 0}, OWN_ACCOUNT),
        ("3.2", {"InstrumentId": 3}, {"eth", "colleague eth"}),
        ("3.2", {}, EVERYBODY),
        ("3.3", {"AccountId": 7, "UserId": 446, "InstrumentId": 1}, OWN_ACCOUNT),
        ("3.3", {"UserId": 446}, EVERYBODY),
        ("3.5-InstrumentId", {"AccountId": 7, "InstrumentId": 1}, BTC),
        ("3.5-InstrumentId", {"AccountId": 7, "IntrumentId": "1"}, OWN_ACCOUNT),
        ("3.5-IntrumentId", {"AccountId": 7, "IntrumentId": "1"}, BTC),
        ("3.5-IntrumentId", {"AccountId": 7, "InstrumentId": 1}, OWN_ACCOUNT),
        ("3.5-IntrumentId", {"AccountId": 7, "InstrumentId": 1, "UserId": 446}, OWN_ACCOUNT),
        ("both", {"AccountId": 7, "IntrumentId": "1"}, BTC),
        ("both", {"AccountId": 7, "InstrumentId": 1}, BTC),
        ("both", {"AccountId": 8}, {"other account"}),
    ],
)
def test_a_bulk_cancel_reads_what_its_version_reads(
    exchange: AlphaPointSandbox,
    member: Member,
    version: Any,  # noqa: ANN401 - one of the versions
    payload: dict[str, object],
    expected: set[str],
) -> None:
    """The matrix of the old form, and the keys that later servers ignore: then the whole account goes."""
    exchange.behaviour.version = version
    exchange.behaviour.cancel_after_s = 0
    desk = a_desk(exchange)
    assert member.post("CancelAllOrders", **payload).json() == DONE
    assert gone(exchange, desk) == expected


@pytest.mark.parametrize("payload", [{}, {"AccountId": 0}, {"AccountId": None}, {"AccountId": ""}])
def test_no_account_is_everybody_or_refused(
    exchange: AlphaPointSandbox, member: Member, payload: dict[str, object]
) -> None:
    """AccountId 0 or none takes the orders of every account there is, or is refused, by switch."""
    exchange.behaviour.cancel_after_s = 0
    desk = a_desk(exchange)
    for code in (100, 20):
        exchange.behaviour.without_account = 100 if code == 100 else 20
        assert member.code("CancelAllOrders", **payload) == code
    assert gone(exchange, desk) == set()
    exchange.behaviour.without_account = AlphaPointBehaviour().without_account
    assert member.code("CancelAllOrders", **payload) == 0
    assert gone(exchange, desk) == EVERYBODY


def test_a_bulk_cancel_keeps_to_what_is_allowed(exchange: AlphaPointSandbox, member: Member) -> None:
    """Another's account, another user everywhere and an unknown instrument cancel nothing."""
    exchange.behaviour.version = "3.2"
    exchange.behaviour.cancel_after_s = 0
    desk = a_desk(exchange)
    assert member.code("CancelAllOrders", AccountId=9) == 20
    assert member.code("CancelAllOrders", UserId=COLLEAGUE) == 20
    unknown = member.post("CancelAllOrders", AccountId=7, InstrumentId=10000).json()
    assert (unknown["errorcode"], unknown["errormsg"]) == (100, "Invalid InstrumentId: 10000")
    exchange.behaviour.unknown_instrument = "accepted"
    assert member.code("CancelAllOrders", AccountId=7, InstrumentId=10000) == 0
    assert gone(exchange, desk) == set()
