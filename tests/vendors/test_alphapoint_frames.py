"""AlphaPoint's WebSocket messages, word by word from its documents."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import CredentialRefused, Gone, Refused, Unknown, Unreadable, VendorError
from relay.vendor import Answer, Call, Frame, Heard, Order, State
from relay.vendors.alphapoint_frames import AlphaPointFrames
from tests.vendors.dialogue import any_json, came_of, kind_of
from tests.vendors.of_alphapoint import (
    ACCOUNT,
    AP,
    API_KEY,
    BIG,
    BY_PASSWORD,
    NONCE,
    OF_ACCOUNT,
    OF_INSTRUMENT,
    OF_USER,
    OLD,
    ORDER,
    refusal,
    row,
)

FRAMES = AlphaPointFrames(1)

YES = {"result": True, "errormsg": None, "errorcode": 0, "detail": None}


def sent(call: Call) -> tuple[Any, Any]:
    """Give the frame that a call is on the wire, and its payload, which is JSON within JSON."""
    assert call.frame is not None
    message = json.loads(FRAMES.write(2, call.frame))
    payload = message.pop("o")
    assert isinstance(payload, str)
    return message, json.loads(payload)


def frame(kind: object, payload: object, *, name: str = "CancelOrder", number: object = 2) -> str:
    """Write a frame as a server does; a payload that is no text is encoded twice."""
    inner = payload if isinstance(payload, str) else json.dumps(payload)
    return json.dumps({"m": kind, "i": number, "n": name, "o": inner})


def heard(text: str) -> Answer:
    """Give the answer to the call 2 that a frame is, as it comes over a socket."""
    read = FRAMES.read(text)
    assert read.number == 2
    assert read.answer is not None
    return Answer(read.answer.status, read.answer.body, read.answer.headers, connection=1)


def means(text: str) -> type[VendorError]:
    """Give the kind of error that a frame means as the answer to the cancel of one order."""
    return kind_of(AP.cancel_one(ACCOUNT, ORDER), heard(text))


def told(payload: object, *, name: str = "OrderStateEvent") -> Order | None:
    """Give what an event tells of an order."""
    read = FRAMES.read(frame(3, payload, name=name, number=0))
    assert (read.number, read.answer) == (None, None)
    return read.order


# What is written


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("call", "name", "payload"),
    [
        (next(AP.bulk(OF_ACCOUNT)), "CancelAllOrders", {"OMSId": 1, "AccountId": ACCOUNT}),
        (
            next(OLD.bulk(OF_INSTRUMENT)),
            "CancelAllOrders",
            {"OMSId": 1, "AccountId": ACCOUNT, "InstrumentId": 8},
        ),
        (next(OLD.bulk(OF_USER)), "CancelAllOrders", {"OMSId": 1, "AccountId": ACCOUNT, "UserId": 57}),
        (
            next(AP.cancel_one(ACCOUNT, BIG)),
            "CancelOrder",
            {"OMSId": 1, "AccountId": ACCOUNT, "OrderId": BIG},
        ),
        (next(AP.working(ACCOUNT)), "GetOpenOrders", {"OMSId": 1, "AccountId": ACCOUNT}),
        (
            next(AP.look(ACCOUNT, ORDER)),
            "GetOrderStatus",
            {"OMSId": 1, "AccountId": ACCOUNT, "OrderId": ORDER},
        ),
        (next(AP.accounts()), "GetUserAccounts", {"OMSId": 1}),
        (
            next(BY_PASSWORD.log_in()),
            "AuthenticateUser",
            {"UserName": "trader@example.com", "Password": "pass:wörd"},
        ),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, dict) else each if isinstance(each, str) else "",
)
def test_a_call_is_a_frame_whose_payload_is_encoded_twice(
    call: Call, name: str, payload: dict[str, object]
) -> None:
    """`m` is 0, `i` the number, `n` the function; ids keep all their digits."""
    assert sent(call) == ({"m": 0, "i": 2, "n": name}, payload)


@pytest.mark.promise(8)
def test_a_log_in_by_key_is_all_texts() -> None:
    """Since 3.3 the user's id and the nonce are texts, too."""
    message, payload = sent(next(AP.log_in()))

    assert message["n"] == "AuthenticateUser"
    assert {**payload, "Signature": ""} == {
        "APIKey": API_KEY,
        "Nonce": NONCE,
        "UserId": "96",
        "Signature": "",
    }
    assert len(payload["Signature"]) == 64


