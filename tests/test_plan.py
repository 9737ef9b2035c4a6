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
from relay.scrubber import Scrubber
from relay.settings import Settings
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


#: The vendors whose ids are numbers.
BOTH = {"alphapoint", "autoshares"}


def planned_for(vendor: str, fields: str) -> list[Cancel]:
    """Give the cancels that the fields of a JSON object mean at a vendor, all vendors being on."""
    parsed = parse(f'{{"action": "cancel", "vendor": "{vendor}", {fields}}}'.encode())
    return plan(read_alert(parsed.fields, parsed.faults, {"crosstrade", *BOTH}, SCRUBBER))


@pytest.mark.promise(4)
@pytest.mark.parametrize("vendor", sorted(BOTH))
@pytest.mark.parametrize(
    ("fields", "scope", "name"),
    [
        pytest.param('"order_id": 17', Scope.ORDER, 17, id="an order"),
        pytest.param('"order_id": "17"', Scope.ORDER, 17, id="an order, in quotes"),
        pytest.param('"instrument": 8', Scope.INSTRUMENT, 8, id="an instrument by its number"),
        pytest.param('"instrument": "8"', Scope.INSTRUMENT, 8, id="by its number, in quotes"),
        pytest.param('"instrument": " 008 "', Scope.INSTRUMENT, 8, id="by its number, with zeros"),
        pytest.param('"instrument": "BTC/CAD"', Scope.INSTRUMENT, "BTC/CAD", id="by its symbol"),
        pytest.param('"instrument": "BTC8"', Scope.INSTRUMENT, "BTC8", id="by a symbol with a digit"),
        pytest.param('"scope": "account"', Scope.ACCOUNT, None, id="an account"),
    ],
)
def test_ids_are_numbers_where_the_vendors_are(
    vendor: str, fields: str, scope: Scope, name: str | int | None
) -> None:
    """In quotes or not, an id becomes the number that the vendor has, in each account that is named."""
    assert planned_for(vendor, f'"account": [4, "9"], {fields}') == [
        Cancel(vendor, account, scope, name) for account in (4, 9)
    ]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("vendor", "written", "own_id"),
    [
        ("alphapoint", "17", 17),
        ("alphapoint", '"17"', 17),
        ("alphapoint", "9223372036854775807", 2**63 - 1),
        ("autoshares", '"17"', "17"),
        ("autoshares", '"Exit-1"', "Exit-1"),
    ],
)
def test_a_traders_own_id_is_of_the_vendors_type(vendor: str, written: str, own_id: str | int) -> None:
    """A 64-bit number at the one, a text at the other: neither is turned into the other's."""
    assert planned_for(vendor, f'"account": 4, "client_order_id": {written}') == [
        Cancel(vendor, 4, Scope.CLIENT_ORDER, own_id)
    ]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("fields", "cancel"),
    [
        pytest.param(
            '"scope": "user", "user_id": 57',
            Cancel("alphapoint", None, Scope.USER, user_id=57),
            id="a user, in all accounts",
        ),
        pytest.param(
            '"scope": "User", "user_id": "57", "side": "buy"',
            Cancel("alphapoint", None, Scope.USER, side="buy", user_id=57),
            id="a user's buys",
        ),
        pytest.param(
            '"account": 4, "scope": "account", "user_id": 57',
            Cancel("alphapoint", 4, Scope.ACCOUNT, user_id=57),
            id="a user, in one account",
        ),
        pytest.param(
            '"account": 4, "instrument": 8, "user_id": 57',
            Cancel("alphapoint", 4, Scope.INSTRUMENT, 8, user_id=57),
            id="a user, of one instrument",
        ),
        pytest.param(
            '"scope": "everything", "user_id": 57',
            Cancel("alphapoint", None, Scope.EVERYTHING, user_id=57),
            id="everything of a user",
        ),
        pytest.param(
            '"account": 4, "order_id": 17, "oms_id": "2"',
            Cancel("alphapoint", 4, Scope.ORDER, 17, oms_id=2),
            id="in another order management system",
        ),
    ],
)
def test_what_narrows_a_cancel_at_alphapoint_is_never_dropped(fields: str, cancel: Cancel) -> None:
    """The user and the order management system go with the cancel, wherever it reaches."""
    assert planned_for("alphapoint", fields) == [cancel]
    assert Cancel.decode(json.loads(json.dumps(cancel.encode()))) == cancel


@pytest.mark.promise(2)
def test_an_id_in_quotes_is_the_same_alert() -> None:
    """What makes two alerts one is what they ask for: an id is one number, however it is written."""
    one, two, another = (
        read_alert(
            {"action": "cancel", "vendor": "alphapoint", "account": account, "scope": "account"},
            {},
            BOTH,
            SCRUBBER,
        )
        for account in (4, "4", 5)
    )

    assert one.content() == two.content() != another.content()


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
@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(BOTH)),
    st.fixed_dictionaries(
        {},
        optional={
            "account": _VALUES | st.integers(-1, 9),
            "order_id": _VALUES | st.integers(-1, 9),
            "client_order_id": _VALUES | st.integers(-1, 9),
            "instrument": _VALUES | st.integers(-1, 9),
            "scope": st.sampled_from(["account", "user", "everything", "", None]),
            "side": st.sampled_from(["buy", "sell", "", None]),
            "user_id": _VALUES | st.integers(-1, 9),
            "oms_id": _VALUES | st.integers(-1, 9),
        },
    ),
)
def test_whatever_is_planned_names_what_it_means(vendor: str, fields: dict[str, Any]) -> None:
    """No cancel of a vendor with numbers has an account, a target or a user that is 0, empty or missing."""
    sent = {"action": "cancel", "vendor": vendor, **fields}
    try:
        cancels = plan(read_alert(sent, {}, BOTH, SCRUBBER))
    except InvalidAlert:
        return
    for cancel in cancels:
        wide = cancel.scope in {Scope.USER, Scope.EVERYTHING}
        named = cancel.scope in {Scope.ORDER, Scope.CLIENT_ORDER, Scope.INSTRUMENT}
        assert (cancel.account is None) is wide
        assert wide or (type(cancel.account) is int and cancel.account > 0)
        assert bool(cancel.name) is named
        assert cancel.user_id is None or cancel.user_id > 0
        assert cancel.user_id is not None or cancel.scope is not Scope.USER
        assert vendor == "alphapoint" or (cancel.user_id, cancel.oms_id) == (None, None)
        assert [cancel.side, cancel.user_id] == [fields.get("side"), cancel.user_id]
        assert ("user_id" in fields) is (cancel.user_id is not None)


@pytest.mark.promise(4)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(max_size=8), _VALUES, max_size=4))
def test_no_field_that_is_not_ours_ever_passes(extra: dict[str, Any]) -> None:
    """An alert with a field of no known name is refused by that name, whatever its value."""
    strange = {f"x_{name}": value for name, value in {"": 1, **extra}.items()}

    assert set(faults(alert(**strange))) == set(strange)
