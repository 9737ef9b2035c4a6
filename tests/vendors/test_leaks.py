"""A vendor that tells its client's credentials to whoever reads is the last place where they are to be found.

Each test of the suite ends with the same search: see `stage_for`.
"""

from collections.abc import Callable

import pytest

from relay.sandbox.wire import Answer, Kind, Request
from tests.vendors.expectations import Row
from tests.vendors.stage import Stage

#: A demand for another log-in, no word, and what looks like an answer.
STATUSES = (401, 500, 200)

#: Where the vendors' errors have their words.
WORDS = ("error", "detail", "errormsg", "Message", "Reason")


class Echo:
    """Answer one call of each kind that is left with all the headers that it came with."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.left: set[Kind] = set()

    def meet(self, kind: Kind, request: Request, answer: Callable[[Request], Answer]) -> Answer:
        """Stand between the relay and its broker."""
        if kind not in self.left:
            return answer(request)
        self.left.discard(kind)
        headers = "; ".join(f"{name}: {value}" for name, value in request.headers.items())
        body = {"success": False, "result": False, "errorcode": 101, **dict.fromkeys(WORDS, headers)}
        return Answer.json(self._status, body, {"X-Echo": headers})


@pytest.mark.promise(9)
@pytest.mark.parametrize("status", STATUSES)
def test_credentials_that_the_vendor_repeats_are_kept_nowhere(row: Row, status: int, stage: Stage) -> None:
    """Not in the log, not in a reply, not in Redis: not even a session's, which no setting names."""
    stage.ended(stage.cancel(stage.place()))
    echo = Echo(status)
    kinds: tuple[Kind, ...] = ("one", "read")

    with stage.between(echo.meet):
        for kind in kinds:
            echo.left = {kind}
            stage.ended(stage.cancel(stage.place()))
            assert echo.left == set()
        echo.left = {"bulk", "one", "read"}
        stage.ended(stage.send(account=row.account, scope="account"))
        row.end_sessions(stage.broker)
        echo.left = {"login"}
        stage.ended(stage.cancel(stage.place(), max_age=10))

    assert bool(echo.left) is not row.logs_in
    assert stage.leaks() == {}
