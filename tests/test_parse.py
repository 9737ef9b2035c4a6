"""What a body says: JSON, CrossTrade's text, a form, or where it cannot be read."""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import MalformedBody
from relay.parse import BODY_BYTES, DEPTH, Parsed, parse


def refusal(body: bytes) -> str:
    """Give the words with which a body is refused as unreadable."""
    with pytest.raises(MalformedBody) as refused:
        parse(body)
    assert refused.value.status == 400
    return refused.value.detail


def nested(levels: int) -> bytes:
    """Give a JSON object that is so many levels deep."""
    return b'{"a":' * (levels - 1) + b'{"a":1}' + b"}" * (levels - 1)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"action": "cancel", "account": "Sim101"}', id="json"),
        pytest.param(b'\n\t {"action": "cancel",\r\n "account": "Sim101"} \n', id="json with white space"),
        pytest.param(b'\xef\xbb\xbf{"action": "cancel", "account": "Sim101"}', id="json with a mark"),
        pytest.param(b"action=cancel;account=Sim101;", id="text"),
        pytest.param(b"action=cancel; account=Sim101", id="text without the last semicolon"),
        pytest.param(b"\n ACTION = cancel ;\n\n Account = Sim101 ;\n", id="text on lines"),
        pytest.param(b"action=cancel&account=Sim101", id="form"),
        pytest.param(b"action=can%63el&account=Sim101\n", id="form with a code"),
    ],
)
def test_a_body_is_read_whatever_its_form(body: bytes) -> None:
    """Three ways of writing the same alert give the same fields; no Content-Type is asked."""
    assert parse(body) == Parsed({"action": "cancel", "account": "Sim101"}, {})


@pytest.mark.promise(4)
def test_numbers_keep_every_digit() -> None:
    """Integers and fractions arrive exactly: an id or a time is never rounded through a float."""
    fields = parse(b'{"order_id": 9007199254740993, "timestamp": 1795271400.123456789}').fields

    assert fields == {"order_id": 9007199254740993, "timestamp": Decimal("1795271400.123456789")}
    assert type(fields["order_id"]) is int


@pytest.mark.promise(4)
def test_a_form_says_blanks_and_letters_of_any_script() -> None:
    """A form's plus is a blank, and its codes are UTF-8."""
    fields = parse(b"account=K%C3%B6ln+1&note=stop%3B+go%26+%2B1").fields

    assert fields == {"account": "Köln 1", "note": "stop; go& +1"}


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b" \r\n\t", "empty", id="white space"),
        pytest.param(b'{"note": "\xff"}', "not UTF-8: byte 10", id="not utf-8"),
        pytest.param('{"action": "cancel"}'.encode("utf-16"), "not UTF-8", id="utf-16"),
        pytest.param(b'["cancel"]', "not an object", id="a list"),
        pytest.param(b'"cancel"', "not an object", id="a text in json"),
        pytest.param(b"17", "neither", id="a number"),
        pytest.param(b"null", "neither", id="null"),
        pytest.param(b"cancel all", "neither", id="words"),
        pytest.param(b'{"action": "cancel",}', "line 1, column 2", id="a comma too many"),
        pytest.param(b'{"action":\n "cancel"', "line 2, column", id="no end"),
        pytest.param(b'{"action": "cancel"} {}', "line 1, column 22", id="two objects"),
        pytest.param(b"{'action': 'cancel'}", "line 1, column 2", id="single quotes"),
        pytest.param(b'{"note": "a\nb"}', "line 1, column", id="a line break in a text"),
        pytest.param(b'{"side": "buy", "side": "sell"}', '"side" stands there twice', id="a key twice"),
        pytest.param(b'{"x": {"a": 1, "a": 1}}', '"a" stands there twice', id="a key twice within"),
        pytest.param(b'{"max_age": NaN}', "NaN", id="nan"),
        pytest.param(b'{"max_age": Infinity}', "Infinity", id="infinity"),
        pytest.param(b'{"max_age": -Infinity}', "-Infinity", id="minus infinity"),
        pytest.param(b'{"max_age": ' + b"9" * 5000 + b"}", "too large", id="5000 digits"),
        pytest.param(b'{"max_age": 1e99999999999999999999}', "too large", id="no exponent"),
        pytest.param(b'{"note": "\\ud800"}', "half a character", id="half a character"),
        pytest.param(b'{"\\udc00": 1}', "half a character", id="half a character in a name"),
        pytest.param(nested(DEPTH + 1), "deeper than 8", id="9 levels"),
        pytest.param(nested(2000), "deeper than 8", id="2000 levels"),
        pytest.param(b"[" * BODY_BYTES, "deeper than 8", id="16 KiB of brackets"),
        pytest.param(b"key=a;command", "Pair 2", id="text pair without a value"),
        pytest.param(b"key=a;=b;", "Pair 2", id="text pair without a name"),
        pytest.param(b"side=buy;side=sell;", '"side" stands there twice', id="text key twice"),
        pytest.param(b"side=buy;Side=sell;", '"side" stands there twice', id="text key twice, capitals"),
        pytest.param(b"side=buy&side=sell", '"side" stands there twice', id="form key twice"),
        pytest.param(b"side=buy&side", "Part 2", id="form part without a value"),
        pytest.param(b"side=buy&note=%ff", "Part 2 of the form is not UTF-8", id="form not utf-8"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_saying_where(body: bytes, says: str) -> None:
    """What has no one meaning is refused, with the place of the fault where there is one."""
    assert says in refusal(body)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{“action”: “cancel”}", id="instead of plain ones"),
        pytest.param("“action”: “cancel”", id="at the very start"),
        pytest.param('{"action": ”cancel"}', id="a single one"),
    ],
)
def test_typographic_quotes_get_a_hint(body: str) -> None:
    """Phones write “ ”: the refusal says so instead of only naming a column."""
    assert "typographic quotes" in refusal(body.encode())


