"""A simulated fleet in a store, samples of it in files of each format, and what the timelines say of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet

import timeline
from simulator import Fleet
from timeline import clock

FLEET = Fleet(seed=7, instances=30, days=6, late=0.05, duplicated=0.05, reordered=0.05)
FIELDS = ("flavor", "vcpus", "metadata", "name")
METERS = ("cpu", "memory.usage")
START = clock.parse(FLEET.start)
DAY = 86_400 * clock.SECOND

Row = dict[str, Any]


class Sampled(NamedTuple):
    """A store, samples of it, and what is in force for each of them."""

    store: str
    rows: Sequence[Row]
    known: Sequence[Row]
    """Existence and fields, of each sample."""


def sampled(folder: Path, count: int = 1_500) -> Sampled:
    """A store in a folder, and samples before, within and after the lives of its instances."""
    store = f"sqlite:///{folder / 'fleet.db'}"
    with timeline.open(store) as engine:
        engine.prepare()
        engine.ingest(FLEET.notifications())
        rows = list(_rows([str(each["id"]) for each in FLEET.truth()], count))
        timelines = {id: engine.timeline("instance", id) for id in {row["resource_id"] for row in rows}}
        segments = [timelines[row["resource_id"]].at(row["timestamp"]) for row in rows]
        known = [{"existence": str(each.existence)} | {f: each.fields.get(f) for f in FIELDS} for each in segments]
    assert {each["existence"] for each in known} == {"present", "deleted", "unknown"}
    return Sampled(store, rows, known)


def _rows(ids: Sequence[str], count: int) -> Iterator[Row]:
    rng = Random(3)
    for number in range(count):
        yield {
            "resource_id": rng.choice([*ids, "nobody"]),
            "meter": METERS[number % 2],
            "timestamp": START + rng.randrange(-DAY, 7 * DAY),
            "value": rng.randrange(10_000) / 100,
        }


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Samples as an Arrow table."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return pa.table(columns | {"timestamp": pa.array(columns["timestamp"], pa.timestamp("us", "UTC"))})


def as_parquet(rows: Sequence[Mapping[str, Any]], path: Path, group: int = 400) -> Path:
    parquet.write_table(table(rows), path, row_group_size=group)
    return path


def as_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Values have a digit more than they need, so that it is seen whether they are kept."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        for row in rows:
            at, value = clock.format(row["timestamp"]), f"{row['value']:.3f}"
            writer.writerow((row | {"timestamp": at, "value": value}).values())
    return path


def as_lines(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


WRITE = {"parquet": as_parquet, "csv": as_csv, "jsonl": as_lines}


def read(path: Path) -> list[Row]:
    """What was written, in the types that samples and fields have."""
    if path.suffix == ".parquet":
        rows = parquet.read_table(path).to_pylist()
    elif path.suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    elif path.suffix == ".json":
        rows = json.loads(path.read_text())
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: _plain(name, value) for name, value in row.items()} for row in rows]


def _plain(name: str, value: Any) -> Any:
    if value == "" and name in FIELDS:
        return None
    if name == "timestamp" and value is not None:
        return int(value) if str(value).isdecimal() else clock.instant(value)
    if name == "metadata" and isinstance(value, str):
        return json.loads(value)
    if name in ("value", "vcpus") and value is not None:
        return float(value)
    return value
