"""A pytest plugin: show at the end of a run what a test wants shown, also of one that passed.

A test says `record_property(SHOWN, "…")`. Its reports carry the line, also from another process.
"""

import pytest

#: Under this name a test's line travels with its report.
SHOWN = "shown"


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the reports."""
    config.pluginmanager.register(_Lines(), "shown-lines")


class _Lines:
    """The lines of all tests."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the lines of a test's own phase."""
        if report.when == "call":
            self._lines += [str(value) for name, value in report.user_properties if name == SHOWN]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them."""
        for line in self._lines:
            terminalreporter.line(line)
