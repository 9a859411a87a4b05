"""P2 and P4: from a file of notifications to a durable SQLite store, and how many bytes that takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
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

SPELLED_OUT = """
CREATE TABLE event (
    type TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, occurred_at INTEGER NOT NULL, phase INTEGER NOT NULL,
    digest BLOB NOT NULL, recorded_at INTEGER NOT NULL, event_type TEXT NOT NULL, message_id TEXT,
    PRIMARY KEY (type, source, id, occurred_at, phase, digest)
) WITHOUT ROWID
"""
BY_NUMBERS = """
CREATE TABLE event (
    stream INTEGER NOT NULL, occurred_at INTEGER NOT NULL, phase INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL, event_type INTEGER NOT NULL, message_id BLOB,
    PRIMARY KEY (stream, occurred_at, phase)
) WITHOUT ROWID
"""

RawRow = tuple[str | int | bytes | None, ...]


def rows() -> Iterator[Row]:
    """P2 and P4."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "notifications.jsonl"
        fleet = Fleet(instances=1_000, days=30)
        with file.open("wb") as out:
            out.writelines(line + b"\n" for line in islice(fleet.notifications(), COUNT))
        yield from _rate(folder, file)
        yield from _sizes(folder)


def _rate(folder: Path, file: Path) -> Iterator[Row]:
    spelled_out, by_numbers = _raw_rows(folder, file)
    runs = iter(range(1_000))

    def ours() -> None:
        _store(folder / f"ours-{next(runs)}.db", file)

    def spelled() -> None:
        _raw(folder / f"floor-{next(runs)}.db", SPELLED_OUT, spelled_out)

    def numbered() -> None:
        _raw(folder / f"floor-{next(runs)}.db", BY_NUMBERS, by_numbers)

    mine, raw = alternately(ours, spelled, repeats=3)
    again, raw_numbers = alternately(ours, numbered, repeats=3)
    rate, raw_rate = COUNT / mine, COUNT / raw
    yield Row(
        id="P2",
        what="file of notifications -> durable SQLite",
        reached=f"{rate:,.0f}/s",
        reach="40 % of raw executemany",
        beside=f"{raw_rate:,.0f}/s raw, the same key (resource, time, phase, digest): {raw / mine:.0%}",
        holds=rate >= 0.4 * raw_rate,
    )
    yield Row(
        id="P2",
        what="the same, beside rows whose keys are numbers already",
        reached=f"{COUNT / again:,.0f}/s",
        reach="",
        beside=f"{COUNT / raw_numbers:,.0f}/s raw, nothing read, converted or looked up: {raw_numbers / again:.0%}",
    )


def _sizes(folder: Path) -> Iterator[Row]:
    whole = folder / "whole.db"
    with _prepared(whole) as engine:
        engine.ingest(Fleet(instances=300, days=30, changes_per_day=2.0).notifications())
    births, changes, repeats = _kinds(whole)
    bytes_of_births = _filled(folder / "births.db", births)
    bytes_of_changes = _filled(folder / "changes.db", births + changes)
    per_change = (bytes_of_changes - bytes_of_births) / len(changes)
    per_repeat = (_bytes(whole) - bytes_of_changes) / repeats
    body = sum(len(event.body.data) for event in changes) / len(changes)
    yield Row(
        id="P4",
        what="bytes per repeat, with its provenance",
        reached=f"{per_repeat:.1f}",
        reach="60",
        beside=f"{repeats:,} repeats",
        holds=per_repeat <= 60,
    )
    yield Row(
        id="P4",
        what="bytes per change, with its provenance",
        reached=f"{per_change:.0f}",
        reach="750",
        beside=f"{len(changes):,} changes, whose canonical bodies have {body:.0f} bytes",
        holds=per_change <= 750,
    )


def _filled(path: Path, events: list[Event]) -> int:
    """The bytes of a store of these events."""
    with _prepared(path) as engine:
        for batch in _batched(sorted(events, key=lambda event: event.occurred_at), BATCH):
            engine.driver.append(batch)
    return _bytes(path)


def _prepared(path: Path) -> timeline.Engine:
    engine = timeline.open(f"sqlite:///{path}")
    engine.prepare()
    return engine


def _store(path: Path, file: Path) -> None:
    with _prepared(path) as engine:
        engine.ingest(Files([file]), batch=BATCH)


def _raw_rows(folder: Path, file: Path) -> tuple[list[RawRow], list[RawRow]]:
    """The events of the file as rows, keys spelled out and as numbers, in the order in which they happened."""
    path = folder / "rows.db"
    _store(path, file)
    with timeline.open(f"sqlite:///{path}") as engine:
        events = sorted(engine.events(), key=lambda event: event.occurred_at)
    spelled_out: list[RawRow] = [
        (
            event.resource.type,
            event.resource.source,
            event.resource.id,
            event.occurred_at,
            int(event.phase),
            event.body.digest,
            event.recorded_at,
            event.event_type,
            event.message_id,
        )
        for event in events
    ]
    with closing(sqlite3.connect(path)) as database:
        columns = "stream, occurred_at, phase, recorded_at, event_type, message_id"
        by_numbers = database.execute(f"SELECT {columns} FROM event ORDER BY occurred_at").fetchall()
    return spelled_out, by_numbers


def _raw(path: Path, table: str, values: list[RawRow]) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(table)
    insert = f"INSERT INTO event VALUES ({', '.join('?' * len(values[0]))}) ON CONFLICT DO NOTHING"
    for batch in _batched(values, BATCH):
        database.execute("BEGIN IMMEDIATE")
        database.executemany(insert, batch)
        database.execute("COMMIT")
    database.close()


def _kinds(path: Path) -> tuple[list[Event], list[Event], int]:
    """The first event of each resource, the others whose body is new for their resource, and the number of the rest."""
    births, changes, repeats = [], [], 0
    resources, said = set(), set()
    with timeline.open(f"sqlite:///{path}") as engine:
        for event in engine.events():
            if event.resource not in resources:
                resources.add(event.resource)
                births.append(event)
            elif (event.resource, event.body.digest) not in said:
                changes.append(event)
            else:
                repeats += 1
            said.add((event.resource, event.body.digest))
    return births, changes, repeats


def _batched(values: list[T], size: int) -> Iterator[list[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]


def _bytes(path: Path) -> int:
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
