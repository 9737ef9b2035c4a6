"""Which orders an alert means: those that were there when it came, and only those."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.cancel import Cancel, Scope
from relay.evidence import Verdict, judge
from relay.instrument import same_contract
from relay.outcome import Progress
from relay.record import UNCERTAIN_MS
from relay.vendor import Created, Order, State

#: When the alert came, in ms.
AT = 1_795_271_400_000

CANCEL = Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26", "buy")
ORDER = Order("adb3", "Sim101", "MES 12-26", "buy", State.WORKING, "Working", Created(AT - 60_000))


def same(asked: str | int, shown: Order) -> bool | None:
    """Compare contracts as CrossTrade's file does."""
    return same_contract(str(asked), str(shown.instrument))


def verdict(
    order: Order = ORDER, *, cancel: Cancel = CANCEL, was_there: list[Order] | None = None
) -> tuple[Verdict, str | None]:
    """Judge an order, with a list taken at the first try or without one."""
    listed = None if was_there is None else [[each.account, each.order_id] for each in was_there]
    return judge(
        cancel,
        Progress(was_there=listed),
        order,
        doubt_ms=(AT - UNCERTAIN_MS, AT + UNCERTAIN_MS),
        same_instrument=same,
    )


BEFORE, EARLY, LATE, AFTER = (
    AT - UNCERTAIN_MS - 1,
    AT - UNCERTAIN_MS,
    AT + UNCERTAIN_MS,
    AT + UNCERTAIN_MS + 1,
)


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("created_ms", "unlisted", "absent", "present"),
    [
        pytest.param(BEFORE, Verdict.MEANT, Verdict.MEANT, Verdict.MEANT, id="before"),
        pytest.param(EARLY, Verdict.UNTOLD, Verdict.NEWER, Verdict.MEANT, id="2 s before"),
        pytest.param(AT, Verdict.UNTOLD, Verdict.NEWER, Verdict.MEANT, id="with it"),
        pytest.param(LATE, Verdict.UNTOLD, Verdict.NEWER, Verdict.MEANT, id="2 s after"),
        pytest.param(None, Verdict.UNTOLD, Verdict.NEWER, Verdict.MEANT, id="no time"),
    ],
)
def test_a_time_decides_or_else_a_list(
    created_ms: int | None, unlisted: Verdict, absent: Verdict, present: Verdict
) -> None:
    """Clearly before the alert goes; around it, or without a time, only a list taken then decides."""
    order = replace(ORDER, created=None if created_ms is None else Created(created_ms))

    assert verdict(order)[0] is unlisted
    assert verdict(order, was_there=[])[0] is absent
    assert verdict(order, was_there=[ORDER])[0] is present


@pytest.mark.promise(3)
@pytest.mark.parametrize("was_there", [None, []], ids=["no list", "an empty list"])
def test_an_order_that_is_newer_than_the_alert_is_never_touched(was_there: list[Order] | None) -> None:
    """More than two seconds after the alert it is another order."""
    assert verdict(replace(ORDER, created=Created(AFTER)), was_there=was_there) == (Verdict.NEWER, None)


@pytest.mark.promise(3)
def test_a_time_of_a_zone_that_nobody_named_does_not_overrule_a_list() -> None:
    """A new order whose local time reads as hours ago is not cancelled: the list did not have it."""
    hours_ago = Created(AT - 5 * 3_600_000, zone_is_sure=False)

    found, why = verdict(replace(ORDER, created=hours_ago), was_there=[])

    assert found is Verdict.UNTOLD
    assert why is not None
    assert "is the time zone right?" in why


@pytest.mark.promise(3)
def test_a_list_names_an_order_in_its_account() -> None:
    """An id in another account is another order."""
    elsewhere = replace(ORDER, account="Live7", created=None)

    assert verdict(replace(ORDER, created=None), was_there=[elsewhere])[0] is Verdict.NEWER


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("order", "says"),
    [
        (replace(ORDER, created=Created(AT)), "before or after the alert cannot be told"),
        (replace(ORDER, side=None), "its side cannot be told"),
    ],
)
def test_what_cannot_be_told_is_said(order: Order, says: str) -> None:
    """An order that is left alone is left alone for a reason that a person can read."""
    found, why = verdict(order)

    assert found is Verdict.UNTOLD
    assert why is not None
    assert says in why


@pytest.mark.promise(4)
def test_the_front_month_is_never_guessed() -> None:
    """`MES1!` may mean the order's contract, or the next one: it is left alone, saying to name it."""
    found, why = verdict(cancel=replace(CANCEL, name="MES1!"))

    assert found is Verdict.UNTOLD
    assert why is not None
    assert "name the contract" in why


#: An order that its trader calls 17, entered by user 57; and the alerts that name the one or the other.
OWN = replace(ORDER, account=4, instrument="instrument 8", instrument_id=8, client_id=17, user_id=57)
BY_OWN_ID = Cancel("alphapoint", 4, Scope.CLIENT_ORDER, 17)
OF_USER = Cancel("alphapoint", 4, Scope.USER, user_id=57)


