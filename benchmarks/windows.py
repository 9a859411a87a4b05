"""A fleet in a store: its segments as one table, and a window of samples that advances minute by minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import timeline
from benchmarks import answers
from benchmarks.fleets import END, FIELDS, HOUR, INSTANCES, in_polars, simulated, stored
from benchmarks.measure import Row
from timeline import clock
from timeline.model import Scope
from timeline.replay.join.fleet import TIME

MINUTE = 60 * clock.SECOND
LENGTH = 10
"""Minutes of a window. Each instance is polled once a minute."""


def rows() -> Iterator[Row]:
    """Segments from a store, and an advancing window."""
    with TemporaryDirectory() as name:
        path = Path(name, "timeline.db")
        began = END - HOUR
        before: list[bytes] = []
        minutes: dict[int, list[bytes]] = {}
        for past, messages in groupby(simulated().deliveries(), key=lambda each: each[0] < began):
            if past:
                before += [message for _, message in messages]
            else:
                by_minute = groupby(messages, key=lambda each: (each[0] - began) // MINUTE)
                minutes |= {minute: [message for _, message in of] for minute, of in by_minute}
        stored(path, before)
        del before
        yield from _window(path, began, minutes)
        yield from _segments(path)


def _segments(path: Path) -> Iterator[Row]:
    cold = []
    for _ in range(3):
        with timeline.open(f"sqlite:///{path}") as engine:
            started = time.perf_counter()
            table = engine.segments("instance")
            cold.append(time.perf_counter() - started)
            warm = []
            for _ in range(20):
                started = time.perf_counter()
                again = engine.segments("instance")
                warm.append(time.perf_counter() - started)
            events = sum(1 for _ in engine.driver.events(Scope(type="instance")))
            _check_segments(engine, table)
    if not again.equals(table):
        raise RuntimeError("answers differ: segments asked for twice")
    yield Row(
        id="",
        what=f"store -> segments: {INSTANCES:,} instances, {events:,} events, SQLite, answers equal",
        reached=f"{median(cold):.2f} s",
        reach="2 s cold",
        beside=f"{len(table):,} segments, {len(table.schema) - 4} fields",
        holds=median(cold) <= 2,
    )
    yield Row(
        id="",
        what="the same, nothing new",
        reached=f"{median(warm) * 1e3:.1f} ms",
        reach="5 ms",
        beside=f"{max(warm) * 1e3:.1f} ms the slowest of {len(warm)}",
        holds=median(warm) <= 5e-3,
    )


def _check_segments(engine: timeline.Engine, table: pa.Table) -> None:
    """Some resources' rows, against their timelines."""
    for id in table["resource_id"].unique().to_pylist()[::500]:
        told = table.filter(pc.equal(table["resource_id"], id)).to_pylist()
        expected = engine.timeline("instance", id).segments
        if len(told) != len(expected):
            raise RuntimeError(f"answers differ: instance {id} has {len(expected)} segments, not {len(told)}")
        for row, segment in zip(told, expected, strict=True):
            _check_row(row, segment, id)


def _check_row(row: dict[str, object], segment: timeline.Segment, id: str) -> None:
    said = {name: row[name] for name in FIELDS}
    if row["existence"] != str(segment.existence) or said != {name: segment.fields.get(name) for name in FIELDS}:
        raise RuntimeError(f"answers differ: instance {id}")


def _window(path: Path, began: int, minutes: dict[int, list[bytes]]) -> Iterator[Row]:
    with timeline.open(f"sqlite:///{path}") as engine:
        ids = pa.array(
            sorted(resource.id for resource in engine.driver.resources(Scope(type="instance"), limit=INSTANCES))
        )
        engine.join(_polled(ids, began), FIELDS, type="instance")
        took, new = [], []
        for minute in range(60):
            now = began + (minute + 1) * MINUTE
            counts = engine.ingest(minutes.get(minute, []))
            samples = _polled(ids, now)
            started = time.perf_counter()
            joined = engine.join(samples, FIELDS, type="instance")
            took.append(time.perf_counter() - started)
            new.append(counts.events or 0)
            if minute in (5, 59):
                _check_window(engine, joined)
        with timeline.open(f"sqlite:///{path}") as afresh:
            segments = in_polars(afresh.segments("instance"), FIELDS)
        samples = samples.append_column("row", pa.array(np.arange(len(samples)))).sort_by("timestamp")
        peer = in_polars(samples, FIELDS).join_asof(segments, on="timestamp", by="resource_id", check_sortedness=False)
        answers.same(joined, peer.sort("row").to_arrow(), ["existence", *FIELDS])
    busy = [each for each, events in zip(took, new, strict=True) if events >= INSTANCES // 20]
    yield Row(
        id="",
        what=f"window of {LENGTH} minutes advancing by one: {len(samples):,} samples, answers equal",
        reached=f"{median(took) * 1e3:.1f} ms a step",
        reach="20 ms",
        beside=f"{median(new):.0f} new events a step; {median(busy) * 1e3:.0f} ms a step while exists are sent, "
        f"{max(new):,} events a step",
        holds=median(took) <= 0.02,
    )


def _polled(ids: pa.Array, until: int) -> pa.Table:
    """A sample of each instance for each minute of the window that ends then."""
    chance = np.random.default_rng(until // MINUTE)
    at = np.arange(until - LENGTH * MINUTE, until, MINUTE)[:, None] + np.sort(chance.integers(0, MINUTE, len(ids)))
    codes = np.tile(np.arange(len(ids), dtype=np.int32), LENGTH)
    return pa.table(
        {
            "resource_id": pa.DictionaryArray.from_arrays(codes, ids),
            "timestamp": pa.array(at.ravel()).cast(TIME),
            "value": chance.random(len(codes)),
        }
    )


def _check_window(engine: timeline.Engine, joined: pa.Table) -> None:
    """Some samples, against the timelines of their resources."""
    for place in range(0, len(joined), len(joined) // 300):
        (row,) = joined.slice(place, 1).to_pylist()
        _check_row(row, engine.timeline("instance", row["resource_id"]).at(row["timestamp"]), row["resource_id"])
