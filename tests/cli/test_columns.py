"""Rows in columns, as CSV and as Parquet: nothing is lost, nothing is altered, and both read back as JSON tells it."""

from __future__ import annotations

import io
import json
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.cli.columns import DEFINITIONS, TEXTS, VALUES, cells, in_csv, in_parquet, same, states, table_of
from tests.cli.messages import clock, thing, written
from tests.cli.running import Ran, run
from timeline.model import Json
from timeline.reports import csv as csv_report
from timeline.reports import gathering
from timeline.reports import parquet as parquet_report
from timeline.reports.rows import RESOURCES

ROWS = (
    ("resources", "--existence", "any"),
    ("history", "thing/t1"),
    ("quarantine", "list"),
    ("export", "events"),
    ("export", "events", "--provenance"),
    ("definitions", "list"),
    ("definitions", "list", "--samples"),
)
"""The commands that print rows."""


@pytest.fixture
def many(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Things with any value that a field can have."""
    Path("columns.yaml").write_text(DEFINITIONS)
    monkeypatch.setenv("TIMELINE_DEFINITIONS", "columns.yaml")
    messages = [thing("create", "12:00", f"m{number:02}", mixed=each) for number, each in enumerate(VALUES)]
    messages += [thing("create", "12:00", f"t{number:02}", text=each) for number, each in enumerate(TEXTS)]
    messages += [
        thing("create", "12:00", "w1", whole=1, number=0.1, flag=True, mixed_type="a"),
        thing("create", "12:00", "w2", whole=2**63 - 1, number=-5e-324, flag=False),
        thing("create", "12:00", "w3", whole=None, number=None, flag=None),
        thing("create", "12:00", "w4"),
    ]
    assert run("ingest", written("many.jsonl", *messages)).code == 0


# CSV


@pytest.mark.usefixtures("history")
def test_resources_in_csv_have_a_column_for_each_field_of_any() -> None:
    ran = run("resources", "--at", "2026-03-01T13:00", "--format", "csv")
    assert ran == Ran(
        0,
        "type,source,id,existence,name,size,state,tags\n"
        'thing,"",t1,present,one,2,"""""",null\n'
        'thing,"",t2,present,two,,,\n',
        "",
    )


@pytest.mark.usefixtures("history")
def test_a_history_in_csv_has_the_whole_state_of_each_segment() -> None:
    ran = run("history", "thing/t1", "--from", "2026-03-01T11:00", "--format", "csv")
    assert ran == Ran(
        0,
        "start,end,existence,life,born,ambiguous,name,size,state,tags\n"
        f"{clock('11:00')},{clock('12:00')},unknown,0,,[],,,,\n"
        f'{clock("12:00")},{clock("12:30")},present,1,create,[],one,1,,"{{""a"":[true,null],""b"":1}}"\n'
        f'{clock("12:30")},{clock("13:00")},present,1,create,[],one,2,,"{{""a"":[true,null],""b"":1}}"\n'
        f'{clock("13:00")},{clock("14:00")},present,1,create,[],one,2,"""""",null\n'
        f"{clock('14:00')},,deleted,1,create,[],,,,\n",
        "",
    )


def test_ambiguous_fields_are_a_list_in_one_cell(store: Path) -> None:
    rivals = (thing("update", "12:00", size=1, name="x"), thing("update", "12:00", size=2, name="y"))
    run("ingest", written("messages.jsonl", *rivals))
    (row,) = in_csv(run("history", "thing/t1", "--format", "csv").out, 6)
    assert row["ambiguous"] == '["name","size"]'
    assert table_of("history", "thing/t1")["ambiguous"].to_pylist() == [["name", "size"]]


def test_quarantine_in_csv_leaves_empty_what_a_message_did_not_tell(store: Path) -> None:
    run("ingest", written("bad, really.jsonl", b"no JSON"))
    (line,) = run("quarantine", "list").lines
    assert run("quarantine", "list", "--format", "csv") == Ran(
        0,
        "id,reason,origin,received_at,event_type,message_id,size\n"
        f'{line["id"]},not-json,"bad, really.jsonl:1",{line["received_at"]},,,7\n',
        "",
    )


@pytest.mark.usefixtures("history")
def test_events_in_csv_have_their_fields_in_one_cell() -> None:
    ran = run("export", "events", "--format", "csv")
    header, first, second, *_ = ran.out.split("\n")
    assert (ran.code, ran.err) == (0, "")
    assert header == "type,source,id,occurred_at,phase,version,fields"
    said = '"{""name"":""one"",""size"":1,""tags"":{""a"":[true,null],""b"":1}}"'
    assert first == f'thing,"",t1,{clock("12:00")},create,3,{said}'
    assert second == f'thing,"",t1,{clock("12:30")},update,3,"{{""size"":2}}"'
    proven = in_csv(run("export", "events", "--provenance", "--format", "csv").out)
    for row, line in zip(proven, run("export", "events", "--provenance").lines, strict=True):
        body = {"f": json.loads(row.pop("fields")), "v": int(row.pop("version"))}
        same([{**row, "body": body}], [line])


@pytest.mark.usefixtures("many")
def test_any_value_is_read_back_from_csv() -> None:
    told = in_csv(run("resources", "--format", "csv").out, 4)
    expected = [{**line.pop("resource"), **line} for line in run("resources").lines]
    assert len(expected) == len(VALUES) + len(TEXTS) + 4
    same(told, expected)


@pytest.mark.usefixtures("many")
def test_other_readers_of_csv_find_the_same_rows() -> None:
    out = run("resources", "--format", "csv").out
    Path("rows.csv").write_bytes(out.encode())
    with closing(duckdb.connect()) as connection:
        options = (
            "all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"', allow_quoted_nulls = false"
        )
        found = connection.sql(f"SELECT id, source, text FROM read_csv('rows.csv', {options}) ORDER BY id").fetchall()
    names, *rows = cells(out)
    text = names.index("text")
    assert [(id, said) for id, _, said in found] == [(row[2], row[text] or None) for row in rows]
    assert {source for _, source, _ in found} == {""}  # the empty text, which is not a missing one


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)  # no -0.0: it is 0.0
SCALARS = st.sampled_from(VALUES) | st.integers() | FLOATS | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner), max_leaves=4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dictionaries(TEXT, JSON), max_size=4))
def test_any_field_of_any_name_is_read_back(fields: list[dict[str, Json]]) -> None:
    expected = [
        {"type": "thing", "source": "", "id": state.resource.id, "existence": "present", "fields": state.fields}
        for state in states(fields)
    ]
    out = io.BytesIO()
    csv_report.write(RESOURCES, states(fields), out, screen=False)
    same(in_csv(out.getvalue().decode(), 4), expected)

    out = io.BytesIO()
    parquet_report.write(RESOURCES, states(fields), out)
    same(in_parquet(parquet.read_table(io.BytesIO(out.getvalue()))), expected)


# Parquet


@pytest.mark.usefixtures("history")
def test_resources_in_parquet_have_columns_of_types() -> None:
    run("ingest", written("bad.jsonl", b"no JSON"))
    text, time = pyarrow.string(), pyarrow.timestamp("us", tz="UTC")
    table = table_of("resources", "--at", "2026-03-01T13:00")
    before = dict.fromkeys(("type", "source", "id", "existence"), text)
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        **before,
        "nulls": pyarrow.list_(text),
        "name": text,
        "size": pyarrow.int64(),
        "state": text,
        "tags": text,
    }
    assert table.to_pylist() == [
        {
            "type": "thing",
            "source": "",
            "id": "t1",
            "existence": "present",
            "nulls": ["tags"],
            "name": "one",
            "size": 2,
            "state": "",
            "tags": None,
        },
        {
            "type": "thing",
            "source": "",
            "id": "t2",
            "existence": "present",
            "nulls": [],
            "name": "two",
            "size": None,
            "state": None,
            "tags": None,
        },
    ]
    history = table_of("history", "thing/t1").schema
    assert {name: history.field(name).type for name in ("start", "end", "life")} == {
        "start": time,
        "end": time,
        "life": pyarrow.int64(),
    }
    assert table_of("quarantine", "list").schema.field("received_at").type == time
    dump = table_of("export", "events", "--provenance").schema
    assert dump.field("occurred_at").type == dump.field("recorded_at").type == time
    assert dump.field("fields").metadata[b"timeline:encoding"] == b"json"


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("command", ROWS, ids=" ".join)
def test_parquet_and_csv_have_the_same_columns_and_rows(command: tuple[str, ...]) -> None:
    run("ingest", written("bad.jsonl", b"no JSON", thing("create", None)))
    at = ("--at", "2026-03-01T13:00") if command[0] == "resources" else ()
    table = table_of(*command, *at)
    names, *rows = cells(run(*command, *at, "--format", "csv").out)
    assert names == [name for name in table.schema.names if name != "nulls"]
    assert len(rows) == table.num_rows > 0
    times = [name for name in names if pyarrow.types.is_timestamp(table.schema.field(name).type)]
    for name in times:
        spelled = [None if each is None else f"{each:%Y-%m-%dT%H:%M:%S.%f}Z" for each in table[name].to_pylist()]
        assert [row[names.index(name)] or None for row in rows] == spelled


@pytest.mark.usefixtures("many")
def test_any_value_is_read_back_from_parquet() -> None:
    table = table_of("resources")
    types = {name: table.schema.field(name).type for name in ("text", "whole", "number", "flag", "mixed")}
    assert types == {
        "text": pyarrow.string(),
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "flag": pyarrow.bool_(),
        "mixed": pyarrow.string(),
    }
    same(in_parquet(table), [{**line.pop("resource"), **line} for line in run("resources").lines])


@pytest.mark.usefixtures("many")
def test_a_field_that_is_named_like_another_column_is_told_apart() -> None:
    fields = ["fields.fields.type", "flag", "mixed", "na,me", "fields.nulls", "number", "text", "fields.type", "whole"]
    header, *_ = cells(run("resources", "--format", "csv").out)
    assert header == ["type", "source", "id", "existence", *fields]
    assert table_of("resources").schema.names == ["type", "source", "id", "existence", "nulls", *fields]


def test_parquet_holds_the_first_and_the_last_instant(store: Path) -> None:
    first, last = "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"
    messages = [{**thing("update", None, size=size), "timestamp": at} for size, at in enumerate((first, last))]
    run("ingest", written("messages.jsonl", *messages))
    starts = table_of("history", "thing/t1")["start"].to_pylist()
    assert [f"{each:%Y}-{each:%m-%dT%H:%M:%S.%f}Z".rjust(27, "0") for each in starts] == [first, last]


# However many rows there are


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7])
def test_rows_laid_aside_in_a_file_and_written_in_groups_are_the_same_rows(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = states([{"name": f"n{number}", f"only {number}": [number], "none": None} for number in range(rows)])

    def written_now() -> tuple[bytes, pyarrow.Table, int]:
        text, file = io.BytesIO(), io.BytesIO()
        csv_report.write(RESOURCES, told, text, screen=False)
        parquet_report.write(RESOURCES, told, file)
        return text.getvalue(), parquet.read_table(file), parquet.ParquetFile(file).num_row_groups

    whole = written_now()
    monkeypatch.setattr(gathering, "IN_MEMORY", 10)
    monkeypatch.setattr(parquet_report, "GROUP_ROWS", 2)
    assert written_now() == (*whole[:2], (rows + 1) // 2)
    monkeypatch.setattr(parquet_report, "GROUP_BYTES", 1)
    assert written_now() == (*whole[:2], rows)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", [each for each in ROWS if each[0] not in ("history", "definitions")], ids=" ".join)
def test_an_answer_of_nothing_has_a_header(command: tuple[str, ...]) -> None:
    ran = run(*command, "--format", "csv")
    assert (ran.code, ran.err, ran.out.count("\n")) == (0, "", 1)
    table = table_of(*command)
    assert table.num_rows == 0
    assert ran.out == ",".join(name for name in table.schema.names if name != "nulls") + "\n"
