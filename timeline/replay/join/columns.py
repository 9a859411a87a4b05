"""Arrow columns as NumPy arrays and back, without a Python object for each row.

Buffers are read where they lie: the offset of a slice is heeded, and what a buffer holds in a null row means nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from timeline.errors import InputError

Instants = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Whole = np.ndarray[Any, np.dtype[Any]]
"""Whole numbers: int64, uint64, or Python's own where these are too narrow."""

_WORD = 1 << 64
_FLOATS = {"halffloat": "float16", "float": "float32", "double": "float64"}


def one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column in one piece, with neither dictionary nor runs; without a copy where it is so already."""
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(map(one, _chunks(column)))
    if pa.types.is_dictionary(column.type):
        if pa.types.is_string_view(column.type.value_type):  # which cannot be decoded
            wide = column.dictionary.cast(pa.large_string())
            column = pa.DictionaryArray.from_arrays(column.indices, wide, safe=False)
        return one(column.dictionary_decode())
    if pa.types.is_run_end_encoded(column.type):
        return one(pc.run_end_decode(column))
    return column


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks or [pa.array([], column.type)]


def dtype(type: pa.DataType) -> np.dtype[Any]:
    """NumPy's type for a type of integers or floats."""
    return np.dtype(_FLOATS.get(str(type), str(type)))


def buffer(array: pa.Array, kept_as: npt.DTypeLike, width: int = 1) -> np.ndarray[Any, np.dtype[Any]]:
    """The values of an array of fixed width, of NumPy's type ``kept_as``, ``width`` for each row.

    Not to be written to: they lie where Arrow has them.
    """
    kept = np.dtype(kept_as)
    held = array.buffers()[1]
    if held is None or not len(array):
        return np.zeros(len(array) * width, kept)
    return np.frombuffer(held, kept, len(array) * width, array.offset * width * kept.itemsize)


def valid(array: pa.Array) -> Flags | None:
    """Which rows are not null; ``None`` where no row is null."""
    if not array.null_count:
        return None
    flags: Flags = array.is_valid().to_numpy(zero_copy_only=False)
    return flags


def both(one: Flags | None, other: Flags | None) -> Flags | None:
    """Which rows are null in neither of two columns; ``None`` where none is null in any."""
    if one is None or other is None:
        return one if other is None else other
    return one & other


def are_numbers(type: pa.DataType) -> bool:
    """Whether a type is of integers, decimals or floats."""
    return bool(pa.types.is_integer(type) or pa.types.is_decimal(type) or pa.types.is_floating(type))


def require_numbers(type: pa.DataType, name: str) -> None:
    """Raise :class:`~timeline.errors.InputError` unless a type is of integers, decimals or floats."""
    if not are_numbers(type):
        raise InputError(f"column {name!r} holds {type}: what samples count is numbers")


def bitmap(flags: Flags | None) -> pa.Buffer | None:
    """Flags as Arrow keeps them."""
    if flags is None or flags.all():
        return None
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def array(values: np.ndarray[Any, np.dtype[Any]], type: pa.DataType, flags: Flags | None) -> pa.Array:
    """Values of a primitive type as an Arrow array, without a copy; null where ``flags`` is false."""
    return pa.Array.from_buffers(type, len(values), [bitmap(flags), pa.py_buffer(np.ascontiguousarray(values))])


def whole(array: pa.Array) -> Whole:
    """The numbers of integers or decimals, these counted in the unit of their last digit; 0 where they are null.

    int64, or uint64 for a column of that type; of decimals that need more, an array of Python integers.
    """
    type, flags = array.type, valid(array)
    if pa.types.is_decimal(type):
        return _unscaled(array, flags)
    values = buffer(array, dtype(type))
    if flags is not None:
        values = np.where(flags, values, values.dtype.type(0))
    return values if pa.types.is_uint64(type) else values.astype(np.int64, copy=False)


def of_whole(values: Whole, type: pa.DataType, flags: Flags | None) -> pa.Array:
    """The array of a type of integers or decimals whose numbers :func:`whole` gives. They are to fit the type."""
    if not pa.types.is_decimal(type):
        return array(values.astype(dtype(type), copy=False), type, flags)
    width = type.bit_width // 8
    if width < 8:
        return array(values.astype(np.int32), type, flags)
    words = np.empty((len(values), width // 8), np.uint64)
    for place in range(width // 8):
        if values.dtype == object:
            words[:, place] = (values % _WORD).astype(np.uint64)
            values = values // _WORD
        else:
            words[:, place] = values.view(np.uint64)
            values = values >> 63  # what lies above an int64 repeats its sign
    return pa.Array.from_buffers(type, len(words), [bitmap(flags), pa.py_buffer(words)])


def _unscaled(array: pa.Array, flags: Flags | None) -> Whole:
    width = array.type.bit_width // 8
    if width < 8:
        narrow = buffer(array, np.int32).astype(np.int64)
        return narrow if flags is None else np.where(flags, narrow, 0)
    words = buffer(array, np.int64, width // 8).reshape(-1, width // 8)
    if flags is not None:
        words = np.where(flags[:, None], words, 0)
    low = words[:, 0]
    if bool((words[:, 1:] == (low >> 63)[:, None]).all()):
        return np.ascontiguousarray(low)
    result: Whole = words[:, -1].astype(object)
    for place in reversed(range(width // 8 - 1)):
        result = result * _WORD + words[:, place].view(np.uint64).astype(object)
    return result
