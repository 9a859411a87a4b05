"""Samples in a CSV file: its first line names the columns."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from threading import Event
from traceback import clear_frames
from weakref import finalize

import pyarrow as pa
from pyarrow import csv

from timeline.consumers.samples.asked import KEYS, TIMES, Asked
from timeline.consumers.samples.sources import Source, unreadable
from timeline.errors import InputError

_KEY = pa.dictionary(pa.int32(), pa.string())

_BLOCKS = 64
"""The part of the memory that one block of text may take: what is made of it takes some more."""

_LEAST, _GREATEST = 1 << 18, 1 << 23

HEADER = "(the names of the columns are row 1)"
"""What is said with a row of CSV: people count as the programs do in which they look at it."""

_PATIENCE = 1.0
"""Seconds to wait for Arrow's threads."""

_PLACE = re.compile(
    r"(?:In CSV column #(?P<column>\d+): )?(?:CSV parse error: )?Row #(?P<row>\d+): (?P<what>.*)", re.DOTALL
)
_CONVERSION = re.compile(r"CSV conversion error to (?P<type>.*?): (?P<what>.*)", re.DOTALL)


class CsvFile:
    """A CSV file.

    Ids and meters are text, times are text or whole numbers. All other columns are text to the digit where that is
    asked for; else their types are told by the first rows.
    """

    rows = None

    def __init__(self, source: Source, asked: Asked) -> None:
        self._source = source
        self._block = max(_LEAST, min(_GREATEST, asked.memory // _BLOCKS))
        head = source.head_lines(self._block)
        if not head.strip():
            raise InputError(f"{source.name}: is empty; the first line of a CSV file names the columns")
        self._header_alone = not {*b"\r\n"}.intersection(head)
        if self._header_alone and len(head) >= self._block:
            raise InputError(f"{source.name}: the line that names the columns is longer than {self._block:,} bytes")
        if b"\n" not in head:
            head += b"\n"
        keys, times, numbers = (asked.names(words) for words in (KEYS, TIMES, asked.numbers))
        # a row that is cut, or has another number of cells, is told when it is read
        with _readable(source.name, []):
            told = self._told(head)
            self.schema = pa.schema([_field(each, keys, times, numbers, asked.as_text) for each in told])

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        if self._header_alone:
            return
        types = {field.name: field.type for field in schema}
        with self._source.open() as stream, _readable(self._source.name, self.schema.names):
            yield from self._reader(stream, types)

    def _told(self, head: bytes) -> pa.Schema:
        # Arrow's threads may hold what they were given for a moment longer. Where that is an object of Python and the
        # interpreter ends just then, as it does after a refusal, it would be aborted: so the bytes are Arrow's own,
        # and what skips rows is waited for.
        copy = pa.BufferOutputStream()
        copy.write(head)
        skip, given_back = _Skip(), Event()
        finalize(skip, given_back.set)
        try:
            with self._reader(pa.BufferReader(copy.getvalue()), {}, skip) as reader:
                told: pa.Schema = reader.schema
            del reader
        except (pa.ArrowException, UnicodeDecodeError) as error:
            clear_frames(error.__traceback__)
            raise
        finally:
            del skip
            given_back.wait(_PATIENCE)
        return told

    def _reader(
        self, stream: object, types: Mapping[str, pa.DataType], invalid: object = None
    ) -> csv.CSVStreamingReader:
        return csv.open_csv(
            stream,
            # threads would make it forget which row it was that cannot be read
            read_options=csv.ReadOptions(use_threads=False, block_size=self._block),
            parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=invalid),
            convert_options=csv.ConvertOptions(
                column_types=types,
                include_columns=list(types) or None,
                # of text, a cell with nothing in it is null, and "" is the empty text; so they are written, too
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )


class _Skip:
    """Skips every row that has another number of cells."""

    def __call__(self, row: object) -> str:
        return "skip"


@contextlib.contextmanager
def _readable(file: str, names: list[str]) -> Iterator[None]:
    """Within it, what a reader of CSV says becomes an InputError with file, row and column."""
    with unreadable(file):
        try:
            yield
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: the names of the columns are not in UTF-8") from error
        except pa.ArrowInvalid as error:
            raise InputError(_sentence(str(error), file, names)) from error


def _sentence(said: str, file: str, names: list[str]) -> str:
    place = _PLACE.match(said)
    if place is None:
        straddling = "a row is too long, or a quote in it is never closed"
        return f"{file}: {straddling if 'straddl' in said else said.splitlines()[0]}"
    where, what = f"{file}, row {place['row']} {HEADER}", place["what"].splitlines()[0]
    conversion = _CONVERSION.match(what)
    if place["column"] is None or conversion is None:
        return f"{where}: {what[:1].lower()}{what[1:100]}"
    column = names[int(place["column"])]
    if "UTF8" in what:
        return f"{where}: the column {column!r} is not in UTF-8"
    value = conversion["what"].removeprefix("invalid value ")
    return (
        f"{where}: {value:.60} is no {conversion['type']}, which the column {column!r} holds before; "
        "written as CSV or JSON lines (-o OUT.csv) it stays as it is"
    )


def _field(told: pa.Field, keys: list[str], times: list[str], numbers: list[str], as_text: bool) -> pa.Field:
    if told.name in keys:
        return pa.field(told.name, _KEY)
    whole = pa.types.is_integer(told.type)
    if told.name in times:
        return pa.field(told.name, pa.int64() if whole else pa.string())
    if told.name in numbers:
        return pa.field(told.name, pa.int64() if whole else pa.float64())
    return pa.field(told.name, pa.string() if as_text or pa.types.is_null(told.type) else told.type)
