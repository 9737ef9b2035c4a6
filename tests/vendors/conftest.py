"""The contract suite's rows, and a stage for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from relay import converse, deliver, worker
from tests import running
from tests.vendors.expectations import ROWS, Row
from tests.vendors.stage import Stage, StageFor

#: The suite waits for many looks and many calls that nobody answers, and shows no promise that depends on
#: how long these take. Milliseconds between two looks, the first and the longest; seconds between two
#: questions of what is due, and between two looks of the tests' own; the part of a lease that a call may
#: take, which still is longer than what the relay calls slow.
LOOK_MS = 10
LONGEST_LOOK_MS = 20
POLL_S = 0.01
TEST_LOOKS_EVERY_S = 0.005
CALL_SHARE = 0.5


@pytest.fixture(params=ROWS, ids=str)
def row(request: pytest.FixtureRequest) -> Row:
    """Give each vendor's row in turn."""
    given: Row = request.param
    return given


@pytest.fixture
def stage_for(row: Row, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StageFor]:
    """Make stages with other settings than the row's; each is judged at its end."""
    monkeypatch.setattr(deliver, "FIRST_LOOK_MS", LOOK_MS)
    monkeypatch.setattr(deliver, "_LONGEST_LOOK_MS", LONGEST_LOOK_MS)
    monkeypatch.setattr(worker, "POLL_S", POLL_S)
    monkeypatch.setattr(converse, "CALL_SHARE", CALL_SHARE)
    monkeypatch.setattr(running, "LOOK_EVERY", TEST_LOOKS_EVERY_S)
    made: list[Stage] = []
    with contextlib.ExitStack() as stack:

        def make(**changes: str) -> Stage:
            made.append(stack.enter_context(Stage(row, redis_url, changes)))
            return made[-1]

        yield make
    for each in made:
        assert each.leaks() == {}
        assert each.log("unforeseen") == []


@pytest.fixture
def stage(stage_for: StageFor) -> Stage:
    """Give a relay and its broker."""
    return stage_for()
