"""CrossTrade's conversations, fed with answers: what goes out byte for byte, and what comes back."""

import json
from collections.abc import Generator
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.cancel import Cancel, Scope
from relay.errors import Gone, Refused, Throttled, Unknown, VendorError
from relay.vendor import Answer, Call, Created, Frame, Order, State
from relay.vendors.crosstrade import CrossTrade

T = TypeVar("T")

CT = CrossTrade("UTC")

#: The documents' own order id.
ORDER = "adb3868865de4b59b0e147b8300e4a29"

#: 2026-11-21T14:30:00Z in ms.
AT_MS = 1_795_271_400_000


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    """Give an answer; a body that is not bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, raw, {name.replace("_", "-"): value for name, value in headers.items()})


def held(conversation: Generator[Call, Answer, T], given: Answer) -> tuple[Call, T]:
    """Hold a conversation of one call, and give the call and the result."""
    call = next(conversation)
    try:
        conversation.send(given)
    except StopIteration as end:
        result: T = end.value
        return call, result
    raise AssertionError("the conversation wants another answer")


def said_of(given: Answer) -> VendorError:
    """Give what an answer to an account's cancel means, where it is no success."""
    with pytest.raises(VendorError) as raised:
        held(CT.bulk(Cancel("crosstrade", "Sim101", Scope.ACCOUNT)), given)
    return raised.value


def row(**changes: object) -> dict[str, Any]:
    """Give one order as CrossTrade lists it."""
    return {
        "account": "Sim101",
        "orderId": ORDER,
        "instrument": "MES 12-26",
        "orderAction": "Buy",
        "orderState": "Working",
        "time": "2026-11-21T14:30:00Z",
        **changes,
    }


def listed(*rows: dict[str, Any], vendor: CrossTrade = CT) -> tuple[Order, ...]:
    """Give the working orders that a list with these rows shows."""
    return held(vendor.working("Sim101"), answer({"success": True, "orders": rows}))[1]


TOOK = answer({"orderIds": [ORDER], "success": True})


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("cancel", "call"),
    [
        pytest.param(
            Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26"),
            Call(
                "POST",
                "/v1/api/accounts/Sim101/orders/cancel",
                {"instrument": "MES 12-26"},
                frame=Frame("CancelOrders", {"account": "Sim101", "instrument": "MES 12-26"}),
            ),
            id="an instrument",
        ),
        pytest.param(
            Cancel("crosstrade", "Sim101", Scope.ACCOUNT),
            Call(
                "POST",
                "/v1/api/accounts/Sim101/orders/cancel",
                {},
                frame=Frame("CancelOrders", {"account": "Sim101"}),
            ),
            id="an account",
        ),
        pytest.param(
            Cancel("crosstrade", None, Scope.EVERYTHING),
            Call("POST", "/v1/api/orders/cancelall", {}),
            id="everything",
        ),
    ],
)
def test_a_bulk_cancel_goes_out_as_the_document_has_it(cancel: Cancel, call: Call) -> None:
    """The path, the body and the rpc are the vendor's, and the ids it names come back.

    No rpc is documented for all accounts, so that call goes over HTTP whatever the transport is.
    """
    sent, named = held(CT.bulk(cancel), TOOK)

    assert sent == call
    assert named == (None if cancel.scope is Scope.EVERYTHING else (ORDER,))


@pytest.mark.promise(4)
def test_one_order_is_cancelled_and_read_at_its_own_address() -> None:
    """An order's cancel has an empty body, a read has none and is no rpc, a list asks for what is active."""
    took = answer({"orderId": ORDER, "success": True})
    base = "/v1/api/accounts/Sim101/orders"

    rpc = Frame("Cancel", {"account": "Sim101", "orderId": ORDER})
    assert held(CT.cancel_one("Sim101", ORDER), took)[0] == Call(
        "POST", f"{base}/{ORDER}/cancel", {}, frame=rpc
    )
    assert held(CT.look("Sim101", ORDER), answer({"success": True, **row()}))[0] == Call(
        "GET", f"{base}/{ORDER}"
    )
    assert next(CT.working("Sim101")) == Call("GET", f"{base}?activeOnly=true")
    assert next(CT.accounts()) == Call("GET", "/v1/api/accounts")


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("Sim 101", "Sim%20101"),
        ("a/b", "a%2Fb"),
        ("a?x=1#y", "a%3Fx%3D1%23y"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("Köln", "K%C3%B6ln"),
        ("a&b+c;d", "a%26b%2Bc%3Bd"),
        ("...", "..."),
        ("a\\b", "a%5Cb"),
    ],
)
def test_a_name_stays_one_part_of_the_path(name: str, quoted: str) -> None:
    """Nothing in an account or an id reaches another address."""
    call, _ = held(CT.cancel_one(name, name), answer({"success": True}))

    assert call.path == f"/v1/api/accounts/{quoted}/orders/{quoted}/cancel"