@pytest.mark.promise(6)
def test_the_keep_alive_is_the_documented_one() -> None:
    """A Ping is a call like any other, with an empty object."""
    assert json.loads(FRAMES.ping(4)) == {"m": 0, "i": 4, "n": "Ping", "o": "{}"}


@pytest.mark.promise(5)
def test_the_events_of_a_calls_account_are_subscribed_to() -> None:
    """Whoever has an account and its system in his call hears of its orders; a log-in has neither."""
    for call in (next(AP.bulk(OF_ACCOUNT)), next(AP.cancel_one(ACCOUNT, ORDER))):
        assert call.frame is not None
        assert FRAMES.subscription(call.frame) == Frame(
            "SubscribeAccountEvents", {"AccountId": ACCOUNT, "OMSId": 1}
        )
    for call in (next(AP.log_in()), next(AP.accounts())):
        assert call.frame is not None
        assert FRAMES.subscription(call.frame) is None


@pytest.mark.promise(5)
def test_the_events_of_another_system_are_not_subscribed_to() -> None:
    """Its ids may be those of other orders here, and its events need not say whose they are."""
    call = next(replace(AP, oms_id=2).working(ACCOUNT))

    assert call.frame is not None
    assert FRAMES.subscription(call.frame) is None


# Replies


@pytest.mark.promise(5)
def test_a_replys_payload_is_the_body() -> None:
    """What is read of it is what HTTP's body is read as."""
    assert came_of(AP.cancel_one(ACCOUNT, ORDER), heard(frame(1, YES))) is None
    (order,) = came_of(AP.working(ACCOUNT), heard(frame(1, [row(OrderId=BIG)])))
    assert order.order_id == BIG


@pytest.mark.promise(5)
def test_the_case_of_keys_does_not_matter() -> None:
    """Neither in the frame nor in its payload."""
    text = json.dumps({"M": 1, "I": 2, "N": "CancelOrder", "O": json.dumps({"Result": True, "ErrorCode": 0})})

    assert came_of(AP.cancel_one(ACCOUNT, ORDER), heard(text)) is None


@pytest.mark.promise(5)
def test_a_payload_that_is_encoded_once_is_read_too() -> None:
    """A server that leaves the second encoding out means the same."""
    text = json.dumps({"m": 1, "i": 2, "n": "CancelOrder", "o": YES})

    assert came_of(AP.cancel_one(ACCOUNT, ORDER), heard(text)) is None


@pytest.mark.promise(5)
@pytest.mark.parametrize("kind", [1, 5], ids=["reply", "error"])
@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (20, Refused),
        (100, Refused),
        (101, Refused),
        (106, Refused),
        (104, Gone),
        (102, Unknown),
        (103, Unknown),
    ],
)
def test_an_error_is_read_by_its_number_however_it_comes(
    kind: int, code: int, meaning: type[VendorError]
) -> None:
    """The standard object in a reply and in an error frame says the same."""
    assert means(frame(kind, refusal(code))) is meaning


@pytest.mark.promise(1, 5)
@pytest.mark.parametrize(
    "payload",
    [
        "Not Authorized",
        "Resource Not Found",
        "",
        "{}",
        "[]",
        "104",
        "null",
        YES,
        {"result": True},
        {"errormsg": "Resource Not Found"},
        {"result": False, "errorcode": 0},
    ],
    ids=str,
)
def test_an_error_without_a_documented_number_proves_nothing(payload: object) -> None:
    """What an error frame holds is not documented: a text is kept as words, and never a yes or a no."""
    assert issubclass(means(frame(5, payload)), Unknown)


