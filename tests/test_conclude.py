"""What a cancel comes to: proven, refused, filled first, out of time or not known, never guessed."""

import json
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.cancel import Cancel, Scope
from relay.conclude import conclude, give_up, run_out, warn_of_newer, warn_of_others
from relay.outcome import OrderOutcome, Outcome, Progress, Sent, Status, foremost
from relay.vendor import Order, State

ONE = Cancel("crosstrade", "Sim101", Scope.ORDER, "adb3")
ALL = Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26")
BY_OWN_ID = Cancel("alphapoint", 4, Scope.CLIENT_ORDER, 17)

CANCELLED, FILLED, DONE = Outcome.CANCELLED, Outcome.FILLED, Outcome.ALREADY_DONE
REQUESTED, PENDING = Outcome.REQUESTED, Outcome.PENDING
REJECTED, UNKNOWN = Outcome.REJECTED, Outcome.UNKNOWN


def orders(*outcomes: Outcome, asks: int = 1) -> list[OrderOutcome]:
    """Give an order for each outcome; why a rejected or unknown one is so is said."""
    return [
        OrderOutcome(f"id-{number}", "Sim101", outcome, f"why {outcome}", asks)
        for number, outcome in enumerate(outcomes)
    ]


def untold() -> OrderOutcome:
    """Give an order that was left alone, since nothing can tell whether it is meant."""
    return OrderOutcome("id-untold", "Sim101", UNKNOWN, "left alone: no time", untold=True)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ((CANCELLED,), Status.CONFIRMED),
        ((CANCELLED, FILLED, DONE), Status.CONFIRMED),
        ((FILLED,), Status.CONFIRMED),
        ((), Status.NOTHING_TO_CANCEL),
        ((CANCELLED, REQUESTED), Status.REQUESTED),
        ((REQUESTED, REJECTED), Status.REQUESTED),
        ((CANCELLED, PENDING), Status.IN_PROGRESS),
        ((REQUESTED, PENDING), Status.IN_PROGRESS),
        ((REJECTED,), Status.REJECTED),
        ((REJECTED, REJECTED), Status.REJECTED),
        ((CANCELLED, REJECTED), Status.FAILED),
        ((FILLED, REJECTED), Status.FAILED),
        ((CANCELLED, UNKNOWN), Status.FAILED),
    ],
)
def test_a_cancel_that_was_read_back_comes_to_what_its_orders_came_to(
    outcomes: tuple[Outcome, ...], status: Status
) -> None:
    """It is confirmed when none of its orders works any more, and no earlier, in whatever order they are."""
    for each in permutations(outcomes):
        progress = Progress(started=True, sent=Sent.YES, orders=orders(*each))

        assert conclude(ALL, progress, read_back=True) is status.ended
        assert progress.status is status


@pytest.mark.promise(5)
@pytest.mark.parametrize("outcomes", [(), (CANCELLED,), (FILLED, CANCELLED), (REQUESTED,)], ids=str)
def test_nothing_is_confirmed_before_it_was_read_back(outcomes: tuple[Outcome, ...]) -> None:
    """The vendor took the request: that the orders are gone is another answer."""
    progress = Progress(started=True, sent=Sent.YES, orders=orders(*outcomes))

    assert not conclude(ALL, progress, read_back=False)
    assert progress.status is Status.REQUESTED


@pytest.mark.promise(5)
@pytest.mark.parametrize("sent", [Sent.NO, Sent.MAYBE])
def test_what_no_vendor_took_is_not_called_requested(sent: Sent) -> None:
    """Where nothing was sent, or nobody knows whether it arrived, the relay is still at it."""
    progress = Progress(started=sent is not Sent.NO, sent=sent)

    assert not conclude(ALL, progress, read_back=False)
    assert progress.status is Status.IN_PROGRESS


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("outcome", "asks", "sent", "status"),
    [
        pytest.param(CANCELLED, 1, Sent.NO, Status.CONFIRMED, id="asked for and cancelled"),
        pytest.param(FILLED, 1, Sent.NO, Status.CONFIRMED, id="asked for, and filled first"),
        pytest.param(FILLED, 0, Sent.NO, Status.NOTHING_TO_CANCEL, id="filled before it was asked for"),
        pytest.param(DONE, 0, Sent.NO, Status.NOTHING_TO_CANCEL, id="over before it was asked for"),
        pytest.param(CANCELLED, 0, Sent.MAYBE, Status.CONFIRMED, id="cancelled by a holder that died"),
        pytest.param(REJECTED, 0, Sent.NO, Status.REJECTED, id="refused"),
        pytest.param(REQUESTED, 1, Sent.NO, Status.REQUESTED, id="asked for"),
        pytest.param(PENDING, 1, Sent.NO, Status.IN_PROGRESS, id="asked for without an answer"),
    ],
)
def test_a_named_order_ends_by_its_own_state(outcome: Outcome, asks: int, sent: Sent, status: Status) -> None:
    """No list is needed for an order that the alert names; one that was over already was not cancelled."""
    progress = Progress(started=True, sent=sent, orders=orders(outcome, asks=asks))

    conclude(ONE, progress, read_back=False)

    assert progress.status is status


