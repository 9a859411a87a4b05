"""Shares of what a sample counted: they add up to the whole, and each is what its part of the period is due."""

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeline import clock
from timeline.errors import InputError
from timeline.replay.join.apportion import apportion

HOUR = 3_600 * clock.SECOND
INTEGERS = {f"{sign}int{width}": width for sign in ("", "u") for width in (8, 16, 32, 64)}
FLOATS = {"halffloat": np.float16, "float": np.float32, "double": np.float64}


def divided(values: pa.Array | pa.ChunkedArray, bounds: Sequence[Sequence[int]], **more: Any) -> list[list[Any]]:
    """The shares of each sample, whose parts lie between neighbouring bounds."""
    counts = [len(each) - 1 for each in bounds]
    shares = apportion(
        values,
        np.repeat(np.arange(len(counts)), counts),
        np.array([bound for each in bounds for bound in each[:-1]], np.int64),
        np.array([bound for each in bounds for bound in each[1:]], np.int64),
        **more,
    )
    assert len(shares) == sum(counts)
    shares.validate(full=True)
    iterator = iter(shares.to_pylist())
    return [[next(iterator) for _ in range(count)] for count in counts]


def due(value: int, bounds: Sequence[int]) -> list[int]:
    """The rule for whole numbers, in fractions."""
    length, sign = bounds[-1] - bounds[0], -1 if value < 0 else 1
    passed = [sign * math.floor(Fraction(abs(value) * (bound - bounds[0]), length)) for bound in bounds]
    return [after - before for before, after in pairwise(passed)]


def cuts(longest: int) -> st.SearchStrategy[list[int]]:
    """The bounds of one or more parts within a period of some length."""
    lengths = st.lists(st.integers(1, longest) | st.integers(1, 7), min_size=1, max_size=6)
    return st.builds(
        lambda start, parts: [start, *(start + sum(parts[: number + 1]) for number in range(len(parts)))],
        st.integers(clock.MIN, clock.MIN + 1_000),
        lengths,
    )


PERIODS = cuts(10 * HOUR) | cuts(60 * 24 * HOUR) | cuts((clock.MAX - clock.MIN) // 7)


# Whole numbers


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(INTEGERS)), st.data())
def test_integers_add_up_and_each_part_gets_what_it_is_due(name: str, data: st.DataObject) -> None:
    width = INTEGERS[name]
    low, high = (0, 2**width - 1) if name.startswith("u") else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    numbers = st.sampled_from([low, high, 0]) | st.integers(low, high)
    samples = data.draw(st.lists(st.tuples(numbers | st.none(), PERIODS), max_size=6))
    values = pa.array([value for value, _ in samples], name)
    for (value, bounds), shares in zip(samples, divided(values, [each for _, each in samples]), strict=True):
        if value is None:
            assert shares == [None] * (len(bounds) - 1)
        else:
            assert sum(shares) == value
            assert shares == due(value, bounds)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**64 - 1, 1, 0])
@pytest.mark.parametrize(
    "bounds",
    [
        [clock.MIN, clock.MIN + 1, clock.MAX],
        [clock.MIN, clock.MAX - 1, clock.MAX],
        [clock.MIN, 0, 1, 2, clock.MAX],
        [0, 2**32 - 1, 2**32],
        [0, 2**31, 2**32 - 1],
        [0, 1, 2],
        [-(2**63), 0, 2**63 - 1],  # no time, but a length that int64 cannot hold
        [-(2**63), -(2**63), 2**62],
    ],
)
def test_the_greatest_values_and_the_longest_periods_are_exact(value: int, bounds: list[int]) -> None:
    type = pa.uint64() if value >= 2**63 else pa.int64()
    assert divided(pa.array([value], type), [bounds]) == [due(value, bounds)]


def test_what_is_counted_below_zero_is_divided_as_it_is_above() -> None:
    bounds = [0, 1, 2, 3]
    assert divided(pa.array([10, -10]), [bounds, bounds]) == [[3, 3, 4], [-3, -3, -4]]
    assert divided(pa.array([1, -1]), [bounds, bounds]) == [[0, 0, 1], [0, 0, -1]]