@pytest.mark.promise(7)
def test_the_words_of_an_error_are_told() -> None:
    """A free text and a message within an object reach whoever looks for the reason."""
    for payload in ("Server is busy", {"errormsg": "Server is busy"}):
        with pytest.raises(Unknown) as raised:
            came_of(AP.cancel_one(ACCOUNT, ORDER), heard(frame(5, payload)))
        assert raised.value.words == "AlphaPoint answered 500: Server is busy"


@pytest.mark.promise(5)
@pytest.mark.parametrize("kind", [1, 5], ids=["reply", "error"])
def test_a_session_that_ended_is_known_by_its_number(kind: int) -> None:
    """The number 20 is the end of a session; a text in an error frame is none."""
    assert AP.session_ended(heard(frame(kind, refusal(20))))
    assert not AP.session_ended(heard(frame(5, "Not Authorized")))
    assert not AP.session_ended(heard(frame(1, YES)))


# The log-in


@pytest.mark.promise(8)
def test_a_log_in_over_a_socket_needs_no_token() -> None:
    """The session is the socket's: the documented answer names none. Over HTTP one without is no session."""
    documented = {
        "authenticated": True,
        "user": {"userId": 96, "userName": "trader", "accountId": 4, "omsId": 1, "use2FA": False},
        "locked": False,
        "requires2FA": False,
        "twoFAType": "",
        "twoFAToken": "",
        "errormsg": "",
    }

    assert came_of(AP.log_in(), heard(frame(1, documented, name="AuthenticateUser"))) == {}
    assert came_of(AP.log_in(), heard(frame(1, {**documented, "SessionToken": "token-1"}))) == {
        "APToken": "token-1"
    }
    over_http = Answer(200, json.dumps(documented).encode())
    assert kind_of(AP.log_in(), over_http) is Unreadable


@pytest.mark.promise(8)
@pytest.mark.parametrize("kind", [1, 5], ids=["reply", "error"])
@pytest.mark.parametrize(
    "payload",
    [
        {"authenticated": False, "locked": False, "errormsg": "Invalid username or password"},
        {"authenticated": False, "locked": True, "errormsg": ""},
        refusal(20, "Not Authorized"),
    ],
    ids=["wrong", "locked", "not authorized"],
)
def test_a_log_in_that_is_refused_is_known_however_it_comes(kind: int, payload: object) -> None:
    """It rests then: one that is made again and again locks the user."""
    assert kind_of(AP.log_in(), heard(frame(kind, payload))) is CredentialRefused


@pytest.mark.promise(8)
def test_a_log_in_that_an_error_of_unknown_words_answers_is_no_refusal() -> None:
    """A server in trouble has said nothing about the credential."""
    assert kind_of(AP.log_in(), heard(frame(5, "Server is busy"))) is Unknown


# Events


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("Canceled", State.CANCELLED),
        ("FullyExecuted", State.FILLED),
        ("Fully Executed", State.FILLED),
        ("Rejected", State.OVER),
        ("Expired", State.OVER),
        ("Working", State.WORKING),
        ("Unknown", State.UNCLEAR),
        ("PendingCancel", State.UNCLEAR),
    ],
)
def test_an_event_tells_an_orders_state(words: str, state: State) -> None:
    """An OrderStateEvent is read as a row of a list is; its id keeps all its digits."""
    order = told(row(OrderId=BIG, OrderState=words, ChangeReason="UserModified"))

    assert order is not None
    assert (order.account, order.order_id, order.state, order.state_words) == (ACCOUNT, BIG, state, words)


