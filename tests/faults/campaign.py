"""Run the suite: rounds of alerts under a storm, each judged when all of its records have ended.

Rounds are there so that books stay small: a stand-in broker looks through all of its orders for each list.
The machines and their Redis live through all rounds; each round has brokers of its own at the same addresses.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.brokers import VENDORS, Brokers
from tests.faults.judge import PROMISES, Case, Finding, Judge, Kind, Verdict
from tests.faults.plan import Order, Role, alerts
from tests.faults.sender import TradingView, message
from tests.faults.stage import LEASE_S, Stage
from tests.faults.storm import Storm
from tests.faults.watch import Watch
from tests.running import free_port

#: Alerts that may be under way at once, each in a thread: the longest takes four sends and their pauses.
_AT_ONCE = 400

#: Seconds in which all records have to end when the storm is over. The relay looks again at an order after
#: 8 s at most; the rest is for a machine that is busy.
END_WITHIN_S = 60.0

#: How a line of the relay's log names what it is about, and the events that tell how hard it was.
_EVENT = re.compile(r'"event": "(\w+)"')
_TELLING = ("taken_over", "lease_ended", "redis_away", "redis_error", "not_let_go", "logged_in", "unforeseen")


@dataclass(frozen=True)
class Options:
    """What is run."""

    seed: int
    alerts: int
    #: The number of the first alert: a later round of a run can be run alone.
    first: int = 0
    per_second: float = 16.0
    #: Alerts of a round.
    round_of: int = 2_000
    #: Mean seconds between two strokes of the storm.
    stroke_every_s: float = 0.8
    #: A stroke that half of all strokes are.
    emphasis: str | None = None
    #: How bad the brokers' weather is, as a multiple of the usual.
    severity: float = 1.0
    #: Seconds after which a 5xx is sent again: TradingView's own, unless a short run has no time for them.
    resend_after_s: float = 5.0
    #: Where the relay's log is kept, a file for each round; None: nowhere.
    logs: Path | None = None


@dataclass
class Report:
    """What a run came to."""

    options: Options
    rounds: int = 0
    seconds: float = 0.0
    #: Alerts by (vendor, target).
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Sendings by how they ended.
    sendings: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    strokes: Counter[str] = field(default_factory=Counter)
    ended_as: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    #: What the relay's own log tells of, in events.
    logged: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    #: Seconds from the storm's end to the last record's, the longest of all rounds.
    last_end_s: float = 0.0
    #: Milliseconds from each first sending to its answer.
    answers_ms: list[float] = field(default_factory=list)

    def count(self, kind: Kind) -> int:
        """Count the findings of a kind."""
        return sum(each.kind is kind for each in self.findings)

    @property
    def kept(self) -> bool:
        """Say whether nothing happened that must never happen."""
        return not self.findings

    @property
    def promises(self) -> dict[str, int]:
        """Give the four counts that the suite is about."""
        return {str(kind): self.count(kind) for kind in PROMISES}


def run(options: Options, folder: Path, say: Callable[[str], None]) -> Report:
    """Run all rounds, and give the report; `say` hears of each round when it is over."""
    report = Report(options)
    began = time.monotonic()
    with _stage(options, folder) as (stage, ports):
        for first in range(options.first, options.first + options.alerts, options.round_of):
            count = min(options.round_of, options.first + options.alerts - first)
            _Round(options, first, count, stage, ports).run(report)
            report.rounds += 1
            report.seconds = time.monotonic() - began
            zeros = ", ".join(f"{name} {number}" for name, number in report.promises.items())
            say(f"{first + count - options.first} alerts after {report.seconds:.0f} s: {zeros}")
    report.seconds = time.monotonic() - began
    return report


@contextmanager
def _stage(options: Options, folder: Path) -> Iterator[tuple[Stage, Sequence[int]]]:
    """Start Redis and the machines against brokers' addresses at which nobody is yet."""
    with Brokers(options.seed, [0], [free_port() for _ in VENDORS], 0.0) as nobody:
        ports, settings, sockets = nobody.ports, nobody.settings, nobody.sockets
    with Stage(folder, (settings, {**settings, **sockets})) as stage:
        yield stage, ports


