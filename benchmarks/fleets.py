"""The fleet of P8 and of the joins to a store: ten thousand instances, whose events of thirty hours lie in SQLite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pyarrow as pa

import timeline
from simulator import Fleet
from timeline import clock

INSTANCES = 10_000
DAYS = 1.25
START = clock.parse("2026-01-01")
HOUR = 3_600 * clock.SECOND
END = START + int(DAYS * 24) * HOUR

FIELDS = [
    "project_id",
    "user_id",
    "name",
    "state",
    "created_at",
    "flavor",
    "flavor_id",
    "vcpus",
    "memory_mb",
    "disk_gb",
    "image_id",
    "host",
    "node",
    "availability_zone",
    "launched_at",
]
"""Fifteen of the fields of an instance."""


def simulated(instances: int = INSTANCES) -> Fleet:
    """The fleet."""
    return Fleet(instances=instances, days=DAYS, changes_per_day=1.0, deleted=0.1)


def stored(path: Path, notifications: Iterable[bytes] | None = None) -> Path:
    """A SQLite file with the events of the fleet, or of some of its notifications."""
    with timeline.open(f"sqlite:///{path}") as engine:
        engine.prepare()
        engine.ingest(simulated().notifications() if notifications is None else notifications)
    return path


def in_polars(table: pa.Table, fields: list[str]) -> pl.DataFrame:
    """Segments or samples as polars wants them: in order of time, which is called ``timestamp`` in both."""
    if "start" in table.column_names:
        table = table.select(["resource_id", "start", "existence", *fields]).rename_columns({"start": "timestamp"})
        table = table.sort_by("timestamp")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.set_sorted("timestamp")
