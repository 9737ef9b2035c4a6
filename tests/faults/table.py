"""Say in a short table what a run came to."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping

from tests.faults.brokers import VENDORS
from tests.faults.campaign import Report
from tests.faults.judge import PROMISES, Kind

#: Findings that are told in full at most.
_TOLD = 20

_WIDTH = 44


def table(report: Report) -> Iterator[str]:
    """Give the table, line by line."""
    options = report.options
    sent = report.sent.total()
    yield (
        f"Fault suite, seed {options.seed}: {sent} alerts in {report.rounds} "
        f"round{'s' * (report.rounds != 1)}, {report.seconds:.0f} s, {sent / report.seconds:.1f} a second"
    )
    yield ""
    yield _row("alerts, by what they name", *VENDORS, "all")
    for target in sorted({target for _, target in report.sent}):
        counts = [report.sent[vendor, target] for vendor in VENDORS]
        yield _row(f"  {target}", *counts, sum(counts))
    totals = [sum(report.sent[key] for key in report.sent if key[0] == vendor) for vendor in VENDORS]
    yield _row("  all", *totals, sent)
    yield from _counts("sendings", report.sendings)
    yield from _counts("troubles that calls to brokers met", report.troubles)
    yield from _counts("what happened to processes, Redis and brokers", report.strokes)
    yield from _counts("alerts, by how they ended", report.ended_as)
    yield from _counts("orders that were meant", report.orders)
    yield from _counts("what the relay's log tells of", report.logged)
    yield from _counts("noted", report.noted)
    if len(report.answers_ms) > 1:
        cuts = statistics.quantiles(report.answers_ms, n=100)
        yield ""
        yield (
            f"answers to first sendings: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms, "
            f"slowest {max(report.answers_ms):.0f} ms; "
            f"the last record ended {report.last_end_s:.1f} s after its storm"
        )
    yield ""
    yield "  ".join(f"{kind}: {report.count(kind)}" for kind in PROMISES)
    yield "  ".join(f"{kind}: {report.count(kind)}" for kind in Kind if kind not in PROMISES)
    for finding in report.findings[:_TOLD]:
        whose = "no alert's" if finding.number < 0 else f"alert {finding.number}"
        yield f"  {whose}, {finding.kind}: {finding.words}"
    if len(report.findings) > _TOLD:
        yield f"  … and {len(report.findings) - _TOLD} more"


def _counts(title: str, counts: Mapping[str, int] | Counter[str]) -> Iterator[str]:
    if counts:
        yield ""
        yield title
        for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            if count:
                yield f"  {name:<{_WIDTH}}{count:>8}"


def _row(title: str, *values: object) -> str:
    return f"{title:<28}" + "".join(f"{each!s:>12}" for each in values)
