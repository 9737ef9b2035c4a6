"""The fields of an alert: what each may say, and every refusal by name, all of them at once."""

from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from relay.alert import Alert, ReplyWhen
from relay.errors import InvalidAlert
from relay.plan import read_alert
from relay.scrubber import Scrubber
from relay.settings import Settings
from tests.running import SECRET, TOKEN

SCRUBBER = Scrubber(
    Settings.read({"REDIS_URL": "redis://:pass@127.0.0.1", "RELAY_SECRET": SECRET, "CROSSTRADE_TOKEN": TOKEN})
)

#: 2026-11-21T14:30:00Z in Unix seconds.
AT_S = 1_795_271_400


class Absence(Enum):
    """Stand for what is not there."""

    LEFT_OUT = 0


#: Stands for a field that is not there; `None` is JSON's null. It reads the same in every process.
LEFT_OUT = Absence.LEFT_OUT


def alert(**changes: object) -> dict[str, Any]:
    """Give the fields of a good alert, with some of them changed, added or left out."""
    good = {"action": "cancel", "vendor": "crosstrade", "account": "Sim101", "instrument": "MES 12-26"}
    return {name: value for name, value in {**good, **changes}.items() if value is not LEFT_OUT}


def read(fields: dict[str, Any]) -> Alert:
    """Read fields as a relay with CrossTrade switched on does."""
    return read_alert(fields, {}, {"crosstrade"}, SCRUBBER)


def faults(fields: dict[str, Any]) -> dict[str, list[str]]:
    """Give what is at fault, field by field."""
    with pytest.raises(InvalidAlert) as refused:
        read(fields)
    assert refused.value.status == 422
    assert "Nothing was sent" in refused.value.detail
    return refused.value.errors


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("written", "known"),
    [
        *((name, "instrument") for name in ("instrumnet", "Instrument", "ticker", "symbol", "SYMBOL")),
        *((name, "vendor") for name in ("broker", "exchange", "vendr")),
        *((name, "secret") for name in ("passphrase", "token", "apikey", "api_key", "key", "Secret")),
        *((name, "order_id") for name in ("orderId", "orderid", "order-id", "orderID")),
        *((name, "delay") for name in ("cancelAfter", "cancel_after")),
        *((name, "timestamp") for name in ("time", "alertTimestamp", "timestmap")),
        *((name, "note") for name in ("comment", "notes")),
        *((name, "dry_run") for name in ("test", "dryRun")),
        *((name, "account") for name in ("acount", "Account", "accountId")),
        ("maxAge", "max_age"),
        ("replyWhen", "reply_when"),
        ("mustExist", "must_exist"),
        ("clientOrderId", "client_order_id"),
    ],
)
def test_an_unknown_field_is_refused_with_the_one_that_was_meant(written: str, known: str) -> None:
    """A misspelt field is never passed over: it may have been the one that narrows the cancel."""
    assert faults(alert(**{written: "x"}))[written] == [f'unknown field; did you mean "{known}"?']


@pytest.mark.promise(4)
def test_an_unknown_field_that_is_like_none_is_refused_without_a_guess() -> None:
    """A wrong suggestion would be worse than none."""
    assert faults(alert(zzzqqq=1)) == {"zzzqqq": ["unknown field"]}


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "name", ["action", "vendor", "account", "instrument", "order_id", "scope", "side", "id"]
)
@pytest.mark.parametrize(
    "value", [pytest.param("", id="empty"), pytest.param(" \t", id="blank"), pytest.param(None, id="null")]
)
def test_an_empty_value_is_refused(name: str, value: object) -> None:
    """A field that the chart left empty never counts as one that was left out."""
    assert name in faults(alert(**{name: value}))


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["action", "vendor", "account"])
def test_a_required_field_that_is_missing_is_named(name: str) -> None:
    """What must be said is asked for by name."""
    (said,) = faults(alert(**{name: LEFT_OUT}))[name]
    assert said.startswith("is missing")


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "changes",
    [
        {"instrument": "{{ticker}}"},
        {"account": "{{account}}"},
        {"account": ["Sim101", "{{account}}"]},
        {"timestamp": "{{timenow}}"},
        {"id": "exit-{{timenow}}"},
        {"note": "{{strategy.order.comment}}"},
        {"side": "{{side}}"},
        {"unheard_of": {"inner": ["{{x}}"]}},
    ],
    ids=str,
)
def test_an_unfilled_placeholder_is_refused_wherever_it_stands(changes: dict[str, object]) -> None:
    """A value that still holds {{ was not filled by the chart."""
    ((name, _),) = changes.items()

    assert any("placeholder" in said for said in faults(alert(**changes))[name])


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": "adb3"},
        {"scope": "account"},
        {"scope": None},
        {"order_id": ""},
        {"scope": "everything", "account": LEFT_OUT},
    ],
    ids=str,
)
def test_two_targets_are_refused(changes: dict[str, object]) -> None:
    """With two targets nobody can tell which was meant, an empty one included."""
    found = faults(alert(**changes))

    other = next(name for name in changes if name != "account")
    assert any(said.startswith("one target only") for said in found["instrument"])
    assert any(said.startswith("one target only") for said in found[other])