def created(ms: int | None, order: Order = OWN) -> Order:
    """Give the order as created then, or without a time."""
    return replace(order, created=None if ms is None else Created(ms))


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "ms", [BEFORE, EARLY, AT, LATE, None], ids=["before", "2 s before", "at", "2 s after", "never"]
)
@pytest.mark.parametrize(
    "was_there", [None, [], [OWN]], ids=["no list", "an empty list", "a list that has it"]
)
def test_an_order_named_by_the_traders_own_id_is_meant(ms: int | None, was_there: list[Order] | None) -> None:
    """Its name is evidence enough, as long as its time does not say that it is another one."""
    assert verdict(created(ms), cancel=BY_OWN_ID, was_there=was_there) == (Verdict.MEANT, None)


@pytest.mark.promise(3)
def test_a_newer_order_of_the_same_own_id_is_spared() -> None:
    """An id that was given again names another order now, unless a list had this very one before."""
    assert verdict(created(AFTER), cancel=BY_OWN_ID) == (Verdict.NEWER, None)
    assert verdict(created(AFTER), cancel=BY_OWN_ID, was_there=[]) == (Verdict.NEWER, None)
    assert verdict(created(AFTER), cancel=BY_OWN_ID, was_there=[OWN]) == (Verdict.MEANT, None)
    elsewhere = replace(OWN, account=5)
    assert verdict(created(AFTER), cancel=BY_OWN_ID, was_there=[elsewhere]) == (Verdict.NEWER, None)


@pytest.mark.promise(4)
@pytest.mark.parametrize("ms", [BEFORE, AT, AFTER, None])
@pytest.mark.parametrize("own_id", [18, 0, "17", "", 2**63 - 1], ids=repr)
def test_an_order_of_another_own_id_is_not_meant(own_id: str | int, ms: int | None) -> None:
    """Ids stay as the vendor has them: a text is no number, and 0 is the id of an order without one."""
    assert verdict(created(ms, replace(OWN, client_id=own_id)), cancel=BY_OWN_ID) == (Verdict.NOT_MEANT, None)


@pytest.mark.promise(4)
def test_own_ids_that_are_texts_are_compared_to_the_letter() -> None:
    """Capitals count in an id."""
    cancel = replace(BY_OWN_ID, name="Exit-1")

    assert verdict(replace(OWN, client_id="Exit-1"), cancel=cancel)[0] is Verdict.MEANT
    assert verdict(replace(OWN, client_id="exit-1"), cancel=cancel)[0] is Verdict.NOT_MEANT


@pytest.mark.promise(4, 5)
def test_an_order_without_a_readable_own_id_is_left_alone_and_named() -> None:
    """It may be the one that is meant; a newer one cannot be."""
    nameless = replace(OWN, client_id=None)

    assert verdict(nameless, cancel=BY_OWN_ID) == (Verdict.UNTOLD, "its client id cannot be told")
    assert verdict(nameless, cancel=BY_OWN_ID, was_there=[OWN])[0] is Verdict.UNTOLD
    assert verdict(created(AFTER, nameless), cancel=BY_OWN_ID) == (Verdict.NOT_MEANT, None)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "cancel",
    [
        OF_USER,
        Cancel("alphapoint", 4, Scope.ACCOUNT, user_id=57),
        Cancel("alphapoint", None, Scope.EVERYTHING, user_id=57),
        Cancel("alphapoint", 4, Scope.INSTRUMENT, "instrument 8", user_id=57),
    ],
    ids=lambda cancel: cancel.scope.value,
)
def test_a_users_cancel_takes_that_users_orders_alone(cancel: Cancel) -> None:
    """Several users may share an account: a colleague's order stays, and one that nobody can tell of, too."""
    assert verdict(OWN, cancel=cancel) == (Verdict.MEANT, None)
    assert verdict(replace(OWN, user_id=58), cancel=cancel) == (Verdict.NOT_MEANT, None)
    assert verdict(replace(OWN, user_id=None), cancel=cancel) == (
        Verdict.UNTOLD,
        "who entered it cannot be told",
    )
    assert verdict(created(AFTER), cancel=cancel) == (Verdict.NEWER, None)
    assert verdict(created(AT), cancel=cancel, was_there=[]) == (Verdict.NEWER, None)
    assert verdict(created(AT), cancel=cancel, was_there=[OWN]) == (Verdict.MEANT, None)


@pytest.mark.promise(4)
def test_what_is_surely_not_meant_needs_no_other_word() -> None:
    """A row that leaves one thing open and contradicts another is another order."""
    cancel = replace(OF_USER, side="buy")

    assert verdict(replace(OWN, side=None, user_id=58), cancel=cancel) == (Verdict.NOT_MEANT, None)
    assert verdict(replace(OWN, side="sell", user_id=None), cancel=cancel) == (Verdict.NOT_MEANT, None)
    assert verdict(replace(OWN, side=None), cancel=cancel) == (Verdict.UNTOLD, "its side cannot be told")


