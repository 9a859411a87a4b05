"""The servers of a run of tests: they end with it, and it tells which were not there."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.servers import NAMES, absence, runs


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist belongs to the run of who started it
        runs.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    runs.end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missed: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        found = re.match(r"Skipped: no (\w+) here, for want of ", reason)
        if found and found[1] in NAMES:
            missed[found[1]] += 1
    if missed:
        terminalreporter.section("servers that were not there", yellow=True, bold=True)
        for name, tests in sorted(missed.items()):
            terminalreporter.line(f"not run: {tests} tests on {name}: {absence(name)}")
