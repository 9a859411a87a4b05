"""Samples that cover time: a sample of time t covers ``[start, t)``.

Everything is in columns, and times are int64 microseconds. Where the start of a period is not known, the period is
empty, and the sample is one of its time alone. Rows are counted from 1 where a message names one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from timeline import clock
from timeline.errors import InputError
from timeline.replay.join import columns
from timeline.replay.join.columns import Flags, Instants, Rows, Whole


def given_starts(
    starts: Instants, known: Flags | None, ends: Instants, *, name: str, timed: Flags | None = None, row0: int = 0
) -> Instants:
    """The starts that a column gives; where ``known`` is false, or the end is no time (``timed``), the period is empty.

    Raises :class:`~timeline.errors.InputError` where a period starts after its end, with ``name`` and the row.
    """
    usable = np.ones(len(ends), np.bool_)
    for flags in (known, timed):
        if flags is not None:
            usable &= flags
    wrong = np.flatnonzero(usable & (starts > ends))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"column {name!r}, row {row0 + row + 1}: the period starts at {clock.format(int(starts[row]))}, "
            f"after the sample's time {clock.format(int(ends[row]))}",
            row=row0 + row + 1,
        )
    return np.where(usable, starts, ends)


def fixed_starts(ends: Instants, length: int) -> Instants:
    """The starts of periods of one length, none before the year 1.

    Raises :class:`~timeline.errors.InputError` for a length that is not more than 0.
    """
    if length <= 0:
        raise InputError(f"a period of {length} us covers nothing: it is to be longer than 0")
    return np.maximum(ends - min(length, clock.MAX - clock.MIN), np.minimum(ends, clock.MIN))


def last_instants(starts: Instants, ends: Instants) -> Instants:
    """The last microsecond of each period; of an empty one its end."""
    return np.where(starts < ends, ends - 1, ends)


class Before(NamedTuple):
    """What came before each row in its key."""

    starts: Instants
    """The time of the previous sample; the row's own where there is none."""
    known: Flags
    """Where there is one."""
    values: pa.Array | None
    """The value of the previous sample, null where there is none; ``None`` where no values were given."""


class Previous:
    """The previous sample of each resource and meter, through the batches of a stream.

    Order is that of time, then that of rows. A row of a counter whose value is null has a previous sample but is no
    one's: what was counted meanwhile is in the next value.
    """

    def __init__(self) -> None:
        # of each key the last row and, if that is no one's previous, the last that is; ordered by key, then by time
        self._keys = np.zeros(0, np.int64)
        self._times = np.zeros(0, np.int64)
        self._read = np.zeros(0, np.bool_)
        self._values: pa.Array | None = None

    def apply(
        self,
        keys: Rows,
        times: Instants,
        values: pa.Array | pa.ChunkedArray | None = None,
        row0: int = 0,
        *,
        counting: Flags | None = None,
    ) -> Before:
        """What came before each row of the next batch, whose rows may be in any order.

        ``keys`` has one number for each resource and meter, less than 0 for a row that has none, or no time: nothing
        comes before it. Values are given with every batch of a stream, or with none; ``counting`` tells which rows are
        of counters, all of them unless given. ``row0`` is how many rows of the stream came before this batch.
        Raises :class:`~timeline.errors.InputError` for a row that is older than what an earlier batch had of its key,
        with the row; then nothing of the batch is taken in.
        """
        rows = np.flatnonzero(keys >= 0)
        carried = len(self._keys)
        read = np.ones(len(keys), np.bool_)
        every_key = np.concatenate((self._keys, keys[rows]))
        every_time = np.concatenate((self._times, times[rows]))
        pool = None if values is None else columns.one(values)
        if pool is not None:
            flags = columns.valid(pool)
            if flags is not None:
                read = flags if counting is None else flags | ~counting
            if len(rows) < len(keys):
                pool = pool.take(pa.array(rows))
            if self._values is not None:
                pool = pa.concat_arrays([self._values, pool])
        every_read = np.concatenate((self._read, read[rows]))

        order = _order(every_key, every_time)
        ordered = every_key[order]
        places = np.arange(len(order))
        begins = np.diff(ordered, prepend=-1) != 0
        if bool((~begins & (order < carried) & (np.roll(order, 1) >= carried)).any()):
            self._refuse_older(keys, times, row0)
        heads = np.maximum.accumulate(np.where(begins, places, 0))
        readings = np.maximum.accumulate(np.where(every_read[order], places, -1))
        before = np.concatenate((places[:1] - 1, readings[:-1]))
        has = before >= heads

        new = order >= carried
        starts, known = times.copy(), np.zeros(len(times), np.bool_)
        of_row = rows[order[new] - carried]
        known[of_row] = has[new]
        source = order[before]  # of -1, which no row has, the last
        starts[of_row] = np.where(has, every_time[source], every_time[order])[new]
        said = None
        if pool is not None:
            sources = np.zeros(len(times), np.int64)
            sources[of_row] = source[new]
            said = pool.take(pa.array(sources, mask=~known))

        ends = np.roll(begins, -1)
        last = readings[ends]
        ends[last[last >= heads[ends]]] = True
        kept = order[ends]
        self._keys, self._times, self._read = every_key[kept], every_time[kept], every_read[kept]
        self._values = None if pool is None else pool.take(pa.array(kept))
        return Before(starts, known, said)

    def _refuse_older(self, keys: Rows, times: Instants, row0: int) -> None:
        last = np.searchsorted(self._keys, keys, side="right") - 1
        older = (last >= 0) & (self._keys[last] == keys) & (times < self._times[last])
        row = int(np.argmax(older))
        raise InputError(
            f"row {row0 + row + 1}: its time {clock.format(int(times[row]))} lies before "
            f"{clock.format(int(self._times[last[row]]))}, which an earlier batch had of the same resource and meter: "
            "sort the input by time, or give it whole as one table",
            row=row0 + row + 1,
        )


