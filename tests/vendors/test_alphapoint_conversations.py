"""AlphaPoint's conversations, fed with answers: what goes out byte for byte, and what comes back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.cancel import Cancel, Scope
from relay.errors import Gone, Refused, Throttled, Unknown, Unreadable, VendorError
from relay.vendor import Answer, Call, Frame
from relay.vendors.alphapoint import AlphaPoint
from tests.vendors.dialogue import answer, held, kind_of, said_of
from tests.vendors.of_alphapoint import (
    ACCOUNT,
    AP,
    BIG,
    BY_SYMBOL,
    OF_ACCOUNT,
    OF_EVERYTHING,
    OF_INSTRUMENT,
    OF_USER,
    OLD,
    ORDER,
    TOOK,
    refusal,
)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("vendor", "cancel", "body"),
    [
        pytest.param(AP, OF_ACCOUNT, '{"OMSId": 1, "AccountId": 4}', id="an account"),
        pytest.param(OLD, OF_ACCOUNT, '{"OMSId": 1, "AccountId": 4}', id="an account, before 3.3"),
        pytest.param(
            OLD, OF_INSTRUMENT, '{"OMSId": 1, "AccountId": 4, "InstrumentId": 8}', id="an instrument"
        ),
        pytest.param(OLD, OF_USER, '{"OMSId": 1, "AccountId": 4, "UserId": 57}', id="a user"),
        pytest.param(
            OLD,
            replace(OF_ACCOUNT, user_id=57),
            '{"OMSId": 1, "AccountId": 4, "UserId": 57}',
            id="an account's orders of a user",
        ),
        pytest.param(
            OLD,
            replace(OF_INSTRUMENT, user_id=57),
            '{"OMSId": 1, "AccountId": 4, "UserId": 57, "InstrumentId": 8}',
            id="an instrument's orders of a user",
        ),
        pytest.param(
            OLD,
            Cancel("alphapoint", 2**63 - 1, Scope.INSTRUMENT, BIG),
            '{"OMSId": 1, "AccountId": 9223372036854775807, "InstrumentId": 9007199254740993}',
            id="ids beyond a float",
        ),
    ],
)
def test_a_bulk_cancel_goes_out_as_the_document_has_it(vendor: AlphaPoint, cancel: Cancel, body: str) -> None:
    """The keys are CancelAllOrders's own, byte for byte, and its answer names no orders."""
    ((sent,), named) = held(vendor.bulk(cancel), TOOK)

    assert (sent.method, sent.path, json.dumps(sent.body)) == ("POST", "/CancelAllOrders", body)
    assert named is None
    assert not vendor.names_its_orders(cancel)


_CANCELS = st.builds(
    Cancel,
    vendor=st.just("alphapoint"),
    account=st.none() | st.integers(0, 2**63 - 1),
    scope=st.sampled_from(Scope),
    name=st.none() | st.integers(0, 2**63 - 1) | st.just(""),
    side=st.none() | st.sampled_from(["buy", "sell"]),
    user_id=st.none() | st.integers(0, 2**63 - 1),
)


@pytest.mark.promise(4)
@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.sampled_from([AP, OLD]), _CANCELS)
def test_no_bulk_cancel_leaves_without_its_account_its_instrument_and_its_user(
    vendor: AlphaPoint, cancel: Cancel
) -> None:
    """Whatever is cancelled, AccountId stands there and is never 0, and what narrows the cancel does too."""
    if not vendor.has_bulk(cancel):
        return
    try:
        body = dict(next(vendor.bulk(cancel)).body or {})
    except AssertionError:
        assert not cancel.account or not cancel.name or not cancel.user_id
        return
    assert cancel.side is None
    assert body.pop("AccountId") == cancel.account != 0
    assert body.pop("OMSId") == 1
    assert body.pop("UserId", None) == cancel.user_id != 0
    assert body.pop("InstrumentId", None) == (cancel.name if cancel.scope is Scope.INSTRUMENT else None) != 0
    assert not body
    assert cancel.scope is not Scope.USER or cancel.user_id


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "cancel",
    [
        *(replace(OF_ACCOUNT, account=account) for account in (None, 0)),
        *(replace(OF_INSTRUMENT, account=account) for account in (None, 0)),
        *(replace(OF_INSTRUMENT, name=name) for name in (None, 0, "")),
        replace(OF_USER, user_id=None),
        replace(OF_USER, user_id=0),
        replace(OF_ACCOUNT, user_id=0),
    ],
    ids=str,
)
def test_what_would_mean_everybody_is_never_sent(cancel: Cancel) -> None:
    """Left out, or 0, an account, an instrument or a user means all of them there."""
    with pytest.raises(AssertionError):
        next(OLD.bulk(cancel))


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("cancel", "order_by_order", "before_3_3"),
    [
        (OF_ACCOUNT, True, True),
        (replace(OF_ACCOUNT, side="sell"), False, False),
        (replace(OF_ACCOUNT, user_id=57), False, True),
        (OF_INSTRUMENT, False, True),
        (BY_SYMBOL, False, True),
        (replace(OF_INSTRUMENT, side="buy"), False, False),
        (replace(OF_INSTRUMENT, user_id=57), False, True),
        (OF_USER, False, True),
        (replace(OF_USER, side="buy"), False, False),
        (replace(OF_USER, account=None), False, False),
        (OF_EVERYTHING, False, False),
        (Cancel("alphapoint", ACCOUNT, Scope.ORDER, ORDER), False, False),
        (Cancel("alphapoint", ACCOUNT, Scope.CLIENT_ORDER, 17), False, False),
    ],
    ids=lambda value: f"{value.words()} ({value.scope})" if isinstance(value, Cancel) else str(value),
)
def test_a_bulk_cancel_is_used_only_where_every_server_reads_it(
    cancel: Cancel, *, order_by_order: bool, before_3_3: bool
) -> None:
    """By default only an account goes in one call: a key that a server does not read cancels all of it."""
    assert AP.has_bulk(cancel) is order_by_order
    assert OLD.has_bulk(cancel) is before_3_3


