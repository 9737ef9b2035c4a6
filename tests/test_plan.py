"""Fields → Alert → Cancels: one for each account, as narrow as was asked, or a refusal."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.alert import Alert
from relay.cancel import Cancel, Scope
from relay.errors import InvalidAlert
from relay.parse import parse
from relay.plan import plan, read_alert
from relay.settings import Scrubber, Settings
from tests.running import SECRET, TOKEN

SCRUBBER = Scrubber(
    Settings.read({"REDIS_URL": "redis://:pass@127.0.0.1", "RELAY_SECRET": SECRET, "CROSSTRADE_TOKEN": TOKEN})
)

GOOD = {"action": "cancel", "vendor": "crosstrade", "account": "Sim101", "instrument": "MES 12-26"}


def alert(**changes: object) -> dict[str, Any]:
    """Give the fields of a good alert, with some of them changed or added."""
    return {**GOOD, **changes}


def read(fields: dict[str, Any]) -> Alert:
    """Read fields as a relay with CrossTrade switched on does."""
    return read_alert(fields, {}, {"crosstrade"}, SCRUBBER)


def faults(fields: dict[str, Any]) -> dict[str, list[str]]:
    """Give what is at fault, field by field."""
    with pytest.raises(InvalidAlert) as refused:
        read(fields)
    return refused.value.errors


def planned(body: str) -> list[Cancel]:
    """Give the cancels that a body means."""
    parsed = parse(body.encode())
    return plan(read_alert(parsed.fields, parsed.faults, {"crosstrade"}, SCRUBBER))


SIM, LIVE = "Sim101", "Live 7"


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("body", "cancels"),
    [
        pytest.param(
            '{"action": "cancel", "vendor": "crosstrade", "account": "Sim101", "order_id": "adb3"}',
            [Cancel("crosstrade", SIM, Scope.ORDER, "adb3")],
            id="one order",
        ),
        pytest.param(
            '{"action": "cancel", "vendor": "crosstrade", "account": "Sim101", "instrument": "ES1!"}',
            [Cancel("crosstrade", SIM, Scope.INSTRUMENT, "ES1!")],
            id="an instrument",
        ),
        pytest.param(
            '{"action": "cancel", "vendor": "crosstrade", "account": ["Sim101", "Live 7"],'
            ' "scope": "account", "side": "sell"}',
            [Cancel("crosstrade", each, Scope.ACCOUNT, side="sell") for each in (SIM, LIVE)],
            id="one side of two accounts",
        ),
        pytest.param(
            '{"action": "cancel", "vendor": "crosstrade", "scope": "Everything"}',
            [Cancel("crosstrade", None, Scope.EVERYTHING)],
            id="everything",
        ),
        pytest.param(
            "command=CANCEL; account=Sim101; order_id=adb3;",
            [Cancel("crosstrade", SIM, Scope.ORDER, "adb3")],
            id="CANCEL",
        ),
        pytest.param(
            "command=CANCELORDERS; account=Sim101,Live 7; instrument=MES 12-26;",
            [Cancel("crosstrade", each, Scope.INSTRUMENT, "MES 12-26") for each in (SIM, LIVE)],
            id="CANCELORDERS",
        ),
        pytest.param(
            "command=CANCELORDERS; account=Sim101; scope=account;",
            [Cancel("crosstrade", SIM, Scope.ACCOUNT)],
            id="CANCELORDERS of the account",
        ),
        pytest.param(
            "command=CANCELALLORDERS;",
            [Cancel("crosstrade", None, Scope.EVERYTHING)],
            id="CANCELALLORDERS",
        ),
        pytest.param(
            "action=cancel&vendor=crosstrade&account=Sim101&instrument=MES+12-26&side=buy",
            [Cancel("crosstrade", SIM, Scope.INSTRUMENT, "MES 12-26", "buy")],
            id="a form",
        ),
    ],
)
def test_an_alert_means_one_cancel_for_each_account(body: str, cancels: list[Cancel]) -> None:
    """From the body to the cancels nothing is widened, in whatever form the alert came."""
    assert planned(body) == cancels


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("text", "at_fault"),
    [
        ("command=CANCELORDERS; account=Sim101;", "scope"),
        ("command=CANCELORDERS; account=Sim101; instrument=;", "instrument"),
        ("command=CANCELORDERS; instrument=ES 12-26;", "account"),
        ("command=CANCELORDERS; account=; instrument=ES 12-26;", "account"),
        ("command=CANCELORDERS; account=Sim101,; instrument=ES 12-26;", "account"),
        ("command=CANCELORDERS; account=Sim101; instrument=ES 12-26; scope=account;", "scope"),
        ("command=CANCEL; order_id=adb3;", "account"),
        ("command=CANCEL; account=Sim101; order_id=;", "order_id"),
        ("command=CANCEL; account=Sim101; order_id=adb3; instrument=ES 12-26;", "instrument"),
        ("command=CANCELALLORDERS; account=Sim101;", "account"),
        ("command=CANCELALLORDERS; instrument=ES 12-26;", "instrument"),
        ("command=CANCELALLORDERS; qty=1;", "qty"),
        ("command=FLATTENEVERYTHING;", "command"),
    ],
)
def test_a_command_is_never_read_wider_than_it_says(text: str, at_fault: str) -> None:
    """A command with a field missing, empty or too many is refused at that field, and plans nothing."""
    with pytest.raises(InvalidAlert) as refused:
        planned(text)

    assert at_fault in refused.value.errors


@pytest.mark.promise(2)
def test_the_same_alert_has_the_same_content_however_it_is_written() -> None:
    """What makes two alerts one is what they ask for, and neither spelling, form nor secret."""
    as_json = read(parse(json.dumps(alert(secret=SECRET, max_age=30)).encode()).fields)
    as_text = read(
        parse(b"key=x; command=cancelorders; account=Sim101; instrument=MES 12-26; max_age=30").fields
    )
    another = read(alert(max_age=30, side="buy"))

    assert as_json.content() == as_text.content()
    assert as_json.content() != another.content()


@pytest.mark.promise(1)
def test_a_short_redis_password_stops_no_alert() -> None:
    """A password that is an everyday word may stand in a note: no sender is given Redis's."""
    assert read(alert(note="let it pass")).note == "let it pass"


