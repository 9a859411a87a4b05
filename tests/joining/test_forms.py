"""What comes in goes out: tables, batches, readers, frames and dicts, in any spelling of ids and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.joining.columns import engine_with
from timeline import clock
from timeline.engine import Engine
from timeline.model import Body, Event, Phase, Resource

NOON = clock.parse("2026-03-01T12:00:00Z")
WHERE = {"resource_id": ["a", "nobody", "b", "a", None, "a"], "seconds": [2, 1, 1, 0, 1, 1]}
FLAVORS = ["large", None, "tiny", None, None, "small"]
EXISTENCES = ["present", "unknown", "present", "unknown", "unknown", "present"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    def event(id: str, seconds: int, flavor: str) -> Event:
        resource = Resource(type="instance", id=id)
        return Event(resource, NOON + seconds * clock.SECOND, Phase.UPDATE, Body.of({"flavor": flavor}), NOON, "t")

    return engine_with([event("a", 1, "small"), event("a", 2, "large"), event("b", 0, "tiny")])


def table(times: pa.Array | None = None, ids: pa.Array | None = None) -> pa.Table:
    instants = [NOON + seconds * clock.SECOND for seconds in WHERE["seconds"]]
    return pa.table(
        {
            "value": [1.5, 2.5, float("nan"), None, 4.0, 5.0],
            "resource_id": pa.array(WHERE["resource_id"], pa.string()) if ids is None else ids,
            "timestamp": pa.array(instants, pa.timestamp("us", "UTC")) if times is None else times,
        }
    )


def told(joined: Any) -> tuple[list[Any], list[Any]]:
    return joined["existence"].to_pylist(), joined["flavor"].to_pylist()


def test_a_table_keeps_its_columns_and_its_metadata(engine: Engine) -> None:
    given = table().replace_schema_metadata({"made": "by hand"})
    joined = engine.join(given, ["flavor"], type="instance")
    assert isinstance(joined, pa.Table)
    assert told(joined) == (EXISTENCES, FLAVORS)
    assert joined.schema.metadata == {b"made": b"by hand"}
    assert joined.column_names == [*given.column_names, "existence", "flavor"]
    assert str(joined.select(given.column_names).to_pylist()) == str(given.to_pylist())


def test_what_is_added_is_dictionary_encoded_with_narrow_indices(engine: Engine) -> None:
    joined = engine.join(table(), ["flavor"], type="instance")
    assert joined.schema.field("existence").type == pa.dictionary(pa.int8(), pa.string())
    assert joined.schema.field("flavor").type == pa.dictionary(pa.int8(), pa.string())


def test_a_record_batch_gives_a_record_batch(engine: Engine) -> None:
    joined = engine.join(table().to_batches()[0], ["flavor"], type="instance")
    assert isinstance(joined, pa.RecordBatch)
    assert told(joined) == (EXISTENCES, FLAVORS)


def test_a_reader_gives_a_reader_that_reads_as_it_is_read(engine: Engine) -> None:
    read = []

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in table().to_batches(max_chunksize=2):
            read.append(batch.num_rows)
            yield batch

    joined = engine.join(pa.RecordBatchReader.from_batches(table().schema, batches()), ["flavor"], type="instance")
    assert isinstance(joined, pa.RecordBatchReader)
    assert read == []
    first = joined.read_next_batch()
    assert (first["flavor"].to_pylist(), read) == (FLAVORS[:2], [2])
    assert told(pa.Table.from_batches([first, *joined])) == (EXISTENCES, FLAVORS)


def test_a_pandas_frame_keeps_its_index_and_its_own_columns(engine: Engine) -> None:
    given = table().to_pandas().set_index(pd.Index(list("uvwxyz"), name="key"))
    joined = engine.join(given, ["flavor"], type="instance")
    assert isinstance(joined, pd.DataFrame)
    assert list(joined["existence"]) == EXISTENCES
    assert [None if value is pd.NA or value != value else value for value in joined["flavor"]] == FLAVORS
    assert joined["flavor"].dtype == "category"
    pd.testing.assert_frame_equal(joined[given.columns], given)


def test_a_pandas_frame_with_categories_and_a_local_zone(engine: Engine) -> None:
    given = table().to_pandas()
    given["resource_id"] = given["resource_id"].astype("category")
    given["timestamp"] = given["timestamp"].dt.tz_convert("Asia/Kolkata").dt.as_unit("ns")
    assert list(engine.join(given, ["flavor"], type="instance")["existence"]) == EXISTENCES


def test_a_polars_frame_keeps_its_own_columns(engine: Engine) -> None:
    given = pl.DataFrame(table())
    joined = engine.join(given, ["flavor"], type="instance")
    assert isinstance(joined, pl.DataFrame)
    assert joined["existence"].cast(pl.String).to_list() == EXISTENCES
    assert joined["flavor"].cast(pl.String).to_list() == FLAVORS
    assert joined.select(given.columns).equals(given)


def test_a_polars_frame_with_categories(engine: Engine) -> None:
    given = pl.DataFrame(table()).with_columns(pl.col("resource_id").cast(pl.Categorical))
    assert engine.join(given, ["flavor"], type="instance")["flavor"].cast(pl.String).to_list() == FLAVORS


def test_a_lazy_frame_is_to_be_collected_first(engine: Engine) -> None:
    with pytest.raises(TypeError, match="collected first"):
        engine.join(pl.DataFrame(table()).lazy(), ["flavor"], type="instance")


def test_what_has_the_arrow_interface_gives_a_table(engine: Engine) -> None:
    samples = table()
    relation = duckdb.sql("SELECT * FROM samples")
    assert len(samples) == 6
    joined = engine.join(relation, ["flavor"], type="instance")
    assert isinstance(joined, pa.Table)
    assert told(joined) == (EXISTENCES, FLAVORS)


def test_dicts_give_dicts_one_by_one(engine: Engine) -> None:
    taken = []

    def rows() -> Iterator[dict[str, Any]]:
        for place in range(3_000):
            taken.append(place)
            yield {"resource_id": "a", "timestamp": "2026-03-01T12:00:02Z", "value": place}

    joined = engine.join(rows(), ["flavor"], type="instance")
    assert next(joined) == {
        "resource_id": "a",
        "timestamp": "2026-03-01T12:00:02Z",
        "value": 0,
        "existence": "present",
        "flavor": "large",
    }
    assert len(taken) < 3_000
    assert len(list(joined)) == 2_999


@pytest.mark.parametrize("one", [{"resource_id": "a"}, "samples.csv", b"{}"])
def test_one_sample_alone_is_refused(engine: Engine, one: object) -> None:
    with pytest.raises(TypeError, match="put into a list"):
        engine.join(one)


def as_text(spell: Callable[[str], str]) -> pa.Array:
    return pa.array([spell(clock.format(NOON + seconds * clock.SECOND)) for seconds in WHERE["seconds"]])


MICROSECONDS = [NOON + seconds * clock.SECOND for seconds in WHERE["seconds"]]
TIMES = {
    "seconds": (pa.array([at // 1_000_000 for at in MICROSECONDS], pa.timestamp("s")), "us"),
    "milliseconds": (pa.array([at // 1_000 for at in MICROSECONDS], pa.timestamp("ms", "Europe/Zurich")), "us"),
    "microseconds": (pa.array(MICROSECONDS, pa.timestamp("us")), "us"),
    "nanoseconds": (pa.array([at * 1_000 + 999 for at in MICROSECONDS], pa.timestamp("ns", "+05:30")), "us"),
    "whole seconds": (pa.array([at // 1_000_000 for at in MICROSECONDS], pa.int32()), "s"),
    "whole nanoseconds": (pa.array([at * 1_000 for at in MICROSECONDS]), "ns"),
    "text": (as_text(str), "us"),
    "text without a zone": (as_text(lambda text: text.replace("T", " ").rstrip("Z")), "us"),
    "text in another zone": (as_text(lambda text: text.replace("T12", "T14").replace("Z", "+0200")), "us"),
    "encoded text": (as_text(str).dictionary_encode(), "us"),
}


@pytest.mark.parametrize("spelling", TIMES)
def test_times_in_any_spelling(engine: Engine, spelling: str) -> None:
    times, unit = TIMES[spelling]
    joined = engine.join(table(times), ["flavor"], type="instance", unit=unit)  # type: ignore[arg-type]
    assert told(joined) == (EXISTENCES, FLAVORS)


IDS: dict[str, pa.Array] = {
    "large": pa.array(WHERE["resource_id"], pa.large_string()),
    "view": pa.array(WHERE["resource_id"], pa.string_view()),
    "encoded": pa.array(WHERE["resource_id"]).dictionary_encode(),
    "encoded with narrow indices": pa.array(WHERE["resource_id"]).cast(pa.dictionary(pa.int8(), pa.string())),
    "encoded with unsigned indices": pa.array(WHERE["resource_id"]).cast(pa.dictionary(pa.uint16(), pa.string())),
    "encoded with null in the dictionary": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, 0, 3, 0], pa.int32()), pa.array(["a", "nobody", "b", None])
    ),
    "encoded with what no row has": pa.DictionaryArray.from_arrays(
        pa.array([4, 1, 2, 4, None, 4], pa.int64()), pa.array(["c", "nobody", "b", None, "a"])
    ),
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_of_any_type_of_text(engine: Engine, kind: str) -> None:
    assert told(engine.join(table(ids=IDS[kind]), ["flavor"], type="instance")) == (EXISTENCES, FLAVORS)


def test_slices_and_chunks_of_unequal_lengths(engine: Engine) -> None:
    pieces = [IDS["encoded"], IDS["encoded with null in the dictionary"], IDS["encoded with what no row has"]]
    ids = [piece.cast(IDS["encoded"].type) for piece in pieces]
    times = pa.concat_arrays([table()["timestamp"].combine_chunks()] * 3)
    uneven = pa.table(
        {
            "resource_id": pa.chunked_array([ids[0], ids[1].slice(0, 2), ids[1].slice(2, 0), ids[1].slice(2), ids[2]]),
            "timestamp": pa.chunked_array([times.slice(0, 5), times.slice(5)]),
        }
    )
    joined = engine.join(uneven.slice(2, 15), ["flavor"], type="instance")
    assert told(joined) == ((EXISTENCES * 3)[2:17], (FLAVORS * 3)[2:17])
    split = engine.join(uneven, ["flavor"], type="instance", policy="split", period=1)
    assert split["existence"].to_pylist().count("present") == 6


def test_no_samples_give_no_rows_but_the_columns(engine: Engine) -> None:
    joined = engine.join(table().slice(0, 0), ["flavor"], type="instance", policy="split", cumulative=False)
    assert joined.num_rows == 0
    assert joined.column_names[-3:] == ["row", "part_start", "part_end"]
    reader = pa.RecordBatchReader.from_batches(table().schema, [])
    assert engine.join(reader, ["flavor"], type="instance").read_all().column_names[-1] == "flavor"
    assert list(engine.join([], ["flavor"], type="instance")) == []
    assert engine.join(table().to_pandas().iloc[:0], ["flavor"], type="instance").shape == (0, 5)
    assert engine.join(pl.DataFrame(table()).clear(), ["flavor"], type="instance").shape == (0, 5)


def test_columns_may_be_called_otherwise_and_a_prefix_keeps_names_apart(engine: Engine) -> None:
    given = table().rename_columns({"resource_id": "server", "timestamp": "time", "value": "flavor"})
    columns = {"resource_id": "server", "timestamp": "time"}
    joined = engine.join(given, ["flavor"], type="instance", columns=columns, prefix="at_")
    assert joined.column_names == ["flavor", "server", "time", "at_existence", "at_flavor"]
    assert joined["at_flavor"].to_pylist() == FLAVORS


def test_counts_tell_what_became_of_the_samples(engine: Engine) -> None:
    counts: list[tuple[int, ...]] = []
    reader = pa.RecordBatchReader.from_batches(table().schema, table().to_batches(max_chunksize=3))
    joined = engine.join(
        reader,
        ["flavor"],
        type="instance",
        progress=lambda told: counts.append((told.samples, told.rows, told.present, told.deleted, told.unknown)),
    )
    joined.read_all()
    assert counts == [(3, 3, 2, 0, 1), (6, 6, 3, 0, 3)]


@pytest.mark.parametrize(
    "given",
    [
        pa.array(["p", "q"], pa.string_view()),
        pa.array([b"p", None], pa.binary_view()),
        pa.array([["p"], ["q", None]], pa.list_(pa.string_view())),
        pc.run_end_encode(pa.array([7, 8])),
        pa.chunked_array([pa.array(["p"]).dictionary_encode(), pa.array([None]).cast(pa.string()).dictionary_encode()]),
    ],
    ids=lambda given: str(given.type),
)
def test_the_parts_of_a_sample_keep_columns_of_any_type(engine: Engine, given: pa.Array) -> None:
    ids, times = ["a", "nobody"], [NOON + 3 * clock.SECOND, NOON]
    samples = pa.table({"resource_id": pa.array(ids, pa.string_view()), "timestamp": times, "own": given})
    joined = engine.join(samples, ["flavor"], type="instance", policy="split", period=2 * clock.SECOND)
    assert joined["row"].to_pylist() == [0, 0, 1]
    assert joined.schema.field("own").type == given.type
    assert joined["own"].to_pylist() == [given.to_pylist()[row] for row in (0, 0, 1)]
    none = engine.join(samples.slice(0, 0), ["flavor"], type="instance", policy="split")
    assert none.schema == joined.schema


@pytest.mark.parametrize("dtype", ["int64", "Int64", pd.ArrowDtype(pa.int64()), pd.ArrowDtype(pa.decimal128(20, 0))])
def test_the_parts_of_a_pandas_frame_add_up_beside_what_is_null(engine: Engine, dtype: Any) -> None:
    great = 2**63 - 5
    given = pd.DataFrame({"resource_id": ["a", "a", "a"], "meter": "m", "value": pd.array([1, great, great], dtype)})
    given["timestamp"] = [NOON + seconds * clock.SECOND for seconds in (0, 3, 4)]
    asked = {"fields": ["flavor"], "type": "instance", "policy": "split"}
    parts = engine.join(given, cumulative=True, **asked)
    assert parts["value"].isna().tolist() == [True, False, False, False, False]
    assert [sum(map(int, parts["value"][1:4])), int(parts["value"].iloc[4])] == [great - 1, 0]
    if dtype != "int64":
        given.loc[0, "value"] = None
        whole = engine.join(given, cumulative=False, **asked)
        assert whole["value"].dtype == dtype
        assert sum(map(int, whole["value"][1:4])) == great


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
def test_a_polars_frame_with_times_that_are_text(engine: Engine, kind: Any) -> None:
    spelled = [clock.format(NOON + seconds * clock.SECOND) for seconds in WHERE["seconds"]]
    given = pl.DataFrame(table()).with_columns(timestamp=pl.Series(spelled).cast(kind))
    for part in (given, given[1:5]):
        joined = engine.join(part, ["flavor"], type="instance")
        assert joined["existence"].cast(pl.String).to_list() == (EXISTENCES if part is given else EXISTENCES[1:5])