class _Round:
    """One round."""

    def __init__(self, options: Options, first: int, count: int, stage: Stage, ports: Sequence[int]) -> None:
        self._options = options
        self._stage = stage
        self._first = first
        self._cases = [Case(alert) for alert in alerts(options.seed, first, count, options.per_second)]
        numbers = [case.alert.number for case in self._cases]
        self._brokers = Brokers(options.seed, numbers, ports, options.severity)
        self._stopping = threading.Event()
        self._platform = TradingView(stage.ports, options.resend_after_s, self._stopping)
        self._began_ms = 0.0
        self._watch = Watch(stage, self._cases)

    def run(self, report: Report) -> None:
        """Send all, wait for the end of all, judge, and add to the report."""
        self._began_ms = time.time() * 1000
        with self._brokers:
            storm = Storm(
                f"{self._options.seed} storm {self._first}",
                self._stage,
                self._brokers,
                self._options.stroke_every_s,
                self._options.emphasis,
            )
            storm.start()
            self._watch.start(self._began_ms)
            try:
                self._send_all()
            finally:
                self._stopping.set()
                storm.end()
            calm_at = time.monotonic()
            self._watch.finish(END_WITHIN_S)
            report.last_end_s = max(report.last_end_s, time.monotonic() - calm_at)
            # Whoever was paused has woken and knows by now that its lease is over.
            threading.Event().wait(LEASE_S)
            self._watch.read_all()
            verdict = Judge(
                {vendor: self._brokers.evidence(vendor) for vendor in VENDORS}, self._cases
            ).verdict()
        self._add(report, storm, verdict)

    def _send_all(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE, "alert") as pool:
            under_way = []
            for case in self._cases:
                self._stopping.wait(max(0.0, began + case.alert.at - time.monotonic()))
                under_way.append(pool.submit(self._one, case))
            for each in under_way:
                each.result()

    def _one(self, case: Case) -> None:
        """Place an alert's orders, send it, place newer ones, and send it again where it comes again."""
        alert = case.alert
        self._place(case, alert.orders)
        named = next(iter(case.of_role(Role.MEANT)))
        body = message(alert, named, time.time())
        if alert.cut:
            in_body = alert.cut == "body"
            case.sendings.append(self._platform.cut(body, alert.copies[0], in_body=in_body))
        else:
            self._send_copies(case, body)
        if alert.entries:
            self._stopping.wait(alert.entry_after_s)
            self._place(case, alert.entries)
        self._stopping.wait(alert.newer_after_s - (alert.entry_after_s if alert.entries else 0.0))
        self._place(case, alert.newer)
        if alert.again_after_s is not None and alert.cut != "body":
            self._stopping.wait(max(0.0, alert.again_after_s - alert.newer_after_s))
            case.sendings.append(self._platform.once(body, 1 - alert.copies[0]))

    def _place(self, case: Case, orders: Sequence[Order]) -> None:
        for order in orders:
            case.orders[self._brokers.place(case.alert.vendor, order)] = order

    def _send_copies(self, case: Case, body: bytes) -> None:
        senders = [
            threading.Thread(
                target=self._platform.send, args=(body, machine, case.sendings.append), daemon=True
            )
            for machine in case.alert.copies
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def _add(self, report: Report, storm: Storm, verdict: Verdict) -> None:
        report.sent.update((case.alert.vendor, case.alert.target) for case in self._cases)
        report.noted["alerts with a delay"] += sum(bool(case.alert.delay_s) for case in self._cases)
        for case in self._cases:
            for number, each in enumerate(case.sendings):
                told = f"{each.end} {each.status}" if each.status else str(each.end)
                report.sendings[told] += 1
                report.sendings["of these: sent again after a 5xx"] += each.resend
                if number == 0 and each.alert_id:
                    report.answers_ms.append((each.ended_at - each.sent_at) * 1000)
        report.sendings["of these: copies in one moment"] += sum(
            len(case.alert.copies) for case in self._cases if len(case.alert.copies) > 1
        )
        report.troubles += self._brokers.met
        report.strokes += storm.struck
        report.ended_as += verdict.ended_as
        report.orders += verdict.orders
        report.noted += verdict.noted
        lines = [line for machine in self._stage.machines for line in machine.log_lines()]
        if self._options.logs:
            with (self._options.logs / f"relay-{self._first}.log").open("w") as log:
                log.writelines(lines)
        events = Counter(found[1] for found in map(_EVENT.search, lines) if found)
        report.logged.update({name: events[name] for name in _TELLING if events[name]})
        report.findings += verdict.findings
        report.findings += [
            Finding(Kind.UNFORESEEN, -1, line.strip()) for line in lines if '"event": "unforeseen"' in line
        ]