@pytest.mark.promise(4)
def test_no_target_is_refused_saying_how_to_spell_the_whole_account_out() -> None:
    """An account's cancel is never what remains when a field is missing."""
    (said,) = faults(alert(instrument=LEFT_OUT))["scope"]

    assert 'to cancel the whole account say "scope": "account"' in said


@pytest.mark.promise(4)
@pytest.mark.parametrize("target", ["order_id", "client_order_id"])
def test_a_side_beside_one_order_is_refused(target: str) -> None:
    """An order has its own side: saying one beside it is a mistake about the target."""
    assert "side" in faults(alert(instrument=LEFT_OUT, side="buy", **{target: "adb3"}))


@pytest.mark.promise(4)
@pytest.mark.parametrize("scope", ["everything", "EVERYTHING", "user"])
def test_an_account_beside_a_wider_scope_is_refused(scope: str) -> None:
    """A scope that reaches beyond the account that is named contradicts it."""
    assert "account" in faults(alert(instrument=LEFT_OUT, scope=scope))


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"client_order_id": "mine-1"}, "client_order_id", "name NinjaTrader's order_id"),
        ({"scope": "user", "account": LEFT_OUT}, "scope", "CrossTrade knows no users"),
        ({"scope": "account", "oms_id": 1}, "oms_id", "AlphaPoint's"),
        ({"scope": "account", "user_id": 1}, "user_id", "AlphaPoint's"),
    ],
    ids=str,
)
def test_what_crosstrade_cannot_express_is_refused_with_a_sentence(
    changes: dict[str, object], name: str, says: str
) -> None:
    """Nothing is approximated: what the vendor's calls lack is refused."""
    found = faults(alert(instrument=LEFT_OUT, **changes))

    assert says in found[name][0]


def numbered(vendor: str, **changes: object) -> dict[str, Any]:
    """Give the fields of a good alert for a vendor whose ids are numbers."""
    return alert(**{"vendor": vendor, "account": 4, "instrument": "BTCCAD", **changes})


def at_fault(fields: dict[str, Any]) -> dict[str, list[str]]:
    """Give what is at fault, field by field, where every vendor is on."""
    with pytest.raises(InvalidAlert) as refused:
        read_alert(fields, {}, {"crosstrade", "alphapoint", "autoshares"}, SCRUBBER)
    return refused.value.errors


#: The largest id of each vendor.
_MOST = {"alphapoint": 2**63 - 1, "autoshares": 2**31 - 1}

#: What is no id of a vendor whose ids are numbers, in quotes or not.
_NO_IDS: list[object] = [
    *(0, -1, True, False, Decimal("7.5"), Decimal(7), {}, [[4]]),
    *(
        "0",
        "00",
        "-1",
        "+7",
        "7.0",
        "7e3",
        "1_0",
        "0x7",
        "Sim101",
        "4 5",
        "4,5",
        "\u0661\u0667",
        "9" * 21,
        "8" * 5000,
    ),
]


