"""P2 and P4: from a file of notifications to a durable SQLite store, and how many bytes that takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import timeline
from benchmarks.measure import Row, alternately
from simulator import Fleet
from timeline.consumers.files import Files
from timeline.model import Event

T = TypeVar("T")

COUNT = 60_000
BATCH = 1_000

FLOOR = """
CREATE TABLE event (
    stream INTEGER NOT NULL, occurred_at INTEGER NOT NULL, phase INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL, event_type INTEGER NOT NULL, message_id BLOB,
    PRIMARY KEY (stream, occurred_at, phase)
) WITHOUT ROWID
"""


def rows() -> Iterator[Row]:
    """P2 and P4."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "notifications.jsonl"
        fleet = Fleet(instances=1_000, days=30)
        with file.open("wb") as out:
            out.writelines(line + b"\n" for line in islice(fleet.notifications(), COUNT))
        yield _rate(folder, file)
        yield from _sizes(folder, file)


def _rate(folder: Path, file: Path) -> Row:
    values = _raw_rows(folder, file)
    runs = iter(range(1_000))

    def ours() -> None:
        _store(folder / f"ours-{next(runs)}.db", file)

    def floor() -> None:
        _raw(folder / f"floor-{next(runs)}.db", values)

    mine, raw = alternately(ours, floor, repeats=3)
    rate, raw_rate = COUNT / mine, len(values) / raw
    return Row(
        id="P2",
        what="file of notifications -> durable SQLite",
        reached=f"{rate:,.0f}/s",
        reach="40 % of raw executemany",
        beside=f"{raw_rate:,.0f}/s raw rows into the same key, batches of {BATCH}: {rate / raw_rate:.0%}",
        holds=rate >= 0.4 * raw_rate,
    )


def _sizes(folder: Path, file: Path) -> Iterator[Row]:
    whole = folder / "whole.db"
    _store(whole, file)
    changes, repeats = _changes_and_repeats(whole)
    only_changes = folder / "changes.db"
    with _prepared(only_changes) as engine:
        for batch in _batched(changes, BATCH):
            engine.driver.append(batch)
    per_repeat = (_bytes(whole) - _bytes(only_changes)) / repeats
    per_change = _bytes(only_changes) / len(changes)
    body = sum(len(event.body.data) for event in changes) / len(changes)
    yield Row(
        id="P4",
        what="bytes per repeat, with its provenance",
        reached=f"{per_repeat:.1f}",
        reach="60",
        beside=f"{repeats:,} repeats in the file",
        holds=per_repeat <= 60,
    )
    yield Row(
        id="P4",
        what="bytes per change",
        reached=f"{per_change:.0f}",
        reach="750",
        beside=f"{len(changes):,} changes, canonical bodies of {body:.0f} bytes",
        holds=per_change <= 750,
    )


def _prepared(path: Path) -> timeline.Engine:
    engine = timeline.open(f"sqlite:///{path}")
    engine.driver.prepare()
    return engine


def _store(path: Path, file: Path) -> None:
    with _prepared(path) as engine:
        engine.ingest(Files([file]), batch=BATCH)


def _raw_rows(folder: Path, file: Path) -> list[tuple[int, int, int, int, int, bytes]]:
    """The rows of the event table that the file makes, in the order in which its notifications come."""
    path = folder / "rows.db"
    _store(path, file)
    with sqlite3.connect(path) as database:
        columns = "stream, occurred_at, phase, recorded_at, event_type, message_id"
        return list(database.execute(f"SELECT {columns} FROM event ORDER BY occurred_at"))


def _raw(path: Path, values: list[tuple[int, int, int, int, int, bytes]]) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(FLOOR)
    for batch in _batched(values, BATCH):
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", batch)
        database.execute("COMMIT")
    database.close()


def _changes_and_repeats(path: Path) -> tuple[list[Event], int]:
    """The events whose body is new for their resource, in order of time, and the number of all others."""
    seen = set()
    changes = []
    repeats = 0
    with timeline.open(f"sqlite:///{path}") as engine:
        for event in engine.events():
            said = (event.resource, event.body.digest)
            if said in seen:
                repeats += 1
            else:
                seen.add(said)
                changes.append(event)
    changes.sort(key=lambda event: event.occurred_at)
    return changes, repeats


def _batched(values: list[T], size: int) -> Iterator[list[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]


def _bytes(path: Path) -> int:
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
