"""Columns of times: whatever they are written in, each row is the instant that the clock reads there."""

import decimal
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeline import clock
from timeline.errors import InputError, TimeError
from timeline.replay.join import iso
from timeline.replay.join.times import UNITS, Times, microseconds, to_us

NOON = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
TEXT_TYPES = (pa.string(), pa.large_string(), pa.string_view())
INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())


def told(column: pa.Array | pa.ChunkedArray, unit: str = "us", **more: Any) -> list[int | None]:
    """What a column says, in microseconds."""
    read = microseconds(column, unit, name="timestamp", **more)
    assert read.times.dtype == np.int64
    assert read.valid is None or not read.valid.all()
    instants = to_us(read.times, read.unit).tolist()
    return [each if read.valid is None or read.valid[row] else None for row, each in enumerate(instants)]


def refusal(column: pa.Array | pa.ChunkedArray, unit: str = "us", **more: Any) -> str:
    with pytest.raises(InputError) as refused:
        microseconds(column, unit, name="timestamp", **more)
    return str(refused.value)


# Spellings

SIGNS = st.sampled_from(list("0123456789-:.,+TtZzW \n"))
ZONES = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
MOMENTS = st.datetimes(timezones=st.none() | st.just(UTC) | ZONES)


def spelled(moment: datetime, between: str, fraction: str, zone: str) -> str:
    text = moment.replace(tzinfo=None, microsecond=0).isoformat(between)
    offset = moment.strftime("%z")
    zones = {"": "", "Z": "Z", "hours": offset[:3], "plain": offset, "colon": offset and f"{offset[:3]}:{offset[3:]}"}
    return text + (f".{fraction}" if fraction else "") + zones[zone]


def damaged(text: str, places: list[tuple[int, str]]) -> str:
    for place, character in places:
        text = text[: place % len(text)] + character + text[place % len(text) + 1 :]
    return text


USUAL = st.builds(
    spelled,
    MOMENTS,
    st.sampled_from("T "),
    st.text("0123456789", max_size=12),
    st.sampled_from(["", "Z", "hours", "plain", "colon"]),
)
TEXTS = USUAL | st.builds(damaged, USUAL, st.lists(st.tuples(st.integers(0, 40), SIGNS | st.characters()), max_size=3))


def read(text: str) -> int | None:
    try:
        return clock.parse(text)
    except TimeError:
        return None


@settings(max_examples=500, deadline=None)
@given(st.lists(TEXTS | st.text(), max_size=12))
@example(["0000-01-01T00:00:00", "0000-12-31T23:59:59Z", "2026-02-29T00:00:00", "2024-02-29T00:00:00"])
@example(["2026-00-10T00:00:00", "2026-13-10T00:00:00", "2026-03-00T00:00:00", "2026-04-31T00:00:00"])
@example(["9999-12-31T23:59:59.999999", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"])
@example(["2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+00:60", "2026-03-01T12:00:00-2359"])
@example(["2026-03-01T24:00:00", "2026-03-01T12:60:00", "2026-03-01T12:00:60", "2026-03-01T12:00:00."])
@example(["2026-03-01T12:00:00.+01", "2026-03-01T12:00:00.1+0100", "2026-03-01T12:00:00+0x:00"])
def test_what_is_read_at_once_is_read_as_the_clock_reads_it(texts: list[str]) -> None:
    encoded = [text.encode("utf-8", "replace") for text in texts]
    bounds = np.cumsum([0, *map(len, encoded)])
    instants, known = iso.read(np.frombuffer(b"".join(encoded), np.uint8), bounds)
    for text, instant, is_known in zip(texts, instants.tolist(), known.tolist(), strict=True):
        if is_known:
            assert instant == clock.parse(text), text


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00",
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.123Z",
        "2026-03-01T12:00:00.123456789",
        "2026-03-01T12:00:00.123456+00:00",
        "2026-03-01T12:00:00-0730",
        "2026-03-01T12:00:00.1+05",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2000-02-29T00:00:00Z",
    ],
)
def test_the_usual_spellings_need_no_python(text: str) -> None:
    instants, known = iso.read(np.frombuffer(text.encode(), np.uint8), np.array([0, len(text)]))
    assert known.all()
    assert instants.tolist() == [clock.parse(text)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | TEXTS.filter(lambda text: read(text) is not None), max_size=12), st.data())
