"""The fields of an alert: what each may say, and every refusal by name, all of them at once."""

from decimal import Decimal
from typing import Any

import pytest

from relay.alert import Alert, ReplyWhen
from relay.errors import InvalidAlert
from relay.plan import read_alert
from relay.settings import Scrubber, Settings
from tests.running import SECRET, TOKEN

SCRUBBER = Scrubber(
    Settings.read({"REDIS_URL": "redis://:pass@127.0.0.1", "RELAY_SECRET": SECRET, "CROSSTRADE_TOKEN": TOKEN})
)

#: 2026-11-21T14:30:00Z in Unix seconds.
AT_S = 1_795_271_400

#: Stands for a field that is not there; `None` is JSON's null.
LEFT_OUT = object()


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
