"""The contract suite's rows, and a stage for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from relay import compose, converse, deliver, ledger, session, worker
from relay.budget import Window
from tests import running
from tests.vendors.expectations import ROWS, Row
from tests.vendors.stage import Stage, StageFor

#: The suite waits for many looks, log-ins and calls that nobody answers, and shows no promise that depends on
#: how long these take. What is in ms or s is a pause; CALL_SHARE is the part of a lease that a call may take,
#: which still is longer than what the relay calls slow; NO_LIMIT is for limits that no setting lifts.
FIRST_LOOK_MS = 5
LONGEST_LOOK_MS = 10
LOG_IN_REST_MS = 50
LOG_IN_PATIENCE_S = 0.1
POLL_S = 0.005
TEST_LOOKS_EVERY_S = 0.005
CALL_SHARE = 0.5
NO_LIMIT = Window(100_000, 60)

HURRIED = (
    (deliver, "FIRST_LOOK_MS", FIRST_LOOK_MS),
    (deliver, "_LONGEST_LOOK_MS", LONGEST_LOOK_MS),
    (ledger, "LOG_IN_REST_MS", LOG_IN_REST_MS),
    (session, "_AGAIN_MS", LOG_IN_REST_MS),
    (session, "_PATIENCE_S", LOG_IN_PATIENCE_S),
    (session, "_LOOK_EVERY_S", POLL_S),
    (worker, "POLL_S", POLL_S),
    (running, "LOOK_EVERY", TEST_LOOKS_EVERY_S),
    (converse, "CALL_SHARE", CALL_SHARE),
    (compose, "_LOG_INS", NO_LIMIT),
    (compose, "_AUTOSHARES_READS", NO_LIMIT),
)


@pytest.fixture(params=ROWS, ids=str)
def row(request: pytest.FixtureRequest) -> Row:
    """Give each vendor's row in turn."""
    given: Row = request.param
    return given


@pytest.fixture
def stage_for(row: Row, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StageFor]:
    """Make stages with other settings than the row's; each is judged at its end."""
    for module, name, value in HURRIED:
        monkeypatch.setattr(module, name, value)
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