@pytest.mark.promise(4)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(min_size=1).filter(lambda name: name not in {".", ".."}))
def test_any_name_can_be_read_back_from_its_path(name: str) -> None:
    """The path has always the same number of parts, of plain characters, and the name in its place."""
    path = next(CT.cancel_one(name, ORDER)).path

    assert path.isascii()
    assert path.count("/") == 7
    assert not set("?#\\ ;") & set(path)
    assert unquote(path.split("/")[4]) == name


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["", ".", "..", None])
def test_what_no_quoting_disarms_is_never_sent(name: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """An account or an instrument that is missing stops the call: there it would mean all of them."""
    with pytest.raises(AssertionError):
        next(CT.bulk(Cancel("crosstrade", name, Scope.ACCOUNT)))
    with pytest.raises(AssertionError):
        next(CT.cancel_one("Sim101", name))
    if not name:
        with pytest.raises(AssertionError):
            next(CT.bulk(Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, name)))


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("cancel", "bulk"),
    [
        (Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "ES 12-26"), True),
        (Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "ES 12-26", "buy"), False),
        (Cancel("crosstrade", "Sim101", Scope.ACCOUNT, side="sell"), False),
        (Cancel("crosstrade", None, Scope.EVERYTHING, side="sell"), False),
        (Cancel("crosstrade", None, Scope.EVERYTHING), True),
        (Cancel("crosstrade", "Sim101", Scope.ORDER, ORDER), False),
    ],
    ids=lambda value: value.words() if isinstance(value, Cancel) else str(value),
)
def test_a_side_is_never_left_to_a_call_that_knows_none(cancel: Cancel, *, bulk: bool) -> None:
    """One call is used only where it means exactly what was asked."""
    assert CT.has_bulk(cancel) is bulk


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(answer({"error": "Invalid request"}, 400), Refused, id="400, error alone"),
        pytest.param(
            answer({"success": False, "error": "invalid_account", "detail": "Account not found"}, 400),
            Refused,
            id="400, success false",
        ),
        pytest.param(
            answer({"success": False, "error": "invalid_account"}), Refused, id="200, success false"
        ),
        pytest.param(
            answer({"error": f"Order linked to '{ORDER}' not found or already terminal."}, 400),
            Gone,
            id="gone",
        ),
        pytest.param(
            answer({"success": False, "error": "Not Found Or Already Terminal"}), Gone, id="gone with a 200"
        ),
        pytest.param(answer({"error": "bad token"}, 401), Refused, id="401"),
        pytest.param(answer(b"<html>no</html>", 401), Refused, id="401, unreadable"),
        pytest.param(answer({"error": "Pro only"}, 403), Refused, id="403"),
        pytest.param(answer({"error": "x", "did_you_mean": "y"}, 404), Refused, id="404"),
        pytest.param(answer(b"", 301, location="https://crosstrade.io"), Refused, id="a redirect"),
        pytest.param(answer({"success": False, "error": "add-on"}, 408), Unknown, id="408"),
        pytest.param(answer(b"", 408), Unknown, id="408, empty"),
        pytest.param(answer({"error": "Rate limit exceeded"}, 429), Throttled, id="429"),
        pytest.param(answer(b"slow down", 429), Throttled, id="429, unreadable"),
        *(
            pytest.param(
                answer({"success": True, "orderIds": []}, status), Unknown, id=f"{status}, as a success"
            )
            for status in (500, 502, 503, 504)
        ),
        *(
            pytest.param(answer(body), Unknown, id=f"200, {body!r}"[:40])
            for body in (
                b"",
                b"<html>",
                b"\xff\xfe",
                b"[" * 100_000,
                b"{}",
                b"[]",
                b"null",
                b'"ok"',
                b'{"success": true, "orderIds": [',
                b'{"success": 1, "orderIds": []}',
                b'{"success": "true", "orderIds": []}',
                b'{"orderIds": []}',
                b'{"success": true}',
                b'{"success": true, "orderIds": null}',
                b'{"success": true, "orderIds": "adb3"}',
                b'{"success": true, "orderIds": {"a": 1}}',
                b'{"success": true, "orderIds": [17]}',
                b'{"success": true, "orderIds": [""]}',
                b'{"success": true, "orderIds": [null]}',
                b'{"success": true, "orderIds": ["\\ud800"]}',
                b'{"success": true, "orderIds": [".."]}',
            )
        ),
    ],
)
def test_every_answer_but_a_whole_success_means_no_success(given: Answer, kind: type[VendorError]) -> None:
    """Only `success: true` with the documented shape counts; what cannot be read is unknown."""
    said = said_of(given)

    assert isinstance(said, kind)
    assert isinstance(said, Gone) is (kind is Gone)