@pytest.mark.promise(4)
@pytest.mark.parametrize("vendor", _MOST)
@pytest.mark.parametrize("name", ["account", "order_id"])
@pytest.mark.parametrize("value", _NO_IDS, ids=lambda value: f"{value!r}"[:20])
def test_what_is_no_id_of_the_vendor_is_refused(vendor: str, name: str, value: object) -> None:
    """A whole number from 1 on: account 0 means every account at AlphaPoint, and nothing anywhere else."""
    changes = {name: value} if name == "account" else {name: value, "instrument": LEFT_OUT}

    (said,) = at_fault(numbered(vendor, **changes))[name]

    assert said.endswith(f": a whole number from 1 to {_MOST[vendor]}")


@pytest.mark.promise(4)
@pytest.mark.parametrize("vendor", _MOST)
@pytest.mark.parametrize("name", ["account", "order_id", "instrument"])
def test_an_id_outside_the_vendors_type_is_refused(vendor: str, name: str) -> None:
    """The largest one passes, the next does not: on the vendor's side it would be another order."""
    most = _MOST[vendor]
    changes: dict[str, object] = {} if name == "account" else {"instrument": LEFT_OUT}
    vendors = {"alphapoint", "autoshares"}

    for good in (most, str(most), 1, "1"):
        assert read_alert(numbered(vendor, **{**changes, name: good}), {}, vendors, SCRUBBER).vendor == vendor
    for bad in (most + 1, str(most + 1), 10**19):
        assert list(at_fault(numbered(vendor, **{**changes, name: bad}))) == [name]


@pytest.mark.promise(4)
@pytest.mark.parametrize("vendor", _MOST)
@pytest.mark.parametrize(
    "accounts",
    [[4, "4"], [4, "004"], [4, 0], [4, None], [4, "Sim101"], [], [4, [5]], list(range(1, 22))],
    ids=repr,
)
def test_one_bad_account_refuses_the_alert(vendor: str, accounts: list[object]) -> None:
    """Before anything is sent anywhere: a list with an account twice, however it is written, or with none."""
    assert list(at_fault(numbered(vendor, account=accounts))) == ["account"]


@pytest.mark.promise(4)
@pytest.mark.parametrize("vendor", _MOST)
@pytest.mark.parametrize(
    "value", ["", " ", None, 0, "0", -1, True, [], {}, "x" * 51, "BTC\nCAD", "{{ticker}}"], ids=repr
)
def test_what_is_no_instrument_of_the_vendor_is_refused(vendor: str, value: object) -> None:
    """A symbol, or a number from 1 on: nothing that could be read as every instrument."""
    assert list(at_fault(numbered(vendor, instrument=value))) == ["instrument"]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("vendor", "value"),
    [
        *(("alphapoint", value) for value in (0, "0", -1, "mine-1", 2**63, "", None)),
        *(("autoshares", value) for value in (17, "", " ", None, "x" * 101, "mine\n1")),
    ],
    ids=repr,
)
def test_what_is_no_own_id_at_the_vendor_is_refused(vendor: str, value: object) -> None:
    """At AlphaPoint a number, and never 0, which every order has without one; at Autoshares a text."""
    fields = numbered(vendor, instrument=LEFT_OUT, client_order_id=value)

    assert list(at_fault(fields)) == ["client_order_id"]


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["user_id", "oms_id"])
@pytest.mark.parametrize("value", [0, "0", -1, "me", "", None, True, 2**63], ids=repr)
def test_a_user_and_an_order_management_system_are_numbers_from_1_on(name: str, value: object) -> None:
    """Left out, or 0, a user would be all of them."""
    assert list(at_fault(numbered("alphapoint", **{name: value}))) == [name]


@pytest.mark.promise(4)
@pytest.mark.parametrize("scope", ["user", "User", " USER "])
def test_a_users_cancel_says_which_user(scope: str) -> None:
    """Without it the cancel would be everybody's."""
    fields = alert(vendor="alphapoint", account=LEFT_OUT, instrument=LEFT_OUT, scope=scope)

    assert at_fault(fields) == {"user_id": ['is missing: "scope": "user" cancels the orders of that user']}


