"""CrossTrade's WebSocket messages, word by word from its documents; what an error without a status means."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cancel import Cancel, Scope
from relay.errors import Gone, Refused, Throttled, Unknown, VendorError
from relay.vendor import Answer, Call, Frame, Heard
from relay.vendors.crosstrade import CrossTrade
from relay.vendors.crosstrade_frames import CrossTradeFrames
from tests.vendors.dialogue import any_json, came_of, kind_of, said_of

FRAMES = CrossTradeFrames()
CT = CrossTrade("UTC")

#: The documents' own order id.
ORDER = "492281fc515e431692da57d957cfebb6"

OF_ACCOUNT = Cancel("crosstrade", "Sim101", Scope.ACCOUNT)
OF_INSTRUMENT = Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "ES 09-26")


def sent(call: Call) -> Any:  # noqa: ANN401 - any JSON value
    """Give the message that a call is on the wire."""
    assert call.frame is not None
    return json.loads(FRAMES.write(2, call.frame))


def heard(**message: object) -> Answer:
    """Give the answer that a message with the number 2 is, as it comes over a socket."""
    read = FRAMES.read(json.dumps({"id": "2", **message}))
    assert read.number == 2
    assert read.answer is not None
    return Answer(read.answer.status, read.answer.body, read.answer.headers, connection=1)


def means(**message: object) -> type[VendorError]:
    """Give the kind of error that a message means as the answer to the cancel of one order."""
    return kind_of(CT.cancel_one("Sim101", ORDER), heard(**message))


# What is written


@pytest.mark.promise(4)
def test_the_cancels_are_written_as_documented() -> None:
    """`Cancel` and `CancelOrders` by name, with REST's account and instrument among the arguments."""
    assert sent(next(CT.cancel_one("Sim101", ORDER))) == {
        "action": "rpc",
        "id": "2",
        "api": "Cancel",
        "args": {"account": "Sim101", "orderId": ORDER},
    }
    assert sent(next(CT.bulk(OF_INSTRUMENT))) == {
        "action": "rpc",
        "id": "2",
        "api": "CancelOrders",
        "args": {"account": "Sim101", "instrument": "ES 09-26"},
    }
    assert sent(next(CT.bulk(OF_ACCOUNT)))["args"] == {"account": "Sim101"}


@pytest.mark.promise(4)
def test_what_no_document_names_goes_over_http() -> None:
    """The functions that read, and the one that cancels everything, have no documented name."""
    calls = [
        next(CT.working("Sim101")),
        next(CT.look("Sim101", ORDER)),
        next(CT.accounts()),
        next(CT.bulk(Cancel("crosstrade", None, Scope.EVERYTHING))),
    ]

    assert [call.frame for call in calls] == [None] * 4


@pytest.mark.promise(6)
def test_the_keep_alive_is_the_documented_one() -> None:
    """A ping has no number, and nobody subscribes to anything: no event about orders is documented."""
    assert json.loads(FRAMES.ping(4)) == {"action": "ping"}
    assert FRAMES.subscription(Frame("Cancel", {"account": "Sim101"})) is None


# What is read


@pytest.mark.promise(5)
def test_a_replys_data_is_the_body() -> None:
    """What `data` holds is read as REST's body is, the ids that it names with it."""
    answer = heard(data={"orderIds": [ORDER], "success": True})

    assert answer.status == 0
    assert came_of(CT.bulk(OF_ACCOUNT), answer) == (ORDER,)
    for more in ({}, {"error": None}, {"error": "", "warning": "no positions"}, {"error": "late"}):
        said = heard(data={"orderId": ORDER, "success": True, **more})
        assert came_of(CT.cancel_one("Sim101", ORDER), said) is None


@pytest.mark.promise(5)
@pytest.mark.parametrize("in_data", [True, False])
def test_an_error_is_read_beside_the_number_and_within_data(*, in_data: bool) -> None:
    """Where an error stands is not documented: both places are read."""
    error = {"success": False, "error": "invalid_account", "detail": "Account Sim999 not found"}
    given = heard(data=error) if in_data else heard(**error)

    said = said_of(CT.cancel_one("Sim101", ORDER), given)

    assert type(said) is Refused
    assert said.words == "CrossTrade answered with an error: invalid_account; Account Sim999 not found"