DECIMALS = [
    pa.decimal128(5, 2),
    pa.decimal128(18, 0),
    pa.decimal128(38, 9),
    pa.decimal256(76, 20),
    pa.decimal128(6, -2),
]
if hasattr(pa, "decimal32"):
    DECIMALS += [pa.decimal32(9, 3), pa.decimal64(18, 18)]


def decimals(numbers: Sequence[int | None], type: pa.DataType) -> pa.Array:
    """A column of decimals, from what they are in units of their last digit."""
    return pa.array([None if each is None else exact(each, type) for each in numbers], type)


def exact(number: int, type: pa.DataType) -> Decimal:
    return Decimal((number < 0, tuple(map(int, str(abs(number)))), -type.scale))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(DECIMALS), st.data())
def test_decimals_add_up_in_units_of_their_last_digit(type: pa.DataType, data: st.DataObject) -> None:
    limit = 10**type.precision - 1
    numbers = st.sampled_from([limit, -limit, 0, 1]) | st.integers(-limit, limit) | st.integers(-min(limit, 99), 99)
    samples = data.draw(st.lists(st.tuples(numbers | st.none(), PERIODS), max_size=6))
    shares = divided(decimals([value for value, _ in samples], type), [bounds for _, bounds in samples])
    assert shares == [
        [None] * (len(bounds) - 1) if value is None else [exact(share, type) for share in due(value, bounds)]
        for value, bounds in samples
    ]


# Floats


def of_float(value: Any, bounds: Sequence[int], dtype: Any) -> list[Any]:
    """The rule for floats, one operation after the other."""
    if len(bounds) == 2 or not np.isfinite(value):
        return [value] * (len(bounds) - 1)
    length = np.float64(bounds[-1] - bounds[0])
    lengths = [np.float64(after - before) for before, after in pairwise(bounds)]
    shares = [dtype(np.float64(value) * (each / length)) for each in lengths[:-1]]
    total = shares[0]
    for share in shares[1:]:
        total = dtype(total + share)
    return [*shares, dtype(value - total)]


def same(one: Any, other: Any) -> bool:
    return (one is None and other is None) or np.array_equal(one, other, equal_nan=True)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FLOATS)), st.data())
def test_of_floats_the_last_part_is_the_whole_less_the_others(name: str, data: st.DataObject) -> None:
    dtype = FLOATS[name]
    floats = st.floats(width=dtype().itemsize * 8)  # type: ignore[arg-type]
    samples = data.draw(st.lists(st.tuples(floats.map(dtype) | st.none(), PERIODS), max_size=6))
    values = pa.array([value for value, _ in samples], name)
    for (value, bounds), shares in zip(samples, divided(values, [each for _, each in samples]), strict=True):
        if value is None:
            assert shares == [None] * (len(bounds) - 1)
        elif not np.isfinite(value) or abs(value) <= np.finfo(dtype).max / 2:
            expected = of_float(value, bounds, dtype)
            assert all(map(same, shares, expected)), (shares, expected)
        else:
            assert np.isfinite(shares).all()
            assert math.isclose(math.fsum(float(share) / 2 for share in shares), float(value) / 2, rel_tol=0.01)


@pytest.mark.parametrize("name", FLOATS)
def test_the_greatest_float_has_finite_shares(name: str) -> None:
    greatest = np.finfo(FLOATS[name]).max
    bounds = [0, *range(1, 1_000, 3), 10**15]
    for period in (bounds, [0, 10**15 - 1, 10**15], [0, 1, 10**15]):
        (above, below) = divided(pa.array([greatest, -greatest], name), [period, period])
        assert np.isfinite(above).all()
        assert [-share for share in above] == below