@pytest.mark.promise(4)
def test_everything_is_each_account_in_turn() -> None:
    """No call reaches over accounts: within one, everything is the account, and a user is the user in it."""
    assert AP.has_bulk(OF_EVERYTHING.within(ACCOUNT))
    assert next(AP.bulk(OF_EVERYTHING.within(ACCOUNT))).body == {"OMSId": 1, "AccountId": ACCOUNT}
    assert not AP.has_bulk(replace(OF_USER, account=None).within(ACCOUNT))
    assert OLD.has_bulk(replace(OF_USER, account=None).within(ACCOUNT))


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("cancel", "body"),
    [
        pytest.param(
            Cancel("alphapoint", ACCOUNT, Scope.ORDER, ORDER),
            '{"OMSId": 1, "AccountId": 4, "OrderId": 6562}',
            id="by AlphaPoint's id",
        ),
        pytest.param(
            Cancel("alphapoint", ACCOUNT, Scope.CLIENT_ORDER, BIG),
            '{"OMSId": 1, "AccountId": 4, "OrderId": 6562, "ClOrderId": 9007199254740993}',
            id="by the trader's own id, too",
        ),
        pytest.param(OF_INSTRUMENT, '{"OMSId": 1, "AccountId": 4, "OrderId": 6562}', id="of an instrument"),
        pytest.param(
            replace(OF_ACCOUNT, oms_id=7),
            '{"OMSId": 7, "AccountId": 4, "OrderId": 6562}',
            id="in another order management system",
        ),
    ],
)
def test_one_order_is_cancelled_by_the_id_that_is_unique(cancel: Cancel, body: str) -> None:
    """CancelOrder names OrderId and AccountId always, and the trader's own id beside, never instead."""
    ((sent,), _) = held(AP.of(cancel).cancel_one(ACCOUNT, ORDER), TOOK)

    assert (sent.method, sent.path, json.dumps(sent.body)) == ("POST", "/CancelOrder", body)


@pytest.mark.promise(4)
def test_reads_are_asked_for_as_public_clients_do() -> None:
    """What only reads is a GET with its ids in the query, and a frame with the same ids as numbers."""
    there = AP.of(replace(OF_INSTRUMENT, oms_id=2))

    def read(name: str, query: str, ids: dict[str, int], *, keep_s: float = 0.0) -> Call:
        return Call("GET", f"/{name}?{query}", keep_s=keep_s, frame=Frame(name, ids))

    of_account = {"OMSId": 1, "AccountId": 4}
    assert next(AP.working(ACCOUNT)) == read("GetOpenOrders", "OMSId=1&AccountId=4", of_account)
    assert next(AP.recent(ACCOUNT)) == read(
        "GetOrdersHistory", "OMSId=1&AccountId=4&Depth=100", {**of_account, "Depth": 100}
    )
    assert next(AP.look(ACCOUNT, BIG)) == read(
        "GetOrderStatus", "OMSId=1&AccountId=4&OrderId=9007199254740993", {**of_account, "OrderId": BIG}
    )
    assert next(AP.accounts()) == read("GetUserAccounts", "OMSId=1", {"OMSId": 1})
    assert next(there.working(ACCOUNT)) == read(
        "GetOpenOrders", "OMSId=2&AccountId=4", {"OMSId": 2, "AccountId": 4}
    )
    assert next(there.accounts()) == read("GetUserAccounts", "OMSId=2", {"OMSId": 2})
    assert next(there.bulk(OF_ACCOUNT)).body == {"OMSId": 2, "AccountId": ACCOUNT}
    asked = AP.of(BY_SYMBOL).meaning(BY_SYMBOL)
    assert asked is not None
    assert next(asked) == read("GetInstruments", "OMSId=1", {"OMSId": 1}, keep_s=600.0)


