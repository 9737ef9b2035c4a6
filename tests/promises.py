"""Tie every test to the promises it keeps, and say at the end how often each of them was shown.

A pytest plugin. A test says `@pytest.mark.promise(2)`, or `promise(2, 6)`, or `@pytest.mark.house` when it is
about the build itself; one that says neither stops the run.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

PROMISES = {
    1: "never lost",
    2: "never twice",
    3: "never late",
    4: "never wider than asked",
    5: "proven",
    6: "in time",
    7: "never silent",
    8: "no stranger gets in",
    9: "no secret gets out",
    10: "nothing to set up",
}

#: Under this name a test's promises travel with its reports.
PROPERTY = "promises"


def pytest_configure(config: pytest.Config) -> None:
    """Make the two markers known, and count what the reports tell."""
    config.addinivalue_line("markers", "promise(n, ...): the promises, 1 to 10, that this test shows kept.")
    config.addinivalue_line("markers", "house: this test is about the build, not about a promise.")
    config.pluginmanager.register(Count(in_ci=bool(os.environ.get("CI"))), "promises-count")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stop the run with a sentence when a test keeps no promise, or one that nobody made."""
    homeless: list[str] = []
    for item in items:
        numbers = [number for marker in item.iter_markers("promise") for number in marker.args]
        strange = [repr(number) for number in numbers if type(number) is not int or number not in PROMISES]
        if strange:
            raise pytest.UsageError(f"{item.nodeid} names {', '.join(strange)}: the promises are 1 to 10.")
        if not numbers and item.get_closest_marker("house") is None:
            homeless.append(item.nodeid)
        item.user_properties.append((PROPERTY, sorted(set(numbers))))
    if homeless:
        names = "\n  ".join(homeless)
        raise pytest.UsageError(
            "Every test says which promise it keeps, @pytest.mark.promise(1) to (10), "
            f"or is marked @pytest.mark.house. These say neither:\n  {names}"
        )


class Count:
    """What became of each promise's tests."""

    def __init__(self, *, in_ci: bool) -> None:
        self._in_ci = in_ci
        self._promises: dict[str, list[int]] = {}
        self._failed: set[str] = set()
        self._skipped: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test; a test fails when its set-up, call or tear-down does."""
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, list):
                self._promises[report.nodeid] = value
        if report.failed:
            self._failed.add(report.nodeid)
        elif report.skipped:
            self._skipped.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that skipped itself whole."""
        if report.skipped:
            self._skipped.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run in CI that skipped something: what was not run was not shown."""
        if self._in_ci and self._skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line for each promise."""
        if not self._promises:
            return
        terminalreporter.section("the ten promises")
        for line in self._table():
            terminalreporter.line(line)
        if self._in_ci and self._skipped:
            terminalreporter.line("Skipped, which fails the run in CI: " + ", ".join(sorted(self._skipped)))

    def _table(self) -> Iterator[str]:
        counts = {"passed": Counter[int](), "failed": Counter[int](), "skipped": Counter[int]()}
        for test, numbers in self._promises.items():
            outcome = "failed" if test in self._failed else "skipped" if test in self._skipped else "passed"
            counts[outcome].update(numbers)
        for number, name in PROMISES.items():
            said = [f"{count[number]} {outcome}" for outcome, count in counts.items() if count[number]]
            yield f"{number:>3}. {name:<24}{', '.join(said) or 'none yet'}"
