"""A vendor that tells its client's credential to whoever reads is the last place where it is to be found.

Each test of the suite ends with the same search: see `stage_for`.
"""

import pytest

from tests.vendors.expectations import ROWS, Row
from tests.vendors.stage import Stage

#: A definite no, a demand for another log-in, no word, and what looks like a success.
STATUSES = (400, 401, 500, 200)

EACH = [pytest.param(row, header, id=f"{row}-{header}".lower()) for row in ROWS for header in row.credentials]


@pytest.mark.promise(9)
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("row", "header"), EACH)
def test_a_credential_that_the_vendor_repeats_is_kept_nowhere(
    row: Row, header: str, status: int, stage: Stage
) -> None:
    """Not in the log, not in a reply, not in Redis: not even a session's, which no setting names."""
    leaks = {"leak_header": header, "status": status}
    stage.ended(stage.cancel(stage.place()))

    for on in ("cancel", "read"):
        stage.broker.trouble_for(on, times=1, **leaks)
        stage.ended(stage.cancel(stage.place()))
    stage.broker.trouble_for("any", times=1, **leaks)
    stage.ended(stage.send(account=row.account, scope="account"))
    assert stage.broker.trouble == ()
    row.end_sessions(stage.broker)
    stage.broker.trouble_for("login", times=1, **leaks)
    stage.ended(stage.cancel(stage.place(), max_age=1))

    assert bool(stage.broker.trouble) is not row.logs_in
    assert stage.leaks() == {}