@pytest.mark.promise(5)
def test_an_account_without_orders_is_an_empty_success() -> None:
    """`orderIds: []` is an answer, and is told apart from one that names nothing."""
    cancel = Cancel("crosstrade", "Sim101", Scope.ACCOUNT)
    assert held(CT.bulk(cancel), answer({"orderIds": [], "success": True, "warning": "none"}))[1] == ()


@pytest.mark.promise(5)
def test_the_vendors_words_are_told() -> None:
    """The refusal carries the status, the code and the detail for people."""
    said = said_of(answer({"success": False, "error": "invalid_account", "detail": "Not found"}, 400))

    assert said.words == "CrossTrade answered 400: invalid_account; Not found"


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "ms"),
    [
        pytest.param(answer({"error": "Rate limit exceeded"}, 429), 350, id="nothing said"),
        pytest.param(answer({}, 429, retry_after="2"), 2_000, id="header"),
        pytest.param(answer({}, 429, retry_after="1s"), 1_000, id="header with a unit"),
        pytest.param(answer({}, 429, retry_after="0.5"), 500, id="header with a fraction"),
        pytest.param(answer({"retryAfter": 3}, 429), 3_000, id="body"),
        pytest.param(answer({"retry_after": "1.5s"}, 429), 1_500, id="body, the other spelling"),
        pytest.param(answer({"retryAfter": 3}, 429, retry_after="2"), 2_000, id="header before body"),
        pytest.param(
            answer({"retryAfter": 3}, 429, retry_after="Sat, 21 Nov 2026 14:30:00 GMT"), 3_000, id="a date"
        ),
        pytest.param(answer({"retryAfter": True}, 429), 350, id="no number"),
        pytest.param(answer({}, 429, retry_after="0"), 350, id="at once"),
        pytest.param(answer({}, 429, retry_after="-5"), 350, id="negative"),
        pytest.param(answer({}, 429, retry_after="999999999"), 900_000, id="for ever"),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(given: Answer, ms: int) -> None:
    """Header, then body, then the bucket's own pace; never less than that, never for ever."""
    said = said_of(given)

    assert isinstance(said, Throttled)
    assert said.wait_ms == ms


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("words", "state"),
    [
        *((name, State.WORKING) for name in ("Initialized", "Submitted", "Accepted", "Working", "Suspended")),
        *((name, State.WORKING) for name in ("ChangeSubmitted", "ChangePending", "TriggerPending")),
        *((name, State.WORKING) for name in ("PartFilled", "PartiallyFilled", "WORKING")),
        *((name, State.CANCELLING) for name in ("CancelPending", "CancelSubmitted")),
        *((name, State.CANCELLED) for name in ("Cancelled", "Canceled", "cancelled")),
        ("Filled", State.FILLED),
        ("Rejected", State.OVER),
        *((name, State.UNCLEAR) for name in ("Unknown", "Cancelledd", "Cancel", "Done", "Gone", "?")),
    ],
)
def test_each_state_of_ninjatrader_is_read(words: str, state: State) -> None:
    """`CancelPending` is not `Cancelled`, and a spelling that nobody documented is no evidence."""
    order = held(CT.look("Sim101", ORDER), answer({"success": True, **row(orderState=words)}))[1]

    assert (order.state, order.state_words) == (state, words)


@pytest.mark.promise(5)
def test_a_list_keeps_all_that_may_still_work() -> None:
    """Orders that are over are left out; one of an unclear state is not."""
    states = ["Working", "Cancelled", "Filled", "Rejected", "CancelPending", "Sleeping"]
    rows = [row(orderId=f"id-{name}", orderState=name) for name in states]

    assert [order.order_id for order in listed(*rows)] == ["id-Working", "id-CancelPending", "id-Sleeping"]


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"success": True}, id="no list"),
        pytest.param({"success": True, "Orders": []}, id="a list of another name"),
        pytest.param({"success": True, "orders": None}, id="null"),
        pytest.param({"success": True, "orders": {}}, id="an object"),
        pytest.param({"success": True, "orders": [None]}, id="a null in it"),
        pytest.param({"success": True, "orders": ["adb3"]}, id="ids in it"),
        pytest.param({"success": True, "orders": [row(), {}]}, id="one empty row"),
        pytest.param({"orders": []}, id="no success"),
        pytest.param([row()], id="a bare list"),
        pytest.param([], id="a bare and empty list"),
        *(
            pytest.param({"success": True, "orders": [row(**{name: value})]}, id=f"{name} {value!r}")
            for name, value in (
                ("orderId", None),
                ("orderId", 17),
                ("orderId", ".."),
                ("orderState", None),
                ("instrument", ""),
                ("account", "Live7"),
            )
        ),
    ],
)
def test_a_list_of_another_shape_is_unknown_and_never_empty(body: object) -> None:
    """An empty list proves that orders are gone, so only a real one counts."""
    with pytest.raises(Unknown):
        held(CT.working("Sim101"), answer(body))


