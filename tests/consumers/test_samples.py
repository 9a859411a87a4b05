"""Files of samples are read in batches that fit into memory, as the types that a join needs."""

from __future__ import annotations

import gc
import gzip
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from timeline.consumers.samples import Asked, Samples, csv
from timeline.errors import InputError

TEXT = pa.dictionary(pa.int32(), pa.string())
CSV = b"resource_id,meter,timestamp,value,note\na,cpu,2026-01-01,1.50,1\nb,cpu,2026-01-02,2,2\n"
LINES = b'{"resource_id": "a", "timestamp": 1, "value": 1.5}\n\n{"resource_id": "b", "timestamp": 2, "value": 2}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


def samples(*paths: str, stdin: bytes | None = None, **asked: Any) -> Samples:
    return Samples(paths, Asked(**asked), stdin=None if stdin is None else io.BytesIO(stdin))


def types(of: Samples) -> dict[str, str]:
    return {field.name: str(field.type) for field in of.reader().schema}


# Parquet


def many(rows: int, group: int) -> str:
    table = pa.table(
        {
            "resource_id": pa.array([f"r{number % 7}" for number in range(rows)]),
            "timestamp": pa.array(range(rows), pa.timestamp("us")),
            "note": pa.array([f"{number:0200d}" for number in range(rows)]),
        }
    )
    parquet.write_table(table, "samples.parquet", row_group_size=group)
    return "samples.parquet"


def test_ids_are_never_text_for_each_row() -> None:
    parquet.write_table(pa.table({"uuid": ["a"], "timestamp": [1], "meter": ["m"], "note": ["x"]}), "samples.parquet")
    told = types(Samples(["samples.parquet"], Asked(columns={"resource_id": "uuid"})))
    assert told == {"uuid": str(TEXT), "timestamp": "int64", "meter": str(TEXT), "note": "string"}


@pytest.mark.parametrize("group", [10, 3_000, 40_000])
def test_a_batch_is_as_long_as_memory_allows_whatever_the_row_groups_are(group: int) -> None:
    path = many(40_000, group)
    for memory in (16 << 20, 64 << 20):
        batches = list(samples(path, memory=memory).reader())
        assert max(batch.nbytes for batch in batches) <= memory / 24
        assert max(len(batch) for batch in batches) >= memory / 64 / 220 or len(batches) == 1
        whole = pa.Table.from_batches(batches)
        assert whole.column("note").to_pylist() == [f"{number:0200d}" for number in range(40_000)]
        assert whole.column("resource_id").cast(pa.string()).to_pylist()[:8] == [*(f"r{n}" for n in range(7)), "r0"]


def test_rows_are_counted_before_they_are_read() -> None:
    path = many(1_000, 300)
    assert samples(path, path).rows == 2_000
    assert sum(len(batch) for batch in samples(path, path).reader()) == 2_000
    assert samples(written("a.csv", CSV)).rows is None


def test_an_id_that_is_a_number_is_left_to_who_joins() -> None:
    parquet.write_table(pa.table({"resource_id": [1], "timestamp": [1]}), "samples.parquet")
    assert types(samples("samples.parquet"))["resource_id"] == "int64"


def test_a_parquet_file_with_fewer_rows_than_it_tells_of_is_refused() -> None:
    content = Path(many(300, 300)).read_bytes()
    rows, more = b"\x16\xd8\x04", b"\x16\xda\x04"  # a long integer, 300 and 301
    footer = len(content) - int.from_bytes(content[-8:-4], "little") - 8
    path = written("less.parquet", content[:footer] + content[footer:].replace(rows, more, 1))
    assert samples(path).rows == 301
    with pytest.raises(InputError, match=r"less.parquet: 300 rows are there, of 301 that the file tells of"):
        samples(path).reader().read_all()


# CSV


def test_csv_has_the_types_of_its_first_rows() -> None:
    told = types(samples(written("s.csv", CSV)))
    keys = {"resource_id": str(TEXT), "meter": str(TEXT), "timestamp": "string"}
    assert told == keys | {"value": "double", "note": "int64"}
    told = types(samples("s.csv", as_text=True))
    assert told == keys | {"value": "string", "note": "string"}
    told = types(samples("s.csv", as_text=True, numbers=("value",)))
    assert told == keys | {"value": "double", "note": "string"}


