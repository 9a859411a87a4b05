"""Batches of columns written as text and as Parquet: every value as it is, whoever reads it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from timeline.errors import InputError
from timeline.reports import batches


def written(form: str, *given: pa.RecordBatch, schema: pa.Schema | None = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = batches.writer(form, stream, schema or given[0].schema, **options)
    for batch in given:
        writer.write(batch)
    writer.close()
    return stream.getvalue()


def one(column: pa.Array) -> pa.RecordBatch:
    return pa.record_batch({"c": column})


COLUMNS: list[tuple[pa.Array, list[str], list[str]]] = [
    (pa.array([1, None, -(2**63)]), ["1", "", "-9223372036854775808"], ["1", "null", "-9223372036854775808"]),
    (pa.array([1.0, 0.1, 1e300, 5e-324]), ["1.0", "0.1", "1e+300", "5e-324"], ["1.0", "0.1", "1e+300", "5e-324"]),
    (pa.array([float("nan"), float("inf")]), ["nan", "inf"], ["null", "null"]),
    (pa.array([Decimal("1.50"), None]), ["1.50", ""], ["1.50", "null"]),
    (pa.array([True, None, False]), ["true", "", "false"], ["true", "null", "false"]),
    (pa.array(["a", "", None, 'b"']), ["a", '""', "", '"b"""'], ['"a"', '""', "null", '"b\\""']),
    (pa.array(["a", None, "a"]).dictionary_encode(), ["a", "", "a"], ['"a"', "null", '"a"']),
    (pa.array(["a,b", "a\nb", " a"]), ['"a,b"', '"a\nb"', '" a"'], ['"a,b"', '"a\\nb"', '" a"']),
    (pa.array(["x"], pa.string_view()), ["x"], ['"x"']),
    (pa.array([1, None]).dictionary_encode(), ["1", ""], ["1", "null"]),
    (
        pa.array([datetime(2026, 3, 1, 12, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        ["2026-03-01T12:00:00.000000Z"],
        ['"2026-03-01T12:00:00.000000Z"'],
    ),
    (pa.array([1], pa.timestamp("ns")), ["1970-01-01T00:00:00.000000001"], ['"1970-01-01T00:00:00.000000001"']),
    (pa.array([0], pa.timestamp("s", "+01:00")), ["1970-01-01T01:00:00+0100"], ['"1970-01-01T01:00:00+0100"']),
    (pa.array([date(2026, 3, 1)]), ["2026-03-01"], ['"2026-03-01"']),
    (pa.array([1_000], pa.duration("ns")), ["1000"], ["1000"]),
    (pa.array([[1, None], None]), ['"[1,null]"', ""], ["[1,null]", "null"]),
    (pa.array([{"a": "x"}]), ['"{""a"":""x""}"'], ['{"a":"x"}']),
    (pa.nulls(1), [""], ["null"]),
]


@pytest.mark.parametrize(("column", "cells", "values"), COLUMNS, ids=lambda value: str(getattr(value, "type", "")))
def test_a_value_is_written_as_what_it_is(column: pa.Array, cells: list[str], values: list[str]) -> None:
    batch = one(column)
    assert written("csv", batch).decode() == "\n".join(["c", *cells, ""])
    assert written("jsonl", batch).decode() == "".join(f'{{"c":{value}}}\n' for value in values)
    assert written("csv", batch.slice(1)).decode() == "\n".join(["c", *cells[1:], ""])


texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))


@given(st.lists(st.tuples(texts, texts), min_size=1), st.integers(0, 50))
def test_any_text_is_read_back(rows: list[tuple[str | None, str | None]], at: int) -> None:
    first, second = pa.array([a for a, _ in rows], pa.string()), pa.array([b for _, b in rows], pa.string())
    batch = pa.record_batch({"a": first, "b, c": second.dictionary_encode()})
    parts = batch.slice(0, at), batch.slice(at)
    right = [{"a": a, "b, c": b} for a, b in rows]
    assert [json.loads(line) for line in written("jsonl", *parts).decode().split("\n")[:-1]] == right
    assert json.loads(written("json", *parts)) == right
    if "\0" not in str(rows):  # no reader of CSV takes it
        read = csv.reader(io.StringIO(written("csv", *parts).decode(), newline=""))
        assert list(read) == [["a", "b, c"], *([a or "", b or ""] for a, b in rows)]


