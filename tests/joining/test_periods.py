"""Samples that cover time: when their periods start, what came before them, and the segments that they touch."""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories import History, by_resource, histories, timeline
from timeline import clock
from timeline.errors import InputError
from timeline.replay.join.periods import Previous, deltas, fixed_starts, given_starts, last_instants, parts

EXTREMES = (clock.MIN, clock.MIN + 1, -1, 0, 1, clock.MAX - 1, clock.MAX)


def instants(numbers: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(numbers, np.int64)


def flags(said: Sequence[bool]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array(said, np.bool_)


# Where a period starts


def test_a_start_that_is_not_known_makes_the_period_empty() -> None:
    starts = given_starts(instants([5, 99, 10, 99]), flags([True, False, True, True]), instants([10] * 4), name="start",
                          timed=flags([True, True, True, False]))  # fmt: skip
    assert starts.tolist() == [5, 10, 10, 10]
    assert given_starts(instants([5]), None, instants([5]), name="start").tolist() == [5]


def test_a_period_that_starts_after_its_end_is_refused_with_its_row() -> None:
    with pytest.raises(InputError) as refused:
        given_starts(instants([9, 10, 11]), None, instants([10, 10, 10]), name="from", row0=100)
    assert str(refused.value) == (
        "column 'from', row 103: the period starts at 1970-01-01T00:00:00.000011Z, "
        "after the sample's time 1970-01-01T00:00:00.000010Z"
    )


def test_periods_of_one_length_start_so_much_earlier_but_not_before_the_year_1() -> None:
    assert fixed_starts(instants([10, clock.MAX, clock.MIN + 7, clock.MIN]), 7).tolist() == [
        3, clock.MAX - 7, clock.MIN, clock.MIN
    ]  # fmt: skip
    assert fixed_starts(instants(EXTREMES), 2**80).tolist() == [clock.MIN] * len(EXTREMES)
    for length in (0, -1):
        with pytest.raises(InputError, match="longer than 0"):
            fixed_starts(instants([10]), length)


def test_a_period_ends_in_the_state_of_its_last_microsecond() -> None:
    assert last_instants(instants([3, 9, 10]), instants([10, 10, 10])).tolist() == [9, 9, 10]


# What came before

Row = tuple[int, int, int | None]
"""Key, time, value."""

ROWS = st.tuples(st.integers(-1, 2), st.integers(0, 5) | st.sampled_from(EXTREMES), st.none() | st.integers(0, 9))
WIDE = st.sampled_from([1, 70_000, 2**33, 2**61])
"""What keys are multiplied by: they may lie far apart."""


def before(rows: Sequence[Row], counting: Sequence[bool] | None) -> list[Row | None]:
    """The previous row of each, by looking at all; ``counting`` tells of which rows a null is passed over."""
    found: list[Row | None] = []
    for place, (key, time, _) in enumerate(rows):
        earlier = [
            (each[1], other, each)
            for other, each in enumerate(rows)
            if each[0] == key >= 0
            and (each[1], other) < (time, place)
            and (counting is None or not counting[other] or each[2] is not None)
        ]
        found.append(max(earlier)[2] if earlier else None)
    return found


def applied(previous: Previous, rows: Sequence[Row], wide: int, row0: int, **more: Any) -> list[Row | None]:
    """The previous row of each row of a batch, as far as it is told."""
    keys = instants([key if key < 0 else key * wide for key, _, _ in rows])
    values = more.pop("values", True)
    column = pa.array([value for _, _, value in rows], pa.int64()) if values else None
    told = previous.apply(keys, instants([time for _, time, _ in rows]), column, row0, **more)
    said = [None] * len(rows) if told.values is None else told.values.to_pylist()
    assert (told.values is None) is not values
    for known, start, value, (_, time, _) in zip(told.known.tolist(), told.starts.tolist(), said, rows, strict=True):
        assert known or (start, value) == (time, None)
    return [
        (key, start, value) if known else None
        for (key, _, _), known, start, value in zip(rows, told.known, told.starts.tolist(), said, strict=True)
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, max_size=12), WIDE, st.sampled_from(["time", "key", "none"]), st.data())
def test_the_previous_sample_is_the_last_before_in_time_then_in_rows(
    rows: list[Row], wide: int, by: str, data: st.DataObject
) -> None:
    if by == "time":
        rows.sort(key=lambda row: row[1])
    elif by == "key":
        rows.sort(key=lambda row: row[:2])
    assert applied(Previous(), rows, wide, 0) == before(rows, [True] * len(rows))
    counting = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    assert applied(Previous(), rows, wide, 0, counting=flags(counting)) == before(rows, counting)
    without = [row and (row[0], row[1], None) for row in before(rows, None)]
    assert applied(Previous(), rows, wide, 0, values=False) == without


@settings(max_examples=400, deadline=None)
@given(st.lists(ROWS, max_size=14), WIDE, st.booleans(), st.booleans(), st.data())
def test_batches_say_what_the_whole_says_or_name_the_row_that_comes_too_late(
    rows: list[Row], wide: int, in_order: bool, counting: bool, data: st.DataObject
) -> None:
    if in_order:
        rows.sort(key=lambda row: row[1])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    counters = [counting] * len(rows)
    expected = before(rows, counters)
    previous, told = Previous(), []
    newest: dict[int, int] = {}
    for begin, end in pairwise([0, *cuts, len(rows)]):
        batch = rows[begin:end]
        late = [row for row, (key, time, _) in enumerate(batch) if key >= 0 and time < newest.get(key, clock.MIN)]
        if late:
            with pytest.raises(InputError) as refused:
                applied(previous, batch, wide, begin, counting=flags(counters[begin:end]))
            assert str(refused.value).startswith(f"row {begin + late[0] + 1}: its time ")
            assert str(refused.value).endswith("sort the input by time, or give it whole as one table")
            # a batch that is refused leaves no trace
            batch = [row for place, row in enumerate(batch) if place not in late]
            applied(previous, batch, wide, begin, counting=flags([counting] * len(batch)))
            return
        told += applied(previous, batch, wide, begin, counting=flags(counters[begin:end]))
        for key, time, _ in batch:
            newest[key] = max(time, newest.get(key, clock.MIN))
    assert told == expected


@settings(deadline=None)
@given(st.lists(ROWS, max_size=10, unique_by=lambda row: row[:2]), st.data())
def test_rows_in_another_order_have_the_same_previous(rows: list[Row], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    told = applied(Previous(), rows, 1, 0)
    assert applied(Previous(), [rows[place] for place in order], 1, 0) == [told[place] for place in order]


def test_many_rows_in_rounds_are_told_as_one_by_one() -> None:
    keys = np.tile(np.arange(1_000)[::-1], 50)
    times = np.repeat(np.arange(50), 1_000) * 60
    values = pa.array(np.arange(50_000))
    whole = Previous().apply(keys, times, values)
    assert whole.known.tolist() == [False] * 1_000 + [True] * 49_000
    assert whole.starts.tolist() == [0] * 1_000 + (times[1_000:] - 60).tolist()
    assert whole.values.to_pylist() == [None] * 1_000 + list(range(49_000))


def test_two_samples_at_one_time_are_told_apart_by_their_rows() -> None:
    told = Previous().apply(instants([0, 0, 0]), instants([5, 5, 5]), pa.array([1, 4, 2]))
    assert told.starts.tolist() == [5, 5, 5]
    assert told.values.to_pylist() == [None, 1, 4]


def test_the_previous_value_is_found_in_slices_and_chunks() -> None:
    values = pa.array([9, 1, None, 3, 9])
    keys, times = instants([0, 0, 0]), instants([1, 2, 3])
    for column in (values[1:4], pa.chunked_array([values[1:2], values[2:4]]), values.dictionary_encode()[1:4]):
        assert Previous().apply(keys, times, column).values.to_pylist() == [None, 1, 1]


# Cumulative values

TYPES = [f"{sign}int{width}" for sign in ("", "u") for width in (8, 16, 32, 64)]


def increase(value: Any, previous: Any) -> Any:
    if value is None or previous is None:
        return None
    return value if value < previous else value - previous


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(TYPES), st.data())
def test_a_delta_is_exact_or_refused_with_its_row(name: str, data: st.DataObject) -> None:
    width = int(name.lstrip("uint"))
    low, high = (0, 2**width - 1) if name.startswith("u") else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    number = st.none() | st.sampled_from([low, high, 0, 1]) | st.integers(low, high)
    pairs = data.draw(st.lists(st.tuples(number, number), max_size=8))
    values, previous = (pa.array([pair[place] for pair in pairs], name) for place in (0, 1))
    expected = [increase(*pair) for pair in pairs]
    wrong = [row for row, each in enumerate(expected, 1) if each is not None and not low <= each <= high]
    if wrong:
        with pytest.raises(InputError, match=rf"^column 'cpu', row {wrong[0] + 7}: .* does not fit {name}$"):
            deltas(values, previous, name="cpu", row0=7)
    else:
        told = deltas(values, previous)
        assert (told.type, told.to_pylist()) == (values.type, expected)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([(5, 2), (18, 0), (19, 3), (38, 9), (76, 20)]), st.data())
