"""The join is one sentence: for every sample, what ``timeline(resource).at(timestamp)`` says."""

from __future__ import annotations

from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import History, histories, model, thorough
from tests.joining.columns import DEFINITIONS, engine_with, said, same, samples, segment
from timeline.engine import Engine
from timeline.replay.join import asof

FIELDS = ["x", "y", "m"]
IDS = ("a", "A", "b", None)

rows = st.lists(st.tuples(st.sampled_from(IDS), st.one_of(st.integers(-8, 40), st.none())), max_size=40)


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "compiled" and not asof.COMPILED:
        pytest.skip("the kernel was not compiled: install a C compiler, then the package again")
    if request.param == "numpy":
        monkeypatch.setattr(asof, "COMPILED", False)
    return str(request.param)


def assert_joined(engine: Engine, joined: pa.Table, asked: list[tuple[str | None, int | None]], **known: Any) -> None:
    """Each row of the table is as the timeline says."""
    assert joined.num_rows == len(asked)
    for row, (id, at) in zip(joined.to_pylist(), asked, strict=True):
        told = segment(engine, "instance", id, at, **known)
        assert row["existence"] == told.existence
        assert row["resource_id"] == id
        for name in FIELDS:
            assert same(row[name], said(told, joined.schema.field(name))), (id, at, name)
            assert row[f"{name}_collected"] is (name in told.fields)
    starts = joined["since"].cast(pa.int64()).to_pylist()
    assert starts == [segment(engine, "instance", id, at, **known).start for id, at in asked]


@thorough(150)
@given(histories(), rows)
def test_each_row_has_what_the_timeline_says_at_its_time(
    told: History, asked: list[tuple[str | None, int | None]]
) -> None:
    engine = engine_with([model(each) for each in told])
    table = samples(asked)
    joined = engine.join(table, FIELDS, type="instance", since=True, collected=True)
    assert_joined(engine, joined, asked)
    assert joined.select(table.column_names).equals(table)


@thorough(60)
@given(histories(), rows, st.integers(1_000, 1_010))
def test_the_join_can_be_asked_as_of_what_was_known(
    told: History, asked: list[tuple[str | None, int | None]], known: int
) -> None:
    engine = engine_with([model(each) for each in told])
    joined = engine.join(samples(asked), FIELDS, type="instance", since=True, collected=True, as_known_at=known)
    assert_joined(engine, joined, asked, as_known_at=known)


@thorough(60)
@given(histories(), rows)
def test_dicts_get_the_values_as_they_are(told: History, asked: list[tuple[str | None, int | None]]) -> None:
    engine = engine_with([model(each) for each in told])
    given = [{"resource_id": id, "timestamp": at, "value": 1.5} for id, at in asked]
    joined = list(engine.join(given, FIELDS, type="instance"))
    for row, before, (id, at) in zip(joined, given, asked, strict=True):
        fields = segment(engine, "instance", id, at).fields
        assert msgspec.json.encode(row) == msgspec.json.encode(
            before
            | {"existence": segment(engine, "instance", id, at).existence}
            | {name: fields.get(name) for name in FIELDS}
        )


@thorough(60)
@given(histories(), rows, st.randoms(use_true_random=False))
def test_permuting_the_samples_permutes_the_result(
    told: History, asked: list[tuple[str | None, int | None]], chance: Any
) -> None:
    engine = engine_with([model(each) for each in told])
    order = list(range(len(asked)))
    chance.shuffle(order)
    joined = engine.join(samples(asked), FIELDS, type="instance")
    shuffled = engine.join(samples([asked[place] for place in order]), FIELDS, type="instance")
    assert shuffled.equals(joined.take(pa.array(order, pa.int64())))


@thorough(40)
@given(histories(), rows, st.integers(1, 7))
def test_batches_give_what_the_whole_gives(
    told: History, asked: list[tuple[str | None, int | None]], size: int
) -> None:
    engine = engine_with([model(each) for each in told])
    table = samples(asked)
    whole = engine.join(table, FIELDS, type="instance", since=True)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=size))
    streamed = engine.join(reader, FIELDS, type="instance", since=True)
    assert streamed.schema.equals(whole.schema, check_metadata=True)
    assert streamed.read_all().equals(whole)
    chunked = pa.Table.from_batches(table.to_batches(max_chunksize=size), table.schema)
    assert engine.join(chunked, FIELDS, type="instance", since=True).equals(whole)


@thorough(60)
@given(histories(8), histories(8), rows)
def test_a_fleet_that_is_brought_up_to_date_answers_as_one_that_is_read_anew(
    before: History, after: History, asked: list[tuple[str | None, int | None]]
) -> None:
    engine = engine_with([model(each) for each in before])
    engine.join(samples(asked), FIELDS, type="instance")
    for each in after:
        engine.driver.append([model(each)])
        joined = engine.join(samples(asked), FIELDS, type="instance", since=True)
        anew = Engine(engine.driver, DEFINITIONS).join(samples(asked), FIELDS, type="instance", since=True)
        assert joined.to_pylist() == anew.to_pylist()
        assert [joined.schema.field(name).metadata for name in FIELDS] == [
            anew.schema.field(name).metadata for name in FIELDS
        ]


@thorough(60)
@given(histories(), st.one_of(st.none(), st.integers(-3, 20)), st.one_of(st.none(), st.integers(-3, 30)))
def test_the_table_of_segments_is_what_the_timelines_say_between_two_instants(
    told: History, start: int | None, end: int | None
) -> None:
    engine = engine_with([model(each) for each in told])
    table = engine.segments("instance", FIELDS, start, end)
    expected = []
    for resource in sorted({model(each).resource for each in told}):
        if resource.type == "instance":
            for part in engine.timeline("instance", resource.id).between(start, end):
                values = [said(part, table.schema.field(name)) for name in FIELDS]
                expected.append([resource.id, part.start, part.end, part.existence, *values])
    instants = table.set_column(1, "start", table["start"].cast(pa.int64()))
    instants = instants.set_column(2, "end", table["end"].cast(pa.int64()))
    found = [list(row.values()) for row in instants.to_pylist()]
    assert len(found) == len(expected)
    assert all(same(one, other) or one == other for one, other in zip(chain(*found), chain(*expected), strict=True))
