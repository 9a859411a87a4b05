"""What a sample counted, divided among the parts of its period by their length."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from timeline.replay.join import columns
from timeline.replay.join.columns import Instants, Rows, Whole

Lengths = npt.NDArray[np.uint64]
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


def apportion(
    values: pa.Array | pa.ChunkedArray, sample: Rows, part_start: Instants, part_end: Instants, *, name: str = "value"
) -> pa.Array:
    """The share of each part, of the type of the values.

    ``sample`` is the row of ``values`` that a part is of; the parts of one sample stand side by side. The value of a
    sample in one part is its share, untouched. Otherwise:

    - integers and decimals add up to the whole exactly: what is due up to the end of a part, rounded toward 0, less
      what was due up to its start;
    - of floats each share is rounded, and the last is the whole less the sum of the others, added up in order of time.
      What is infinite or NaN is so in every part;
    - null is null in every part.

    Raises :class:`~timeline.errors.InputError` for a column that holds no numbers, with ``name``.
    """
    array = columns.one(values)
    type = array.type
    if not pa.types.is_null(type):
        columns.require_numbers(type, name)
    shares = array.take(pa.array(sample))
    flags = columns.valid(shares)
    heads = np.flatnonzero(np.diff(sample, prepend=-1))
    counts = np.diff(heads, append=len(sample))
    divided = counts > 1
    if flags is not None:
        divided &= flags[heads]
    if not divided.any():
        return shares
    places = np.flatnonzero(np.repeat(divided, counts))
    counts = counts[divided]
    heads = np.cumsum(counts) - counts
    lengths = part_end[places].view(np.uint64) - part_start[places].view(np.uint64)
    if not np.add.reduceat(lengths, heads).all():
        raise ValueError("a sample whose period is empty has one part")
    if pa.types.is_floating(type):
        floats = columns.buffer(shares, columns.dtype(type)).copy()
        floats[places] = _of_floats(floats[places[heads]], counts, heads, lengths)
        return columns.array(floats, type, flags)
    whole = columns.whole(shares)
    if not whole.flags.writeable:
        whole = whole.copy()
    whole[places] = _of_whole(whole[places[heads]], counts, heads, lengths)
    return columns.of_whole(whole, type, flags)


def _of_whole(values: Whole, counts: Rows, heads: Rows, lengths: Lengths) -> Whole:
    # wrapping does no harm: a period is shorter than 2^64
    passed = np.cumsum(lengths)
    passed -= np.repeat(passed[heads] - lengths[heads], counts)
    totals = np.repeat(passed[heads + counts - 1], counts)
    negative = np.repeat(values < 0, counts)
    if values.dtype == object:
        due = np.repeat(abs(values), counts) * passed.astype(object) // totals.astype(object)
    else:
        sizes = values.view(np.uint64)
        sizes = np.where(values < 0, ~sizes + np.uint64(1), sizes)  # -2^63 has one too
        due = _scaled(np.repeat(sizes, counts), passed, totals)
    shares: Whole = due.copy()
    shares[1:] -= due[:-1]
    shares[heads] = due[heads]
    if values.dtype == object:
        shares = np.where(negative, -shares, shares)
    else:
        shares = np.where(negative, ~shares + np.uint64(1), shares).view(values.dtype)
    return shares


def _scaled(sizes: Lengths, passed: Lengths, totals: Lengths) -> Lengths:
    """``sizes * passed // totals`` without a product that is too large; ``passed`` is never more than ``totals``."""
    whole, rest = sizes // totals, sizes % totals
    width = int(totals.max()).bit_length()
    step = 63 - width
    if width <= 32:
        quotient = rest * passed // totals
    elif step > 0:
        # by hand, some bits of ``passed`` at a time: all that arises is below 2^64
        quotient, remainder = np.zeros_like(rest), np.zeros_like(rest)
        for shift in reversed(range(0, width, step)):
            digit = (passed >> np.uint64(shift)) & np.uint64((1 << step) - 1)
            partial = (remainder << np.uint64(step)) + rest * digit
            quotient = (quotient << np.uint64(step)) + partial // totals
            remainder = partial % totals
    else:
        quotient = (rest.astype(object) * passed.astype(object) // totals.astype(object)).astype(np.uint64)
    scaled: Lengths = whole * passed + quotient
    return scaled


def _of_floats(values: Floats, counts: Rows, heads: Rows, lengths: Lengths) -> Floats:
    ratios = lengths.astype(np.float64)
    ratios /= np.repeat(np.add.reduceat(lengths, heads).astype(np.float64), counts)
    finite = np.isfinite(values)
    wholes = np.where(finite, values, values.dtype.type(0))
    # near the greatest float rounding could carry the sum beyond it, so half is divided; halving is exact there
    large = np.abs(wholes) > np.finfo(values.dtype).max / 2
    wholes = np.where(large, wholes / 2, wholes)
    shares: Floats = (np.repeat(wholes.astype(np.float64), counts) * ratios).astype(values.dtype)
    lasts = heads + counts - 1
    for count in np.unique(counts):
        alike = np.flatnonzero(counts == count)
        others = shares[heads[alike][:, None] + np.arange(count - 1)]
        shares[lasts[alike]] = wholes[alike] - np.add.accumulate(others, axis=1)[:, -1]
    shares = np.where(np.repeat(large, counts), shares * 2, shares)
    return np.where(np.repeat(finite, counts), shares, np.repeat(values, counts))
