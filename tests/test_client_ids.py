"""An order that the trader's own id names: that one, wherever it stands, and never a newer one of its id."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.cancel import Cancel, Scope
from relay.conclude import OUT_OF_TIME
from relay.deliver import Delivery
from relay.outcome import Outcome, Progress, Status
from relay.vendor import Answer, Call
from tests.scripted import Stage
from tests.vendors.dialogue import answer
from tests.vendors.of_alphapoint import ACCOUNT, AP, TOOK, refusal, row

#: What the trader calls his order.
OWN_ID = 17

CANCEL = Cancel("alphapoint", ACCOUNT, Scope.CLIENT_ORDER, OWN_ID)

#: Milliseconds before now at which the alert came: long enough for a newer order to be surely newer.
AGO_MS = 10_000


class Exchange:
    """An exchange with a few orders, all of one account."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.cancels: list[Mapping[str, Any]] = []
        self.history: Answer | None = None
        #: Orders that the list of open ones does not show yet.
        self.late: set[int] = set()
        self.on_cancel: Callable[[], None] = lambda: None
        self.now_ms = 0

    def place(self, number: int, *, before_ms: int, state: str = "Working", own_id: object = OWN_ID) -> None:
        """Place an order, so long before now."""
        created = self.now_ms - before_ms
        self.orders.append(row(OrderId=number, ClientOrderId=own_id, ReceiveTime=created, OrderState=state))

    def state(self, number: int) -> str:
        """Give the state of an order."""
        return str(self._order(number)["OrderState"])

    def rule(self, call: Call, _: object) -> Answer:
        """Answer as AlphaPoint does."""
        asked = parse_qs(urlsplit(call.path).query)
        match call.path.partition("?")[0]:
            case "/AuthenticateUser":
                return answer({"Authenticated": True, "SessionToken": "tests-only-token"})
            case "/GetOpenOrders":
                working = [each for each in self.orders if each["OrderState"] == "Working"]
                return answer([each for each in working if each["OrderId"] not in self.late])
            case "/GetOrdersHistory":
                return self.history or answer(self.orders)
            case "/GetOrderStatus":
                return answer([self._order(int(asked["OrderId"][0]))])
            case "/CancelOrder":
                self.on_cancel()
                body = json.loads(json.dumps(call.body))
                self.cancels.append(body)
                self._order(body["OrderId"])["OrderState"] = "Canceled"
                return TOOK
        raise AssertionError(call.path)

    def _order(self, number: int) -> dict[str, Any]:
        return next(each for each in self.orders if each["OrderId"] == number)


@pytest.fixture
def exchange() -> Exchange:
    """Give an exchange without orders."""
    return Exchange()


@pytest.fixture
def stage(redis_url: str, exchange: Exchange) -> Stage:
    """Give a line to that exchange."""
    stage = Stage(redis_url, AP, exchange.rule)
    exchange.now_ms = stage.ledger.now_ms()
    return stage


def visited(stage: Stage, *, visits: int = 1, ago_ms: int = AGO_MS) -> Progress:
    """Visit the alert, which came a while ago and has been visited before, and give how far it is."""
    held = stage.hold(CANCEL, came_ms_ago=ago_ms)
    progress = held.record.cancels[0][1]
    progress.started = True
    for _ in range(visits):
        Delivery(held, CANCEL, progress, stage.line, stage.talk(held)).again()
    return progress


def outcomes(progress: Progress) -> dict[object, Outcome]:
    """Give what became of each order."""
    return {each.order_id: each.outcome for each in progress.orders}


@pytest.mark.promise(4, 5)
def test_the_order_of_that_id_is_cancelled_by_both_its_ids(stage: Stage, exchange: Exchange) -> None:
    """No other order of the account goes with it, one without an id of its own least of all."""
    exchange.place(1, before_ms=60_000)
    exchange.place(2, before_ms=60_000, own_id=0)
    exchange.place(3, before_ms=60_000, own_id=18)

    progress = visited(stage, visits=2)

    assert exchange.cancels == [{"OMSId": 1, "AccountId": ACCOUNT, "OrderId": 1, "ClOrderId": OWN_ID}]
    assert progress.status is Status.CONFIRMED
    assert outcomes(progress) == {1: Outcome.CANCELLED}