@pytest.mark.promise(4)
@pytest.mark.parametrize("vendor", ["crosstrade", "alphapoint", "autoshares"])
def test_a_vendor_that_is_not_configured_is_refused_by_name(vendor: str) -> None:
    """Without its credentials a vendor is off, and the refusal says so of the field `vendor`."""
    with pytest.raises(InvalidAlert) as refused:
        read_alert(alert(vendor=vendor), {}, set(), SCRUBBER)

    assert any("not configured" in said for said in refused.value.errors["vendor"])


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    "changes",
    [
        {"note": f"my secret is {SECRET}"},
        {"id": TOKEN},
        {"account": ["Sim101", TOKEN]},
        {SECRET: "x"},
    ],
    ids=["in the note", "the broker's token", "in a list", "as a name"],
)
def test_a_secret_in_another_field_is_refused(changes: dict[str, object]) -> None:
    """Every other field is kept and shown, so a secret in one would get out."""
    found = faults(alert(secret=SECRET, **changes))

    assert found["secret"] == ["stands in another field too, which would be kept and shown"]


_NAMES = st.sampled_from([*GOOD, "order_id", "scope", "side", "timestamp", "max_age", "delay", "id"])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.datetimes(timezones=st.timezones() | st.none()).map(str)
    | st.sampled_from(["cancel", "crosstrade", "alphapoint", "buy", "account", "everything", "{{"])
    | st.sampled_from([Decimal("1E-999999999"), Decimal("1E+999999999"), 10**4000, "9" * 16, "-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.promise(4)
@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.dictionaries(_NAMES | st.text(max_size=12), _VALUES, max_size=8))
@example({"timestamp": "0001-01-01T00:00:00+23:59"})
@example({"timestamp": "9999-12-31T23:59:59-23:59"})
@example({"timestamp": Decimal("0." + "9" * 5000)})
@example({"timestamp": Decimal("-1E+999999999")})
def test_any_fields_are_an_alert_or_a_refusal(changes: dict[str, Any]) -> None:
    """Whatever a known sender writes is an alert that plans cancels, or a 422 that names fields."""
    refused: dict[str, list[str]] | None = None
    found = None
    try:
        found = read(alert(**changes))
    except InvalidAlert as refusal:
        refused = refusal.errors

    if found is None:
        assert refused
        assert all(refused.values())
        assert json.dumps(refused)
    else:
        assert plan(found)
        assert Alert.decode(json.loads(json.dumps(found.encode()))) == found


@pytest.mark.promise(4)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(max_size=8), _VALUES, max_size=4))
def test_no_field_that_is_not_ours_ever_passes(extra: dict[str, Any]) -> None:
    """An alert with a field of no known name is refused by that name, whatever its value."""
    strange = {f"x_{name}": value for name, value in {"": 1, **extra}.items()}

    assert set(faults(alert(**strange))) == set(strange)
