"""Samples that cover time: what was in force at the start, at the end, or in each part, worked out the slow way."""

from __future__ import annotations

from fractions import Fraction
from math import trunc
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import History, histories, model, thorough
from tests.joining.columns import engine_with, said, segment
from timeline import clock
from timeline.engine import Engine
from timeline.errors import InputError

FIELDS = ["x", "y"]
IDS = ("a", "A", "nobody", None)
Sample = dict[str, Any]

samples = st.lists(
    st.fixed_dictionaries(
        {
            "resource_id": st.sampled_from(IDS),
            "meter": st.sampled_from(("counter", "gauge", None)),
            "timestamp": st.one_of(st.integers(-5, 30), st.integers(-5, 30), st.none()),
            "value": st.one_of(st.integers(-1_000, 1_000), st.none()),
            "start": st.one_of(st.integers(-9, 30), st.none()),
        }
    ),
    max_size=14,
)


def table(rows: list[Sample]) -> pa.Table:
    schema = pa.schema(
        {
            "resource_id": pa.string(),
            "meter": pa.string(),
            "timestamp": pa.int64(),
            "value": pa.int64(),
            "start": pa.int64(),
        }
    )
    return pa.Table.from_pylist(rows, schema=schema)


def previous(rows: list[Sample], place: int, *, counter: bool) -> Sample | None:
    """The sample before one: of the same id and meter, by time, then by row; of a counter one that has a value."""
    row = rows[place]
    if row["resource_id"] is None or row["timestamp"] is None:
        return None
    earlier = [
        (other["timestamp"], number)
        for number, other in enumerate(rows)
        if (other["resource_id"], other["meter"]) == (row["resource_id"], row["meter"])
        and other["timestamp"] is not None
        and (other["timestamp"], number) < (row["timestamp"], place)
        and not (counter and other["value"] is None)
    ]
    return rows[max(earlier)[1]] if earlier else None


def start_of(rows: list[Sample], place: int, period: int | None, *, given: bool, counter: bool) -> int:
    """When the period of a sample begins: at its time where that is not known."""
    row = rows[place]
    at: int = row["timestamp"]
    if given:
        return at if row["start"] is None else int(row["start"])
    if period is not None:
        return at - period
    before = previous(rows, place, counter=counter)
    return at if before is None else int(before["timestamp"])


def value_of(rows: list[Sample], place: int, *, counter: bool) -> int | None:
    """What a sample counted."""
    value: int | None = rows[place]["value"]
    if not counter or value is None:
        return value
    before = previous(rows, place, counter=True)
    if before is None:
        return None
    return value if value < before["value"] else value - int(before["value"])


def parts(engine: Engine, id: str | None, start: int, end: int) -> list[tuple[Any, int, int]]:
    """The segments that a period touches, each with its part of it."""
    if id is None or start == end:
        return [(segment(engine, "instance", id, end), start, end)]
    found = [(part, part.start, part.end) for part in engine.timeline("instance", id).between(start, end)]
    return [(part, first, last) for part, first, last in found if first is not None and last is not None]


def expected(engine: Engine, rows: list[Sample], policy: str, period: int | None, *, given: bool) -> list[list[Any]]:
    """What comes out, worked out row by row."""
    out = []
    for place, row in enumerate(rows):
        id, at, counter = row["resource_id"], row["timestamp"], row["meter"] == "counter"
        value = value_of(rows, place, counter=counter)
        if at is None:
            out.append([place, segment(engine, "instance", None, None), value, None, None])
            continue
        start = start_of(rows, place, period, given=given, counter=counter)
        if policy != "split":
            instant = start if policy == "start" else at - 1 if start < at else at
            out.append([place, segment(engine, "instance", id, instant), value, None, None])
            continue
        for part, first, last in parts(engine, id, start, at):
            share = value
            if value is not None and start < at:
                due = [Fraction(value * (until - start), at - start) for until in (first, last)]
                share = trunc(due[1]) - trunc(due[0])
            out.append([place, part, share, first, last])
    return out


@pytest.mark.parametrize("policy", ["start", "end", "split"])
@pytest.mark.parametrize("how", ["column", "period", "previous"])
def test_what_comes_out_is_what_was_in_force(policy: str, how: str) -> None:
    @thorough(50)
    @given(histories(), samples, st.integers(1, 20))
    def check(told: History, rows: list[Sample], length: int) -> None:
        engine = engine_with([model(each) for each in told])
        if how == "column":
            rows = [row for row in rows if None in (row["start"], row["timestamp"]) or row["start"] <= row["timestamp"]]
        period = length if how == "period" else None
        joined = engine.join(
            table(rows),
            FIELDS,
            type="instance",
            policy=policy,
            period=period,
            columns={"start": "start"} if how == "column" else None,
            cumulative={"counter"},
        )
        told_rows = joined.to_pylist()
        wanted = expected(engine, rows, policy, period, given=how == "column")
        assert len(told_rows) == len(wanted)
        for row, (place, part, value, first, last) in zip(told_rows, wanted, strict=True):
            assert (row["resource_id"], row["meter"], row["value"]) == (
                rows[place]["resource_id"],
                rows[place]["meter"],
                value,
            )
            assert row["existence"] == part.existence
            assert [row[name] for name in FIELDS] == [said(part, joined.schema.field(name)) for name in FIELDS]
            if policy == "split":
                bounds = [None if at is None else clock.instant(at) for at in (row["part_start"], row["part_end"])]
                assert (row["row"], *bounds) == (place, first, last)
        as_dicts = list(
            engine.join(
                rows,
                FIELDS,
                type="instance",
                policy=policy,
                period=period,
                columns={"start": "start"} if how == "column" else None,
                cumulative={"counter"},
            )
        )
        assert [(row["resource_id"], row["value"], row["existence"]) for row in as_dicts] == [
            (row["resource_id"], row["value"], row["existence"]) for row in told_rows
        ]

    check()


def test_a_stream_whose_samples_go_back_in_time_is_refused_by_row() -> None:
    engine = engine_with([])
    rows = table(
        [
            {"resource_id": "a", "meter": "m", "timestamp": at, "value": 1, "start": None}
            for at in (clock.parse("2026-01-01T00:00:05Z"), clock.parse("2026-01-01T00:00:01Z"))
        ]
    )
    reader = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=1))
    with pytest.raises(InputError, match=r"row 2.*sort the input by time"):
        engine.join(reader, ["x"], type="instance", policy="split").read_all()
