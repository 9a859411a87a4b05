"""The as-of join where no compiled kernel is: the same two functions on NumPy alone, for arguments already checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 15
"""Samples that are treated at once, so that what is made on the way stays in the processor's cache."""

_FACTORS = {"s": 1_000_000, "ms": 1_000}


def locate(
    ids: NDArray[Any],
    groups: NDArray[np.int32],
    times: NDArray[np.int64],
    unit: str,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> NDArray[np.int32]:
    """The row of each sample; see :func:`timeline.replay.join.asof.locate`."""
    if not np.all((first >= 0) & (first <= last) & (last <= len(starts))):
        raise ValueError("first and last must be 0 <= first <= last <= the number of starts.")
    rows = np.zeros(len(ids), np.int32)
    if not (len(starts) and len(first) and len(groups)):
        return rows
    grouped = (groups >= 0) & (groups < len(first))
    resource = np.where(grouped, groups, 0)
    # the span of each dictionary index, and after them all the empty one of what is unknown
    low = np.append(first[resource], 0)
    count = np.append(np.where(grouped, last[resource] - low[:-1], 0), 0)
    low[count == 0] = 0
    for begin in range(0, len(ids), _CHUNK):
        end = begin + _CHUNK
        time, before = _microseconds(times[begin:end], unit)
        known = _within(ids[begin:end], len(groups)) & ~before
        index = np.where(known, ids[begin:end].astype(np.int64), len(groups))
        rows[begin:end] = _search(starts, low[index], count[index], time)
    return rows


def gather(
    positions: NDArray[np.int32], columns: Sequence[NDArray[Any]]
) -> list[tuple[NDArray[Any], NDArray[np.uint8] | None]]:
    """What each column says at the positions; see :func:`timeline.replay.join.asof.gather`."""
    if not columns:
        return []
    rows = len(columns[0])
    outside = (positions < 0) | (positions >= rows)
    if outside.any():
        raise ValueError(f"Position {positions[outside.argmax()]} is no row: the columns have {rows}.")
    return [_taken(positions, column) for column in columns]


def _taken(positions: NDArray[np.int32], column: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    codes = column.take(positions)
    valid = codes >= 0
    if valid.all():
        return codes, None
    return np.maximum(codes, 0), np.packbits(valid, bitorder="little")


def _within(ids: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Which ids are dictionary indices; NumPy refuses to compare a narrow type with a number beyond it."""
    below: NDArray[np.bool_] = ids <= min(count - 1, np.iinfo(ids.dtype).max)
    return below & (ids >= 0)


def _microseconds(times: NDArray[np.int64], unit: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Times in microseconds, the greatest for what lies beyond them; and which lie before all of them."""
    if unit in _FACTORS:
        factor = _FACTORS[unit]
        limits = np.iinfo(np.int64)
        most = limits.max // factor
        least = -most
        scaled = np.clip(times, least, most) * factor
        return np.where(times > most, limits.max, scaled), times < least
    return times // 1000 if unit == "ns" else times, np.zeros(len(times), np.bool_)


def _search(
    starts: NDArray[np.int64], low: NDArray[np.int64], count: NDArray[np.int64], time: NDArray[np.int64]
) -> NDArray[np.int64]:
    """A binary search for each sample in its own span, all of them step by step."""
    most = int(count.max(initial=0))
    while most > 1:
        half = count >> 1
        low += half * (starts[low + half] <= time)
        count -= half
        most -= most >> 1
    return np.where(starts[low] <= time, low, 0)