@pytest.mark.promise(4)
@pytest.mark.parametrize("target", ["order_id", "client_order_id"])
def test_a_user_beside_one_order_is_refused(target: str) -> None:
    """An order has its own user: saying one beside it is a mistake about the target."""
    found = at_fault(numbered("alphapoint", instrument=LEFT_OUT, user_id=57, **{target: 17}))

    assert found == {"user_id": ["goes with instrument or scope only: an order has its own user"]}


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"user_id": 57}, "user_id", "is AlphaPoint's: leave it out"),
        ({"oms_id": 1}, "oms_id", "is AlphaPoint's: leave it out"),
        (
            {"scope": "user", "account": LEFT_OUT, "instrument": LEFT_OUT},
            "scope",
            'Autoshares cancels by account: say "account" or "everything"',
        ),
    ],
    ids=["a user", "an order management system", "the scope of a user"],
)
def test_what_autoshares_cannot_express_is_refused_with_a_sentence(
    changes: dict[str, object], name: str, says: str
) -> None:
    """Nothing is approximated: a user's cancel would be the whole account there."""
    assert at_fault(numbered("autoshares", **changes))[name] == [says]


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["account", "order_id", "instrument", "id", "note", "vendor", "action"])
@pytest.mark.parametrize("value", [7, Decimal("7.5"), True, {"a": "b"}, 0], ids=str)
def test_a_text_that_comes_without_quotes_is_refused_saying_so(name: str, value: object) -> None:
    """CrossTrade's ids are texts: a number would lose its leading zeros on the way."""
    assert any("in quotes" in said for said in faults(alert(**{name: value}))[name])


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "value",
    [".", "..", "../Sim102", "Sim101/..", "a/../b", "a\\..\\b", " .. ", "a/./b"],
)
@pytest.mark.parametrize("name", ["account", "order_id"])
def test_a_name_that_could_reach_another_address_is_refused(name: str, value: str) -> None:
    """No part of a name may be `.` or `..`, which quoting does not disarm."""
    changes: dict[str, object] = {name: value}
    if name == "order_id":
        changes["instrument"] = LEFT_OUT
    assert list(faults(alert(**changes))) == [name]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"account": []}, "account"),
        ({"account": ["Sim101", "sim101"]}, "account"),
        ({"account": ["Sim101", ""]}, "account"),
        ({"account": ["Sim101", None]}, "account"),
        ({"account": ["Sim101", 7]}, "account"),
        ({"account": [["Sim101"]]}, "account"),
        ({"account": [f"Sim{number}" for number in range(21)]}, "account"),
        ({"account": "x" * 101}, "account"),
        ({"account": "Sim\n101"}, "account"),
        ({"instrument": "MES\x0012-26"}, "instrument"),
        ({"instrument": ["MES 12-26"]}, "instrument"),
        ({"action": "cancel_all"}, "action"),
        ({"vendor": "crosstrade.io"}, "vendor"),
        ({"vendor": "alphapoint", "account": 7}, "vendor"),
        ({"side": "long"}, "side"),
        ({"scope": "all", "instrument": LEFT_OUT}, "scope"),
        ({"reply_when": "done"}, "reply_when"),
        ({"dry_run": 1}, "dry_run"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"must_exist": None}, "must_exist"),
        ({"id": "x" * 256}, "id"),
        ({"note": "x" * 501}, "note"),
        *(({"max_age": age}, "max_age") for age in (0, -1, 86_401, "soon", True, None, "1e3", [60])),
        *(({"delay": delay}, "delay") for delay in (-1, 86_401, "later", False, None)),
        *(({"timestamp": moment}, "timestamp") for moment in ("yesterday", True, "14:30", -5, 0)),
        ({"timestamp": [AT_S]}, "timestamp"),
        ({"timestamp": "2026-13-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "1970-01-01T00:00:00Z"}, "timestamp"),
    ],
    ids=str,
)
def test_a_value_outside_its_bounds_is_refused(changes: dict[str, object], name: str) -> None:
    """Each field says what it takes, and nothing else passes."""
    assert list(faults(alert(**changes))) == [name]


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("delay", "ms"),
    [(0, 0), (1, 1_000), ("300", 300_000), (Decimal("0.5"), 500), (86_400, 86_400_000)],
    ids=str,
)
def test_a_delay_is_read_as_seconds(delay: object, ms: int) -> None:
    """From nothing to a day, as a number or a text."""
    assert read(alert(delay=delay)).delay_ms == ms


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("2026-11-21T14:30:00Z", AT_S * 1000),
        ("2026-11-21T14:30:00.250Z", AT_S * 1000 + 250),
        ("2026-11-21T14:30:00.1239999Z", AT_S * 1000 + 123),
        ("2026-11-21T15:30:00+01:00", AT_S * 1000),
        ("2026-11-21 09:30:00-05:00", AT_S * 1000),
        ("2026-11-21T14:30:00", AT_S * 1000),
        (" 2026-11-21T14:30:00Z ", AT_S * 1000),
        (AT_S, AT_S * 1000),
        (Decimal("1795271400.250"), AT_S * 1000 + 250),
        ("1795271400", AT_S * 1000),
        ("1795271400.25", AT_S * 1000 + 250),
    ],
    ids=repr,
)
def test_a_moment_is_read_in_every_form_it_may_have(written: object, ms: int) -> None:
    """ISO 8601 with Z, an offset or none (UTC), Unix seconds as a number or a text."""
    assert read(alert(timestamp=written)).timestamp_ms == ms


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "written", [AT_S * 1000, str(AT_S * 1000), Decimal(AT_S * 1000), AT_S * 1_000_000], ids=repr
)
def test_milliseconds_are_refused_with_a_hint(written: object) -> None:
    """Milliseconds read as seconds lie in the far future: the refusal says what they look like."""
    (said,) = faults(alert(timestamp=written))["timestamp"]
    assert "milliseconds" in said