@pytest.mark.promise(4)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(min_size=1))
def test_any_name_stays_one_part_of_the_query(name: str) -> None:
    """Nothing in an id adds a parameter, or reaches another call."""
    for call in (next(AP.working(name)), next(AP.look(ACCOUNT, name))):
        path, _, query = call.path.partition("?")

        assert path in {"/GetOpenOrders", "/GetOrderStatus"}
        assert call.path.isascii()
        assert len(query.split("&")) == (2 if path == "/GetOpenOrders" else 3)
        assert not set("?#\\ ;/") & set(query)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "given",
    [
        TOOK,
        answer({"result": True, "errormsg": "", "errorcode": 0, "detail": ""}),
        answer({"Result": True, "ErrorMsg": None, "ErrorCode": 0, "Detail": None}),
        answer({"RESULT": True}),
        answer({"result": True, "errorcode": "0"}, 201),
    ],
    ids=str,
)
def test_a_plain_yes_is_a_success(given: Answer) -> None:
    """`result: true` and errorcode 0, in any case of the keys, whatever stands in an empty text."""
    held(AP.bulk(OF_ACCOUNT), given)
    held(AP.cancel_one(ACCOUNT, ORDER), given)


#: An answer, and what it means to a cancel.
_MEANINGS = [
    *(
        pytest.param(answer(refusal(code), status), kind, id=f"errorcode {code}, {status}")
        for code, kind in (
            (20, Refused),
            (100, Refused),
            (101, Refused),
            (102, Unknown),
            (103, Unknown),
            (104, Gone),
            (105, Unknown),
            (106, Refused),
            (107, Unknown),
            (-1, Unknown),
            (0, Unknown),
        )
        for status in (200, 400, 500)
    ),
    pytest.param(answer({"Result": False, "ErrorCode": 104}), Gone, id="keys in capitals"),
    pytest.param(answer(refusal(104, None)), Gone, id="errormsg null"),
    pytest.param(answer(refusal(104, "")), Gone, id="errormsg empty"),
    pytest.param(answer({"errorcode": 104}), Gone, id="a code alone"),
    pytest.param(answer({"result": True, "errorcode": 104}), Gone, id="a code beside a yes"),
    pytest.param(answer({"result": False, "errorcode": "104"}), Gone, id="a code in quotes"),
    pytest.param(answer({"result": False, "errormsg": "Resource Not Found"}), Unknown, id="words alone"),
    pytest.param(answer({"result": True, "errorcode": None}), Unknown, id="a code of null"),
    pytest.param(answer(b"", 401), Refused, id="401"),
    pytest.param(answer(b"", 403), Refused, id="403"),
    pytest.param(answer(b"<html>", 404), Refused, id="404"),
    pytest.param(answer({"result": True, "errorcode": 0}, 400), Refused, id="400, as a success"),
    pytest.param(answer(b"", 302, location="https://x"), Refused, id="a redirect"),
    pytest.param(answer(b"", 429), Throttled, id="429"),
    pytest.param(answer(b"", 408), Unknown, id="408"),
    *(
        pytest.param(answer({"result": True, "errorcode": 0}, status), Unknown, id=f"{status}, as a success")
        for status in (500, 502, 503, 504)
    ),
    *(
        pytest.param(answer(body), Unreadable, id=f"200, {body!r}"[:40])
        for body in (
            b"",
            b"<html>",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"result": true',
            [],
            {},
            None,
            "ok",
            True,
            {"result": None},
            {"result": 1},
            {"result": "true"},
            {"errorcode": 0},
            [{"result": True, "errorcode": 0}],
        )
    ),
]


@pytest.mark.promise(5)
@pytest.mark.parametrize(("given", "kind"), _MEANINGS)
def test_every_answer_but_a_plain_yes_means_no_success(given: Answer, kind: type[VendorError]) -> None:
    """The number counts before the HTTP status and never the text; what cannot be read is unknown."""
    assert kind_of(AP.bulk(OF_ACCOUNT), given) is kind
    assert kind_of(AP.cancel_one(ACCOUNT, ORDER), given) is kind


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            answer(refusal(100, "Invalid InstrumentId: 10000", detail="see the list")),
            "AlphaPoint refused (100): Invalid InstrumentId: 10000; see the list",
        ),
        (answer(refusal(101, None)), "AlphaPoint refused (101)"),
        (answer(refusal(104, "")), "AlphaPoint refused (104)"),
        (answer({"errormsg": "busy"}, 503), "AlphaPoint answered 503: busy"),
        (answer(b"", 404), "AlphaPoint answered 404: not authorised, or ALPHAPOINT_URL is wrong"),
        (
            answer(b"", 302),
            "AlphaPoint answered 302, a redirect: ALPHAPOINT_URL is probably wrong",
        ),
    ],
)
def test_the_vendors_words_are_told(given: Answer, words: str) -> None:
    """A refusal carries the number, the text and the detail, and what to look at."""
    assert said_of(AP.cancel_one(ACCOUNT, ORDER), given).words == words


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "ms"),
    [
        (answer(b"", 429), 1_000),
        (answer({}, 429, retry_after="3"), 3_000),
        (answer({}, 429, retry_after="0"), 1_000),
        (answer({}, 429, retry_after="soon"), 1_000),
        (answer({}, 429, retry_after="999999999"), 900_000),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(given: Answer, ms: int) -> None:
    """The header, never less than a second, never for ever."""
    said = said_of(AP.cancel_one(ACCOUNT, ORDER), given)

    assert isinstance(said, Throttled)
    assert said.wait_ms == ms
