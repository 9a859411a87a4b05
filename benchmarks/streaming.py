"""P11: Parquet files of samples joined into another by the command, within a bound of memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import parquet

import timeline
from benchmarks import answers
from benchmarks.fleets import END, FIELDS, START, in_polars, stored
from benchmarks.measure import Row, abreast, footprint, seconds
from timeline.consumers.samples import Asked, Samples
from timeline.model import Scope
from timeline.replay.join.fleet import TIME
from timeline.reports import batches as reports

SAMPLES = 20_000_000
LONG = 200_000_000

_FILES = 10
_PART = 10_000_000
"""Samples that polars joins in memory."""

_BATCHES = 20
"""Batches by which it is told what joining and writing take alone."""

_MEMORY = 1_000
"""Megabytes."""

_AS_OF: Any = {"on": "timestamp", "by": "resource_id", "check_sortedness": False}


def rows(count: int = SAMPLES) -> Iterator[Row]:
    """P11."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = f"sqlite:///{stored(folder / 'timeline.db')}"
        files = _files(folder, store, count)
        out = folder / "joined.parquet"
        command = ["-m", "timeline", "join", "--store", store, "--fields", ",".join(FIELDS), "-o", str(out)]
        took, peak = footprint([*command, *files])
        polars = _check(store, files, out, count)
        size = sum(Path(file).stat().st_size for file in files)
        written = out.stat().st_size
        out.unlink()
        few = folder / "few.parquet"
        parquet.write_table(parquet.ParquetFile(files[0]).read_row_group(0).slice(0, 1), few)
        start, _ = footprint([*command, str(few)])
        polars_whole = _polars_whole(folder, store, files)
        read, join, write = _alone(folder, store, files)
    yield Row(
        id="P11",
        what=f"{count:,} samples, {len(FIELDS)} columns, Parquet ({size / 1e6:,.0f} MB) -> Parquet "
        f"({written / 1e6:,.0f} MB) by timeline join, answers equal",
        reached=f"{count / took / 1e6:.1f} M/s",
        reach="polars in memory",
        beside=f"{polars / 1e6:.1f} M/s polars join_asof of {_PART:,} in memory: {count / took / polars:.0%}",
        holds=count / took >= polars,
    )
    yield Row(
        id="P11",
        what="the same, beside polars that reads, joins and writes Parquet",
        reached=f"{count / took / 1e6:.1f} M/s",
        reach="",
        beside=f"{polars_whole / 1e6:.1f} M/s of {_PART:,}, all in memory: {count / took / polars_whole:.0%}; "
        f"{count / (took - start) / 1e6:.1f} M/s timeline join once it has read the timelines",
    )
    yield Row(
        id="P11",
        what="the same: the share of Parquet alone",
        reached=f"{(read + write * count) / took:.0%} of {took:.1f} s",
        reach="",
        beside=f"{read:.1f} s to read, {write * count:.1f} s to write, {join * count:.1f} s to join, each alone: "
        f"{1 / join / 1e6:.1f} M/s joined in memory; {start:.1f} s to start and read the timelines",
    )
    yield Row(
        id="P11",
        what="the same: peak memory",
        reached=f"{peak:,.0f} MB",
        reach=f"{_MEMORY:,} MB",
        beside="of the whole process",
        holds=peak <= _MEMORY,
    )