@pytest.mark.promise(5)
def test_a_call_that_may_have_acted_is_not_nothing() -> None:
    """No working order is left, and nobody knows which ones the call cancelled: a warning says so."""
    progress = Progress(started=True, sent=Sent.MAYBE)

    assert conclude(ALL, progress, read_back=True)
    assert progress.status is Status.CONFIRMED
    assert "which ones it cancelled is not known" in progress.warnings[0]


@pytest.mark.promise(5)
@pytest.mark.parametrize("told", [(), (CANCELLED,), (FILLED,)], ids=str)
def test_an_order_that_was_left_alone_keeps_a_cancel_from_success(told: tuple[Outcome, ...]) -> None:
    """What nothing could tell ends as unknown, with its reason."""
    progress = Progress(started=True, sent=Sent.YES, orders=[*orders(*told), untold()])

    assert conclude(ALL, progress, read_back=True)
    assert (progress.status, progress.reason) == (Status.UNKNOWN, "left alone: no time")


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("known", "status", "outcomes"),
    [
        pytest.param(orders(REQUESTED), Status.UNKNOWN, [UNKNOWN], id="no evidence"),
        pytest.param(orders(CANCELLED, PENDING), Status.UNKNOWN, [CANCELLED, UNKNOWN], id="asked for once"),
        pytest.param(orders(PENDING, asks=0), Status.FAILED, [UNKNOWN], id="never asked for"),
        pytest.param([], Status.UNKNOWN, [], id="never read back"),
    ],
)
def test_when_the_time_for_reading_back_is_over_it_says_what_is_not_known(
    known: list[OrderOutcome], status: Status, outcomes: list[Outcome]
) -> None:
    """Without evidence it is unknown; with an order that was never asked for it failed."""
    progress = Progress(started=True, sent=Sent.YES, reason="408", orders=known, due_ms=5)

    give_up(progress)

    assert progress.status is status
    assert [each.outcome for each in progress.orders] == outcomes
    assert progress.reason is not None
    assert progress.reason.endswith("(last: 408)")
    assert progress.due_ms is None


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("attempts", "status"), [(0, Status.EXPIRED), (1, Status.FAILED), (7, Status.FAILED)]
)
def test_out_of_time_before_a_start_is_expired_or_failed(attempts: int, status: Status) -> None:
    """Nothing was tried: expired. Something was, and never reached the vendor: failed."""
    progress = Progress(attempts=attempts, reason="no connection", due_ms=5)

    run_out(progress)

    assert progress.status is status
    assert progress.reason is not None
    assert progress.reason.endswith(": no connection")
    assert progress.due_ms is None


def working(instrument: str, number: int) -> Order:
    """Give a working order of an instrument."""
    return Order(f"id-{number}", "Sim101", instrument, "buy", State.WORKING, "Working", None)


@pytest.mark.promise(5)
def test_nothing_to_cancel_names_what_does_work_there() -> None:
    """A typo, or the roll, shows at once."""
    progress = Progress()
    there = (working("MES 03-27", 1), working("ES 12-26", 2), working("MES 03-27", 3))

    warn_of_others(ALL, progress, there)
    warn_of_others(ALL, progress, there)

    assert progress.warnings == [
        "no working order of MES 12-26 in Sim101; working there: ES 12-26, 1; MES 03-27, 2"
    ]
    progress.orders = orders(CANCELLED)
    warn_of_others(ALL, progress, there)
    assert progress.warnings == []


@pytest.mark.promise(5)
def test_the_foremost_status_is_the_alerts() -> None:
    """With several cancels the worst news comes first, as the specification orders them."""
    ordered = [
        "unknown", "failed", "expired", "rejected", "in_progress", "scheduled", "requested", "confirmed",
        "nothing_to_cancel",
    ]  # fmt: skip
    for place, status in enumerate(ordered):
        rest = [Status(each) for each in ordered[place:]]
        assert foremost(rest[::-1]) is Status(status)


_PROGRESS = st.builds(
    Progress,
    started=st.booleans(),
    sent=st.sampled_from(Sent),
    orders=st.lists(
        st.builds(
            OrderOutcome,
            order_id=st.sampled_from(["a", "b"]) | st.integers(1, 9),
            account=st.just("Sim101"),
            outcome=st.sampled_from(Outcome),
            reason=st.none() | st.just("why"),
            asks=st.integers(0, 2),
        ),
        max_size=4,
    ),
    was_there=st.none() | st.lists(st.just(["Sim101", "a"]), max_size=2),
    warnings=st.lists(st.just("a warning"), max_size=1),
    due_ms=st.none() | st.integers(0, 9),
)


