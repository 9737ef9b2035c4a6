"""Autoshares' conversations, fed with answers: what goes out byte for byte, and what comes back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.cancel import Cancel, Scope
from relay.compose import compose
from relay.errors import Gone, Refused, Throttled, Unknown, Unreadable, VendorError
from relay.settings import Settings
from relay.vendor import Answer, Call
from tests.running import SECRET
from tests.vendors.dialogue import answer, came_of, held, kind_of, said_of
from tests.vendors.of_autoshares import (
    ACCOUNT,
    AS,
    AT_VENUE,
    DENIED,
    NO_APPLICATION,
    NO_ROUTE,
    ORDER,
    PASSWORD,
    USERNAME,
    page,
    row,
)

#: What a cancel that was taken is answered.
TOOK = answer(b"", 204)


@pytest.mark.promise(4)
def test_one_order_is_cancelled_at_its_own_address() -> None:
    """A DELETE without a body, which counts against its account's limit."""
    ((sent,), _) = held(AS.cancel_one(ACCOUNT, ORDER), TOOK)

    assert sent == Call("DELETE", "/v1.0/accounts/140/orders/9626", limit="cancels 140")


@pytest.mark.promise(5)
def test_a_cancel_that_waits_for_the_venue_has_another_address() -> None:
    """Where the operator wants the venue's word it goes to `syncorders`; reads go to `orders` as ever."""
    ((sent,), _) = held(AT_VENUE.cancel_one(ACCOUNT, ORDER), TOOK)

    assert sent == Call("DELETE", "/v1.0/accounts/140/syncorders/9626", limit="cancels 140")
    assert next(AT_VENUE.look(ACCOUNT, ORDER)) == next(AS.look(ACCOUNT, ORDER))
    assert next(AT_VENUE.working(ACCOUNT)) == next(AS.working(ACCOUNT))


@pytest.mark.promise(4)
def test_reads_are_asked_for_as_the_documents_have_them() -> None:
    """Both query strings are quoted as documented, pages begin at 0, and reads have a limit of their own."""
    base = "/v1.0/accounts/140/orders"

    assert next(AS.look(ACCOUNT, ORDER)) == Call("GET", f"{base}/9626", limit="reads")
    assert next(AS.working(ACCOUNT)) == Call(
        "GET",
        f"{base}?pageNumber=0&pageSize=100"
        "&filter=Status%20in%20%280%2C1%2C5%2C6%2C7%2C9%2C10%2C11%2C13%2C14%2C16%2C20%29&sortField=Id&desc=false",
        limit="reads",
    )
    assert next(AS.recent(ACCOUNT)) == Call(
        "GET", f"{base}?pageNumber=0&pageSize=100&sortField=Id&desc=true", limit="reads"
    )
    assert next(AS.accounts()) == Call("GET", "/v1.0/users/@me/accounts")


@pytest.mark.promise(4)
def test_every_address_but_the_log_in_has_the_version() -> None:
    """The operator's version stands at the beginning of the path."""
    other = replace(AS, version="2.70")
    conversations = (
        other.accounts(), other.working(1), other.recent(1), other.cancel_one(1, 2), other.look(1, 2),
    )  # fmt: skip

    assert {next(each).path.split("/")[1] for each in conversations} == {"v2.70"}
    assert next(other.log_in()).path == "/token"


@pytest.mark.promise(8)
def test_the_application_key_is_the_transports() -> None:
    """No conversation carries it: it goes with every call, the log-in too, and is never shown."""
    settings = Settings.read(
        {
            "REDIS_URL": "redis://127.0.0.1",
            "RELAY_SECRET": SECRET,
            "AUTOSHARES_URL": "https://api.autoshares.dev",
            "AUTOSHARES_APP_KEY": "tests-only-app-key",
            "AUTOSHARES_USERNAME": USERNAME,
            "AUTOSHARES_PASSWORD": PASSWORD,
        }
    )
    line = compose(settings).lines["autoshares"]

    calls = [next(AS.log_in()), next(AS.accounts()), next(AS.working(1)), next(AS.cancel_one(1, 2))]
    for call in calls:
        assert "et-app-key" not in {name.lower() for name in call.headers}
        shown = line.transport.shown(call)
        headers = shown["headers"]
        assert isinstance(headers, dict)
        assert headers["Et-App-Key"] == "***"
        assert "tests-only-app-key" not in str(shown)


