"""The fault suite's short run; the long one is `make faults`."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.campaign import Options, run
from tests.faults.shown import SHOWN
from tests.faults.table import table

#: The seed of the short run, to repeat one that failed; without it, another one each time.
SEED = "FAULTS_SEED"

#: Alerts of the short run, and how many of them in a second: other tests run beside it.
ALERTS, PER_SECOND = 180, 12.0


@pytest.mark.promise(1, 2, 3, 4)
def test_nothing_is_lost_doubled_late_or_wider_while_all_else_fails(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Two machines under kill -9, pauses, a crashing Redis and lying brokers: the books show four zeros."""
    seed = int(os.environ.get(SEED) or secrets.randbelow(1_000_000))
    # A 5xx is sent again after a second, where TradingView waits five: the other tests want to run, too.
    options = Options(seed=seed, alerts=ALERTS, per_second=PER_SECOND, resend_after_s=1.0)

    report = run(options, tmp_path, lambda _: None)

    told = "\n".join(table(report))
    zeros = ", ".join(f"{name} {count}" for name, count in report.promises.items())
    record_property(SHOWN, f"fault suite, {ALERTS} alerts, {SEED}={seed}: {zeros}")
    assert report.kept, f'to repeat it: {SEED}={seed} make test ARGS="-k test_faults"\n{told}'
    # A relay that reports everything as failed loses nothing, either.
    done = report.ended_as["confirmed"] + report.ended_as["nothing_to_cancel"]
    assert done >= 0.8 * ALERTS, told
