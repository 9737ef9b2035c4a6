"""Exactly the orders that were meant: no other account, no other instrument, no other side."""

from typing import Any, Literal

import pytest

from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import Stage, bulk_calls, leftovers, outcomes, place, state, states
from tests.running import SECRET, RunningRelay


@pytest.fixture
def book(broker: CrossTradeSandbox) -> dict[str, str]:
    """Put orders of two instruments, two sides and two accounts into the book."""
    return {
        "buy": place(broker, "MES 12-26", action="Buy"),
        "sell": place(broker, "MES 12-26", action="Sell"),
        "short": place(broker, "MES 12-26", action="SellShort"),
        "cover": place(broker, "MES 12-26", action="BuyToCover"),
        "roll": place(broker, "MES 03-27"),
        "other": place(broker, "NQ 12-26"),
        "elsewhere": place(broker, "MES 12-26", account="Sim102"),
    }


def went(broker: CrossTradeSandbox, book: dict[str, str]) -> set[str]:
    """Name the orders of the book that are gone; the others must work as before."""
    gone = {name for name, order in book.items() if state(broker, order) == "Cancelled"}
    assert states(broker, [order for name, order in book.items() if name not in gone]) <= {"Working"}
    return gone


ASKED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "an instrument": (
        {"account": "Sim101", "instrument": "MES 12-26"},
        {"buy", "sell", "short", "cover"},
    ),
    "an instrument in small letters": ({"account": "sim101", "instrument": "nq 12-26"}, {"other"}),
    "one side of an instrument": (
        {"account": "Sim101", "instrument": "MES 12-26", "side": "buy"},
        {"buy", "cover"},
    ),
    "an account": (
        {"account": "Sim101", "scope": "account"},
        {"buy", "sell", "short", "cover", "roll", "other"},
    ),
    "one side of an account": ({"account": "Sim101", "scope": "account", "side": "sell"}, {"sell", "short"}),
    "everything": (
        {"scope": "everything"},
        {"buy", "sell", "short", "cover", "roll", "other", "elsewhere"},
    ),
    "one side of everything": (
        {"scope": "everything", "side": "buy"},
        {"buy", "cover", "roll", "other", "elsewhere"},
    ),
    "an instrument in two accounts": (
        {"account": ["Sim101", "Sim102"], "instrument": "MES 12-26"},
        {"buy", "sell", "short", "cover", "elsewhere"},
    ),
}


@pytest.mark.promise(4, 5)
@pytest.mark.parametrize(("asked", "meant"), ASKED.values(), ids=ASKED.keys())
def test_exactly_the_orders_that_were_meant_go(
    relay: RunningRelay,
    broker: CrossTradeSandbox,
    book: dict[str, str],
    asked: dict[str, Any],
    meant: set[str],
) -> None:
    """What the alert names goes, is named in the reply, and nothing else is touched."""
    answer = relay.alert(**asked, reply_when="confirmed")

    record = relay.ended(answer.json()["alert_id"])
    assert record["status"] == "confirmed", record
    assert went(broker, book) == meant
    assert outcomes(record) == {book[name]: "cancelled" for name in meant}
    assert record["summary"] == {"cancelled": len(meant), "filled": 0, "left": 0}


@pytest.mark.promise(4, 5)
def test_one_order_goes_by_its_id(
    relay: RunningRelay, broker: CrossTradeSandbox, book: dict[str, str]
) -> None:
    """An order named by its id is cancelled by one call for that id."""
    answer = relay.alert(account="Sim101", order_id=book["sell"], reply_when="confirmed")

    assert answer.json()["status"] == "confirmed", answer.text
    assert went(broker, book) == {"sell"}
    (call,) = broker.cancel_calls
    assert (call.kind, call.path) == ("one", f"/v1/api/accounts/Sim101/orders/{book['sell']}/cancel")


