"""The table of segments is a bridge: other engines join samples to it in one query, and answer as we do."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import timeline
from simulator import Fleet
from timeline import clock
from timeline.errors import InputError
from timeline.model import Scope
from timeline.replay.join import Join, Options, from_segments

FIELDS = ["flavor", "vcpus", "host"]
DAYS = 20


@pytest.fixture(scope="module")
def engine() -> Iterator[timeline.Engine]:
    with timeline.open("memory:") as made:
        made.ingest(Fleet(instances=40, days=DAYS, changes_per_day=0.5, deleted=0.3, late=0.05).notifications())
        yield made


@pytest.fixture(scope="module")
def samples(engine: timeline.Engine) -> pa.Table:
    """Samples in order of time, some exactly at a change, some 1 us before it."""
    chance = Random(7)
    ids = [resource.id for resource in engine.driver.resources(Scope(type="instance"))]
    start = clock.parse("2026-01-01")
    rows = [
        (chance.choice(ids), start + chance.randrange(-clock.SECOND, DAYS * 86_400 * clock.SECOND))
        for _ in range(3_000)
    ]
    segments = engine.segments("instance").select(["resource_id", "start"]).to_pylist()
    for each in segments:
        at = clock.instant(each["start"])
        rows += [(each["resource_id"], at), (each["resource_id"], at - 1)]
    rows.sort(key=lambda row: row[1])
    return pa.table(
        {
            "resource_id": [id for id, _ in rows],
            "timestamp": pa.array([at for _, at in rows], pa.timestamp("us", "UTC")),
            "value": list(range(len(rows))),
        }
    )


def answers(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """What was in force for each sample, in the order of values; unknown where another engine found nothing."""
    told = sorted(rows, key=lambda row: str(row["value"]).zfill(9))
    return [
        (row["existence"] if isinstance(row["existence"], str) else "unknown", *(_plain(row[name]) for name in FIELDS))
        for row in told
    ]


def _plain(value: object) -> object:
    return None if value is None or value != value else value


@pytest.fixture(scope="module")
def ours(engine: timeline.Engine, samples: pa.Table) -> list[tuple[object, ...]]:
    return answers(engine.join(samples, FIELDS, type="instance").to_pylist())


@pytest.fixture(scope="module")
def segments(engine: timeline.Engine) -> pa.Table:
    return engine.segments("instance", FIELDS)


def test_merge_asof_of_pandas_agrees(segments: pa.Table, samples: pa.Table, ours: list[tuple[object, ...]]) -> None:
    left = samples.to_pandas()
    right = segments.to_pandas().sort_values("start")
    right["resource_id"] = right["resource_id"].astype(left["resource_id"].dtype)
    joined = pd.merge_asof(left, right, left_on="timestamp", right_on="start", by="resource_id")
    assert answers(joined.to_dict("records")) == ours


def test_asof_join_of_duckdb_agrees(segments: pa.Table, samples: pa.Table, ours: list[tuple[object, ...]]) -> None:
    joined = duckdb.sql(
        "SELECT samples.*, segments.* EXCLUDE (resource_id) FROM samples ASOF LEFT JOIN segments "
        "ON samples.resource_id = segments.resource_id AND samples.timestamp >= segments.start"
    )
    assert answers(joined.to_arrow_table().to_pylist()) == ours


def test_join_asof_of_polars_agrees(segments: pa.Table, samples: pa.Table, ours: list[tuple[object, ...]]) -> None:
    right = pl.DataFrame(segments).with_columns(pl.col("resource_id").cast(pl.String)).sort("start")
    joined = pl.DataFrame(samples).join_asof(
        right, left_on="timestamp", right_on="start", by="resource_id", check_sortedness=False
    )
    assert answers(joined.to_dicts()) == ours


def test_the_join_needs_no_engine(segments: pa.Table, samples: pa.Table, ours: list[tuple[object, ...]]) -> None:
    join = Join(from_segments(segments, "instance"), samples.schema, Options(type="instance"))
    assert answers(join.table(samples).to_pylist()) == ours


@pytest.mark.parametrize("name", ["resource_id", "start", "existence"])
def test_segments_that_do_not_say_whose_when_or_what_are_refused(segments: pa.Table, name: str) -> None:
    column = segments[name].to_pylist()
    column[1] = None
    given = segments.set_column(segments.schema.get_field_index(name), name, pa.array(column))
    with pytest.raises(InputError, match=f"segments have rows without '{name}'"):
        from_segments(given, "instance")


def test_a_clipped_table_of_segments_knows_nothing_outside_its_range(
    engine: timeline.Engine, samples: pa.Table
) -> None:
    start, end = "2026-01-05", "2026-01-09"
    clipped = from_segments(engine.segments("instance", FIELDS, start, end), "instance")
    joined = Join(clipped, samples.schema, Options(type="instance", since=True)).table(samples).to_pylist()
    whole = engine.join(samples, FIELDS, type="instance").to_pylist()
    for row, told in zip(joined, whole, strict=True):
        if clock.parse(start) <= clock.instant(row["timestamp"]) < clock.parse(end):
            assert {name: row[name] for name in told} == told
        else:
            assert (row["existence"], row["since"], row["flavor"]) == ("unknown", None, None)


def test_segments_that_overlap_are_refused(segments: pa.Table) -> None:
    later = [clock.MAX] * len(segments)
    overlapping = segments.set_column(2, "end", pa.array(later, segments["end"].type))
    with pytest.raises(InputError, match="overlap"):
        from_segments(overlapping, "instance")