@pytest.mark.promise(4)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(min_size=1).filter(lambda name: name not in {".", ".."}))
def test_any_name_stays_one_part_of_the_path(name: str) -> None:
    """Nothing in an account or an id reaches another address."""
    for call, parts in (
        (next(AS.cancel_one(name, name)), 5),
        (next(AS.look(name, name)), 5),
        (next(AS.working(name)), 4),
        (next(AS.recent(name)), 4),
    ):
        path = call.path.partition("?")[0]

        assert path.isascii()
        assert path.count("/") == parts
        assert not set("#\\ ;") & set(path)


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_no_quoting_disarms_is_never_sent(name: str) -> None:
    """A part of the path that would be another folder stops the call."""
    for conversation in (AS.cancel_one(name, ORDER), AS.cancel_one(ACCOUNT, name), AS.look(ACCOUNT, name)):
        with pytest.raises(AssertionError):
            next(conversation)


@pytest.mark.promise(4)
@pytest.mark.parametrize("scope", Scope)
def test_there_is_no_bulk_cancel(scope: Scope) -> None:
    """Whatever is asked for, orders go one by one: no call of the API takes several."""
    cancel = Cancel("autoshares", ACCOUNT, scope, "AAPL")

    assert not AS.has_bulk(cancel)
    assert not AS.names_its_orders(cancel)
    with pytest.raises(AssertionError):
        AS.bulk(cancel)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "given",
    [TOOK, answer(b"", 200), answer({}, 200), answer({"Id": ORDER}), answer(b"<html>", 200)],
    ids=["204", "200, empty", "200, an object", "200, an order", "200, anything"],
)
def test_a_cancel_that_was_taken_is_a_success(given: Answer) -> None:
    """204 is documented, and 200 with a body that is not."""
    held(AS.cancel_one(ACCOUNT, ORDER), given)
    held(AT_VENUE.cancel_one(ACCOUNT, ORDER), given)


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(answer(b"", 409), Gone, id="409"),
        pytest.param(answer({"Message": "Failed"}, 409), Gone, id="409 with words"),
        pytest.param(answer(b"", 404), Gone, id="404"),
        pytest.param(answer({"Message": "Order not found"}, 404), Gone, id="404 with words"),
        pytest.param(answer(NO_ROUTE, 404), Refused, id="404, no such address"),
        pytest.param(answer(b"No HTTP resource was found", 404), Refused, id="404, no such address, as text"),
        pytest.param(answer(DENIED, 401), Refused, id="401"),
        pytest.param(answer(b"", 401), Refused, id="401, empty"),
        pytest.param(answer(NO_APPLICATION, 403), Refused, id="403"),
        pytest.param(answer(b"", 422), Refused, id="422"),
        pytest.param(answer(b"", 400), Refused, id="400"),
        pytest.param(answer(b"", 405), Refused, id="405"),
        pytest.param(answer(b"", 302, location="https://x"), Refused, id="a redirect"),
        pytest.param(answer(b"", 429), Throttled, id="429"),
        pytest.param(answer(b"slow down", 429), Throttled, id="429 with words"),
        pytest.param(answer(b"", 408), Unknown, id="408"),
        pytest.param(answer({"error": "Unexpected server error"}, 500), Unknown, id="500"),
        *(
            pytest.param(answer(b"", status), Unknown, id=f"{status}, empty")
            for status in (500, 502, 503, 504)
        ),
        *(pytest.param(answer({}, status), Unreadable, id=f"{status}") for status in (201, 202, 203, 206)),
    ],
)
def test_every_answer_but_a_taken_cancel_means_no_success(given: Answer, kind: type[VendorError]) -> None:
    """Each documented status has its meaning, with a body of JSON, of text, or without any."""
    assert kind_of(AS.cancel_one(ACCOUNT, ORDER), given) is kind
    assert kind_of(AT_VENUE.cancel_one(ACCOUNT, ORDER), given) is kind


_WHOSE = "the account is another user's, or an administrator has to cancel there"

#: An answer, and the words that the trader reads.
_WORDS = {
    "401": (
        answer(DENIED, 401),
        f"Autoshares answered 401: {DENIED['Message']} (not allowed: {_WHOSE})",
    ),
    "403": (
        answer(NO_APPLICATION, 403),
        f"Autoshares answered 403: {NO_APPLICATION['error']} (AUTOSHARES_APP_KEY is not known there)",
    ),
    "404": (
        answer(NO_ROUTE, 404),
        f"Autoshares answered 404: {NO_ROUTE['Message']} (AUTOSHARES_URL or AUTOSHARES_VERSION is wrong)",
    ),
    "500": (
        answer({"message": "An error occurred", "error": "Unexpected server error"}, 500),
        "Autoshares answered 500: Unexpected server error; An error occurred",
    ),
    "409": (answer(b"", 409), "Autoshares answered 409: no such working order"),
    "422": (answer(b"", 422), "Autoshares answered 422 (it does not pass validation)"),
    "text": (answer(b"  too many  ", 429), "Autoshares answered 429: too many"),
    "HTML": (answer(b"<html><body>Bad gateway", 502), "Autoshares answered 502"),
    "302": (answer(b"", 302), "Autoshares answered 302 (a redirect: AUTOSHARES_URL is probably wrong)"),
    "202": (answer(b"", 202), "Autoshares answered 202, which is not documented"),
}


