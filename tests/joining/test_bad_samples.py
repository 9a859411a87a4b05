"""Samples that cannot be right: a sentence that names the column and the row, or `unknown` where that is the answer."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.joining.columns import engine_with
from timeline import clock
from timeline.engine import Engine
from timeline.errors import InputError
from timeline.model import Body, Event, Phase, Resource

NOON = clock.parse("2026-03-01T12:00:00Z")


@pytest.fixture(scope="module")
def engine() -> Engine:
    resource = Resource(type="instance", id="a")
    return engine_with([Event(resource, NOON, Phase.UPDATE, Body.of({"x": "small"}), NOON, "t")])


def samples(**columns: Any) -> pa.Table:
    return pa.table({"resource_id": ["a"], "timestamp": [NOON], "value": [1]} | columns)


def join(engine: Engine, table: Any, **asked: Any) -> Any:
    return engine.join(table, **({"fields": ["x"], "type": "instance"} | asked))


REFUSED: dict[str, tuple[pa.Table, dict[str, Any], str]] = {
    "no column of ids": (
        samples().drop_columns("resource_id"),
        {},
        "have no column 'resource_id'; they have timestamp",
    ),
    "no column of times": (samples().drop_columns("timestamp"), {}, "have no column 'timestamp'.*tell what timestamp"),
    "no column of meters": (samples(), {"type": None}, "have no column 'meter'.*or the type of all resources"),
    "no column at all": (pa.table({}), {}, "have no column 'resource_id'; they have none"),
    "a column that is called otherwise": (samples(), {"columns": {"timestamp": "time"}}, "have no column 'time'"),
    "two columns of one name": (
        pa.table([["a"], ["b"], [NOON]], names=["resource_id", "resource_id", "timestamp"]),
        {},
        "have 2 columns that are called 'resource_id'",
    ),
    "no such word": (samples(), {"columns": {"time": "timestamp"}}, "samples have no 'time' that could be called"),
    "no such field": (samples(), {"fields": ["xx"]}, "there is no field 'xx'; 'x' may be meant"),
    "no such field, and none that is near": (samples(), {"fields": ["?"]}, r"there is no field '\?'; there are "),
    "a field that the samples have": (samples(x=["b"]), {}, "have a column 'x' of their own; give a prefix"),
    "existence that the samples have": (samples(existence=["b"]), {}, "have a column 'existence' of their own"),
    "parts that the samples have": (
        samples(row=[1]),
        {"policy": "split", "cumulative": False},
        "have a column 'row' of their own",
    ),
    "ids that are numbers": (samples(resource_id=[1]), {}, "'resource_id'.* holds int64; text is expected"),
    "ids that are bytes": (samples(resource_id=[b"a"]), {}, "'resource_id'.* holds binary; text is expected"),
    "meters that are numbers": (samples(meter=[1]), {"type": None}, "'meter'.* holds int64; text is expected"),
    "times that are floats": (samples(timestamp=[1.5]), {}, "'timestamp' holds double; a float is not exact"),
    "times that are no times": (
        samples(resource_id=["a", "a"], value=[1, 1], timestamp=["2026-03-01T12:00:00Z", "noon"]),
        {},
        "column 'timestamp', row 2: 'noon' is no time",
    ),
    "times beyond the year 9999": (samples(timestamp=[clock.MAX + 1]), {}, "column 'timestamp', row 1.*1 to 9999"),
    "times before the year 1": (samples(timestamp=[clock.MIN - 1]), {}, "column 'timestamp', row 1.*1 to 9999"),
    "milliseconds taken for seconds": (
        samples(timestamp=[NOON // 1_000]),
        {"unit": "s"},
        "column 'timestamp', row 1.*1 to 9999",
    ),
    "no such unit": (samples(), {"unit": "minutes"}, "'minutes' is no unit of time; there are s, ms, us, ns"),
    "no such policy": (samples(), {"policy": "middle"}, "'middle' is no policy; there are at, start, end, split"),
    "a period of nothing": (samples(), {"policy": "end", "period": 0}, "0 is no period: .* more than 0"),
    "a period that is text": (samples(), {"policy": "end", "period": "1h"}, "'1h' is no period: it is a whole number"),
    "a period that starts after its end": (
        samples(start=[NOON + 1]),
        {"policy": "end", "columns": {"start": "start"}},
        "column 'start', row 1: the period starts at",
    ),
    "values to be split that are no numbers": (
        samples(value=["1"]),
        {"policy": "split", "period": 1},
        "column 'value' holds string",
    ),
    "counters without values": (
        samples().drop_columns("value"),
        {"policy": "split", "cumulative": True},
        "have no column 'value'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_is_refused_in_a_sentence(engine: Engine, case: str) -> None:
    table, asked, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        join(engine, table, **asked)


@pytest.mark.parametrize("case", [case for case in REFUSED if case != "two columns of one name"])
def test_a_pandas_frame_is_refused_in_a_sentence(engine: Engine, case: str) -> None:
    table, asked, _ = REFUSED[case]
    with pytest.raises(InputError):
        join(engine, table.to_pandas(), **asked)


NO_SAMPLES: dict[str, Any] = {
    "a series of pandas": pd.Series([1, 2]),
    "a series of polars": pl.Series("x", [1, 2]),
    "an array": pa.array([1, 2]),
    "rows that are null": pa.array([{"resource_id": "a", "timestamp": NOON}, None]),
    "columns of one name": pd.DataFrame([["a", NOON, NOON]], columns=["resource_id", "timestamp", "timestamp"]),
    "a time beyond 64 bits": pd.DataFrame({"resource_id": ["a"], "timestamp": pd.Series([1 << 70], dtype=object)}),
    "half a character": pd.DataFrame({"resource_id": pd.Series(["\ud800"], dtype=object), "timestamp": [NOON]}),
    "sparse columns": pd.DataFrame({"resource_id": ["a"], "timestamp": pd.arrays.SparseArray([NOON])}),
}


@pytest.mark.parametrize("case", NO_SAMPLES)
def test_what_cannot_be_read_as_columns_is_refused_in_a_sentence(engine: Engine, case: str) -> None:
    with pytest.raises(InputError, match=r"^the samples (cannot be read as columns: |have 2 columns)"):
        join(engine, NO_SAMPLES[case])


def test_dicts_with_half_a_character_are_refused_in_a_sentence(engine: Engine) -> None:
    with pytest.raises(InputError, match="rows 1 to 1 of the samples: "):
        list(join(engine, [{"resource_id": "\ud800", "timestamp": NOON}], policy="split"))


@pytest.mark.parametrize(
    "value", [pa.array(["1"]), pa.array(["1"], pa.string_view()), pa.array(["1"]).dictionary_encode()]
)
def test_values_that_are_no_numbers_stay_where_none_are_needed(engine: Engine, value: pa.Array) -> None:
    joined = join(engine, samples(value=value, meter=["m"]), policy="end")
    assert joined["value"].to_pylist() == ["1"]
    with pytest.raises(InputError, match="column 'value' holds string"):
        join(engine, samples(value=value, meter=["m"]), policy="end", cumulative=True)


@pytest.mark.parametrize("encoded", [False, True])
def test_text_that_is_not_in_utf8_is_refused_where_it_is_to_be_read(engine: Engine, encoded: bool) -> None:
    column = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    column = column.dictionary_encode() if encoded else column
    for name, asked in (("meter", {"type": None}), ("resource_id", {"policy": "end"})):
        with pytest.raises(InputError, match=f"the column '{name}' of the samples holds text that is not in UTF-8"):
            join(engine, samples(**{"meter": ["m"], name: column}), **asked)
    assert join(engine, samples(resource_id=column))["existence"].to_pylist() == ["unknown"]


@pytest.mark.parametrize("word", ["type", "source", "prefix"])
def test_half_a_character_in_what_is_asked_is_refused_in_a_sentence(engine: Engine, word: str) -> None:
    for samples_given in (samples(), samples().to_pylist()):
        with pytest.raises(InputError, match=r"'\\ud800' is no text: it cannot be written in UTF-8"):
            join(engine, samples_given, **{word: "\ud800"})


@pytest.mark.parametrize("word", ["fields", "cumulative"])
def test_a_text_in_place_of_several_is_refused(engine: Engine, word: str) -> None:
    for samples_given in (samples(), samples().to_pylist()):
        with pytest.raises(TypeError, match=rf"{word} takes several names; .* \['x'\]"):
            join(engine, samples_given, **{word: "x"})
    with pytest.raises(TypeError, match="fields takes several names"):
        engine.segments("instance", "x")


def test_frames_that_are_no_columns_are_refused_in_a_sentence(engine: Engine) -> None:
    mixed = pd.DataFrame({"resource_id": ["a", 1, b"b"], "timestamp": [NOON] * 3})
    with pytest.raises(InputError, match="cannot be read as columns"):
        join(engine, mixed)
    objects = pl.DataFrame({"resource_id": [object()], "timestamp": [NOON]})
    with pytest.raises(InputError):
        join(engine, objects)


def test_the_row_is_counted_through_all_batches(engine: Engine) -> None:
    table = samples(resource_id=["a"] * 5, value=[1] * 5, timestamp=[*["2026-03-01"] * 4, "2026-13-01"])
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))
    with pytest.raises(InputError, match="column 'timestamp', row 5"):
        join(engine, reader).read_all()
    chunked = pa.Table.from_batches(table.to_batches(max_chunksize=2))
    with pytest.raises(InputError, match="column 'timestamp', row 5"):
        join(engine, chunked)


def test_what_is_missing_is_unknown(engine: Engine) -> None:
    table = samples(
        resource_id=["a", None, "", "A", "a " * 40_000],
        value=[float("nan")] * 5,
        timestamp=pa.array([None, NOON, NOON, NOON, NOON], pa.timestamp("us")),
    )
    joined = join(engine, table, since=True, collected=True)
    assert set(joined["existence"].to_pylist()) == {"unknown"}
    assert set(joined["x"].to_pylist()) == {None}
    assert set(joined["since"].to_pylist()) == {None}
    assert set(joined["x_collected"].to_pylist()) == {False}


@pytest.mark.parametrize("column", ["resource_id", "timestamp"])
def test_a_column_of_nothing_but_null_is_unknown(engine: Engine, column: str) -> None:
    joined = join(engine, samples(**{column: pa.nulls(1)}))
    assert joined["existence"].to_pylist() == ["unknown"]


def test_values_that_are_nan_infinite_or_null_stay_so(engine: Engine) -> None:
    values = pa.array([float("nan"), float("inf"), None])
    table = samples(resource_id=["a"] * 3, timestamp=[NOON + 5] * 3, value=values)
    split = join(engine, table, policy="split", period=10)
    assert str(split["value"].to_pylist()) == "[nan, nan, inf, inf, None, None]"


def test_a_store_without_events_knows_nothing() -> None:
    joined = join(engine_with([]), samples())
    assert (joined["existence"].to_pylist(), joined["x"].to_pylist()) == (["unknown"], [None])
    assert join(engine_with([]), samples(), fields=None).column_names[-1] == "existence"


ROWS: dict[str, tuple[list[Any], str]] = {
    "no dict": ([{"resource_id": "a", "timestamp": NOON}, ["a", NOON]], "row 2 of the samples is no dict but list"),
    "no id": ([{"timestamp": NOON}], "row 1 of the samples has no 'resource_id'; it has timestamp"),
    "no time": ([{"resource_id": "a"}], "row 1 of the samples has no 'timestamp'"),
    "an id that is a number": (
        [{"resource_id": 1, "timestamp": NOON}],
        "row 1 of the samples: 'resource_id' is 1, not",
    ),
    "a time that is none": ([{"resource_id": "a", "timestamp": "noon"}], "row 1 of the samples: 'noon' is no time"),
    "a time that is relative": ([{"resource_id": "a", "timestamp": "-2h"}], "row 1 of the samples: '-2h' is no time"),
    "a float": ([{"resource_id": "a", "timestamp": 1.5}], "row 1 of the samples: 1.5 is no time"),
    "a bool": ([{"resource_id": "a", "timestamp": True}], "row 1 of the samples: True is no time"),
    "beyond 9999": ([{"resource_id": "a", "timestamp": 2**62}], "row 1 of the samples: .*1 to 9999"),
    "a field of its own": ([{"resource_id": "a", "timestamp": NOON, "x": 1}], "row 1 .* has 'x' of its own"),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_dict_is_refused_in_a_sentence(engine: Engine, case: str) -> None:
    rows, sentence = ROWS[case]
    with pytest.raises(InputError, match=sentence):
        list(join(engine, rows))


def test_a_dict_without_id_or_time_is_unknown(engine: Engine) -> None:
    rows = [{"resource_id": None, "timestamp": NOON}, {"resource_id": "a", "timestamp": None}]
    assert [row["existence"] for row in join(engine, rows)] == ["unknown", "unknown"]


def test_a_field_that_nobody_has_heard_of_is_refused_for_dicts_too(engine: Engine) -> None:
    with pytest.raises(InputError, match="there is no field 'xx'; 'x' may be meant"):
        join(engine, [], fields=["xx"])
    with pytest.raises(InputError, match="there is no field 'xx'"):
        join(engine, [], fields=["xx"], policy="split", period=1)
    other = engine_with([Event(Resource(type="instance", id="a"), NOON, Phase.UPDATE, Body.of({"z": 1}), NOON, "t")])
    assert [row["z"] for row in join(other, [{"resource_id": "a", "timestamp": NOON}], fields=["z"])] == [1]


def test_a_dict_without_a_meter_is_refused_where_nothing_else_tells_the_type(engine: Engine) -> None:
    rows = [{"resource_id": "a", "timestamp": NOON}]
    with pytest.raises(InputError, match=r"row 1 of the samples has no 'meter'.*or the type of all resources"):
        list(join(engine, rows, type=None))
    rows = [{"resource_id": "a", "timestamp": NOON, "kind": "instance"}]
    assert [row["x"] for row in join(engine, rows, type=None, columns={"type": "kind"})] == ["small"]
