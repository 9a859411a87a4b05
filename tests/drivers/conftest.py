"""A SQLite store to test on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from timeline import drivers
from timeline.drivers import Driver

# The kit's assertions say what they compared, as those of a test module do.
pytest.register_assert_rewrite("timeline.drivers.conformance")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "timeline.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def driver(url: str) -> Iterator[Driver]:
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        yield driver
