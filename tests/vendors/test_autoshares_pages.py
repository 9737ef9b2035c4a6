"""Autoshares' list of working orders, page by page: all of it, or none."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import Refused, Throttled, Unknown, Unreadable, VendorError
from relay.vendor import Answer, Call, Order, held
from tests.vendors.dialogue import answer, kind_of
from tests.vendors.of_autoshares import ACCOUNT, AS, listed, page, row

#: Numbers of orders as a server lists them, the lowest first.
Book = list[int]


class Server:
    """Cut a book into pages by offset, as it is at that moment; after a page the book may change."""

    def __init__(self, book: Book, *, filters: bool = True, **shape: object) -> None:
        self.book = book
        self.calls: list[Call] = []
        self.after: dict[int, Callable[[Book], None]] = {}
        self._filters = filters
        self._shape = shape

    def answer(self, call: Call) -> Answer:
        """Answer one call for a page, and change the book where that was planned after as many."""
        self.calls.append(call)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
        if "filter" in asked and not self._filters:
            return answer({"Message": "bad filter"}, 400)
        given = self._page(asked)
        change = self.after.get(len(self.calls))
        if change is not None:
            change(self.book)
        return given

    def _page(self, asked: Mapping[str, str]) -> Answer:
        size = int(asked["pageSize"])
        first = int(asked["pageNumber"]) * size
        rows = [row(Id=number) for number in sorted(self.book)[first : first + size]]
        more = first + size < len(self.book)
        shape = {"Result": rows, "TotalCount": len(self.book), "NextPageLink": "/next" if more else ""}
        shape |= self._shape
        return answer({name: value for name, value in shape.items() if value != "left out"})

    @property
    def pages(self) -> list[int]:
        """Give the number of each page that was asked for."""
        return [int(parse_qs(urlsplit(call.path).query)["pageNumber"][0]) for call in self.calls]


def found(server: Server) -> list[int]:
    """List the working orders, and give their ids."""
    orders: tuple[Order, ...] = held(AS.working(ACCOUNT), server.answer)
    return [int(order.order_id) for order in orders]


def gone(*numbers: int) -> Callable[[Book], None]:
    """Make orders vanish."""

    def change(book: Book) -> None:
        for number in numbers:
            book.remove(number)

    return change


@pytest.mark.promise(5)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 450))
def test_a_list_of_several_pages_is_all_of_it(count: int) -> None:
    """However many orders there are, each is there once, and no page is asked for in vain."""
    server = Server(list(range(1, count + 1)))

    assert found(server) == list(range(1, count + 1))
    assert server.pages == list(range(max(1, -(-count // 100))))


@pytest.mark.promise(5)
@pytest.mark.parametrize("count", [0, 1, 100, 101, 200, 250])
@pytest.mark.parametrize("total", ["left out", None, "many"])
def test_a_list_without_a_count_follows_the_link(total: object, count: int) -> None:
    """Where no count can be read, the link says whether there is more."""
    server = Server(list(range(1, count + 1)), TotalCount=total)

    assert found(server) == list(range(1, count + 1))


@pytest.mark.promise(5)
@pytest.mark.parametrize("link", ["left out", None, ""])
def test_a_list_without_a_link_follows_the_count(link: object) -> None:
    """The documents show an empty link and null, and a server may show none: the count is enough."""
    server = Server(list(range(1, 251)), NextPageLink=link)

    assert found(server) == list(range(1, 251))


@pytest.mark.promise(5)
def test_all_pages_are_there_before_any_order_is_given() -> None:
    """Who cancels while he walks skips what moves up: the conversation ends only after the last page."""
    conversation = AS.working(ACCOUNT)
    first = Server(list(range(1, 102)))
    call = next(conversation)

    assert "pageNumber=1&" in conversation.send(first.answer(call)).path


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("count", "vanish"),
    [
        pytest.param(150, {1: (5,)}, id="one, after the first page"),
        pytest.param(101, {1: (1,)}, id="one, and the last order moves to the first page"),
        pytest.param(150, {1: tuple(range(1, 61))}, id="many, after the first page"),
        pytest.param(350, {2: (150,), 3: (7,)}, id="two, after later pages"),
        pytest.param(150, {1: (5,), 4: (6,)}, id="one in each of two walks"),
    ],
)
def test_orders_that_vanish_on_the_way_hide_no_other(count: int, vanish: dict[int, tuple[int, ...]]) -> None:
    """Later rows move up past whoever walks: such a list is walked again, until all that works is in it."""
    server = Server(list(range(1, count + 1)))
    server.after = {number: gone(*each) for number, each in vanish.items()}

    shown = found(server)

    assert set(server.book) <= set(shown)


@pytest.mark.promise(5)
def test_what_has_vanished_from_the_last_page_costs_no_second_walk() -> None:
    """Nothing moves up past the walker where nothing comes after."""
    server = Server(list(range(1, 151)))
    server.after = {2: gone(150)}

    assert len(found(server)) == 150
    assert server.pages == [0, 1]


@pytest.mark.promise(5)
def test_a_list_that_never_holds_still_is_unknown() -> None:
    """After a few walks it is no list: a part of it would prove orders gone that work."""
    server = Server(list(range(1, 151)))
    server.after = {number: gone(number) for number in range(1, 50)}

    with pytest.raises(Unknown) as raised:
        found(server)

    assert raised.value.words == "Autoshares' list of orders kept changing while it was read"


@pytest.mark.promise(5)
def test_a_list_without_an_end_is_unreadable() -> None:
    """A server that always has more is not walked for ever."""
    endless = Server(list(range(1, 30_000)), TotalCount=10**9)

    with pytest.raises(Unreadable):
        found(endless)


@pytest.mark.promise(5)
def test_a_page_that_comes_twice_is_no_progress_and_no_loss() -> None:
    """A server that repeats its first page gives what it has, and no order twice."""
    first = page(*(row(Id=number) for number in range(1, 101)), TotalCount=150, NextPageLink="/next")

    with pytest.raises(VendorError) as raised:
        held(AS.working(ACCOUNT), lambda _: first)

    assert isinstance(raised.value, Unknown)


@pytest.mark.promise(5)
def test_a_server_that_knows_no_such_filter_lists_everything() -> None:
    """A 400 to the filter is asked again without it, page by page, and what is over is left out here."""
    server = Server(list(range(1, 151)), filters=False)

    assert found(server) == list(range(1, 151))
    assert server.pages == [0, 0, 1, 1]
    assert server.calls[1].path == (
        "/v1.0/accounts/140/orders?pageNumber=0&pageSize=100&sortField=Id&desc=false"
    )
    assert {call.limit for call in server.calls} == {"reads"}


@pytest.mark.promise(5)
def test_what_is_refused_without_a_filter_too_is_refused() -> None:
    """A second 400 is about something else; a list in which nothing filters is asked for once."""
    bad = answer({"Message": "bad"}, 400)

    assert kind_of(AS.working(ACCOUNT), bad, bad) is Refused
    assert kind_of(AS.recent(ACCOUNT), bad) is Refused


@pytest.mark.promise(5)
def test_a_list_keeps_all_that_may_still_work() -> None:
    """Orders that are over are left out; one of an unclear state is not."""
    states = ["New", "Canceled", "Filled", "Rejected", "PendingCancel", "Sleeping", "Replaced", "Error"]
    rows = [row(Id=number, Status=state) for number, state in enumerate(states, 1)]

    assert [order.order_id for order in listed(*rows)] == [1, 5, 6, 7]


#: What is no page of a list, or one whose rows cannot be read.
_NO_PAGES: list[Any] = [
    *(b"", b"<html>", None, [], [row()], {}, "", 0, {"Orders": []}, {"Result": None}, {"Result": {}}),
    *({"Result": [each], "TotalCount": 0} for each in (None, 7, "")),
    *({"Result": [each], "TotalCount": 0} for each in ([7], {"Status": "New"})),
    *({"Result": rows, "TotalCount": 0} for rows in ("[]", 0)),
]


@pytest.mark.promise(5)
@pytest.mark.parametrize("ask", [AS.working, AS.recent], ids=["working", "recent"])
@pytest.mark.parametrize("body", _NO_PAGES, ids=repr)
def test_a_page_of_another_shape_is_unreadable_and_never_empty(ask: Any, body: object) -> None:  # noqa: ANN401 - either list
    """An empty list proves that orders are gone, so only a real one counts."""
    assert kind_of(ask(ACCOUNT), answer(body)) is Unreadable


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Unknown) for status in (408, 500, 502)),
        *((status, Refused) for status in (302, 401, 403, 404, 409, 422)),
        *((status, Unreadable) for status in (201, 204)),
        (429, Throttled),
    ],
)
def test_an_error_is_no_empty_list_and_no_word_about_an_order(status: int, kind: type[VendorError]) -> None:
    """With any status but 200 there is no list, on the first page or on a later one."""
    empty = answer({"Result": [], "TotalCount": 0} if status != 204 else b"", status)
    first = page(*(row(Id=number) for number in range(1, 101)), TotalCount=150)

    assert kind_of(AS.working(ACCOUNT), empty) is kind
    assert kind_of(AS.working(ACCOUNT), first, empty) is kind


@pytest.mark.promise(5)
def test_the_newest_orders_are_one_page_of_all() -> None:
    """Whatever their state, in the server's own order: the newest first."""
    rows = [row(Id=number, Status="Canceled") for number in (12, 7, 5)]

    orders: tuple[Order, ...] = held(
        AS.recent(ACCOUNT), lambda _: page(*rows, TotalCount=900, NextPageLink="/x")
    )

    assert [order.order_id for order in orders] == [12, 7, 5]