@pytest.mark.promise(4)
def test_all_that_is_wrong_is_said_at_once() -> None:
    """One refusal names every field at fault, so that a message is mended in one go."""
    found = faults(
        {
            "action": "place",
            "vendor": "crosstrade",
            "account": "",
            "instrumnet": "ES 12-26",
            "order_id": 7,
            "client_order_id": "mine",
            "side": "long",
            "timestamp": AT_S * 1000,
            "max_age": 0,
            "delay": -5,
            "dry_run": "maybe",
            "note": "{{note}}",
        }
    )

    assert set(found) == {
        "action",
        "account",
        "instrumnet",
        "order_id",
        "client_order_id",
        "side",
        "timestamp",
        "max_age",
        "delay",
        "dry_run",
        "note",
    }


@pytest.mark.promise(4)
def test_what_was_wrong_before_is_said_with_the_rest() -> None:
    """Faults of the text form and faults of the fields come together."""
    with pytest.raises(InvalidAlert) as refused:
        read_alert(alert(max_age=0), {"rate_limit": ["leave it out"]}, {"crosstrade"}, SCRUBBER)

    assert set(refused.value.errors) == {"max_age", "rate_limit"}


@pytest.mark.promise(4)
def test_every_field_arrives_as_it_was_meant() -> None:
    """A full alert is read to the letter, in any case of its words, with blanks around them dropped."""
    full = alert(
        secret=SECRET,
        action=" CANCEL ",
        vendor="CrossTrade",
        account=["Sim101", " Sim102"],
        side="Buy",
        timestamp="2026-11-21T14:30:00Z",
        id="exit-1",
        max_age="1.5",
        delay=0,
        reply_when="Confirmed",
        dry_run="TRUE",
        must_exist=True,
        note="first line\nsecond line",
    )

    assert read(full) == Alert(
        vendor="crosstrade",
        accounts=("Sim101", "Sim102"),
        instrument="MES 12-26",
        side="buy",
        timestamp_ms=AT_S * 1000,
        id="exit-1",
        max_age_ms=1500,
        reply_when=ReplyWhen.CONFIRMED,
        dry_run=True,
        must_exist=True,
        note="first line\nsecond line",
    )


@pytest.mark.promise(1)
def test_an_empty_note_stops_no_cancel() -> None:
    """A note is free text: a placeholder that the chart filled with nothing costs nobody a cancel."""
    assert read(alert(note="")).note is None
