"""Conversations fed with answers, no network: what goes out, and what an answer comes to."""

import json
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st

from relay.errors import VendorError
from relay.vendor import Answer, Call

T = TypeVar("T")


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    """Give an answer; a body that is not bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, raw, {name.replace("_", "-"): value for name, value in headers.items()})


def held(conversation: Generator[Call, Answer, T], *answers: Answer) -> tuple[list[Call], T]:
    """Hold a conversation with these answers, all of them, and give its calls and its result."""
    calls = [next(conversation), *(conversation.send(given) for given in answers[:-1])]
    try:
        conversation.send(answers[-1])
    except StopIteration as end:
        result: T = end.value
        return calls, result
    raise AssertionError("the conversation wants another answer")


def came_of(conversation: Generator[Call, Answer, T], *answers: Answer) -> T:
    """Give what a conversation with these answers comes to."""
    return held(conversation, *answers)[1]


def said_of(conversation: Generator[Call, Answer, Any], *answers: Answer) -> VendorError:
    """Give what the last of these answers means, where it is no success."""
    with pytest.raises(VendorError) as raised:
        held(conversation, *answers)
    return raised.value


def kind_of(conversation: Generator[Call, Answer, Any], *answers: Answer) -> type[VendorError]:
    """Give the kind of error that the last of these answers means."""
    return type(said_of(conversation, *answers))


def any_json(names: Iterable[str], values: Iterable[object]) -> st.SearchStrategy[Any]:
    """Make any JSON, of a vendor's own names and values more often than of others."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-3, 10)
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=6)
        | st.sampled_from(list(values))
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(list(names)) | st.text(max_size=4), inner, max_size=6)
        ),
        max_leaves=12,
    )