def _files(folder: Path, store: str, count: int) -> list[str]:
    """Samples of all instances at random times, in order of time; values as of a meter of percents."""
    with timeline.open(store) as engine:
        found = engine.driver.resources(Scope(type="instance"), limit=1_000_000)
    ids = pa.array([resource.id for resource in found])
    meter = pa.array(["cpu_util"])
    bounds = np.linspace(START, END, _FILES + 1).astype(np.int64)
    files = []
    for number in range(_FILES):
        chance = np.random.default_rng(number)
        size = count // _FILES
        times = np.sort(chance.integers(bounds[number], bounds[number + 1], size))
        samples = pa.table(
            {
                "resource_id": pa.DictionaryArray.from_arrays(chance.integers(0, len(ids), size, np.int32), ids),
                "meter": pa.DictionaryArray.from_arrays(np.zeros(size, np.int8), meter),
                "timestamp": pa.array(times).cast(TIME),
                "value": np.round(chance.gamma(2.0, 12.0, size), 3),
            }
        )
        files.append(str(folder / f"samples-{number}.parquet"))
        encoding = {"timestamp": "DELTA_BINARY_PACKED"}
        parquet.write_table(
            samples,
            files[-1],
            compression="zstd",
            use_dictionary=["resource_id", "meter", "value"],
            column_encoding=encoding,
        )
    return files


def _reader(files: list[str]) -> pa.RecordBatchReader:
    """The files as the command reads them."""
    return Samples(files, Asked(added=2 + 2 * len(FIELDS)), ["resource_id", "timestamp", "meter"]).reader()


def _check(store: str, files: list[str], out: Path, count: int) -> float:
    """Compare all that was joined with polars' join_asof; the samples that it joins in a second, all in memory."""
    with timeline.open(store) as engine:
        segments = in_polars(engine.segments("instance"), FIELDS)
    with parquet.ParquetFile(out) as file:
        if file.metadata.num_rows != count:
            raise RuntimeError(f"{file.metadata.num_rows} of {count} samples were written")
        joined = _tables(file.iter_batches(1 << 18))
        for samples, told in zip(_tables(_reader(files)), joined, strict=True):
            frame = in_polars(samples, FIELDS)
            answers.same(told, frame.join_asof(segments, **_AS_OF).to_arrow(), ["value", "existence", *FIELDS])
        (took,) = abreast(lambda: frame.join_asof(segments, **_AS_OF), repeats=3)
        return len(frame) / took


def _polars_whole(folder: Path, store: str, files: list[str]) -> float:
    """The samples in a second where polars does as the command does, in memory, with the same compression."""
    with timeline.open(store) as engine:
        segments = in_polars(engine.segments("instance"), FIELDS)

    def whole() -> None:
        frame = pl.scan_parquet(files).head(_PART).collect().set_sorted("timestamp")
        frame.join_asof(segments, **_AS_OF).write_parquet(
            folder / "polars.parquet", compression="zstd", compression_level=1
        )

    (took,) = abreast(whole, repeats=3)
    (folder / "polars.parquet").unlink()
    return _PART / took


def _tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches put together into tables of so many rows as polars is given at once."""
    some: list[pa.RecordBatch] = []
    for batch in batches:
        missing = _PART - sum(map(len, some))
        some.append(batch.slice(0, missing))
        if len(batch) >= missing:
            yield pa.Table.from_batches(some)
            some = [batch.slice(missing)]
    if sum(map(len, some)):
        yield pa.Table.from_batches(some)


def _alone(folder: Path, store: str, files: list[str]) -> tuple[float, float, float]:
    """What the command does, each alone: the seconds to read all samples, to join one, and to write a joined one.

    The quickest of three times each: the command is not to be slower than its parts because something else ran then.
    """
    some = list(islice(_reader(files), _BATCHES))
    with timeline.open(store) as engine:

        def join() -> list[pa.RecordBatch]:
            return list(engine.join(pa.RecordBatchReader.from_batches(some[0].schema, some), FIELDS))

        joined = join()

        def write() -> None:
            with (folder / "alone.parquet").open("wb") as out:
                writer = reports.writer("parquet", out, joined[0].schema, memory=1_000_000_000)
                for batch in joined:
                    writer.write(batch)
                writer.close()

        read = min(seconds(lambda: sum(map(len, _reader(files))), 1) for _ in range(3))
        count = sum(map(len, joined))
        join_one, write_one = (min(seconds(each, 1) for _ in range(3)) / count for each in (join, write))
    return read, join_one, write_one