def test_a_delta_of_decimals_is_exact_or_refused_with_its_row(shape: tuple[int, int], data: st.DataObject) -> None:
    precision, scale = shape
    type = (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, scale)
    limit = 10**precision - 1
    number = st.none() | st.sampled_from([limit, -limit, 0]) | st.integers(-limit, limit) | st.integers(-9, 9)
    pairs = data.draw(st.lists(st.tuples(number, number), max_size=6))

    def decimal(number: int) -> Decimal:
        return Decimal((number < 0, tuple(map(int, str(abs(number)))), -scale))

    values, previous = (
        pa.array([None if pair[place] is None else decimal(pair[place]) for pair in pairs], type) for place in (0, 1)
    )
    expected = [increase(*pair) for pair in pairs]
    wrong = [row for row, each in enumerate(expected, 1) if each is not None and abs(each) > limit]
    if wrong:
        with pytest.raises(InputError, match=f"^column 'value', row {wrong[0]}: "):
            deltas(values, previous)
    else:
        told = deltas(values, previous)
        assert told.type == type
        assert told.to_pylist() == [None if each is None else decimal(each) for each in expected]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_delta_of_floats_is_their_difference_and_of_nan_nan(dtype: Any) -> None:
    values = pa.array(np.array([3.5, 1.0, np.nan, 2.0, np.inf, 5.0, 0.0], dtype), from_pandas=False)
    previous = pa.array(np.array([1.25, 4.0, 1.0, np.nan, 1.0, np.inf, -0.0], dtype), from_pandas=False)
    told = deltas(values, previous)
    assert told.type == values.type
    np.testing.assert_array_equal(told.to_numpy(), np.array([2.25, 1.0, np.nan, np.nan, np.inf, 5.0, 0.0], dtype))
    nothing = deltas(pa.array([1.0, None]).cast(values.type), pa.array([None, 1.0]).cast(values.type))
    assert nothing.to_pylist() == [None, None]