@pytest.mark.promise(4)
def test_eight_levels_are_read_and_brackets_in_a_text_are_no_levels() -> None:
    """The bound on nesting counts brackets of the structure alone."""
    assert parse(nested(DEPTH)).fields
    assert parse(json.dumps({"note": '[[[[[[[[[[{{{{{{{{{{\\"['}).encode()).fields


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"secret": "tests-only-secret-of-mine" "a": 1}', id="json"),
        pytest.param(b'{"secret": "tests-only-secret-of-mine\xff"}', id="not utf-8"),
        pytest.param(b'{"secret": "tests-only-secret-of-mine", "a": 1, "a": 2}', id="a key twice"),
        pytest.param(b"key=tests-only-secret-of-mine;command", id="text"),
        pytest.param(b"secret=tests-only-secret-of-mine&command", id="form"),
        pytest.param(b"tests-only-secret-of-mine", id="the bare secret"),
    ],
)
def test_the_refusal_of_a_body_does_not_repeat_it(body: bytes) -> None:
    """A body that cannot be read may hold the secret, so its contents are never told."""
    assert "tests-only-secret-of-mine" not in refusal(body)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param(
            "command=CANCEL; account=Sim101; order_id=adb3;",
            {"account": "Sim101", "order_id": "adb3"},
            id="one order",
        ),
        pytest.param(
            "command=CancelOrders; account=Sim101; instrument=MES 12-26;",
            {"account": "Sim101", "instrument": "MES 12-26"},
            id="an instrument",
        ),
        pytest.param(
            "command=cancelorders; account=Sim101; scope=account;",
            {"account": "Sim101", "scope": "account"},
            id="an account",
        ),
        pytest.param("command=CANCELALLORDERS;", {"scope": "everything"}, id="everything"),
        pytest.param(
            "command=CANCELORDERS; destination=NT8; account=Sim101, Sim102; instrument=ES 12-26;",
            {"account": ["Sim101", "Sim102"], "instrument": "ES 12-26"},
            id="two accounts",
        ),
        pytest.param(
            "command=CANCEL; account=Sim101; order_id=adb3; alert_id=exit-1; dry_run=true;",
            {"account": "Sim101", "order_id": "adb3", "id": "exit-1", "dry_run": "true"},
            id="our own fields beside it",
        ),
    ],
)
def test_crosstrades_commands_become_our_fields(said: str, meant: dict[str, object]) -> None:
    """A trader who moves over from CrossTrade changes the address, and nothing wider is read into it."""
    parsed = parse(f"key=tests-only-key; {said}".encode())

    expected = {"secret": "tests-only-key", "action": "cancel", "vendor": "crosstrade", **meant}
    assert parsed == Parsed(expected, {})


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("said", "at_fault"),
    [
        *(
            pytest.param(f"command={command}; account=Sim101; instrument=ES 12-26;", {"command"}, id=command)
            for command in (
                "PLACE",
                "CHANGE",
                "CANCELREPLACE",
                "CLOSEPOSITION",
                "CLOSESTRATEGY",
                "FLATTEN",
                "FLATTENEVERYTHING",
                "FLATPLACE",
                "REVERSEPOSITION",
                "flatten everything",
                "",
            )
        ),
        pytest.param("command=CANCEL; account=Sim101;", {"command"}, id="CANCEL without an order"),
        pytest.param(
            "command=CANCEL; account=Sim101; instrument=ES 12-26;", {"command"}, id="CANCEL of an instrument"
        ),
        pytest.param(
            "command=CANCELORDERS; account=Sim101; order_id=adb3;",
            {"command"},
            id="CANCELORDERS of one order",
        ),
        pytest.param(
            "command=CANCELORDERS; account=Sim101; scope=everything;", {"scope"}, id="wider than the command"
        ),
        pytest.param("command=CANCELALLORDERS; scope=account;", {"scope"}, id="narrower than the command"),
        pytest.param(
            "command=CANCEL; destination=tradovate; account=Sim101; order_id=1;",
            {"destination"},
            id="tradovate",
        ),
        pytest.param(
            "command=CANCEL; strategy_id=atm; account=Sim101; order_id=STOP1;", {"strategy_id"}, id="an ATM"
        ),
        pytest.param("command=CANCELALLORDERS; id=x;", {"id"}, id="a throttle's id"),
        pytest.param(
            "command=CANCELALLORDERS; id=x; rate_limit=1/60;", {"id", "rate_limit"}, id="a throttle"
        ),
        pytest.param("action=cancel; id=x;", {"id"}, id="a throttle's id without a command"),
        pytest.param("command=CANCELALLORDERS; action=cancel;", {"action"}, id="an action beside it"),
        pytest.param("command=CANCELALLORDERS; vendor=autoshares;", {"vendor"}, id="a vendor beside it"),
        pytest.param("command=CANCELALLORDERS; secret=another;", {"key"}, id="two secrets"),
    ],
)
def test_what_a_rest_call_cannot_carry_is_at_fault_by_name(said: str, at_fault: set[str]) -> None:
    """Commands that do not cancel, and fields with another meaning there, are named, never guessed at."""
    assert set(parse(f"key=tests-only-key; {said}".encode()).faults) == at_fault


