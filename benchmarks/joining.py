"""P9 and P10: samples in memory joined to changes, beside C, pandas, polars and DuckDB; answers before times."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import answers, floor
from benchmarks.changes import COLUMNS, TYPE, Array, Changes
from benchmarks.measure import ROOT, Row, abreast
from timeline.replay.join import Join, asof
from timeline.replay.join.fleet import from_segments
from timeline.replay.join.options import Options

SAMPLES = 10_000_000

_KERNEL = "compiled" if asof.COMPILED else "NumPy"
_GOALS = {"in order of time": (0.045, 0.031), "by resource": (0.020, 0.011), "in no order": (0.350, 0.311)}
"""What to reach, and what the floor took where that was set."""


def rows() -> Iterator[Row]:
    """P9 and P10."""
    changes = Changes()
    codes, times = changes.samples(SAMPLES)
    with TemporaryDirectory() as name:
        folder = Path(name)
        floors = floor.compiled(folder, changes)
        yield from _orders(changes, codes, times, floors)
        yield from _peers(changes, codes, times)
        yield _text(changes, codes, times)
        yield from _delivered(changes, codes, times)
        yield _memory(folder, changes, codes, times)


def _orders(
    changes: Changes, codes: Array, times: Array, floors: tuple[floor.Floor, floor.Floor] | None
) -> Iterator[Row]:
    located = _locate(changes)
    expected = located(codes, times)
    for order, (reach, floor_then) in _GOALS.items():
        places = _places(order, codes)
        ids, at = codes[places], times[places]
        answers.equal(located(ids, at), expected[places])
        if floors is None:
            (mine,) = abreast(lambda ids=ids, at=at: located(ids, at))  # type: ignore[misc]
            beside, least = "no C compiler here, hence no floor", reach
        else:
            loop = floors[order == "in no order"]
            answers.equal(loop(ids, at), expected[places])
            mine, plain = abreast(
                lambda ids=ids, at=at: located(ids, at),  # type: ignore[misc]
                lambda ids=ids, at=at, loop=loop: loop(ids, at),  # type: ignore[misc]
            )
            what = "a binary search each" if order == "in no order" else "a cursor a resource"
            beside, least = f"{plain * 1e3:.0f} ms plain C, {what}: x{mine / plain:.2f}", reach * plain / floor_then
        yield Row(
            id="P9",
            what=f"{SAMPLES:,} samples {order}: position only ({_KERNEL}), answers equal",
            reached=f"{mine * 1e3:.0f} ms",
            reach=f"{reach * 1e3:.0f} ms where C takes {floor_then * 1e3:.0f}",
            beside=beside,
            holds=mine <= max(reach, least),
        )


def _locate(changes: Changes) -> floor.Floor:
    groups = np.arange(len(changes.first), dtype=np.int32)
    return lambda ids, at: asof.locate(ids, groups, at, "us", changes.first, changes.last, changes.starts)


def _places(order: str, codes: Array) -> Array:
    if order == "in order of time":
        return np.arange(len(codes))
    if order == "by resource":
        return np.argsort(codes, kind="stable")
    return np.random.default_rng(5).permutation(len(codes))


def _peers(changes: Changes, codes: Array, times: Array) -> Iterator[Row]:
    """pandas and polars, given what is fastest for them: bare numbers as ids, and all in order of time already."""
    located = _locate(changes)
    of, start, position = changes.by_time()
    samples = {"id": codes, "at": times}
    frame, frame_changes = pd.DataFrame(samples), pd.DataFrame({"id": of, "at": start, "position": position})
    ordered = pl.DataFrame(samples).set_sorted("at")
    ordered_changes = pl.DataFrame({"id": of, "at": start, "position": position}).set_sorted("at")

    def pandas() -> Array:
        found: Array = pd.merge_asof(frame, frame_changes, on="at", by="id")["position"].to_numpy()
        return found

    def polars() -> Array:
        return ordered.join_asof(ordered_changes, on="at", by="id", check_sortedness=False)["position"].to_numpy()

    expected = located(codes, times)
    answers.equal(pandas(), expected)
    answers.equal(polars(), expected)
    mine, of_pandas, of_polars = abreast(lambda: located(codes, times), pandas, polars)
    for name, took, times_ahead in (("pandas merge_asof", of_pandas, 3), ("polars join_asof", of_polars, 8)):
        yield Row(
            id="P9",
            what=f"the same in order of time, beside {name}, answers equal",
            reached=f"{mine * 1e3:.0f} ms",
            reach=f"{times_ahead}x {name.split()[0]}",
            beside=f"{took * 1e3:.0f} ms {name}: {took / mine:.1f}x",
            holds=took >= times_ahead * mine,
        )


def _text(changes: Changes, codes: Array, times: Array) -> Row:
    samples = changes.table(codes, times)
    samples = samples.set_column(0, "resource_id", changes.ids.take(pa.array(codes)))
    segments = changes.segments().select(["resource_id", "start", "existence", "c00"])
    fleet = from_segments(segments, TYPE)
    frame = _polars(samples)
    said = _polars(_to_peers(segments)).with_columns(pl.col("resource_id").cast(pl.String))

    def ours() -> pa.Table:
        return Join(fleet, samples.schema, Options(type=TYPE)).table(samples)

    def polars() -> pl.DataFrame:
        return frame.join_asof(said, on="timestamp", by="resource_id", check_sortedness=False)

    answers.same(ours(), polars().to_arrow(), ["c00"])
    mine, theirs = abreast(ours, polars, repeats=3)
    return Row(
        id="P9",
        what="the same, ids as plain text, one column delivered, answers equal",
        reached=f"{mine * 1e3:.0f} ms",
        reach="2x polars",
        beside=f"{theirs * 1e3:.0f} ms polars join_asof: {theirs / mine:.1f}x",
        holds=theirs >= 2 * mine,
    )


def _delivered(changes: Changes, codes: Array, times: Array) -> Iterator[Row]:
    samples, segments = changes.table(codes, times), changes.segments()
    fleet, said = from_segments(segments, TYPE), _to_peers(segments)

    def ours() -> pa.Table:
        return Join(fleet, samples.schema, Options(type=TYPE)).table(samples)

    joined = ours()
    plain = samples.set_column(1, "timestamp", samples["timestamp"].cast(pa.int64()))
    frame, frame_said = plain.to_pandas(), said.to_pandas()
    table, table_said = _polars(plain), _polars(said)

    # an id as a bare number is quicker for both, though who has samples has ids
    of, _, _ = changes.by_time()
    frame_bare, frame_said_bare = frame.assign(resource_id=codes), frame_said.assign(resource_id=of)
    table_bare, table_said_bare = (
        each.with_columns(resource_id=pl.Series(numbers)) for each, numbers in ((table, codes), (table_said, of))
    )

    def pandas(samples: pd.DataFrame = frame, said: pd.DataFrame = frame_said) -> pd.DataFrame:
        return pd.merge_asof(samples, said, on="timestamp", by="resource_id")

    def polars(samples: pl.DataFrame = table, said: pl.DataFrame = table_said) -> pl.DataFrame:
        return samples.join_asof(said, on="timestamp", by="resource_id", check_sortedness=False)

    answers.same(joined, pa.Table.from_pandas(pandas(), preserve_index=False), COLUMNS)
    answers.same(joined, polars().to_arrow(), COLUMNS)
    of_duckdb = _duckdb(plain, said, joined)
    del joined
    rows = _locate(changes)(codes, times)
    wide = [field.codes.astype(np.int32) for field in fleet.fields.values()]
    narrow = [field.codes for field in fleet.fields.values()]
    mine, of_pandas, pandas_bare, of_polars, polars_bare, wide_takes, narrow_takes = abreast(
        ours,
        pandas,
        lambda: pandas(frame_bare, frame_said_bare),
        polars,
        lambda: polars(table_bare, table_said_bare),
        lambda: [column.take(rows) for column in wide],
        lambda: [column.take(rows) for column in narrow],
    )
    for name, took, times_ahead, bare in (
        ("pandas with categoricals", of_pandas, 1, pandas_bare),
        ("polars", of_polars, 3, polars_bare),
        ("DuckDB", of_duckdb, 10, None),
    ):
        beside = f"{took * 1e3:,.0f} ms {name}: {took / mine:.1f}x"
        if bare is not None:
            beside += f"; {bare * 1e3:,.0f} ms with bare numbers for ids: {bare / mine:.1f}x"
        yield Row(
            id="P10",
            what=f"{SAMPLES:,} samples, {len(COLUMNS)} columns delivered, beside {name}, answers equal",
            reached=f"{mine * 1e3:.0f} ms",
            reach=f"faster than {name}" if times_ahead == 1 else f"{times_ahead}x {name}",
            beside=beside,
            holds=took >= times_ahead * mine,
        )
    yield Row(
        id="P10",
        what="the same, beside NumPy takes alone, of rows already known",
        reached=f"{mine * 1e3:.0f} ms",
        reach="",
        beside=f"{wide_takes * 1e3:.0f} ms takes of int32, {narrow_takes * 1e3:.0f} ms of int8 and int16",
    )


def _duckdb(samples: pa.Table, said: pa.Table, joined: pa.Table) -> float:
    """The time of DuckDB's ASOF JOIN into a table, once its answers are compared: of every hundredth sample."""
    with duckdb.connect() as database:
        numbered = samples.append_column("row", pa.array(np.arange(len(samples), dtype=np.int32)))
        for name, given in (("samples", numbered), ("changes", said)):
            database.register("given", given)
            database.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            database.unregister("given")
        join = (
            "CREATE OR REPLACE TABLE joined AS SELECT samples.*, changes.* EXCLUDE (resource_id, timestamp) "
            "FROM samples ASOF JOIN changes "
            "ON samples.resource_id = changes.resource_id AND samples.timestamp >= changes.timestamp"
        )
        (took,) = abreast(lambda: database.execute(join), repeats=1)
        ((count,),) = database.sql("SELECT count(*) FROM joined").fetchall()
        some = database.sql("SELECT * FROM joined WHERE row % 100 = 0 ORDER BY row").to_arrow_table()
        if count != len(samples):
            raise RuntimeError(f"DuckDB joined {count} of {len(samples)} samples")
        answers.same(joined.take(pa.array(np.arange(0, len(samples), 100))), some, COLUMNS)
    return took