def test_what_a_counter_counted_is_the_sum_of_its_deltas_also_past_nulls_and_resets() -> None:
    values = pa.array([100, 130, None, 150, 20, 25])
    told = Previous().apply(np.zeros(6, np.int64), np.arange(6) * 60, values)
    assert deltas(values, told.values).to_pylist() == [None, 30, None, 20, 20, 5]
    assert told.starts.tolist() == [0, 0, 60, 60, 180, 240]


def test_values_that_are_no_numbers_have_no_deltas() -> None:
    with pytest.raises(InputError, match="column 'cpu' holds string"):
        deltas(pa.array(["1"]), pa.array(["0"]), name="cpu")
    assert deltas(pa.nulls(2), pa.nulls(2)).to_pylist() == [None, None]
    assert deltas(pa.array([], pa.int8()), pa.array([], pa.int8())).to_pylist() == []


# The segments that a period touches


@settings(max_examples=300, deadline=None)
@given(histories(), st.data())
def test_the_parts_of_a_period_are_the_timeline_between_its_bounds(told: History, data: st.DataObject) -> None:
    timelines = [timeline(of) for of in by_resource(told).values()]
    counts = [len(each.segments) for each in timelines]
    first = np.cumsum([1, *counts])
    starts_of = [[segment.start or 0 for segment in each.segments] for each in timelines]
    segment_starts = instants([-(2**63), *(start for starts in starts_of for start in starts)])
    edges = sorted({bound for starts in starts_of for start in starts for bound in (start - 1, start, start + 1)})
    instant = st.sampled_from([*edges, *EXTREMES])
    samples = data.draw(st.lists(st.tuples(st.integers(0, len(timelines) - 1), instant, instant), max_size=8))
    samples = [(resource, *sorted(bounds)) for resource, *bounds in samples]
    starts, ends = instants([start for _, start, _ in samples]), instants([end for _, _, end in samples])

    def located(times: Any) -> Any:
        found = []
        for (resource, _, _), time in zip(samples, times.tolist(), strict=True):
            place = bisect_right(starts_of[resource], time)
            found.append(first[resource] + place - 1 if place else 0)
        return np.array(found, np.int32)

    resource_first = instants([first[resource] for resource, _, _ in samples])
    cut = parts(starts, ends, located(starts), located(last_instants(starts, ends)), segment_starts, resource_first)
    assert (cut.sample.dtype, cut.row.dtype, cut.start.dtype, cut.end.dtype) == (
        np.int64, np.int32, np.int64, np.int64
    )  # fmt: skip
    expected = []
    for number, (resource, start, end) in enumerate(samples):
        if start == end:
            segment = timelines[resource].at(end)
            expected.append((number, row_of(segment.start, starts_of[resource], first[resource]), end, end))
        for segment in timelines[resource].between(start, end):
            # clipped: what is in force at the start of the part tells which it is
            row = row_of(segment.start, starts_of[resource], first[resource])
            expected.append((number, row, segment.start, segment.end))
    assert list(zip(*(each.tolist() for each in cut), strict=True)) == expected