@pytest.mark.promise(5)
def test_an_event_of_another_account_is_told_as_its_own() -> None:
    """Whose order it is comes from the event, never from whom it was sent to."""
    order = told(row(Account=9, OrderState="Canceled"))

    assert order is not None
    assert order.account == 9


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (
            "CancelOrderRejectEvent",
            {
                "OMSId": 1,
                "AccountId": ACCOUNT,
                "OrderId": ORDER,
                "OrderRevision": 0,
                "OrderType": "Unknown",
                "InstrumentId": 1,
                "Status": "Rejected",
                "RejectReason": "Order Not Found",
            },
        ),
        (
            "CancelAllOrdersRejectEvent",
            {
                "OMSId": 1,
                "AccountId": ACCOUNT,
                "InstrumentId": 0,
                "Status": "Rejected",
                "RejectReason": "Instrument not found.",
            },
        ),
        ("NewOrderRejectEvent", row(OrderState="Rejected")),
        ("OrderTradeEvent", row(OrderState="FullyExecuted")),
        ("AccountPositionEvent", {"OMSId": 1, "AccountId": ACCOUNT}),
        ("OrderStateEvent", row(OrderState="Canceled", OMSId=2)),
        ("OrderStateEvent", row(OrderState="Canceled", omsid="2")),
        ("OrderStateEvent", {"OrderId": ORDER, "OrderState": "Canceled"}),
        ("OrderStateEvent", {"OrderId": 0, "Account": ACCOUNT, "OrderState": "Canceled"}),
        ("OrderStateEvent", {"OrderId": ORDER, "Account": ACCOUNT}),
        ("OrderStateEvent", [row(OrderState="Canceled")]),
        ("OrderStateEvent", "Canceled"),
        ("OrderStateEvent", ""),
    ],
)
def test_no_other_event_is_taken_for_an_orders_end(name: str, payload: object) -> None:
    """That a cancel was rejected says nothing of the order, and what cannot be read says nothing at all."""
    assert told(payload, name=name) is None


@pytest.mark.promise(5)
@pytest.mark.parametrize("kind", [0, 1, 2, 4, 5, 6, None, "3x"])
def test_only_an_event_is_one(kind: object) -> None:
    """A reply that looks like an order is the answer to whoever asked for it."""
    assert FRAMES.read(frame(kind, row(OrderState="Canceled"), name="OrderStateEvent")).order is None


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "pong",
        "[]",
        "2",
        "null",
        "{}",
        '{"m": 1}',
        '{"m": 1, "i": null, "o": "{}"}',
        '{"m": 1, "i": true, "o": "{}"}',
        '{"m": 1, "i": "two", "o": "{}"}',
        '{"m": 2, "i": 2, "o": "{}"}',
        '{"m": 0, "i": 2, "o": "{}"}',
        '{"m": 4, "i": 2, "o": "{}"}',
        '{"i": 2, "o": "{}"}',
        '{"m": 1, "i": ' + "9" * 5000 + ', "o": "{}"}',
    ],
    ids=range(15),
)
def test_what_answers_no_call_says_nothing(text: str) -> None:
    """Whatever is no reply, no error and no event is passed over."""
    assert FRAMES.read(text) == Heard()


@pytest.mark.promise(5)
def test_half_a_letter_is_no_end_of_anything() -> None:
    """A text that no encoding can hold is an answer that says nothing."""
    for payload in ('"\\ud800"', '"x\\ud800"', '"{\\"errorcode\\": 1, \\"errormsg\\": \\"\\ud800\\"}"'):
        for kind in (1, 5):
            text = f'{{"m": {kind}, "i": 2, "n": "CancelOrder", "o": {payload}}}'
            assert issubclass(means(text), Unknown)


_NAMES = ("m", "i", "n", "o", "M", "errorcode", "Account", "OrderId", "OrderState", "result")
_VALUES = (
    1,
    3,
    5,
    2,
    "OrderStateEvent",
    '{"OrderId": 1, "Account": 2, "OrderState": "Canceled"}',
    "\ud800",
    "",
)


@pytest.mark.promise(5)
@given(any_json(_NAMES, _VALUES))
def test_no_message_is_too_strange_to_be_read(message: object) -> None:
    """Whatever comes is an answer, an event or nothing: an exception would end the socket."""
    read = FRAMES.read(json.dumps(message))

    assert (read.number is None) == (read.answer is None)


@pytest.mark.promise(5)
@given(st.integers(0, 3_000), st.sampled_from([1, 3, 5]))
def test_no_message_is_too_deep_to_be_read(depth: int, kind: int) -> None:
    """What can be read can be handed on, or is passed over."""
    deep = "[" * depth + "]" * depth
    for payload in (deep, json.dumps(deep)):
        FRAMES.read(f'{{"m": {kind}, "i": 2, "n": "OrderStateEvent", "o": {payload}}}')