@pytest.mark.promise(5)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(cancel=st.sampled_from([ONE, ALL, BY_OWN_ID]), progress=_PROGRESS, read_back=st.booleans())
def test_success_is_never_said_of_an_order_that_may_work(
    cancel: Cancel, progress: Progress, *, read_back: bool
) -> None:
    """Confirmed, or nothing to cancel, means that every order is over by the vendor's own word."""
    if cancel is ONE:
        progress.orders = progress.orders[:1] or orders(PENDING)

    if conclude(cancel, progress, read_back=read_back):
        assert progress.status.ended
        assert progress.due_ms is None
    if progress.status in {Status.CONFIRMED, Status.NOTHING_TO_CANCEL}:
        assert all(each.outcome.over for each in progress.orders)
        assert read_back or cancel is ONE


@pytest.mark.promise(1)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(_PROGRESS)
def test_what_is_known_survives_the_ledger(progress: Progress) -> None:
    """Whoever takes a record over knows all that its last holder knew."""
    assert Progress.decode(json.loads(json.dumps(progress.encode()))) == progress


@pytest.mark.promise(5)
def test_an_own_id_that_no_order_has_is_refused_by_name() -> None:
    """Read back, and nothing was ever sent: the trader is told that there is no such order."""
    progress = Progress(started=True)

    assert conclude(BY_OWN_ID, progress, read_back=True)
    assert progress.status is Status.REJECTED
    assert progress.reason == "no such order in this account (order with client id 17 in 4)"


@pytest.mark.promise(5)
@pytest.mark.parametrize("sent", [Sent.MAYBE, Sent.UNNAMED, Sent.YES])
def test_an_own_id_that_was_asked_for_by_a_process_that_died_is_not_refused(sent: Sent) -> None:
    """What may have been cancelled is not called an order that never was."""
    progress = Progress(started=True, sent=sent)

    assert conclude(BY_OWN_ID, progress, read_back=True)
    assert progress.status is not Status.REJECTED


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("outcome", "asks", "status"),
    [
        (CANCELLED, 1, Status.CONFIRMED),
        (FILLED, 1, Status.CONFIRMED),
        (FILLED, 0, Status.NOTHING_TO_CANCEL),
        (DONE, 0, Status.NOTHING_TO_CANCEL),
        (REJECTED, 0, Status.REJECTED),
        (REQUESTED, 1, Status.REQUESTED),
        (PENDING, 0, Status.IN_PROGRESS),
    ],
)
def test_an_order_named_by_its_own_id_ends_by_what_became_of_it(
    outcome: Outcome, asks: int, status: Status
) -> None:
    """As one that is named by the vendor's id, once what works was listed: another of its id may work."""
    progress = Progress(started=True, orders=orders(outcome, asks=asks))

    assert conclude(BY_OWN_ID, progress, read_back=True) is status.ended
    assert progress.status is status
    unread = Progress(started=True, orders=orders(outcome, asks=asks))
    assert not conclude(BY_OWN_ID, unread, read_back=False)


@pytest.mark.promise(5)
@pytest.mark.parametrize("told", [(), (CANCELLED,), (FILLED,), (DONE,)], ids=str)
def test_an_order_whose_own_id_could_not_be_read_keeps_the_cancel_from_success(
    told: tuple[Outcome, ...],
) -> None:
    """It may be the one that was meant: neither "no such order" nor confirmed."""
    progress = Progress(started=True, orders=[*orders(*told), untold()])

    assert conclude(BY_OWN_ID, progress, read_back=True)
    assert (progress.status, progress.reason) == (Status.UNKNOWN, "left alone: no time")


@pytest.mark.promise(5)
def test_newer_orders_of_the_kind_are_counted_and_named_anew_each_time() -> None:
    """The warning says how many are left alone now, and goes when there are none."""
    progress = Progress(warnings=["another"])

    warn_of_newer(BY_OWN_ID, progress, 2)
    warn_of_newer(BY_OWN_ID, progress, 1)

    assert progress.warnings == [
        "another",
        "order with client id 17 in 4: 1 placed, or changed, after the alert: left alone",
    ]
    warn_of_newer(BY_OWN_ID, progress, 0)
    assert progress.warnings == ["another"]


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "cancel",
    [
        BY_OWN_ID,
        Cancel("alphapoint", 4, Scope.USER, user_id=57),
        Cancel("alphapoint", None, Scope.EVERYTHING),
    ],
    ids=lambda cancel: cancel.words(),
)
def test_only_an_instruments_cancel_names_what_else_works(cancel: Cancel) -> None:
    """A typo in an id shows as no such order; what works elsewhere in the account says nothing about it."""
    progress = Progress()

    warn_of_others(cancel, progress, (working("instrument 8", 1),))

    assert progress.warnings == []


@pytest.mark.promise(5)
def test_an_order_that_was_never_reached_is_not_called_gone() -> None:
    """A named order of which nothing is known yet is still to be cancelled."""
    known = Progress()

    assert not conclude(Cancel("crosstrade", "Sim101", Scope.ORDER, "a1"), known, read_back=False)
    assert known.status is Status.IN_PROGRESS
