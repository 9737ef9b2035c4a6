"""Run the fault suite from the command line: `make faults ARGS="--alerts 10000 --seed 7"`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.campaign import Options, run
from tests.faults.guards import GUARDS, demonstrate
from tests.faults.storm import WEIGHTS
from tests.faults.table import table

_OPTIONS = frozenset(each.name for each in dataclasses.fields(Options))


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for; 0 when nothing happened that must never happen."""
    given = _parser().parse_args(argv)
    # As by Ctrl-C: whatever was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if given.guards is not None:
        return 0 if demonstrate(given.guards, _say) else 1
    options = Options(**{name: value for name, value in vars(given).items() if name in _OPTIONS})
    _say(f"Fault suite: {options.alerts} alerts, seed {options.seed}.")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        report = run(options, Path(folder), _say)
    _say("")
    for line in table(report):
        _say(line)
    if given.json:
        counts = {str(finding.kind): report.count(finding.kind) for finding in report.findings}
        given.json.write_text(json.dumps(counts))
    return 0 if report.kept else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    usual = Options(seed=secrets.randbelow(1_000_000), alerts=2_000)

    def option(name: str, kind: type, **more: Any) -> None:  # noqa: ANN401 - argparse's own
        parser.add_argument(
            f"--{name.removesuffix('_s').replace('_', '-')}",
            dest=name,
            type=kind,
            default=getattr(usual, name),
            **more,
        )

    option("seed", int, help="what all is drawn from; without it, another each time")
    option("alerts", int, help="how many")
    option("first", int, help="the first alert's number: a multiple of --round-of repeats one round")
    option("per_second", float, help="alerts sent in a second")
    option("round_of", int, help="alerts of a round")
    option("stroke_every_s", float, help="mean seconds between two strokes of the storm")
    option("emphasis", str, choices=list(WEIGHTS), help="what half of all strokes are")
    option("severity", float, help="how often calls to brokers go wrong, as a multiple of the usual")
    option("resend_after_s", float, help="seconds after which a 5xx is sent again: TradingView's are 5")
    option("logs", Path, help="an empty folder for the relay's log")
    parser.add_argument(
        "--guards",
        nargs="*",
        metavar="GUARD",
        choices=[guard.name for guard in GUARDS],
        default=None,
        help="take out these guards, or all, one by one, and see the suite fail",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the counts that are not 0")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