def test_times_of_csv_that_are_numbers_are_numbers() -> None:
    assert types(samples(written("s.csv", b"resource_id,timestamp\na,1767225600\n")))["timestamp"] == "int64"


def test_an_empty_cell_is_null_and_quotes_make_it_the_empty_text() -> None:
    batch = samples(written("s.csv", b'resource_id,timestamp,note\n,,\n"","",""\n'), as_text=True).reader().read_all()
    assert batch.to_pylist() == [
        {"resource_id": None, "timestamp": None, "note": None},
        {"resource_id": "", "timestamp": "", "note": ""},
    ]


@pytest.mark.parametrize("content", [CSV, CSV[:-1], CSV.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + CSV])
def test_csv_of_any_spelling_is_read(content: bytes) -> None:
    rows = samples(written("s.csv", content)).reader().read_all().to_pylist()
    assert rows[1] == {"resource_id": "b", "meter": "cpu", "timestamp": "2026-01-02", "value": 2.0, "note": 2}
    assert len(rows) == 2


def test_csv_is_read_block_by_block() -> None:
    content = CSV + b"a,cpu,2026-01-01,1,1\n" * 100_000
    batches = list(samples(written("s.csv", content), memory=1 << 24).reader())
    assert sum(map(len, batches)) == 100_002
    assert len(batches) > 5


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_csv_of_nothing_but_names_holds_no_samples(end: bytes) -> None:
    table = samples(written("s.csv", b"resource_id,timestamp" + end)).reader().read_all()
    assert (table.num_rows, table.column_names) == (0, ["resource_id", "timestamp"])


def test_names_of_csv_that_are_longer_than_a_block_are_refused() -> None:
    path = written("s.csv", b"resource_id,timestamp," + b"x" * (1 << 18) + b"\na,1,2\n")
    with pytest.raises(InputError, match="the line that names the columns is longer than 262,144 bytes"):
        samples(path, memory=1 << 20)


def test_what_arrow_was_given_to_look_at_csv_is_given_back() -> None:
    """Else one of its threads may want it while the interpreter ends, which aborts the process."""
    samples(written("s.csv", CSV + b"ragged\n"))
    with pytest.raises(InputError, match="not in UTF-8"):
        samples(written("s.csv", b"\xff," + CSV))
    assert not [each for each in gc.get_objects() if isinstance(each, csv._Skip)]


# JSON lines


def test_lines_have_the_types_of_the_first_ones() -> None:
    told = samples(written("s.jsonl", LINES.replace(b"2}", b'2, "tags": {"a": [1]}, "on": true, "none": null}')))
    assert types(told) == {
        "resource_id": str(TEXT),
        "timestamp": "int64",
        "value": "double",
        "tags": "string",
        "on": "bool",
        "none": "string",
    }
    row = told.reader().read_all().to_pylist()[1]
    assert row["tags"] == '{"a":[1]}'


def test_lines_are_dicts_with_what_they_say() -> None:
    assert list(samples(written("s.jsonl", b"\xef\xbb\xbf" + LINES)).dicts()) == [
        {"resource_id": "a", "timestamp": 1, "value": 1.5},
        {"resource_id": "b", "timestamp": 2, "value": 2},
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(b"1.5", "1.5"), (b"true", "true"), (b'"1"', '"1"'), (b"9223372036854775808", "9223372036854775808")],
)
def test_a_later_value_that_a_column_cannot_hold_is_told_and_never_cut(value: bytes, shown: str) -> None:
    first = b'{"resource_id": "a", "timestamp": 1, "value": 1}\n'
    content = first * 20_000 + first.replace(b'"value": 1', b'"value": ' + value)
    read = samples(written("s.jsonl", content), memory=1 << 24).reader()
    with pytest.raises(InputError) as told:
        read.read_all()
    assert str(told.value).startswith(f"s.jsonl:20001: 'value' is {shown}, and int64 in the first lines; ")