@pytest.mark.promise(1, 5)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("Invalid request", Refused),
        ("invalid_account", Refused),
        (f"Order linked to '{ORDER}' not found or already terminal.", Gone),
        ("Rate limit exceeded", Throttled),
        ("nt8 offline", Unknown),
        ("The add-on did not answer", Unknown),
        ("account not found", Unknown),
        ("not valid: invalid", Unknown),
        ("Unauthorized", Unknown),
        (17, Unknown),
        ({"code": "invalid"}, Unknown),
    ],
)
@pytest.mark.parametrize("success", [{"success": False}, {}], ids=["says no", "says nothing"])
def test_only_words_that_are_documented_for_a_refusal_refuse(
    error: object, kind: type[VendorError], success: dict[str, bool]
) -> None:
    """An error without a status may be an add-on that did not answer: that proves nothing."""
    assert means(error=error, **success) is kind
    assert means(data={"error": error, **success}) is kind


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "done",
        True,
        {},
        {"success": False},
        {"success": False, "error": ""},
        {"success": False, "error": None},
        {"success": "true"},
        {"success": 1},
        {"orderIds": [ORDER]},
    ],
)
def test_only_a_plain_yes_is_one(data: object) -> None:
    """An answer without `"success": true` proves nothing either way."""
    assert issubclass(means(data=data), Unknown)
    assert means(type="ack") is not Refused


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("more", "wait_ms"), [({}, 350), ({"retryAfter": 2}, 2_000), ({"retry_after": "3s"}, 3_000)]
)
def test_a_throttled_call_says_when_to_come_back(more: dict[str, object], wait_ms: int) -> None:
    """Without a header the pace of the bucket is the wait, or what the body says."""
    said = said_of(CT.cancel_one("Sim101", ORDER), heard(error="Rate limit exceeded", **more))

    assert isinstance(said, Throttled)
    assert said.wait_ms == wait_ms


@pytest.mark.promise(5)
def test_an_answer_with_a_status_is_read_by_it() -> None:
    """Words that are no refusal in a frame are one where HTTP says 400."""
    body = json.dumps({"error": "nt8 offline"}).encode()

    assert kind_of(CT.cancel_one("Sim101", ORDER), Answer(400, body)) is Refused
    assert kind_of(CT.cancel_one("Sim101", ORDER), Answer(401, b"")) is Refused


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "pong",
        "{}",
        "[]",
        "2",
        '"2"',
        "null",
        '{"id": null, "data": {}}',
        '{"id": true, "data": {}}',
        '{"id": 1.5, "data": {}}',
        '{"id": "my-request-id", "data": {}}',
        '{"id": "\u0662", "data": {}}',
        '{"id": ["2"], "data": {}}',
        '{"type": "pong"}',
        '{"type": "marketData", "quotes": []}',
        '{"type": "pnlUpdate", "epoch": 2, "accounts": []}',
        '{"id": "' + "9" * 5000 + '", "data": {}}',
        '{"id": ' + "9" * 5000 + ', "data": {}}',
    ],
    ids=range(18),
)
def test_what_answers_no_call_says_nothing(text: str) -> None:
    """Quotes, sums and whatever else comes over the socket are passed over."""
    assert FRAMES.read(text) == Heard()


@pytest.mark.promise(5)
@pytest.mark.parametrize("number", ["2", 2], ids=["text", "number"])
def test_the_number_is_a_text_or_a_number(number: object) -> None:
    """Ids are texts in the documents; a server that gives a number means the same."""
    assert FRAMES.read(json.dumps({"id": number, "data": {}})).number == 2


@pytest.mark.promise(5)
@given(any_json(("id", "data", "error", "success", "type"), ("2", 2, "\ud800", 2**70)))
def test_no_message_is_too_strange_to_be_read(message: object) -> None:
    """Whatever comes is an answer or nothing: an exception would end the socket, and all calls on it."""
    read = FRAMES.read(json.dumps(message))

    assert (read.number is None) == (read.answer is None)
    assert read.order is None


@pytest.mark.promise(5)
@given(st.integers(0, 3_000))
def test_no_message_is_too_deep_to_be_read(depth: int) -> None:
    """What can be read can be handed on, or is passed over."""
    FRAMES.read('{"id": "2", "data": ' + "[" * depth + "]" * depth + "}")