@pytest.mark.promise(5)
@pytest.mark.parametrize(("given", "words"), _WORDS.values(), ids=_WORDS)
def test_the_vendors_words_are_told(given: Answer, words: str) -> None:
    """In any case of the keys, or as plain text, and never a page of HTML; then what to look at."""
    assert said_of(AS.cancel_one(ACCOUNT, ORDER), given).words == words


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "ms"),
    [
        (answer(b"", 429), 1_200),
        (answer({}, 429, retry_after="7"), 7_000),
        (answer({}, 429, retry_after="1"), 1_200),
        (answer({}, 429, retry_after="soon"), 1_200),
        (answer({}, 429, retry_after="999999999"), 900_000),
    ],
    ids=lambda value: str(value.headers) if isinstance(value, Answer) else "",
)
def test_a_rate_limit_says_how_long_to_wait(given: Answer, ms: int) -> None:
    """The header's seconds, never less than a fiftieth of a minute, never for ever."""
    said = said_of(AS.cancel_one(ACCOUNT, ORDER), given)

    assert isinstance(said, Throttled)
    assert said.wait_ms == ms


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "ended"),
    [
        (answer(DENIED, 401), True),
        (answer(b"", 401), True),
        (answer(b"<html>", 401), True),
        (answer(NO_APPLICATION, 401), False),
        (answer({"Error": "APPLICATION KEY is not defined"}, 401), False),
        (answer(NO_APPLICATION, 403), False),
        (answer(DENIED, 200), False),
        (answer(b"", 404), False),
        (answer(b"", 500), False),
        (page(row()), False),
        (TOOK, False),
    ],
    ids=lambda value: f"{value.status} {value.body!r}"[:30] if isinstance(value, Answer) else str(value),
)
def test_the_end_of_a_token_is_seen(given: Answer, *, ended: bool) -> None:
    """A 401 may mean it, unless it names the application's key: no other token would help then."""
    assert AS.session_ended(given) is ended


@pytest.mark.promise(4)
def test_accounts_are_those_of_the_user_who_logged_in() -> None:
    """By `@me`, and where that is no user there, by the number that `info` tells."""
    accounts = answer([{"Id": 140, "ClearingAccount": "83267"}, {"id": 141}])

    assert came_of(AS.accounts(), accounts) == (140, 141)
    for status in (400, 404, 422):
        calls, found = held(AS.accounts(), answer(b"", status), answer({"UserId": 3}), accounts)
        assert found == (140, 141)
        assert [call.path for call in calls] == [
            "/v1.0/users/@me/accounts",
            "/v1.0/users/@me/info",
            "/v1.0/users/3/accounts",
        ]


#: What is no list of accounts.
_NO_ACCOUNTS: list[object] = [
    *([], {}, None, b"", {"Result": []}),
    *([{}], [{"Id": 0}], [{"Id": 140}, {"Name": "x"}], [140]),
]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        *(pytest.param([answer(body)], Unreadable, id=f"{body!r}") for body in _NO_ACCOUNTS),
        pytest.param([answer(DENIED, 401)], Refused, id="401"),
        pytest.param([answer(b"", 500)], Unknown, id="500"),
        pytest.param([answer(b"", 204)], Unreadable, id="204"),
        pytest.param([answer(b"", 404), answer({})], Unreadable, id="404, and no user"),
        pytest.param([answer(b"", 404), answer([])], Unreadable, id="404, and a list for the user"),
        pytest.param([answer(b"", 404), answer(b"", 500)], Unknown, id="404, then 500"),
        pytest.param(
            [answer(b"", 404), answer({"UserId": 3}), answer([])], Unreadable, id="404, then no account"
        ),
    ],
)
def test_accounts_that_cannot_be_read_are_none_to_cancel_in(
    answers: list[Answer], kind: type[VendorError]
) -> None:
    """Half a list of accounts would leave orders working that are called gone."""
    assert kind_of(AS.accounts(), *answers) is kind
