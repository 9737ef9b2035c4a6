"""A message that cannot be read, or means nothing certain, cancels nothing and is told what is wrong."""

from typing import Any

import pytest

from tests.e2e import message, problem, raw
from tests.running import SECRET, RunningRelay

WRONG = "an-invented-secret-that-is-wrong"

BEARER = {"Authorization": f"Bearer {SECRET}"}

#: An alert that would be carried out, but for what a test makes wrong in it.
GOOD: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}

BODIES = {
    "not UTF-8": b'{"action": "cancel", "note": "\xff"}',
    "a key twice": b'{"action": "cancel", "account": "Sim101", "account": "Sim102"}',
    "a key twice in the text form": b"command=CANCELORDERS; account=Sim101; account=Sim102;",
    "NaN": b'{"action": "cancel", "max_age": NaN}',
    "Infinity": b'{"action": "cancel", "max_age": -Infinity}',
    "a list": b'[{"action": "cancel"}]',
    "a text": b'"cancel"',
    "2 000 levels deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "2 000 lists deep": b"[" * 2000 + b"]" * 2000,
    "a number of 5 000 digits": b'{"action": "cancel", "max_age": ' + b"9" * 5000 + b"}",
    "half a character": b'{"action": "cancel", "note": "\\ud800"}',
    "typographic quotes": "{“action”: “cancel”}".encode(),
    "cut off": b'{"action": "cancel", "account": "Sim1',
    "empty": b"",
    "only spaces": b" \r\n\t ",
    "neither form": b"cancel everything, please",
    "a form without a name": b"action=cancel&=Sim101",
}

FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no action": ({"action": None}, "action"),
    "another action": ({"action": "buy"}, "action"),
    "no vendor": ({"vendor": None}, "vendor"),
    "an unknown vendor": ({"vendor": "robinhood"}, "vendor"),
    "a vendor that is not configured": ({"vendor": "alphapoint", "account": 7}, "vendor"),
    "no account": ({"account": None}, "account"),
    "an empty account": ({"account": " "}, "account"),
    "an empty list of accounts": ({"account": []}, "account"),
    "an account twice": ({"account": ["Sim101", "sim101"]}, "account"),
    "an account that is a number": ({"account": 101}, "account"),
    "one bad account of two": ({"account": ["Sim101", ".."]}, "account"),
    "no target": ({"instrument": None}, "scope"),
    "two targets": ({"scope": "account"}, "scope"),
    "an empty instrument": ({"instrument": ""}, "instrument"),
    "an instrument of spaces": ({"instrument": "  "}, "instrument"),
    "an unfilled placeholder": ({"instrument": "{{ticker}}"}, "instrument"),
    "an unfilled placeholder in the note": ({"note": "{{strategy.order.id}}"}, "note"),
    "a misspelt field": ({"instrument": None, "instrumnet": "MES 12-26"}, "instrumnet"),
    "another service's field": ({"instrument": None, "ticker": "MES 12-26"}, "ticker"),
    "an unknown scope": ({"instrument": None, "scope": "all"}, "scope"),
    "everything, in one account": ({"instrument": None, "scope": "everything"}, "account"),
    "a user, whom CrossTrade does not know": (
        {"instrument": None, "scope": "user", "account": None},
        "scope",
    ),
    "the trader's own order id": ({"instrument": None, "client_order_id": "a1"}, "client_order_id"),
    "an unknown side": ({"side": "long"}, "side"),
    "a side with an order": ({"instrument": None, "order_id": "a1", "side": "buy"}, "side"),
    "no moment": ({"timestamp": "yesterday"}, "timestamp"),
    "milliseconds": ({"timestamp": 1_793_620_800_000}, "timestamp"),
    "a max_age of nothing": ({"max_age": 0}, "max_age"),
    "a max_age of more than a day": ({"max_age": 86_401}, "max_age"),
    "a delay below nothing": ({"delay": -1}, "delay"),
    "an id that is too long": ({"id": "x" * 256}, "id"),
    "an unknown reply_when": ({"reply_when": "soon"}, "reply_when"),
    "a flag that is a number": ({"dry_run": 1}, "dry_run"),
    "an instrument that is an object": ({"instrument": {"name": "MES 12-26"}}, "instrument"),
    "an order that is a list": ({"instrument": None, "order_id": []}, "order_id"),
    "AlphaPoint's field": ({"oms_id": 1}, "oms_id"),
}

#: Fields whose absence would widen a cancel, were null taken for it.
NULLS = ["account", "instrument", "order_id", "scope"]


@pytest.mark.promise(4)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_cannot_be_read_is_refused(relay: RunningRelay, body: bytes) -> None:
    """Nothing is guessed out of a body that is not what the relay takes."""
    problem(relay.post(body, BEARER), 400, "malformed-body")


