"""P12 and the peak memory: whole processes, as an operator starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import timeline
from benchmarks.measure import ROOT, Row, footprint, process
from simulator import Fleet

NOTIFICATIONS = 1_000_000

_FLOOR = """
import sqlalchemy
engine = sqlalchemy.create_engine("sqlite:///{path}")
with engine.connect() as connection:
    connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).all()
"""


def rows() -> Iterator[Row]:
    """P12 and the peak memory."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        yield from _startup(folder / "timeline.db")
        yield _memory(folder)


def _startup(path: Path) -> Iterator[Row]:
    with timeline.open(f"sqlite:///{path}") as engine:
        engine.prepare()
        engine.ingest(Fleet(instances=20, days=2).notifications())
        instance = next(engine.resources("instance", "2026-01-02")).resource
    floor = process(["-c", _FLOOR.format(path=path)])
    show = process(["-m", "timeline", "show", str(instance), "--at", "2026-01-02", "--store", f"sqlite:///{path}"])
    yield Row(
        id="P12",
        what="timeline show, a fresh process",
        reached=f"{(show - floor) * 1e3:+.0f} ms",
        reach="+80 ms",
        beside=f"over {floor * 1e3:.0f} ms: import sqlalchemy, open the file, select",
        holds=show - floor <= 0.08,
    )
    bare = process(["-c", "pass"])
    for arguments in (["--help"], ["definitions", "list"]):
        took = process(["-m", "timeline", *arguments])
        yield Row(
            id="P12",
            what=f"timeline {' '.join(arguments)}, a fresh process",
            reached=f"{took * 1e3:.0f} ms",
            reach="150 ms",
            beside=f"{bare * 1e3:.0f} ms: the interpreter alone",
            holds=took <= 0.15,
        )


def _memory(folder: Path) -> Row:
    peaks = [_peak(folder / f"{count}.db", count) for count in (NOTIFICATIONS // 10, NOTIFICATIONS)]
    return Row(
        id="",
        what=f"peak memory to ingest {NOTIFICATIONS:,} notifications",
        reached=f"{peaks[1]:.0f} MB",
        reach="150 MB, flat",
        beside=f"{peaks[0]:.0f} MB for a tenth of them",
        holds=peaks[1] <= 150,
    )


def _peak(path: Path, count: int) -> float:
    """Megabytes that `timeline ingest -` takes at most."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TIMELINE_STORE": f"sqlite:///{path}"}
    subprocess.run([sys.executable, "-m", "timeline", "init"], check=True, stdout=subprocess.DEVNULL, env=environment)
    simulated = [sys.executable, "-m", "simulator", "--instances", "1000", "--days", "60", "--limit", str(count)]
    with subprocess.Popen([*simulated, "--out", "-"], stdout=subprocess.PIPE, env=environment) as source:
        _, peak = footprint(["-m", "timeline", "ingest", "-"], stdin=source.stdout, environment=environment)
    return peak
