"""Columns of times as int64, whatever they were written in.

Rows are counted from 1 where a message names one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from timeline import clock
from timeline.errors import InputError, TimeError
from timeline.replay.join import columns, iso
from timeline.replay.join.columns import Flags, Instants

UNITS = {"s": clock.SECOND, "ms": clock.SECOND // 1_000, "us": 1, "ns": 0}
"""The microseconds in each unit; a nanosecond is less than one."""

_NANOSECONDS = 1_000
"""Nanoseconds in a microsecond."""


class Times(NamedTuple):
    """A column of times: how many of ``unit`` since 1970 UTC."""

    times: Instants
    """Not to be written to: it may be the memory of the column itself. Where ``valid`` is false it means nothing."""
    unit: str
    """``s``, ``ms``, ``us`` or ``ns``."""
    valid: Flags | None
    """Which rows have a time; ``None`` where all have one."""


class _NoTime(Exception):
    """The value in a row, counted from 0 within its piece of the column, is no time."""

    def __init__(self, row: int, reason: str) -> None:
        self.row = row
        self.reason = reason


def microseconds(
    column: pa.Array | pa.ChunkedArray, unit_of_integers: str = "us", *, name: str, row0: int = 0
) -> Times:
    """The times of a column, in microseconds or, where that saves a copy, in the column's own unit.

    Timestamps (UTC if they have no zone), dates, integers in ``unit_of_integers``, and text in every spelling that
    :func:`timeline.clock.parse` reads. ``row0`` is how many rows of the stream came before.
    Raises :class:`~timeline.errors.InputError` for a value that is no time between the years 1 and 9999, with ``name``
    and the row, and for a column that holds no times at all.
    """
    if unit_of_integers not in UNITS:
        raise InputError(f"{unit_of_integers!r:.60} is no unit of time; there are {', '.join(UNITS)}")
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    read = []
    for chunk in chunks or [pa.array([], column.type)]:
        try:
            read.append(_times(chunk, unit_of_integers, name))
        except _NoTime as error:
            row = row0 + error.row + 1
            raise InputError(f"column {name!r}, row {row}: {error.reason}", row=row) from error.__cause__
        row0 += len(chunk)
    if len(read) == 1:
        return read[0]
    flags = None
    if any(each.valid is not None for each in read):
        flags = np.concatenate([np.ones(len(each.times), bool) if each.valid is None else each.valid for each in read])
    return Times(np.concatenate([each.times for each in read]), read[0].unit, flags)


def to_us(times: Instants, unit: str) -> Instants:
    """Times in microseconds, floored. They are to be within the years 1 to 9999."""
    if unit == "ns":
        return times // _NANOSECONDS
    return times if unit == "us" else times * UNITS[unit]


def _times(array: pa.Array, unit: str, name: str) -> Times:
    type = array.type
    if pa.types.is_dictionary(type):
        return _of_dictionary(array, unit, name)
    array = columns.one(array)
    type = array.type
    flags = columns.valid(array)
    if pa.types.is_timestamp(type):
        return _checked(columns.buffer(array, np.int64), type.unit, flags)
    if pa.types.is_date32(type):
        return _checked(columns.buffer(array, np.int32).astype(np.int64) * 86_400, "s", flags)
    if pa.types.is_date64(type):
        return _checked(columns.buffer(array, np.int64), "ms", flags)
    if pa.types.is_uint64(type):
        return _unsigned(columns.buffer(array, np.uint64), unit, flags)
    if pa.types.is_integer(type):
        return _checked(columns.buffer(array, columns.dtype(type)).astype(np.int64, copy=False), unit, flags)
    if pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return Times(_parsed(array, flags), "us", flags)
    if pa.types.is_null(type):
        return Times(np.zeros(len(array), np.int64), "us", flags)
    why = "; a float is not exact" if pa.types.is_floating(type) else ""
    raise InputError(
        f"column {name!r} holds {type}{why}: "
        "times are timestamps, dates, integers, or text such as 2026-03-01T12:00:00Z"
    )


def _of_dictionary(array: pa.DictionaryArray, unit: str, name: str) -> Times:
    flags = columns.valid(array)
    indices = columns.whole(array.indices)
    used = np.zeros(len(array.dictionary), np.bool_)
    used[indices if flags is None else indices[flags]] = True
    distinct = array.dictionary
    if not used.all():  # a value that no row has may be anything
        if pa.types.is_string_view(distinct.type):  # which cannot be taken
            distinct = distinct.cast(pa.large_string())
        distinct = distinct.take(pa.array(np.arange(len(used)), mask=~used))
    try:
        times, unit, known = _times(distinct, unit, name)
    except _NoTime:
        return _times(columns.one(array), unit, name)  # it names the first row that has a value which is no time
    if not len(times):
        return Times(np.zeros(len(array), np.int64), unit, flags)
    if known is not None:
        of_value = known[indices]
        flags = of_value if flags is None else flags & of_value
        flags = None if flags.all() else flags
    return Times(times[indices], unit, flags)


def _checked(times: Instants, unit: str, flags: Flags | None) -> Times:
    if unit != "ns":  # 2^63 nanoseconds are 292 years
        low, high = -(-clock.MIN // UNITS[unit]), clock.MAX // UNITS[unit]
        if len(times) and not (low <= times.min() and times.max() <= high):
            _refuse((times < low) | (times > high), times, unit, flags)
    return Times(times, unit, flags)


def _unsigned(times: npt.NDArray[np.uint64], unit: str, flags: Flags | None) -> Times:
    if unit == "ns":  # up to the year 2554, which int64 cannot hold
        return Times((times // np.uint64(_NANOSECONDS)).astype(np.int64), "us", flags)
    _refuse(times > np.uint64(clock.MAX // UNITS[unit]), times, unit, flags)
    return Times(times.astype(np.int64), unit, flags)


def _refuse(bad: Flags, times: npt.NDArray[np.int64] | npt.NDArray[np.uint64], unit: str, flags: Flags | None) -> None:
    rows = np.flatnonzero(bad if flags is None else bad & flags)
    if len(rows):
        raise _NoTime(int(rows[0]), f"{times[rows[0]]} {unit} since 1970 is outside the years 1 to 9999")


def _parsed(array: pa.Array, flags: Flags | None) -> Instants:
    if pa.types.is_string_view(array.type):
        array = array.cast(pa.large_string())
    count = len(array)
    if not count:
        return np.zeros(0, np.int64)
    _, offsets, data = array.buffers()
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    bounds = np.frombuffer(offsets, width, count + 1, array.offset * np.dtype(width).itemsize).astype(np.int64)
    text = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    instants, known = iso.read(text, bounds)
    rare = np.flatnonzero(~known if flags is None else ~known & flags)
    if len(rare):
        spellings = array.take(pa.array(rare)).cast(pa.large_binary()).dictionary_encode()
        codes = columns.whole(spellings.indices)
        read = np.zeros(len(spellings.dictionary), np.int64)
        for code, spelling in enumerate(spellings.dictionary.to_pylist()):
            try:
                # what is no UTF-8 is no time either
                read[code] = clock.parse(spelling.decode("utf-8", "replace"))
            except TimeError as error:
                raise _NoTime(int(rare[np.argmax(codes == code)]), str(error)) from error
        instants[rare] = read[codes]
    return instants