def deltas(
    values: pa.Array | pa.ChunkedArray, previous: pa.Array | pa.ChunkedArray, *, name: str = "value", row0: int = 0
) -> pa.Array:
    """What cumulative values say of their periods: how much more than before or, where they fell, all that they are.

    Both columns are of one type of numbers, which is that of the result; null where either is. Integers and decimals
    are exact, and a NaN makes NaN.
    Raises :class:`~timeline.errors.InputError` for values that are no numbers, and for a difference that does not fit
    the type, with ``name`` and the row.
    """
    now, before = columns.one(values), columns.one(previous)
    type = now.type
    if pa.types.is_null(type):
        return now
    columns.require_numbers(type, name)
    flags = columns.both(columns.valid(now), columns.valid(before))
    if pa.types.is_floating(type):
        kept = columns.dtype(type)
        one, other = columns.buffer(now, kept), columns.buffer(before, kept)
        with np.errstate(all="ignore"):  # behind a null there may be anything
            return columns.array(np.where(one < other, one, one - other), type, flags)
    amounts, fits = _increases(columns.whole(now), columns.whole(before))
    if pa.types.is_decimal(type):
        if not fits.all():
            amounts, _ = _increases(columns.whole(now).astype(object), columns.whole(before).astype(object))
        limit = 10**type.precision
        if amounts.dtype == object or limit <= np.iinfo(np.int64).max:
            fits = (amounts < limit) & (amounts > -limit)
        else:
            fits = np.ones(len(amounts), np.bool_)
    elif not pa.types.is_uint64(type):
        fits &= amounts <= np.iinfo(columns.dtype(type)).max
    wrong = np.flatnonzero(~fits if flags is None else ~fits & flags)
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"column {name!r}, row {row0 + row + 1}: the difference of {now[row]} and {before[row]} before it "
            f"does not fit {type}",
            row=row0 + row + 1,
        )
    return columns.of_whole(amounts, type, flags)


def _increases(now: Whole, before: Whole) -> tuple[Whole, Flags]:
    if now.dtype != before.dtype:  # decimals, of which one column needs more than int64
        now, before = now.astype(object), before.astype(object)
    fell = now < before
    amounts = np.where(fell, now, now - before)
    return amounts, fell | (amounts >= 0)  # where int64 was too narrow, it has wrapped below 0


class Parts(NamedTuple):
    """The parts into which samples are cut, in the order of samples, then of time; one row each."""

    sample: Rows
    """Which sample it is part of."""
    row: npt.NDArray[np.int32]
    """The segment in force."""
    start: Instants
    end: Instants


def parts(
    starts: Instants,
    ends: Instants,
    first_rows: npt.NDArray[np.int32],
    last_rows: npt.NDArray[np.int32],
    segment_starts: Instants,
    resource_first: Rows,
) -> Parts:
    """The segments that the period of each sample touches; of an empty period, the one at its end.

    ``first_rows`` are the segments in force at the starts, ``last_rows`` those at :func:`last_instants`. Segment 0 is
    ``unknown``, in force until the first row of the sample's resource begins, which is ``resource_first``.
    """
    empty = starts >= ends
    unknown_first = ~empty & (first_rows == 0) & (last_rows > 0)
    base = np.where(empty, last_rows, np.where(unknown_first, resource_first - 1, first_rows)).astype(np.int64)
    counts = np.where(empty | (last_rows == 0), 1, last_rows - base + 1)
    heads = np.cumsum(counts) - counts
    sample = np.repeat(np.arange(len(counts)), counts)
    row = np.repeat(base - heads, counts) + np.arange(len(sample))
    start = segment_starts[row]
    start[heads] = np.where(empty, ends, starts)
    row[heads[unknown_first]] = 0
    end = np.empty_like(start)
    end[:-1] = start[1:]
    end[heads + counts - 1] = ends
    return Parts(sample, row.astype(np.int32), start, end)


def _order(keys: Rows, times: Instants) -> Rows:
    """The rows by key, then by time, then as they are."""
    if bool((keys[1:] >= keys[:-1]).all()):
        order = np.arange(len(keys))
    else:
        order = _by_key(keys)
    same = np.diff(keys[order]) == 0
    if bool((same & (np.diff(times[order]) < 0)).any()):
        by_time = np.argsort(times, kind="stable")
        order = by_time[_by_key(keys[by_time])]
    return order


def _by_key(keys: Rows) -> Rows:
    digits = (keys - keys.min()).view(np.uint64)
    if int(digits.max()) >> 32:
        return np.argsort(keys, kind="stable")
    # NumPy sorts 16 bits by counting, which is several times faster
    order = np.argsort(digits.astype(np.uint16), kind="stable")
    if int(digits.max()) >> 16:
        order = order[np.argsort((digits >> np.uint64(16)).astype(np.uint16)[order], kind="stable")]
    return order