def _memory(folder: Path, changes: Changes, codes: Array, times: Array) -> Row:
    files = []
    for name, table in (("segments", changes.segments()), ("samples", changes.table(codes, times))):
        files.append(str(folder / f"{name}.arrow"))
        with pa.ipc.new_file(files[-1], table.schema) as out:
            out.write_table(table)
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.footprint", *files],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    over = float(run.stdout)
    return Row(
        id="P10",
        what="the same: peak memory over input and output",
        reached=f"{over:.0f} MB",
        reach="300 MB",
        beside="in a process of its own, less the interpreter and what it has loaded",
        holds=over <= 300,
    )


def _to_peers(segments: pa.Table) -> pa.Table:
    """The changes as peers want them: in order of time, and this as whole numbers."""
    ordered = segments.take(pc.sort_indices(segments["start"]))
    ordered = ordered.set_column(1, "timestamp", ordered["start"].cast(pa.int64()))
    return ordered.drop_columns(["existence"]).combine_chunks()


def _polars(table: pa.Table) -> pl.DataFrame:
    if pa.types.is_timestamp(table.schema.field("timestamp").type):
        place = table.schema.get_field_index("timestamp")
        table = table.set_column(place, "timestamp", table["timestamp"].cast(pa.int64()))
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.set_sorted("timestamp")