def row_of(instant: int | None, starts: list[int], first: int) -> int:
    place = 0 if instant is None else bisect_right(starts, instant)
    return first + place - 1 if place else 0


def test_a_period_is_cut_at_each_change_and_begins_with_unknown() -> None:
    segment_starts = instants([-(2**63), 100, 100, 200, 300])
    cut = parts(
        instants([50, 150, 200, 50, 250, 50]),
        instants([250, 200, 200, 100, 900, 60]),
        np.array([0, 2, 3, 0, 3, 0], np.int32),
        np.array([3, 2, 3, 0, 4, 0], np.int32),
        segment_starts,
        instants([2, 2, 2, 2, 2, 0]),
    )
    assert cut.sample.tolist() == [0, 0, 0, 1, 2, 3, 4, 4, 5]
    assert cut.row.tolist() == [0, 2, 3, 2, 3, 0, 3, 4, 0]
    assert cut.start.tolist() == [50, 100, 200, 150, 200, 50, 250, 300, 50]
    assert cut.end.tolist() == [100, 200, 250, 200, 200, 100, 300, 900, 60]


def test_of_no_samples_there_are_no_parts() -> None:
    none, rows = instants([]), np.zeros(0, np.int32)
    assert [len(each) for each in parts(none, none, rows, rows, instants([0]), none)] == [0, 0, 0, 0]