def test_what_is_infinite_or_nan_is_so_in_every_part_and_null_is_null() -> None:
    values = pa.array([math.inf, -math.inf, math.nan, None, 3.0])
    bounds = [0, 1, 2, 3]
    *others, last = divided(values, [bounds] * 5)
    assert others[0] == [math.inf] * 3
    assert others[1] == [-math.inf] * 3
    assert all(math.isnan(share) for share in others[2])
    assert others[3] == [None] * 3
    assert last == [1.0, 1.0, 1.0]


def test_a_value_in_one_part_is_untouched_to_the_bit() -> None:
    bits = np.array([0x7FF8_0000_DEAD_BEEF, 0x8000_0000_0000_0000, 0x7FF0_0000_0000_0001, 1], np.uint64)
    values = pa.array(bits.view(np.float64), from_pandas=False)
    sample = np.array([0, 1, 2, 3, 3])
    shares = apportion(values, sample, np.array([0, 0, 0, 0, 5]), np.array([9, 9, 9, 5, 9]))
    assert np.frombuffer(shares.buffers()[1], np.uint64)[:3].tolist() == bits[:3].tolist()


def test_many_parts_of_many_counts_stay_with_their_samples() -> None:
    bounds = [list(range(0, (count + 1) * 7, 7)) for count in range(1, 120)] * 2
    values = [number * 1.1 for number in range(len(bounds))]
    assert divided(pa.array(values), bounds) == [
        of_float(value, each, np.float64) for value, each in zip(values, bounds, strict=True)
    ]
    numbers = [number * 1_000_003 for number in range(len(bounds))]
    assert divided(pa.array(numbers), bounds) == list(map(due, numbers, bounds))


# Columns


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), PERIODS), max_size=6), st.data())
def test_samples_in_another_order_have_the_same_shares(
    samples: list[tuple[int | None, list[int]]], data: st.DataObject
) -> None:
    def shares(of: list[tuple[int | None, list[int]]]) -> list[list[Any]]:
        return divided(pa.array([value for value, _ in of], pa.int64()), [bounds for _, bounds in of])

    order = data.draw(st.permutations(range(len(samples))))
    before = shares(samples)
    assert shares([samples[place] for place in order]) == [before[place] for place in order]


@pytest.mark.parametrize("type", [pa.int64(), pa.uint8(), pa.float64(), pa.decimal128(9, 2)])
def test_slices_chunks_and_dictionaries_are_read_as_what_they_hold(type: pa.DataType) -> None:
    number = Decimal if pa.types.is_decimal(type) else int
    values = pa.array([None if each is None else number(each) for each in (99, 10, None, 7, 98)], type)
    bounds = [[0, 1, 4], [0, 1, 2], [0, 3, 4]]
    plain = divided(pa.array(values.to_pylist()[1:4], type), bounds)
    assert divided(values[1:4], bounds) == plain
    assert divided(pa.chunked_array([values[1:2], values[2:4]]), bounds) == plain
    assert divided(values.dictionary_encode()[1:4], bounds) == plain


def test_a_part_of_no_length_gets_nothing() -> None:
    assert divided(pa.array([10]), [[0, 0, 5, 5]]) == [[0, 10, 0]]
    assert divided(pa.array([10.0]), [[0, 0, 5, 5]]) == [[0.0, 10.0, 0.0]]
    with pytest.raises(ValueError, match="has one part"):
        divided(pa.array([10]), [[5, 5, 5]])


def test_of_no_samples_there_are_no_shares() -> None:
    for type in (pa.int64(), pa.float32(), pa.decimal128(9, 2), pa.null()):
        assert divided(pa.array([], type), []) == []


def test_a_column_of_nulls_is_null_in_every_part() -> None:
    assert divided(pa.nulls(2), [[0, 1, 2], [0, 1]]) == [[None, None], [None]]


@example(type=pa.string())
@given(st.sampled_from([pa.string(), pa.bool_(), pa.timestamp("us"), pa.list_(pa.int64()), pa.duration("s")]))
def test_what_is_no_number_cannot_be_divided(type: pa.DataType) -> None:
    with pytest.raises(InputError, match=r"column 'usage' holds .*: what samples count is numbers"):
        divided(pa.nulls(1, type), [[0, 1]], name="usage")