@pytest.mark.promise(4)
def test_a_throttles_id_never_becomes_the_alerts() -> None:
    """A constant id read as ours would swallow every later cancel."""
    assert "id" not in parse(b"key=k; command=CANCELALLORDERS; id=constant;").fields


@pytest.mark.promise(4)
def test_without_a_command_the_text_holds_our_own_fields() -> None:
    """The text form needs no command: any of our fields may stand in it, and nothing is added."""
    parsed = parse(b"key=k; action=cancel; vendor=crosstrade; account=Sim101; order_id=adb3; alert_id=a-1")

    assert parsed == Parsed(
        {
            "secret": "k",
            "action": "cancel",
            "vendor": "crosstrade",
            "account": "Sim101",
            "order_id": "adb3",
            "id": "a-1",
        },
        {},
    )


_PIECES = st.sampled_from(
    ['{"', '"', ":", ",", "{", "}", "[", "]", ";", "=", "&", "%", "%ff", "+", "\\ud83d", "\\u0000", "1e9",
     "1E-999999999", "NaN", "-", "9" * 400, "“", "command=", "account=", "key=", "CANCEL", ",", " ", "\n"]
)  # fmt: skip


@pytest.mark.promise(8)
@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(str.encode)
    | st.lists(_PIECES | st.text(max_size=4), max_size=40).map("".join).map(str.encode)
)
def test_any_bytes_are_fields_or_a_refusal(body: bytes) -> None:
    """A stranger's bytes never make anything but fields or a 400."""
    fields: dict[str, object] = {}
    with suppress(MalformedBody):
        fields = parse(body).fields

    assert all(isinstance(name, str) for name in fields)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.promise(4)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(), _JSON, max_size=5), st.booleans())
def test_any_shallow_object_is_read_as_it_was_written(fields: dict[str, object], ascii_only: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """What is written as JSON is what is read, in whatever escapes; fractions are kept exactly."""
    written = json.dumps(fields, ensure_ascii=ascii_only)

    assert parse(written.encode()).fields == json.loads(written, parse_float=Decimal)
