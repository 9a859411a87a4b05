"""Answers compared, whatever their encodings are: no time counts of a join that says something else than its peer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from benchmarks.changes import Array


def equal(one: Array, other: Array) -> None:
    """Raise unless two arrays are equal."""
    if not np.array_equal(one, other):
        raise RuntimeError(f"answers differ, first at sample {int((one != other).argmax())}")


def same(joined: pa.Table, peer: pa.Table, names: Iterable[str]) -> None:
    """Raise unless the columns of two tables say the same in every row. Where a peer found nothing, it is unknown."""
    for name in names:
        one, other = plain(joined[name]), plain(peer[name])
        if name == "existence":
            other = other.fill_null("unknown")
        if not one.equals(other):
            raise RuntimeError(f"answers differ in {name}")


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text or numbers without a dictionary."""
    encoded = pa.types.is_dictionary(column.type)
    type = column.type.value_type if encoded else column.type
    wide = pa.int64() if pa.types.is_integer(type) else type if pa.types.is_floating(type) else pa.large_string()
    if not encoded:
        return column.cast(wide)
    return pa.chunked_array([chunk.dictionary.cast(wide).take(chunk.indices) for chunk in column.chunks], wide)