@pytest.mark.promise(4)
@pytest.mark.usefixtures("untouched")
def test_the_place_of_a_mistake_is_told(relay: RunningRelay) -> None:
    """A trader who pasted typographic quotes, or broke his JSON, reads where."""
    quotes = problem(relay.post(BODIES["typographic quotes"], BEARER), 400, "malformed-body")
    cut = problem(relay.post('{"action": "cancel",\n "account" "Sim101"}', BEARER), 400, "malformed-body")

    assert "quotes" in quotes["detail"]
    assert "line 2" in cut["detail"]


@pytest.mark.promise(4)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("change", "field"), FIELDS.values(), ids=FIELDS.keys())
def test_a_field_at_fault_is_refused_by_name(relay: RunningRelay, change: dict[str, Any], field: str) -> None:
    """A wide cancel never comes of a field that was empty, misspelt or unfilled."""
    answer = relay.alert(**{**GOOD, **change})

    assert field in problem(answer, 422, "invalid-alert")["errors"], answer.text


@pytest.mark.promise(4)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", NULLS)
def test_null_is_not_left_out(relay: RunningRelay, name: str) -> None:
    """A target, or an account, that is null is a mistake, never all of them."""
    answer = relay.post(message(**{"account": "Sim101", name: None}), BEARER)

    assert name in problem(answer, 422, "invalid-alert")["errors"]


@pytest.mark.promise(4)
@pytest.mark.usefixtures("untouched")
def test_all_faults_come_at_once(relay: RunningRelay) -> None:
    """One answer names every field at fault, and what was probably meant."""
    errors = problem(
        relay.post('{"action": "sell", "broker": "crosstrade", "ticker": "ES1!", "side": 3}', BEARER),
        422,
        "invalid-alert",
    )["errors"]

    assert {"action", "broker", "ticker", "side", "account"} <= errors.keys()
    assert "vendor" in errors["broker"][0]
    assert "instrument" in errors["ticker"][0]


@pytest.mark.promise(4)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("pairs", "field"),
    [
        ("command=PLACE; account=Sim101; instrument=MES 12-26;", "command"),
        ("command=CANCELORDERS; account=Sim101;", "scope"),
        ("command=CANCELORDERS; account=Sim101; instrument=;", "instrument"),
        ("command=CANCELORDERS; destination=tradovate; account=Sim101; scope=account;", "destination"),
        ("command=CANCELORDERS; account=Sim101; scope=account; strategy_id=4;", "strategy_id"),
        ("command=CANCELORDERS; account=Sim101; scope=account; id=4;", "id"),
        ("command=CANCELORDERS; account=Sim101; scope=account; rate_limit=1/5;", "rate_limit"),
        ("command=CANCEL; account=Sim101;", "command"),
        ("command=CANCELORDERS; account=Sim101; scope=everything;", "scope"),
    ],
)
def test_what_crosstrades_text_form_cannot_carry_over_is_refused(
    relay: RunningRelay, pairs: str, field: str
) -> None:
    """A message written for CrossTrade itself never comes to mean more, or something else, here."""
    answer = relay.post(f"key={SECRET}; {pairs}")

    assert field in problem(answer, 422, "invalid-alert")["errors"], answer.text


@pytest.mark.promise(4)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("whole", "rest"),
    [
        (f"key={SECRET}; command=CANCELORDERS; account=Sim101; scope=account; side=buy;", " side=buy;"),
        (
            f"secret={SECRET}&action=cancel&vendor=crosstrade&account=Sim101&scope=account&side=buy",
            "&side=buy",
        ),
        (message(secret=SECRET, account="Sim101", scope="account", side="buy"), ', "side": "buy"}'),
    ],
    ids=["text", "form", "JSON"],
)
def test_a_message_that_was_cut_off_is_not_carried_out(relay: RunningRelay, whole: str, rest: str) -> None:
    """A connection that breaks before the last field must not widen the cancel to what came before it."""
    head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {len(whole)}\r\n\r\n"

    answer = raw(relay.port, (head + whole.removesuffix(rest)).encode(), hang_up=True)

    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert b"malformed-body" in answer


@pytest.mark.promise(8, 9)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "chunks", ["a-wrong-secret\r\n", "5\r\na-wrong-secret\r\n0\r\n\r\n", "ff\r\na-wrong-secret"]
)
def test_chunks_that_are_none_are_refused(relay: RunningRelay, chunks: str) -> None:
    """They are the sender's mistake: no 5xx, which asks for a resend, and nothing of them in the log."""
    head = "POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = raw(relay.port, (head + chunks).encode(), hang_up=True)

    assert answer.startswith(b"HTTP/1.1 400"), answer
    relay.line_of(relay.alert(**GOOD, dry_run=True).headers["X-Request-ID"])
    assert "wrong-secret" not in relay.text