def test_a_whole_number_that_a_float_cannot_hold_is_told() -> None:
    content = LINES + b'{"resource_id": "b", "timestamp": 2, "value": 9007199254740993}\n'
    with pytest.raises(InputError, match=r"s\.jsonl:4: 'value' is 9007199254740993"):
        samples(written("s.jsonl", content)).reader().read_all()


def test_a_column_that_no_first_line_has_is_told() -> None:
    content = LINES * 10_000 + b'{"resource_id": "b", "timestamp": 2, "more": 1}\n'
    with pytest.raises(InputError, match=r"s\.jsonl:30001: 'more' is in no line before"):
        samples(written("s.jsonl", content), memory=1 << 24).reader().read_all()


# Files, pipes and standard input


@pytest.mark.parametrize(
    "content",
    [CSV, LINES, gzip.compress(CSV), gzip.compress(LINES[:60]) + gzip.compress(LINES[60:])],
    ids=["csv", "lines", "compressed csv", "lines compressed in two pieces"],
)
def test_standard_input_is_read_like_a_file(content: bytes) -> None:
    rows = samples("-", stdin=content).reader().read_all().to_pylist()
    assert [row["resource_id"] for row in rows] == ["a", "b"]


@pytest.mark.parametrize("content", [CSV, LINES], ids=["csv", "lines"])
def test_a_pipe_is_read_as_it_comes(content: bytes) -> None:
    os.mkfifo("pipe")

    def write() -> None:
        with open("pipe", "wb", buffering=0) as pipe:
            for at in range(0, len(content), 7):
                pipe.write(content[at : at + 7])

    writer = threading.Thread(target=write)
    writer.start()
    read = samples("pipe")
    assert read.total_bytes is None
    assert len(read.reader().read_all()) == 2
    writer.join()
    assert read.bytes_read == len(content)


def test_a_pipe_is_not_waited_for_longer_than_its_first_bytes_take() -> None:
    class Pipe(io.RawIOBase):
        """Gives more than the first bytes, and then nothing for ever."""

        def __init__(self) -> None:
            self._left = [CSV, b"c,cpu,2026-01-01,1,1\n" * 10_000]

        def read(self, size: int | None = -1) -> bytes:
            assert self._left, "waited for more"
            return self._left.pop(0)

    assert Samples(["-"], Asked(), stdin=Pipe()).names == ["resource_id", "meter", "timestamp", "value", "note"]  # type: ignore[arg-type]


def test_bytes_are_counted_as_they_lie_in_the_files() -> None:
    first, second = written("a.csv.gz", gzip.compress(CSV)), written("b.csv", CSV)
    read = samples(first, second)
    assert read.total_bytes == len(gzip.compress(CSV)) + len(CSV)
    assert read.bytes_read == 0
    list(read.reader())
    assert read.bytes_read == read.total_bytes


def test_what_is_wrong_with_a_row_is_located_in_its_file() -> None:
    read = samples(written("a.csv", CSV), written("b.csv", CSV))
    list(read.reader())
    names = "(the names of the columns are row 1)"
    assert str(read.located(InputError("row 4 is bad", row=4))) == f"b.csv: row 3 {names} is bad"
    assert str(read.located(InputError("column 'x', row 2: bad", row=2))) == f"a.csv: column 'x', row 3 {names}: bad"
    for other in (InputError("nothing to locate"), InputError("b.csv, row 3: bad"), InputError("row 5: bad", row=5)):
        assert read.located(other) is other


def test_rows_of_json_lines_are_counted_from_the_first() -> None:
    read = samples(written("a.jsonl", LINES), written("b.jsonl", LINES))
    rows = len(list(read.dicts())) // 2
    assert str(read.located(InputError(f"row {rows + 1} is bad", row=rows + 1))) == "b.jsonl: row 1 is bad"


def test_files_are_opened_one_after_the_other() -> None:
    paths = [written(f"{number}.csv", CSV) for number in range(50)]
    read = samples(*paths)
    before = len(os.listdir("/proc/self/fd"))
    batches: Iterator[pa.RecordBatch] = iter(read.reader())
    assert [next(batches) for _ in range(20)]
    assert len(os.listdir("/proc/self/fd")) <= before + 2