def test_text_is_read_as_the_clock_reads_it_in_every_encoding(texts: list[str | None], data: st.DataObject) -> None:
    expected = [None if text is None else clock.parse(text) for text in texts]
    cut = data.draw(st.integers(0, len(texts)))
    for type in TEXT_TYPES:
        array = pa.array(texts, type)
        assert told(array) == expected
        assert told(array.slice(cut)) == expected[cut:]
        assert told(pa.chunked_array([array[:cut], array[cut:]], type)) == expected
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    assert told(encoded) == expected
    assert told(encoded.slice(cut)) == expected[cut:]
    chunks = [pa.array(part, pa.string()).dictionary_encode() for part in (texts[:cut], texts[cut:])]
    assert told(pa.chunked_array(chunks)) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | TEXTS, min_size=1, max_size=12), st.integers(0, 3))
def test_the_first_row_that_is_no_time_is_named_in_every_encoding(texts: list[str | None], before: int) -> None:
    array = pa.array([None if text is None else text.encode("utf-8", "replace").decode() for text in texts])
    bad = [row for row, text in enumerate(array.to_pylist(), 1) if text is not None and read(text) is None]
    for column in (array, array.dictionary_encode(), pa.chunked_array([array[:1], array[1:]])):
        if bad:
            assert refusal(column, row0=before).startswith(f"column 'timestamp', row {before + bad[0]}: ")
        else:
            told(column)


def test_more_texts_than_are_read_at_once_stay_in_their_rows() -> None:
    instants = [NOON + row * 1_000_003 for row in range(40_000)]
    texts = [clock.format(each) for each in instants]
    assert told(pa.array(texts)) == instants
    texts[20_000:20_003] = ["2026-03-01", " 2026-03-01T12:00:00Z", "2026-03-01T12:00:00"]
    instants[20_000:20_003] = [NOON - 12 * 3_600_000_000, NOON, NOON]
    assert told(pa.array(texts)) == instants
    texts[39_999] = "yesterday"
    assert refusal(pa.array(texts)).startswith("column 'timestamp', row 40000: 'yesterday' is no time in ISO 8601")


def test_text_that_is_no_utf_8_is_no_time() -> None:
    broken = pa.array([b"2026-03-01T12:00:00Z", b"\xff\xfe"]).view(pa.string())
    assert refusal(broken).startswith("column 'timestamp', row 2: ")


def test_a_value_of_a_dictionary_that_no_row_has_may_be_anything() -> None:
    values = pa.array(["no time", "2026-03-01T12:00:00Z", None])
    column = pa.DictionaryArray.from_arrays(pa.array([1, None, 2, 1], pa.int8()), values)
    assert told(column) == [NOON, None, None, NOON]
    assert told(pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int8()), values)) == [None, None]
    assert told(pa.DictionaryArray.from_arrays(pa.array([None], pa.int8()), values[:0])) == [None]


