"""Columns as text: what stands in the cells of CSV, and in the objects of JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from timeline.errors import InputError
from timeline.reports.csv import quoted

_UTC = ("UTC", "Etc/UTC", "Z", "+00:00")

# a number that Arrow writes without a point is not to become a whole one
_POINT = r"[.en]"

_encode = msgspec.json.Encoder(decimal_format="number").encode


def csv_text(value: Any) -> str:
    """The cell of a value; of a text, in quotes where it needs them."""
    return quoted(value if isinstance(value, str) else json_text(value))


def json_text(value: Any) -> str:
    """A value as JSON."""
    return _encode(value).decode()


class Cells:
    """One column as text, batch by batch: what stands in a dictionary is written once."""

    def __init__(
        self, field: pa.Field, write: Callable[[Any], str], *, null: str, quote: str = "", infinite: str | None = None
    ) -> None:
        """``write`` makes the cell of a text, list or map; ``quote`` stands around a time.

        ``infinite`` is written for what is no finite number.
        """
        self._field = field
        self._write = write
        self._null = null
        self._quote = quote
        self._infinite = infinite
        self._dictionary: tuple[pa.Array, pa.Array] | None = None

    def texts(self, column: pa.Array) -> pa.Array:
        """The cells of a batch; none is null. Raises InputError for what cannot be told as text."""
        try:
            texts = self._of_dictionary(column) if pa.types.is_dictionary(column.type) else self._plain(column)
        except UnicodeDecodeError as error:
            raise self._refused("holds text that is not in UTF-8") from error
        except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
            raise self._refused(f"cannot be told as text: {error!s:.100}") from error
        return texts.fill_null(self._null)

    def _refused(self, why: str) -> InputError:
        return InputError(
            f"the column {self._field.name!r} {why}; written as Parquet (-o OUT.parquet) it stays as it is"
        )

    def _of_dictionary(self, column: pa.DictionaryArray) -> pa.Array:
        dictionary = column.dictionary
        if self._dictionary is None or not self._dictionary[0].equals(dictionary):
            self._dictionary = dictionary, self._plain(dictionary)
        return self._dictionary[1].take(column.indices)

    def _plain(self, column: pa.Array) -> pa.Array:
        type = column.type
        if pa.types.is_floating(type):
            return self._of_floats(column)
        if pa.types.is_integer(type) or pa.types.is_boolean(type) or pa.types.is_decimal(type):
            return column.cast(pa.string())
        if pa.types.is_duration(type):
            return column.cast(pa.int64()).cast(pa.string())
        if pa.types.is_temporal(type) and not pa.types.is_interval(type):
            zone = ""
            if pa.types.is_timestamp(type) and type.tz in _UTC:
                # ten times as fast without a zone to be looked up
                column, zone = column.cast(pa.timestamp(type.unit)), "Z"
            texts = column.cast(pa.string())
            if pc.any(pc.starts_with(texts, "<")).as_py():  # so Arrow says that it cannot tell a time
                raise self._refused("holds a time outside the years that can be told")
            times = pc.replace_substring(texts, " ", "T", max_replacements=1)
            return pc.binary_join_element_wise(self._quote, times, zone + self._quote, "")
        return self._written(column)

    def _of_floats(self, column: pa.Array) -> pa.Array:
        texts = column.cast(pa.string())
        texts = pc.if_else(pc.match_substring_regex(texts, _POINT), texts, pc.binary_join_element_wise(texts, ".0", ""))
        return texts if self._infinite is None else pc.if_else(pc.is_finite(column), texts, self._infinite)

    def _written(self, column: pa.Array) -> pa.Array:
        """Each distinct value is written once, where it can be told."""
        type = column.type
        if pa.types.is_string(type) or pa.types.is_large_string(type):
            encoded = column.dictionary_encode()
            return self._made(encoded.dictionary).take(encoded.indices)
        return self._made(column)

    def _made(self, column: pa.Array) -> pa.Array:
        cells = [None if value is None else self._write(value) for value in column.to_pylist()]
        return pa.array(cells, pa.string())
