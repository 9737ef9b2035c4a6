"""What became of each order is said, and every word of it is proven at the broker."""

from typing import Any

import pytest

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import outcomes, place, state
from tests.running import RunningRelay, until

#: No order's id: as long as NinjaTrader's, and in no book.
MISTYPED = "0" * 32


@pytest.mark.promise(5)
def test_a_mistyped_order_id_is_no_success(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """The broker's "not found or already terminal" for an id it does not know is a 424."""
    broker.behaviour.unknown_order_status = 400
    several: list[dict[str, Any]] = [{"reply_when": "confirmed"}, {}]
    for fields in several:
        answer = relay.alert(account="Sim101", order_id=MISTYPED, **fields)

        assert (answer.status_code, answer.json()["status"]) == (424, "rejected"), answer.text
        assert outcomes(answer.json()) == {MISTYPED: "rejected"}
        assert "no such order in this account" in answer.json()["cancels"][0]["reason"]
        broker.behaviour.unknown_order_status = 404


@pytest.mark.promise(5)
def test_an_order_that_filled_first_is_named_so(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """Gone because it had filled is said, and is no cancel."""
    order = place(broker)
    broker.fill(order)

    answer = relay.alert(account="Sim101", order_id=order, reply_when="confirmed")

    assert (answer.status_code, answer.json()["status"]) == (200, "nothing_to_cancel"), answer.text
    assert outcomes(answer.json()) == {order: "filled"}
    assert answer.json()["summary"] == {"cancelled": 0, "filled": 1, "left": 0}
    assert "filled" in answer.json()["message"]


@pytest.mark.promise(5)
def test_an_order_that_somebody_else_cancelled_is_already_done(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Gone because it was cancelled before is `already_done`, not our cancel."""
    order = place(broker)
    broker.book.ask_to_cancel(order)
    broker.book.move(order, "Cancelled")

    answer = relay.alert(account="Sim101", order_id=order, reply_when="confirmed")

    assert (answer.status_code, answer.json()["status"]) == (200, "nothing_to_cancel"), answer.text
    assert outcomes(answer.json()) == {order: "already_done"}


@pytest.mark.promise(5)
def test_an_order_called_gone_that_still_works_is_asked_for_again(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """The word "already terminal" is looked at: an order that works all the same is asked for again."""
    order = place(broker)
    words = f"Order linked to '{order}' not found or already terminal."
    broker.trouble = Trouble(on="one", times=1, status=400, answer=f'{{"error": "{words}"}}')

    answer = relay.alert(account="Sim101", order_id=order, reply_when="confirmed")

    record = relay.ended(answer.json()["alert_id"])
    assert record["status"] == "confirmed", record
    assert state(broker, order) == "Cancelled"
    assert len(broker.cancel_calls) == 2


@pytest.mark.promise(5)
@pytest.mark.parametrize("target", ["order_id", "instrument", "side"])
def test_a_fill_that_wins_the_race_is_named(
    relay: RunningRelay, broker: CrossTradeSandbox, target: str
) -> None:
    """The broker took the cancel and the exchange filled the order first: `filled`, never `cancelled`."""
    order = place(broker)
    broker.behaviour.fill_before_cancel = "race"
    targets: dict[str, dict[str, Any]] = {
        "order_id": {"order_id": order},
        "instrument": {"instrument": "MES 12-26"},
        "side": {"instrument": "MES 12-26", "side": "buy"},
    }

    answer = relay.alert(account="Sim101", reply_when="confirmed", **targets[target])

    record = relay.ended(answer.json()["alert_id"])
    assert outcomes(record) == {order: "filled"}
    assert record["summary"] == {"cancelled": 0, "filled": 1, "left": 0}
    assert state(broker, order) == "Filled"


@pytest.mark.promise(5)
def test_a_fill_just_before_the_call_is_named(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """An order that fills as the cancel for its id arrives is `filled`."""
    order = place(broker)
    broker.behaviour.fill_before_cancel = "first"

    answer = relay.alert(account="Sim101", order_id=order, reply_when="confirmed")

    assert (answer.status_code, answer.json()["status"]) == (200, "nothing_to_cancel"), answer.text
    assert outcomes(answer.json()) == {order: "filled"}


@pytest.mark.promise(5)
def test_an_order_whose_cancel_never_comes_true_is_not_called_cancelled(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """The vendor took the request, and that is all that is said of it, until the order is over."""
    order = place(broker)
    broker.behaviour.cancel_after_s = None

    alert_id = relay.alert(account="Sim101", instrument="MES 12-26").json()["alert_id"]

    until(lambda: len(broker.calls) >= 3, what="a second look")
    record = relay.record(alert_id)
    assert (record["status"], outcomes(record)) == ("requested", {order: "requested"})
    assert state(broker, order) == "CancelPending"
    broker.book.move(order, "Cancelled")
    assert relay.ended(alert_id)["status"] == "confirmed"


@pytest.mark.promise(5)
def test_where_something_had_to_be_there_nothing_is_a_failure(relay: RunningRelay) -> None:
    """must_exist: nothing to cancel is a 424, for the copy too."""
    fields: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26", "must_exist": True}

    answers = [relay.alert(**fields, reply_when="confirmed") for _ in range(2)]

    for answer in answers:
        assert (answer.status_code, answer.json()["status"]) == (424, "nothing_to_cancel"), answer.text