def test_a_column_that_holds_json_is_json() -> None:
    field = pa.field("c", pa.string(), metadata={"timeline:encoding": "json"})
    batch = pa.record_batch([pa.array(['{"a":[1]}', None, "1"])], pa.schema([field]))
    assert written("jsonl", batch) == b'{"c":{"a":[1]}}\n{"c":null}\n{"c":1}\n'


_NO_UTF8 = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (_NO_UTF8, "holds text that is not in UTF-8"),
        (_NO_UTF8.dictionary_encode(), "holds text that is not in UTF-8"),
        (pa.array([2**62], pa.timestamp("us")), "holds a time outside the years that can be told"),
        (pa.array([[2**62]], pa.list_(pa.timestamp("us"))), "cannot be told as text: "),
        (pa.array([0], pa.timestamp("us", "Mars/Olympus")), "cannot be told as text: .*Mars/Olympus"),
    ],
)
def test_what_cannot_be_told_as_text_is_refused_in_a_sentence(form: str, column: pa.Array, sentence: str) -> None:
    with pytest.raises(InputError, match=f"^the column 'c' {sentence}.*; written as Parquet"):
        written(form, one(column))
    assert parquet.read_table(io.BytesIO(written("parquet", one(column))))["c"].type == column.type


@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "parquet"])
def test_no_rows_are_no_rows(form: str) -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.dictionary(pa.int8(), pa.string()))])
    content = written(form, schema=schema)
    if form == "parquet":
        assert parquet.read_table(io.BytesIO(content)).schema.names == ["a", "b"]
    else:
        assert content == {"csv": b"a,b\n", "jsonl": b"", "json": b"[]\n"}[form]
    assert written(form, *one(pa.array([1])).slice(1).schema.empty_table().to_batches(), schema=schema) == content


def table() -> pa.Table:
    count = 200_000
    numbers = range(count)
    return pa.table(
        {
            "id": pa.array([f"r{n % 1_000}" for n in numbers]).dictionary_encode(),
            "at": pa.array(numbers, pa.timestamp("us", "UTC")),
            "value": pa.array([n / 7 for n in numbers]),
            "again": pa.array([float(n % 3) for n in numbers]),
            "flavor": pa.DictionaryArray.from_arrays(
                pa.array([None if n % 5 == 0 else n % 5 for n in numbers], pa.int8()), pa.array(list("abcde"))
            ),
            "vcpus": pa.DictionaryArray.from_arrays(
                pa.array([n % 4 for n in numbers], pa.int8()), pa.array([1, 2, 4, 8])
            ),
            "note": pa.array([f"{n} {'x' * (n % 9)}" for n in numbers]),
        }
    )


def test_parquet_is_read_alike_by_other_programs(tmp_path: Path) -> None:
    whole = table()
    path = tmp_path / "rows.parquet"
    path.write_bytes(written("parquet", *whole.to_batches(max_chunksize=30_000), memory=1 << 24))
    assert parquet.read_metadata(path).num_row_groups > 1
    plain = whole.cast(pa.schema([(f.name, getattr(f.type, "value_type", f.type)) for f in whole.schema]))
    for read in (
        parquet.read_table(path),
        polars.read_parquet(path).to_arrow(),
        pa.table(duckdb.sql(f"SELECT * FROM '{path}'").arrow()),
        pa.Table.from_pandas(pandas.read_parquet(path), preserve_index=False),
    ):
        assert pa.table(read.columns, read.column_names).cast(plain.schema).equals(plain)


def test_dictionaries_that_differ_are_put_together_within_a_row_group() -> None:
    parts = [one(pa.array([f"v{n}", "same"]).dictionary_encode()) for n in range(100)]
    content = written("parquet", *parts)
    assert parquet.read_table(io.BytesIO(content))["c"].to_pylist() == [
        value for n in range(100) for value in (f"v{n}", "same")
    ]
    column = parquet.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0)
    assert "RLE_DICTIONARY" in column.encodings


def test_a_long_dictionary_is_still_one() -> None:
    long = pa.array(["x" * 1_000 + str(n) for n in range(20_000)])
    batch = one(pa.DictionaryArray.from_arrays(pa.array([n % 20_000 for n in range(200_000)], pa.int32()), long))
    assert len(written("parquet", batch)) < 3_000_000