# Timestamps, dates and integers


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+05:30"])
def test_a_column_of_timestamps_is_read_in_place_and_in_its_unit(unit: str, zone: str | None) -> None:
    column = pa.array([NOON // 1_000_000, None, -1, 0], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
    column = column.cast(pa.timestamp(unit, zone)) if zone is None else column.view(pa.timestamp(unit, zone))
    assert told(column) == [NOON, None, -1_000_000, 0]
    assert told(column[1:3]) == [None, -1_000_000]
    read = microseconds(column[2:], name="timestamp")
    assert (read.unit, read.valid) == (unit, None)
    assert read.times.__array_interface__["data"][0] == column.buffers()[1].address + 2 * 8
    assert told(pa.chunked_array([column, column[3:]])) == [NOON, None, -1_000_000, 0, 0]
    assert told(column.dictionary_encode()) == [NOON, None, -1_000_000, 0]


def test_a_day_is_its_first_instant() -> None:
    days = [date(2026, 3, 1), None, date(1969, 12, 31), date(1, 1, 1), date(9999, 12, 31)]
    expected = [None if day is None else clock.parse(day.isoformat()) for day in days]
    assert told(pa.array(days, pa.date32())) == expected
    assert told(pa.array(days, pa.date64())) == expected
    assert told(pa.array(days, pa.date32())[1:3]) == expected[1:3]


@pytest.mark.parametrize("type", INTEGERS)
@pytest.mark.parametrize(("unit", "nanoseconds"), [("s", 10**9), ("ms", 10**6), ("us", 1_000), ("ns", 1)])
def test_integers_count_the_unit_that_is_said(type: pa.DataType, unit: str, nanoseconds: int) -> None:
    numbers = [0, 1, None, 127] + ([-1, -128] if str(type).startswith("int") else [])
    expected = [None if number is None else number * nanoseconds // 1_000 for number in numbers]
    assert told(pa.array(numbers, type), unit) == expected
    assert told(pa.array(numbers, type)[1:], unit) == expected[1:]
    assert told(pa.array(numbers, type).dictionary_encode(), unit) == expected


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), st.sampled_from(sorted(UNITS)))
def test_times_are_floored_to_the_microsecond_or_refused_as_out_of_range(numbers: list[int], unit: str) -> None:
    scale = {"s": 10**9, "ms": 10**6, "us": 1_000, "ns": 1}[unit]
    instants = [number * scale // 1_000 for number in numbers]
    bad = [row for row, instant in enumerate(instants, 1) if not clock.MIN <= instant <= clock.MAX]
    integers = pa.array(numbers, pa.int64())
    for column in (integers, integers.view(pa.timestamp(unit))):
        if bad:
            assert refusal(column, unit).startswith(f"column 'timestamp', row {bad[0]}: {numbers[bad[0] - 1]} {unit} ")
        else:
            assert told(column, unit) == instants


@pytest.mark.parametrize(("unit", "scale"), [("s", 10**6), ("ms", 10**3), ("us", 1)])
def test_the_bounds_of_the_years_1_to_9999_are_exact_in_every_unit(unit: str, scale: int) -> None:
    first, last = clock.MIN // scale, clock.MAX // scale
    assert told(pa.array([first, last]), unit) == [first * scale, last * scale]
    for beyond in (first - 1, last + 1):
        assert refusal(pa.array([None, 0, beyond]), unit) == (
            f"column 'timestamp', row 3: {beyond} {unit} since 1970 is outside the years 1 to 9999"
        )


def test_what_an_unsigned_column_holds_beyond_int64_is_read_or_refused() -> None:
    greatest = pa.array([2**64 - 1, None], pa.uint64())
    assert told(greatest, "ns") == [(2**64 - 1) // 1_000, None]
    assert told(pa.chunked_array([greatest[1:], greatest]), "ns") == [None, (2**64 - 1) // 1_000, None]
    assert refusal(greatest, "us").startswith("column 'timestamp', row 1: 18446744073709551615 us since 1970 is out")
    assert told(pa.array([clock.MAX], pa.uint64())) == [clock.MAX]


def test_what_lies_behind_a_null_is_not_looked_at() -> None:
    behind = np.array([NOON, 2**63 - 1, -(2**63)])
    column = pa.array(behind, pa.timestamp("us"), mask=np.array([False, True, True]))
    assert told(column) == [NOON, None, None]
    text = pa.array(["2026-03-01T12:00:00Z", "no time"])
    hidden = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\x01"), *text.buffers()[1:]])
    assert told(hidden) == [NOON, None]


# Columns of other kinds


def test_a_column_of_nulls_has_no_time_and_an_empty_one_no_rows() -> None:
    assert told(pa.nulls(2)) == [None, None]
    for type in (pa.null(), pa.string(), pa.timestamp("ms"), pa.uint64(), pa.date32(), pa.string_view()):
        assert told(pa.array([], type)) == []
        assert told(pa.chunked_array([], type)) == []
        assert told(pa.nulls(3, type)) == [None, None, None]
    assert told(pa.array([], pa.dictionary(pa.int32(), pa.string()))) == []


def test_runs_are_read_as_what_they_stand_for() -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["2026-03-01T12:00:00Z", None]))
    assert told(runs) == [NOON, NOON, None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.5]),
        pa.array([True]),
        pa.array([b"2026-03-01"]),
        pa.array([decimal.Decimal(1)]),
        pa.array([1], pa.duration("s")),
        pa.array([1], pa.time64("us")),
        pa.array([["2026-03-01"]]),
        pa.array([{"a": 1}]),
        pa.array([1.5]).dictionary_encode(),
    ],
)
def test_a_column_of_another_kind_is_refused_by_name(column: pa.Array) -> None:
    assert refusal(column).startswith("column 'timestamp' holds ")
    assert refusal(column[:0]).startswith("column 'timestamp' holds ")


def test_a_unit_that_is_none_is_refused() -> None:
    assert refusal(pa.array([1]), "min") == "'min' is no unit of time; there are s, ms, us, ns"


def test_times_say_their_unit_and_which_rows_have_one() -> None:
    read = microseconds(pa.array([1, None]), "ms", name="timestamp")
    assert isinstance(read, Times)
    assert read.unit == "ms"
    assert read.valid is not None
    assert read.valid.tolist() == [True, False]
