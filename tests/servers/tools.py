"""Programs that tests run, and that are no servers."""

from __future__ import annotations

import os

from tests.servers.installing import from_debian, program

PACKAGES = {"promtool": "prometheus"}
"""Each program, and the package of Debian that brings it."""

REQUIRED = "TIMELINE_TEST_SERVERS_REQUIRED"


def install() -> None:
    """Install those that are not there. Raises :class:`~tests.servers.installing.NotInstalled`."""
    for name, package in PACKAGES.items():
        from_debian([package], lambda name=name: program(name) is not None)  # type: ignore[misc]


def tool(name: str) -> str:
    """Where a program lies. Skips the test where it does not; where servers are required, that fails it."""
    found = program(name)
    if found is not None:
        return found
    import pytest

    absent = f"{name} is not installed: make servers brings it, in Debian's package {PACKAGES[name]}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(absent, pytrace=False)
    pytest.skip(absent)
