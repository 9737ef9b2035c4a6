"""A cancel over several accounts, and single cancels that are refused: each order has its own end."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest

from relay.cancel import Cancel, Scope
from relay.deliver import Delivery
from relay.lane import Lanes
from relay.outcome import Outcome, Progress, Sent, Status
from relay.record import Record
from relay.vendor import Answer, Call
from tests.running import until
from tests.scripted import Stage
from tests.vendors.dialogue import answer
from tests.vendors.of_alphapoint import AP, TOOK, refusal, row

EVERYTHING = Cancel("alphapoint", None, Scope.EVERYTHING)


class Exchange:
    """An exchange with an order in each of two accounts."""

    def __init__(self) -> None:
        self.cancels: list[Mapping[str, object]] = []
        #: What CancelAllOrders and CancelOrder answer, by account.
        self.bulk: dict[int, Answer] = {}
        self.single: dict[int, Answer] = {}
        self.states = {4: "Working", 5: "Working"}

    def rule(self, call: Call, _: object) -> Answer:
        """Answer as AlphaPoint does."""
        name, _, query = call.path.partition("?")
        account = int(parse_qs(query).get("AccountId", ["0"])[0])
        match name:
            case "/AuthenticateUser":
                return answer({"Authenticated": True, "SessionToken": "tests-only-token"})
            case "/GetUserAccounts":
                return answer([4, 5])
            case "/GetOpenOrders":
                return answer([self._row(account)] if self.states[account] == "Working" else [])
            case "/GetOrderStatus":
                return answer(self._row(account))
        body = json.loads(json.dumps(call.body))
        self.cancels.append(body)
        said = (self.bulk if name == "/CancelAllOrders" else self.single).get(body["AccountId"], TOOK)
        if said is TOOK:
            self.states[body["AccountId"]] = "Canceled"
        return said

    def _row(self, account: int) -> dict[str, object]:
        return row(OrderId=account * 10, Account=account, OrderState=self.states[account])


def delivered(stage: Stage, cancel: Cancel = EVERYTHING) -> Progress:
    """Make the first try of an alert that has just come."""
    held = stage.hold(cancel)
    progress = held.record.cancels[0][1]
    Delivery(held, cancel, progress, stage.line, stage.talk(held)).first()
    return progress


def outcomes(progress: Progress) -> dict[object, Outcome]:
    """Give what is known of each order."""
    return {order.order_id: order.outcome for order in progress.orders}


@pytest.mark.promise(1)
def test_one_accounts_refusal_does_not_end_what_another_can_be_asked_for_again(redis_url: str) -> None:
    """A definite no in one account, "later" in the next: the alert goes on, and rejects nothing yet."""
    exchange = Exchange()
    exchange.bulk = {4: answer(refusal(106)), 5: answer(b"", 429, retry_after="1")}

    progress = delivered(Stage(redis_url, AP, exchange.rule))

    assert progress.status in {Status.IN_PROGRESS, Status.REQUESTED}
    assert progress.due_ms is not None


@pytest.mark.promise(5)
def test_an_order_whose_refused_cancel_came_after_its_fill_is_told_as_filled(redis_url: str) -> None:
    """A refusal of one order's cancel is looked into: it may have filled in that moment."""
    exchange = Exchange()
    exchange.single = {4: answer(refusal(100))}
    stage = Stage(redis_url, AP, lambda call, session: _filling(exchange, call, session))

    progress = delivered(stage, Cancel("alphapoint", 4, Scope.ORDER, 40))

    assert outcomes(progress) == {40: Outcome.FILLED}
    assert progress.status is Status.NOTHING_TO_CANCEL


def _filling(exchange: Exchange, call: Call, session: object) -> Answer:
    if call.path == "/CancelOrder":
        exchange.states[4] = "FullyExecuted"
    return exchange.rule(call, session)


@pytest.mark.promise(5)
def test_an_order_that_works_on_after_a_refusal_is_rejected(redis_url: str) -> None:
    """Looked into, a refusal of an order that still works stays the definite no that it was."""
    exchange = Exchange()
    exchange.single = {4: answer(refusal(100))}

    progress = delivered(Stage(redis_url, AP, exchange.rule), Cancel("alphapoint", 4, Scope.ORDER, 40))

    assert (progress.status, outcomes(progress)) == (Status.REJECTED, {40: Outcome.REJECTED})


@pytest.mark.promise(1, 5)
@pytest.mark.parametrize("cancel", [EVERYTHING, Cancel("alphapoint", 4, Scope.ORDER, 40)], ids=["all", "one"])
def test_a_take_over_that_finds_no_room_is_still_one(redis_url: str, cancel: Cancel) -> None:
    """Let go again since the lane is full, or the vendor not known here, it may have left all the same."""
    stage = Stage(redis_url, AP, Exchange().rule, lease_s=1)
    alert_id = stage.hold(cancel).record.alert_id
    (taken,) = until(lambda: stage.ledger.take_due(5), what="the end of the dead one's lease")
    assert taken.interrupted

    Lanes({}, stage.ledger, stage.scrubber).again(taken)

    record: Record | None = stage.ledger.read(alert_id)
    assert record is not None
    progress = record.cancels[0][1]
    assert (progress.started, progress.sent, progress.attempts) == (True, Sent.MAYBE, 1)
    assert [order.asks for order in progress.orders] == [1] * (cancel.scope is Scope.ORDER)
