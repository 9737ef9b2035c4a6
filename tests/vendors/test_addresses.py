"""Nothing that stands in an alert reaches another address of the vendor's, or another vendor."""

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from relay.errors import InvalidAlert
from relay.outcome import Status
from relay.reply import Reply
from relay.sandbox.trouble import On, Trouble
from relay.sandbox.wire import RecordedCall
from tests.vendors.desk import reach
from tests.vendors.expectations import Row
from tests.vendors.stage import Stage

#: Stands in every text below, so that each piece of a call that came from one is known.
MARK = "zqz"

#: Texts that would be more than a name, if they were put into an address, a header, a filter or a body as
#: they are.
NASTY = (
    "../zqz",
    "zqz/..",
    "zqz/../../orders/cancelall",
    "..%2fzqz",
    "%2e%2e/zqz",
    "zqz%2f%2e%2e%2f%2e%2e",
    "//zqz",
    "zqz\\..\\..",
    "zqz?x=1",
    "zqz#x",
    "zqz&AccountId=0",
    "zqz;x=1",
    "zqz\r\nX-Injected: 1",
    "zqz%0d%0aX-Injected: 1",
    "zqz\nX-Injected: 1",
    "zqz\x00",
    "zqz%00",
    '","zqz":"',
    "zqz or Status in (0,1)",
    "zqz\u2028é\u202e",
)

#: The fields that could carry one, each with what makes an alert of it.
FIELDS: dict[str, dict[str, str]] = {
    "account": {"scope": "account"},
    "order_id": {},
    "client_order_id": {},
    "instrument": {},
}


def pieces(call: RecordedCall) -> Iterator[str]:
    """Give the parts of a path, the values of a query and of a body, each as its reader has them."""
    path, _, query = call.path.partition("?")
    yield from (unquote(part) for part in path.split("/"))
    yield from (text for pair in parse_qsl(query, keep_blank_values=True) for text in pair)
    if call.body:
        yield from _texts(json.loads(call.body))


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        yield from itertools.chain.from_iterable(_texts(each) for pair in value.items() for each in pair)
    elif isinstance(value, list):
        yield from itertools.chain.from_iterable(_texts(each) for each in value)
    else:
        yield str(value)


def taken(stage: Stage, field: str, text: str) -> Reply | None:
    """Send an alert with a text in a field; None where it is refused."""
    own = {} if field == "account" else {"account": stage.row.account}
    try:
        return stage.send(**own, **{field: text}, **FIELDS[field], max_age=5, reply_when="accepted")
    except InvalidAlert:
        return None


@pytest.mark.promise(4)
@pytest.mark.parametrize("field", FIELDS)
def test_a_text_stays_one_piece_of_the_call_or_is_refused(field: str, stage: Stage) -> None:
    """What arrives at the broker is the text as it was sent, at an address that the vendor documents."""
    stage.set_desk()

    replies = {text: taken(stage, field, text) for text in NASTY}
    ended = {text: stage.ended(reply).status for text, reply in replies.items() if reply}

    assert Status.CONFIRMED not in ended.values()
    assert stage.touched() == set()
    assert stage.calls("other") == []
    arrived = {piece for call in stage.broker.calls for piece in pieces(call) if MARK in piece.casefold()}
    assert {piece.casefold() for piece in arrived} <= {text.casefold() for text in NASTY}
    assert [call.headers for call in stage.broker.calls if "X-Injected" in call.headers] == []


@pytest.mark.promise(5, 9)
@pytest.mark.parametrize("on", ["cancel", "read", "login"])
def test_a_redirect_is_never_followed(row: Row, on: On, stage: Stage) -> None:
    """A credential goes to the address that the operator named and to no other, and nothing is claimed."""
    stage.set_desk()
    elsewhere = {"Location": f"{stage.broker.url}/elsewhere"}
    stage.broker.trouble = Trouble(on=on, times=1, status=307, headers=elsewhere)

    record = stage.ended(stage.send(account=row.account, scope="account"))

    assert [call.path for call in stage.broker.calls if "elsewhere" in call.path] == []
    assert record.status is not Status.CONFIRMED or stage.cancelled() == reach(row, "account")
    assert stage.touched() <= reach(row, "account")
