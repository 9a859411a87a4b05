"""Bytes of a sample at rest: bare samples in Parquet beside a store of events, against metadata with every sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow as pa

import timeline
from benchmarks import answers
from benchmarks.fleets import END, FIELDS, INSTANCES, START, in_polars, stored
from benchmarks.measure import Row
from timeline import clock
from timeline.model import Scope
from timeline.replay.join.fleet import TIME
from timeline.reports import batches as reports

PERIOD = 600 * clock.SECOND
"""Ceilometer's own interval between two polls."""

METERS = [
    "cpu_util",
    "memory.usage",
    "disk.read.bytes.rate",
    "disk.write.bytes.rate",
    "disk.read.requests.rate",
    "disk.write.requests.rate",
    "network.incoming.bytes.rate",
    "network.outgoing.bytes.rate",
    "network.incoming.packets.rate",
    "network.outgoing.packets.rate",
]

_LINES = 20_000
"""Samples that are written as lines of JSON."""


def rows() -> Iterator[Row]:
    """Bytes per sample, four ways."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = stored(folder / "timeline.db")
        with timeline.open(f"sqlite:///{store}") as engine:
            samples = _samples(engine)
            joined = engine.join(samples, FIELDS, type="instance")
            whole = engine.join(samples, type="instance")
            segments = in_polars(engine.segments("instance"), FIELDS)
        peer = in_polars(samples, FIELDS).join_asof(segments, on="timestamp", by="resource_id", check_sortedness=False)
        answers.same(joined, peer.to_arrow(), ["existence", *FIELDS])
        del peer
        count = len(samples)
        events = sum(file.stat().st_size for file in folder.glob("timeline.db*")) / count
        bare = _parquet(folder / "bare.parquet", samples) / count
        narrow = _parquet(folder / "narrow.parquet", joined) / count
        wide = _parquet(folder / "wide.parquet", whole) / count
        lines = _lines(whole)
    ours = bare + events
    said = (
        f"{INSTANCES:,} instances of 30 hours, {len(METERS)} meters every {PERIOD // clock.SECOND} s: {count:,} samples"
    )
    yield Row(
        id="",
        what=f"bytes per sample at rest: {said}",
        reached=f"{ours:.2f}",
        reach="",
        beside=f"{bare:.2f} bare in Parquet, {events:.2f} the store with every event and its provenance",
    )
    yield Row(
        id="",
        what=f"against rows that have the metadata, {len(whole.schema) - len(samples.schema)} columns",
        reached=f"{ours:.2f}",
        reach="",
        beside=f"{lines:,.0f} in lines of JSON, measured here: x{lines / ours:,.0f}; measured elsewhere: Ceilometer "
        f"Icehouse 5,600 to 6,100, Juno 230 to 330, indexes included: x{5_600 / ours:,.0f}, x{230 / ours:,.0f}",
    )
    yield Row(
        id="",
        what="against Parquet that has the metadata, dictionary-encoded, answers equal",
        reached=f"{ours:.2f}",
        reach="",
        beside=f"{narrow:.2f} with {len(FIELDS)} fields: x{narrow / ours:.2f}, {wide:.2f} with all: "
        f"x{wide / ours:.2f}{_verdict(wide / ours)}; of the bare samples alone x{narrow / bare:.2f} and "
        f"x{wide / bare:.2f}",
    )


def _verdict(ratio: float) -> str:
    return ", the store saves nothing here" if ratio < 1 else ", about the same" if ratio < 1.5 else ""


def _samples(engine: timeline.Engine) -> pa.Table:
    """The samples that polling gives, in the order in which they come."""
    ids = pa.array([each.id for each in engine.driver.resources(Scope(type="instance"), limit=INSTANCES)])
    polls = len(range(START + PERIOD, END, PERIOD))
    chance = np.random.default_rng(17)
    # an instance is polled at its own second of the period, give or take what polling itself takes
    own = np.sort(chance.integers(0, PERIOD // clock.SECOND, len(ids))) * clock.SECOND
    of_poll = []
    for poll in range(polls):
        at = START + poll * PERIOD + own + chance.integers(0, clock.SECOND, len(ids))
        of_poll.append(np.repeat(at, len(METERS)))
    per_poll = len(ids) * len(METERS)
    return pa.table(
        {
            "resource_id": pa.DictionaryArray.from_arrays(
                np.tile(np.repeat(np.arange(len(ids), dtype=np.int32), len(METERS)), polls), ids
            ),
            "meter": pa.DictionaryArray.from_arrays(
                np.tile(np.arange(len(METERS), dtype=np.int8), polls * len(ids)), pa.array(METERS)
            ),
            "timestamp": pa.array(np.concatenate(of_poll)).cast(TIME),
            "value": np.round(chance.gamma(2.0, 12.0, polls * per_poll), 2),
        }
    )


def _parquet(path: Path, table: pa.Table) -> int:
    """The bytes of a table as the command ``timeline join`` writes it."""
    with path.open("wb") as out:
        writer = reports.writer("parquet", out, table.schema)
        for batch in table.to_batches(1 << 18):
            writer.write(batch)
        writer.close()
    size = path.stat().st_size
    path.unlink()
    return size


def _lines(table: pa.Table) -> float:
    """The bytes of a sample as a line of JSON, as samples are sent and kept that carry their metadata."""
    some = table.take(pa.array(np.random.default_rng(19).integers(0, len(table), _LINES)))
    rows = some.set_column(2, "timestamp", some["timestamp"].cast(pa.string())).to_pylist()
    return sum(len(msgspec.json.encode(row)) + 1 for row in rows) / len(rows)