@pytest.mark.promise(5)
def test_an_order_is_read_from_either_shape_of_row() -> None:
    """Lists carry `id`, single reads `orderId`; the account is spelled as it was asked for."""
    bare = {name: value for name, value in row(id="x-1", account="SIM101").items() if name != "orderId"}

    (order,) = listed(bare)
    assert order == Order("x-1", "Sim101", "MES 12-26", "buy", State.WORKING, "Working", Created(AT_MS))


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("action", "side"),
    [
        ("Buy", "buy"), ("BuyToCover", "buy"), ("Sell", "sell"), ("SellShort", "sell"), ("SELL", "sell"),
        ("Short", None), ("", None), (None, None), (1, None),
    ],
)  # fmt: skip
def test_a_side_is_read_or_left_open(action: object, side: str | None) -> None:
    """An action that nobody documented is no side."""
    (order,) = listed(row(orderAction=action))
    assert order.side == side


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("zone", "written", "ms"),
    [
        ("UTC", "2026-11-21T14:30:00.1234567", AT_MS + 123),
        ("UTC", "2026-11-21T14:30:00.1234567Z", AT_MS + 123),
        ("UTC", "2026-11-21T14:30:00", AT_MS),
        ("UTC", "2026-11-21T08:30:00.0000000-06:00", AT_MS),
        ("America/Chicago", "2026-11-21T08:30:00.0000000", AT_MS),
        ("America/Chicago", "2026-11-21T14:30:00Z", AT_MS),
        ("Europe/Berlin", "2026-11-21 15:30:00", AT_MS),
        *(("UTC", nothing, None) for nothing in (None, "", "soon", "14:30")),
        ("UTC", 1_795_271_400, None),
        ("UTC", ["2026-11-21T14:30:00Z"], None),
        # .NET's and NinjaTrader's ways of saying "no time".
        *(("UTC", none, None) for none in ("0001-01-01T00:00:00", "1800-01-01T00:00:00.0000000")),
        *(("America/Chicago", none, None) for none in ("0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999")),
        ("UTC", "2099-12-01T00:00:00.0000000", None),
        # The hour that comes twice when summer ends, and the one that never comes.
        ("America/Chicago", "2026-11-01T01:30:00", None),
        ("America/Chicago", "2026-11-01T01:30:00-05:00", 1_793_514_600_000),
        ("America/Chicago", "2026-03-08T02:30:00", None),
    ],
)
def test_an_orders_time_is_read_only_where_it_tells_one_moment(
    zone: str, written: object, ms: int | None
) -> None:
    """A time that means no moment, or two, decides nothing about an order."""
    (order,) = listed(row(time=written), vendor=CrossTrade(zone))
    assert (order.created and order.created.ms) == ms


@pytest.mark.promise(5)
def test_an_order_that_is_not_known_is_gone_when_it_is_read() -> None:
    """A definite no to a single read means that the account has no such order; a bad token does not."""
    with pytest.raises(Gone):
        held(CT.look("Sim101", ORDER), answer({"success": False, "error": "order_not_found"}, 404))
    with pytest.raises(Refused) as refused:
        held(CT.look("Sim101", ORDER), answer({"error": "bad token"}, 401))
    assert not isinstance(refused.value, Gone)
    with pytest.raises(Unknown):
        held(CT.look("Sim101", ORDER), answer({"success": True}))


@pytest.mark.promise(5)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.integers(100, 599),
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("Working"),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["success", "error", "orders", "orderIds", "orderId", "orderState"]),
            inner,
        ),
    ).map(json.dumps).map(str.encode),
)  # fmt: skip
def test_any_answer_is_read_or_means_something(status: int, body: bytes) -> None:
    """Whatever a vendor says, each conversation gives its result or one of the foreseen errors."""
    for conversation in (
        CT.bulk(Cancel("crosstrade", "Sim101", Scope.ACCOUNT)),
        CT.working("Sim101"),
        CT.accounts(),
        CT.look("Sim101", ORDER),
        CT.cancel_one("Sim101", ORDER),
    ):
        try:
            held(conversation, Answer(status, body))
        except VendorError as meant:
            assert meant.words  # noqa: PT017 - one of several that may come
        else:
            assert 200 <= status < 300