@pytest.mark.promise(3)
def test_a_newer_order_of_that_id_is_spared_wherever_it_is_found(stage: Stage, exchange: Exchange) -> None:
    """Neither the list of what works nor that of the past makes it the one that the alert means."""
    exchange.place(1, before_ms=AGO_MS - 5_000)

    progress = visited(stage, visits=2)

    assert exchange.cancels == []
    assert exchange.state(1) == "Working"
    assert progress.status is Status.REJECTED
    assert progress.reason == f"no such order in this account (order with client id {OWN_ID} in {ACCOUNT})"
    assert any("placed, or changed, after the alert: left alone" in each for each in progress.warnings)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("state", "outcome"), [("FullyExecuted", Outcome.FILLED), ("Canceled", Outcome.ALREADY_DONE)]
)
@pytest.mark.parametrize("newer", [None, "Working", "Canceled"])
def test_what_became_of_the_order_is_told_where_it_is_over(
    stage: Stage, exchange: Exchange, state: str, outcome: Outcome, newer: str | None
) -> None:
    """The past shows the order that the alert meant; a newer one of its id is another order."""
    exchange.place(1, before_ms=60_000, state=state)
    if newer is not None:
        exchange.place(2, before_ms=AGO_MS - 5_000, state=newer)

    progress = visited(stage)

    assert exchange.cancels == []
    assert progress.status is Status.NOTHING_TO_CANCEL
    assert outcomes(progress) == {1: outcome}


@pytest.mark.promise(5)
def test_the_newest_that_was_there_is_the_one(stage: Stage, exchange: Exchange) -> None:
    """An id may have been used before: the last one of it is what the alert speaks of."""
    exchange.place(1, before_ms=120_000, state="FullyExecuted")
    exchange.place(2, before_ms=60_000, state="Canceled")

    assert outcomes(visited(stage)) == {2: Outcome.ALREADY_DONE}


@pytest.mark.promise(1)
def test_an_order_that_only_the_newest_orders_show_is_cancelled(stage: Stage, exchange: Exchange) -> None:
    """Where the list of open orders is late it is found all the same: it was there when the alert came."""
    exchange.place(1, before_ms=60_000)
    exchange.late = {1}

    progress = visited(stage, visits=2)

    assert exchange.state(1) == "Canceled"
    assert progress.status is Status.CONFIRMED


@pytest.mark.promise(1)
@pytest.mark.parametrize("late", [set(), {1}], ids=["listed", "shown among the newest"])
def test_an_order_is_written_down_before_it_is_asked_for(
    stage: Stage, exchange: Exchange, late: set[int]
) -> None:
    """Whoever takes over finds which order may have been cancelled, wherever it was found."""
    exchange.place(1, before_ms=60_000)
    exchange.late = late
    known: list[dict[object, Outcome]] = []

    def look() -> None:
        stored = stage.ledger.read(f"{1:032x}")
        assert stored is not None
        known.append(outcomes(stored.cancels[0][1]))

    exchange.on_cancel = look
    visited(stage)

    assert known == [{1: Outcome.PENDING}]


@pytest.mark.promise(3)
@pytest.mark.parametrize("late", [set(), {1}], ids=["listed", "shown among the newest"])
def test_an_order_that_is_seen_after_the_alerts_time_is_not_asked_for(
    stage: Stage, exchange: Exchange, late: set[int]
) -> None:
    """What was not found while the alert was good is told, and left."""
    exchange.place(1, before_ms=120_000)
    exchange.late = late

    progress = visited(stage, ago_ms=70_000)

    assert exchange.cancels == []
    assert progress.status is Status.FAILED
    assert progress.reason == OUT_OF_TIME


@pytest.mark.promise(5)
@pytest.mark.parametrize("refused", [False, True], ids=["no past order", "no past to be had"])
def test_an_id_that_no_order_has_is_refused(stage: Stage, exchange: Exchange, *, refused: bool) -> None:
    """A definite no, also where the past has an order without an id, or cannot be had."""
    exchange.place(1, before_ms=60_000, own_id=18)
    exchange.place(2, before_ms=60_000, own_id=None, state="Canceled")
    exchange.history = answer(refusal(106, "Operation Not Supported")) if refused else None

    progress = visited(stage)

    assert progress.status is Status.REJECTED
    assert exchange.cancels == []


@pytest.mark.promise(5)
def test_a_past_that_cannot_be_read_is_no_proof(stage: Stage, exchange: Exchange) -> None:
    """Where the vendor has trouble the alert is looked at again, and nothing is concluded."""
    exchange.history = answer(b"", 500)

    progress = visited(stage)

    assert not progress.status.ended
    assert progress.due_ms is not None
    exchange.history = None


@pytest.mark.promise(4, 5)
def test_an_order_whose_own_id_cannot_be_read_is_left_alone_and_named(
    stage: Stage, exchange: Exchange
) -> None:
    """It may be the one: it is not cancelled, and the alert does not end as if there were none."""
    exchange.place(1, before_ms=60_000, own_id=None)

    progress = visited(stage)

    assert exchange.cancels == []
    assert progress.status is Status.UNKNOWN
    assert progress.reason == "left alone: its client id cannot be told"
    assert outcomes(progress) == {1: Outcome.UNKNOWN}