_CREATED = st.none() | st.builds(Created, st.integers(AT - 10_000, AT + 10_000), zone_is_sure=st.booleans())
_SIDES = st.sampled_from(["buy", "sell"])
_ORDERS = st.builds(
    Order,
    order_id=st.sampled_from(["a", "b"]),
    account=st.sampled_from(["Sim101", "Live7"]),
    instrument=st.sampled_from(["MES 12-26", "MES 03-27", "ES 12-26", "MESZ26"]),
    side=st.none() | _SIDES,
    state=st.sampled_from(State),
    state_words=st.just("Working"),
    created=_CREATED,
    client_id=st.none() | st.sampled_from([0, 17, "17"]),
    user_id=st.none() | st.sampled_from([57, 58]),
)
_CANCELS = st.builds(
    Cancel,
    vendor=st.just("crosstrade"),
    account=st.just("Sim101"),
    scope=st.just(Scope.INSTRUMENT),
    name=st.sampled_from(["MES 12-26", "MES1!", "MES", "ESZ26"]),
    side=st.none() | _SIDES,
) | st.builds(
    Cancel,
    vendor=st.just("crosstrade"),
    account=st.just("Sim101"),
    scope=st.sampled_from([Scope.ACCOUNT, Scope.EVERYTHING]),
    side=st.none() | _SIDES,
)
_CANCELS |= st.builds(
    Cancel,
    vendor=st.just("alphapoint"),
    account=st.just("Sim101"),
    scope=st.sampled_from([Scope.USER, Scope.ACCOUNT, Scope.EVERYTHING]),
    side=st.none() | _SIDES,
    user_id=st.sampled_from([57, 58]),
)
_BY_OWN_IDS = st.builds(
    Cancel,
    vendor=st.just("alphapoint"),
    account=st.just("Sim101"),
    scope=st.just(Scope.CLIENT_ORDER),
    name=st.sampled_from([17, 18, "17"]),
)
_LISTS = st.none() | st.lists(_ORDERS, max_size=3)


@pytest.mark.promise(3)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(_CANCELS, _ORDERS, _LISTS)
def test_what_is_meant_was_there(cancel: Cancel, order: Order, was_there: list[Order] | None) -> None:
    """Nothing is cancelled without evidence: a list that has it, or a time before the alert."""
    listed = any((each.account, each.order_id) == (order.account, order.order_id) for each in was_there or ())
    old = order.created is not None and order.created.ms < AT - UNCERTAIN_MS

    if verdict(order, cancel=cancel, was_there=was_there)[0] is Verdict.MEANT:
        assert listed or old


@pytest.mark.promise(4)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(_CANCELS, _ORDERS, _LISTS)
def test_what_is_meant_has_the_side_the_user_and_the_instrument(
    cancel: Cancel, order: Order, was_there: list[Order] | None
) -> None:
    """No evidence about the time ever crosses a side, a user or a contract."""
    if verdict(order, cancel=cancel, was_there=was_there)[0] is Verdict.MEANT:
        assert cancel.side in {None, order.side}
        assert cancel.user_id in {None, order.user_id}
        assert cancel.name is None or same(cancel.name, order) is True


@pytest.mark.promise(3, 4)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(_BY_OWN_IDS, _ORDERS, _LISTS)
def test_what_an_own_id_means_has_it_and_is_not_newer(
    cancel: Cancel, order: Order, was_there: list[Order] | None
) -> None:
    """The very id, type and all, and a time after the alert only where a list had the order before."""
    if verdict(order, cancel=cancel, was_there=was_there)[0] is Verdict.MEANT:
        listed = any(
            (each.account, each.order_id) == (order.account, order.order_id) for each in was_there or ()
        )
        assert (type(order.client_id), order.client_id) == (type(cancel.name), cancel.name)
        assert listed or order.created is None or order.created.ms <= LATE


@pytest.mark.promise(5)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(_CANCELS | _BY_OWN_IDS, _ORDERS, _LISTS)
def test_every_verdict_that_is_none_has_a_reason(
    cancel: Cancel, order: Order, was_there: list[Order] | None
) -> None:
    """Left alone because nothing can tell always says why, and a clear verdict needs no words."""
    found, why = verdict(order, cancel=cancel, was_there=was_there)

    assert (found is Verdict.UNTOLD) is bool(why)


@pytest.mark.promise(4)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(_CANCELS, _ORDERS, st.lists(_ORDERS, max_size=3))
def test_a_list_only_ever_settles_doubt(cancel: Cancel, order: Order, was_there: list[Order]) -> None:
    """With a list at hand time leaves nothing open, and what was clear by a sure age stays so."""
    without, _ = verdict(order, cancel=cancel)
    with_list, why = verdict(order, cancel=cancel, was_there=was_there)

    if without is Verdict.MEANT and order.created is not None and order.created.zone_is_sure:
        assert with_list is Verdict.MEANT
    assert "before or after" not in (why or "")
