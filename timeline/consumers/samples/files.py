"""Reads samples from files: Parquet, CSV and JSON lines, as Arrow batches or as dicts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Protocol

import pyarrow as pa

from timeline.consumers.samples.asked import Asked
from timeline.consumers.samples.csv import HEADER, CsvFile
from timeline.consumers.samples.lines import LinesFile
from timeline.consumers.samples.parquet import ParquetFile
from timeline.consumers.samples.sources import Source
from timeline.errors import InputError

ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""What the ending of a name says of the format; ``.gz`` may follow it."""

_PARQUET = b"PAR1"
_SPACE = b"\xef\xbb\xbf \t\r\n"


class File(Protocol):
    """One file of samples. Reading it raises :class:`~timeline.errors.InputError` with the file and the row."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns, with the types that they are read as."""

    @property
    def rows(self) -> int | None:
        """How many samples there are; ``None`` if only reading tells."""

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The samples, as columns of these names and types: those of the first file."""


class Samples:
    """The samples of one or several files that have the same format and the same columns, in their order.

    The format is told by the ending of a file's name, else by its first bytes; CSV and JSON lines may be compressed by
    gzip. ``-`` is standard input. Memory is bounded by ``asked``, however long the files are.

    All files are looked at here, before the first is read: :class:`~timeline.errors.InputError` for one that cannot be
    read, has another format than the first, or has not the columns that ``needed`` names by our words for them. Reading
    raises it where a file cannot be read to its end.
    """

    def __init__(
        self,
        paths: Iterable[str],
        asked: Asked,
        needed: Iterable[str] = ("resource_id", "timestamp"),
        *,
        stdin: BinaryIO | None = None,
    ) -> None:
        self._sources = [Source(path, stdin) for path in paths]
        self._asked = asked
        self.form = _form(self._sources[0])
        """``parquet``, ``csv`` or ``jsonl``."""
        for source in self._sources[1:]:
            if (form := _form(source)) != self.form:
                raise InputError(
                    f"{source.name}: holds {_NAMES[form]}, and {self._sources[0].name} {_NAMES[self.form]}; "
                    "files of one format are joined at once"
                )
        self._files = [_file(self.form, source, asked) for source in self._sources]
        for source, file in zip(self._sources, self._files, strict=True):
            if self.form != "jsonl" or file.schema.names:  # a file without lines tells no columns
                self._needed(source.name, file.schema, needed)
        self._given: list[int] = []
        rows = [file.rows for file in self._files]
        self.rows = None if None in rows else sum(number for number in rows if number is not None)
        """How many samples there are; ``None`` if only reading tells."""
        sizes = [source.size for source in self._sources]
        self.total_bytes = None if None in sizes else sum(size for size in sizes if size is not None)
        """The bytes that there are to read; ``None`` if a pipe is among the files."""

    @property
    def names(self) -> list[str]:
        """The columns."""
        names: list[str] = self._files[0].schema.names
        return names

    @property
    def bytes_read(self) -> int:
        """The bytes that were read so far, as they lie in the files; not of Parquet."""
        return sum(source.bytes_read for source in self._sources)

    def reader(self) -> pa.RecordBatchReader:
        """The samples as columns, lazily. :class:`~timeline.errors.InputError` where files differ in their columns."""
        first, schema = self._sources[0].name, self._files[0].schema
        if not schema.names:
            raise InputError(f"{first}: holds no samples, so it tells no columns")
        for source, file in zip(self._sources[1:], self._files[1:], strict=True):
            _same(source.name, file.schema, first, schema)
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def dicts(self) -> Iterator[dict[str, Any]]:
        """The samples of JSON lines as dicts, each with what its line says, lazily."""
        for file in self._files:
            self._given.append(0)
            assert isinstance(file, LinesFile)
            for row in file.dicts():
                self._given[-1] += 1
                yield row

    def located(self, error: InputError) -> InputError:
        """An error of who used the samples, which names a row among all, with the file, and the row within it."""
        if error.row is None:
            return error
        row = error.row
        for source, given in zip(self._sources, self._given, strict=False):
            if row <= given:
                here = f"row {row + 1} {HEADER}" if self.form == "csv" else f"row {row}"
                return InputError(f"{source.name}: {str(error).replace(f'row {error.row}', here, 1)}")
            row -= given
        return error

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for file in self._files:
            self._given.append(0)
            for batch in file.batches(schema):
                self._given[-1] += len(batch)
                yield batch

    def _needed(self, file: str, schema: pa.Schema, words: Iterable[str]) -> None:
        for word in words:
            name = self._asked.name(word)
            if name not in schema.names:
                there = ", ".join(schema.names) or "none"
                hint = "; the first line of a CSV file names them" if self.form == "csv" else ""
                raise InputError(
                    f"{file}: there is no column {name!r}; there are {there}{hint}. "
                    f"--column {word}=NAME tells what {word} is called"
                    + (", or --type the type of all resources" if word == "meter" else "")
                )


_NAMES = {"parquet": "Parquet", "csv": "CSV", "jsonl": "JSON lines"}


def _form(source: Source) -> str:
    stem, ending = os.path.splitext(source.path.lower())
    if ending == ".gz":
        ending = os.path.splitext(stem)[1]
    told = ENDINGS.get(ending)
    if told is None:
        head = source.head(4096)
        told = "parquet" if head[:4] == _PARQUET else "jsonl" if head.lstrip(_SPACE)[:1] in (b"{", b"[") else "csv"
    return told


def _file(form: str, source: Source, asked: Asked) -> File:
    made: Mapping[str, Any] = {"parquet": ParquetFile, "csv": CsvFile, "jsonl": LinesFile}
    file: File = made[form](source, asked)
    names = file.schema.names
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise InputError(f"{source.name}: {names.count(doubled[0])} columns are called {doubled[0]!r}")
    return file


def _same(name: str, schema: pa.Schema, first_name: str, first: pa.Schema) -> None:
    """Raise InputError unless two files have the same columns, whatever their order."""
    for column in [*first.names, *schema.names]:
        if column not in schema.names or column not in first.names:
            without, other = (name, first_name) if column not in schema.names else (first_name, name)
            raise InputError(f"{without}: there is no column {column!r}, which {other} has; they are to have the same")
        here, there = (_plain(each.field(column).type) for each in (schema, first))
        if here != there:
            raise InputError(f"{name}: the column {column!r} holds {here}, and {there} in {first_name}")


def _plain(type: pa.DataType) -> pa.DataType:
    """What a type holds, however it is laid out."""
    if pa.types.is_dictionary(type):
        type = type.value_type
    return pa.string() if pa.types.is_large_string(type) or pa.types.is_string_view(type) else type