@pytest.mark.promise(4)
def test_an_order_of_another_account_stays(
    relay: RunningRelay, broker: CrossTradeSandbox, book: dict[str, str]
) -> None:
    """An id that names an order of another account cancels nothing there."""
    answer = relay.alert(account="Sim101", order_id=book["elsewhere"], reply_when="confirmed")

    assert (answer.status_code, answer.json()["status"]) == (424, "rejected")
    assert went(broker, book) == set()


@pytest.mark.promise(4)
@pytest.mark.parametrize("behaviour", ["refused", "nothing"])
@pytest.mark.parametrize("instrument", ["XYZ 12-26", "MES 99-99", "MESS", "M*", "MES 12-26,NQ 12-26", "null"])
def test_an_instrument_never_becomes_the_whole_account(
    relay: RunningRelay,
    broker: CrossTradeSandbox,
    book: dict[str, str],
    instrument: str,
    behaviour: Literal["refused", "nothing"],
) -> None:
    """A mistyped instrument cancels nothing, whether the broker refuses it or shrugs."""
    broker.behaviour.unknown_instrument = behaviour

    answer = relay.alert(account="Sim101", instrument=instrument, reply_when="confirmed")

    assert answer.json()["status"] in {"rejected", "nothing_to_cancel"}, answer.text
    assert went(broker, book) == set()
    for call in bulk_calls(broker):
        assert b'"instrument": "' in call.body


@pytest.mark.promise(5)
def test_where_nothing_works_what_does_is_named(
    relay: RunningRelay, broker: CrossTradeSandbox, book: dict[str, str]
) -> None:
    """Nothing of the instrument: a warning says what works in the account, a typo or the roll."""
    answer = relay.alert(account="Sim101", instrument="ES 12-26", reply_when="confirmed")

    assert (answer.status_code, answer.json()["status"]) == (200, "nothing_to_cancel"), answer.text
    (warning,) = answer.json()["warnings"]
    assert "ES 12-26 in Sim101" in warning
    assert "MES 12-26, 4" in warning
    assert "MES 03-27, 1" in warning
    assert went(broker, book) == set()


@pytest.mark.promise(4)
@pytest.mark.parametrize("asked", [asked for asked, _ in ASKED.values()], ids=ASKED.keys())
def test_a_dry_run_sends_nothing_and_remembers_nothing(
    relay: RunningRelay, stage: Stage, book: dict[str, str], asked: dict[str, Any]
) -> None:
    """It shows what would be sent, with the credential masked, and then there is nothing to be seen of it."""
    answer = relay.alert(**asked, dry_run=True)

    assert (answer.status_code, answer.json()["status"]) == (200, "dry_run"), answer.text
    assert answer.json()["calls"]
    assert stage.broker.calls == []
    assert went(stage.broker, book) == set()
    assert leftovers(stage.redis) == []
    assert not any(secret in answer.text for secret in (SECRET, stage.environ["CROSSTRADE_TOKEN"]))


@pytest.mark.promise(4, 5)
def test_each_account_of_a_list_has_its_own_entry(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """One alert, one entry an account; the one that the broker refuses does not stop the others."""
    first, second = place(broker), place(broker, account="Sim102")
    bystander = place(broker, account="SimLive")

    answer = relay.alert(
        account=["Sim101", "NoSuch", "Sim102"], instrument="MES 12-26", reply_when="confirmed"
    )

    record = relay.ended(answer.json()["alert_id"])
    entries = [(entry["account"], entry["status"]) for entry in record["cancels"]]
    assert entries == [("Sim101", "confirmed"), ("NoSuch", "rejected"), ("Sim102", "confirmed")]
    assert record["status"] == "rejected"
    assert (
        relay.alert(
            account=["Sim101", "NoSuch", "Sim102"], instrument="MES 12-26", reply_when="confirmed"
        ).status_code
        == 424
    )
    assert states(broker, [first, second]) == {"Cancelled"}
    assert state(broker, bystander) == "Working"
    assert len(bulk_calls(broker)) == 3
