"""The as-of join over columns: the row of its resource that each sample falls into, and what the columns say there.

Plain arrays in and out: no engine, no store, no Python object per sample. A small C extension does the work; where an
install has none, NumPy gives the same answers, slower, and a line in the log says so.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from timeline.replay.join import asof_numpy

try:
    from timeline.replay.join import _asof
except ImportError:
    COMPILED = False
else:
    COMPILED = True

__all__ = ["COMPILED", "gather", "locate", "processors"]

_log = logging.getLogger("timeline")

Result = TypeVar("Result")
Gathered = list[tuple[NDArray[Any], NDArray[np.uint8] | None]]

_LEAST_PER_THREAD = 500_000
"""Samples below which another thread costs more than it brings."""

_SAMPLES_PER_PACKED_ROW = 4
"""To lay a row of all columns side by side costs as much as it saves on about three samples."""

_MOST_PACKED = 1 << 25
"""The bytes of columns that are laid side by side; where they fit no processor's cache, little is saved."""


def locate(
    ids: NDArray[Any],
    groups: NDArray[np.int32],
    times: NDArray[np.int64],
    unit: str,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> NDArray[np.int32]:
    """The row of each sample: the last of its resource that starts at its time or before; 0 where there is none.

    A sample is an index into a dictionary of ids (any integer type) and a time since 1970 UTC, in ``unit``: s, ms, us
    or ns. ``groups`` has the number of a resource for each dictionary index, or -1. The rows of resource ``g`` are
    ``starts[first[g]:last[g]]``: microseconds, ascending strictly, perhaps none. Row 0 belongs to no resource.

    A time is floored to microseconds, and compared exactly even where it lies beyond their int64. An index or a group
    that is out of range is of no resource. Fastest where the samples of each resource come in order of time.

    Raises TypeError for another type of array, ValueError for lengths or ranges that do not fit.
    """
    ids, times = _column(ids, "ids", "iu"), _column(times, "times", "i", 8)
    groups = _column(groups, "groups", "i", 4)
    first, last = _column(first, "first", "i", 8), _column(last, "last", "i", 8)
    starts = _column(starts, "starts", "i", 8)
    if unit not in ("s", "ms", "us", "ns"):
        raise ValueError(f"The unit must be s, ms, us or ns, not {unit}.")
    if len(ids) != len(times):
        raise ValueError(f"There are {len(ids)} ids and {len(times)} times; each sample has one of both.")
    if len(first) != len(last):
        raise ValueError(f"first has {len(first)} resources and last {len(last)}; each resource has one of both.")
    if max(len(groups), len(first), len(starts)) > np.iinfo(np.int32).max:
        raise ValueError("groups, first and starts can have no more than 2147483647 elements each.")
    if not _is_compiled():
        return asof_numpy.locate(ids, groups, times, unit, first, last, starts)
    rows = np.empty(len(ids), np.int32)

    def part(begin: int, end: int) -> None:
        _asof.locate(ids[begin:end], groups, times[begin:end], unit, first, last, starts, rows[begin:end])

    _in_parts(part, len(ids))
    return rows


def gather(positions: NDArray[np.int32], columns: Sequence[NDArray[Any]]) -> Gathered:
    """What each column says at the positions, as dictionary indices and their validity.

    The columns hold codes (int8, int16 or int32), negative where null. For each comes an array of the same type, with 0
    where null, and a bitmap in Arrow's order of bits, or None where nothing is null.

    Raises TypeError for another type of array, ValueError for columns of different lengths or a position that is no
    row of theirs.
    """
    positions = _column(positions, "positions", "i", 4)
    columns = [_column(column, "columns", "i") for column in columns]
    if any(column.itemsize > 4 for column in columns):
        raise TypeError("columns must be of the type int8, int16 or int32, not int64.")
    if any(len(column) != len(columns[0]) for column in columns):
        raise ValueError("All columns must have one length.")
    if not columns or not _is_compiled():
        return asof_numpy.gather(positions, columns)
    indices = [np.empty(len(positions), column.dtype) for column in columns]
    validity = [
        np.empty((len(positions) + 7) // 8, np.uint8) if _asof.any_negative(column) else None for column in columns
    ]
    nulls = np.zeros(len(columns), np.int64)
    rows, row_bytes = len(columns[0]), sum(column.itemsize for column in columns)
    pays = len(positions) >= _SAMPLES_PER_PACKED_ROW * rows and rows * row_bytes <= _MOST_PACKED
    table = _asof.pack(columns) if pays else None

    def part(begin: int, end: int) -> list[int]:
        ours = (None if bits is None else bits[begin // 8 : (end + 7) // 8] for bits in validity)
        taken = zip(columns, (array[begin:end] for array in indices), ours, strict=True)
        return _asof.gather(positions[begin:end], list(taken), table)

    for counts in _in_parts(part, len(positions)):
        nulls += counts
    return [(array, bits if count else None) for array, bits, count in zip(indices, validity, nulls, strict=True)]


def _column(array: NDArray[Any], name: str, kinds: str, size: int | None = None) -> NDArray[Any]:
    """An array of one dimension and integers of the kinds and size, contiguous, aligned, in the machine's order."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, not {type(array).__name__}.")
    if array.dtype.kind not in kinds or size not in (None, array.itemsize):
        wanted = f"int{size * 8}" if size else "integers"
        raise TypeError(f"{name} must be of the type {wanted}, not {array.dtype}.")
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}.")
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A"])


@functools.cache
def _is_compiled() -> bool:
    """COMPILED; it says so once where the answer is no."""
    if not COMPILED:
        _log.info("The as-of join runs on NumPy, slower: this install has no compiled timeline.replay.join._asof.")
    return COMPILED


def _in_parts(work: Callable[[int, int], Result], samples: int) -> list[Result]:
    """The results of the work on ranges of samples, each for a thread; a range begins at a whole byte of a bitmap."""
    threads = min(processors(), samples // _LEAST_PER_THREAD)
    if threads < 2:
        return [work(0, samples)]
    step = -(-samples // threads // 8) * 8 + 8
    begins = range(0, samples, step)
    with ThreadPoolExecutor(len(begins)) as pool:
        return list(pool.map(lambda begin: work(begin, min(begin + step, samples)), begins))


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
