"""Samples joined to the timelines of a store: what comes in goes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from timeline.drivers.contract import Driver
from timeline.engine.rows import Row, Rows
from timeline.errors import InputError
from timeline.model import Scope
from timeline.replay.join.options import WORDS, JoinCounts, Options, check_fields
from timeline.replay.kinds import need_arrow

if TYPE_CHECKING:
    import pyarrow as pa

    from timeline.definitions import Definitions, SampleRule
    from timeline.replay.join import Join
    from timeline.replay.join.fleet import Fleet

Progress = Callable[[JoinCounts], None] | None

_ROWS = 10_000
"""Dicts that are made columns of at once."""


class Joining:
    """One join, of samples of any make."""

    def __init__(
        self,
        driver: Driver,
        definitions: Callable[[], Definitions],
        fleet: Callable[[], Fleet],
        options: Options,
        known_before: int | None,
        progress: Progress,
    ) -> None:
        """``definitions`` and ``fleet`` are made when they are needed."""
        self._driver = driver
        self._definitions = definitions
        self._fleet = fleet
        self._options = options
        self._known_before = known_before
        self._progress = progress

    def joined(self, samples: Any) -> Any:
        """The samples with what was in force, made as they came."""
        if isinstance(samples, (Mapping, str, bytes)):
            raise TypeError("join takes a table of samples or an iterable of dicts; one alone is to be put into a list")
        package = type(samples).__module__.partition(".")[0]
        if package == "polars" and hasattr(samples, "collect"):
            raise TypeError("join takes data: a lazy frame is to be collected first")
        columns = hasattr(samples, "__arrow_c_stream__") or hasattr(samples, "__arrow_c_array__")
        if not columns:
            self._check_fields()
        if not columns and self._options.policy == "at":
            return Rows(self._driver, self._options, self._find, self._known_before).joined(samples, self._progress)
        need_arrow("joining columns")
        if not columns:
            return self._dicts(iter(samples))
        if package in ("pandas", "polars") and hasattr(samples, "columns"):
            return self._frame(samples)
        return self._arrow(samples)

    def _arrow(self, samples: Any) -> Any:
        import pyarrow as pa

        if isinstance(samples, pa.RecordBatchReader):
            join = self._join(samples.schema)
            return pa.RecordBatchReader.from_batches(join.schema, self._batches(join, samples))
        one = isinstance(samples, pa.RecordBatch) or not hasattr(samples, "__arrow_c_stream__")
        with _readable():
            if one:
                samples = pa.Table.from_batches([pa.record_batch(samples)])
            table = samples if isinstance(samples, pa.Table) else pa.table(samples)
        join = self._join(table.schema)
        joined = join.table(table)
        self._tell(join)
        return pa.RecordBatch.from_struct_array(joined.to_struct_array().combine_chunks()) if one else joined

    def _batches(self, join: Join, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in reader:
            joined = join.table(pa.Table.from_batches([batch]))
            self._tell(join)
            yield from joined.to_batches()

    def _frame(self, samples: Any) -> Any:
        """A pandas or a polars frame: it keeps its columns as they are, and gets new ones."""
        import pyarrow as pa

        pandas = hasattr(samples, "iloc")
        names = list(samples.columns)
        wanted = {self._options.name(word) for word in WORDS}
        keys = samples[[name for name in names if name in wanted]]
        with _readable():
            table = pa.Table.from_pandas(keys, preserve_index=False) if pandas else pa.table(keys)
        join = self._join(table.schema, [name for name in names if isinstance(name, str)])
        told = join.joined(table)
        self._tell(join)
        if told.samples is not None:
            samples = samples.take(told.samples) if pandas else samples[told.samples]
        if pandas:
            new = {name: _as_it_was(column, samples[name]) for name, column in told.replaced.items()}
            return samples.assign(**new, **{name: column.array for name, column in told.added.to_pandas().items()})
        new = pa.table(told.replaced | dict(zip(told.added.column_names, told.added.columns, strict=True)))
        return samples.with_columns(type(samples)(new).get_columns())

    def _dicts(self, rows: Iterator[Row]) -> Iterator[dict[str, Any]]:
        """Dicts whose samples cover time: as columns, ten thousand at a time."""
        import pyarrow as pa

        join: Join | None = None
        first = 1
        wanted = [self._options.name(word) for word in WORDS]
        while batch := list(islice(rows, _ROWS)):
            keys = {name: [row.get(name) for row in batch] for name in wanted if any(name in row for row in batch)}
            try:
                schema = None if join is None else pa.schema([join.schema.field(name) for name in keys])
                table = pa.table(keys, schema=schema)
            except (pa.ArrowException, KeyError, OverflowError, UnicodeError) as error:
                raise InputError(f"rows {first} to {first + len(batch) - 1} of the samples: {error}") from error
            if join is None:
                join = self._join(table.schema, list(batch[0]))
            told = join.joined(table)
            self._tell(join)
            yield from join.dicts(told, batch)
            first += len(batch)

    def _check_fields(self) -> None:
        """Refuse a field that no definition knows and of which nothing in the store speaks."""
        unheard = set(self._options.fields or ())
        if unheard:
            unheard -= fields_of(self._definitions())
        if unheard:
            for event in self._driver.events(Scope(type=self._options.type)):
                unheard -= event.body.spoken().keys()
                if not unheard:
                    return
            check_fields(sorted(unheard), fields_of(self._definitions()))

    def _join(self, schema: pa.Schema, names: Collection[str] = ()) -> Join:
        from timeline.replay.join import Join

        fleet = self._fleet()
        options = self._options
        if options.fields is None:
            options = msgspec.structs.replace(options, fields=tuple(fleet.fields))
        elif not set(options.fields) <= fleet.fields.keys():
            # a field of which nothing has spoken yet is none the less one
            check_fields(options.fields, {*fleet.fields, *fields_of(self._definitions())})
        return Join(fleet, schema, options, find=self._find, names=names)

    def _find(self, meter: str) -> SampleRule | None:
        return self._definitions().samples.find(meter)

    def _tell(self, join: Join) -> None:
        if self._progress is not None:
            self._progress(join.counts)


@contextmanager
def _readable() -> Iterator[None]:
    """Within it, what says that samples are no columns becomes an InputError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        said = [str(error)] if isinstance(error, UnicodeError) else error.args
        raise InputError(f"the samples cannot be read as columns: {'; '.join(map(str, said))}") from error


def _as_it_was(column: pa.Array, series: Any) -> Any:
    """A column for pandas, of the series's type; nullable where it must be, as a float would not hold every integer."""
    import pyarrow as pa

    dtype = series.dtype
    if not hasattr(dtype, "__from_arrow__") and column.null_count and pa.types.is_integer(column.type):
        dtype = series.iloc[:0].convert_dtypes().dtype
    return dtype.__from_arrow__(column) if hasattr(dtype, "__from_arrow__") else column.to_pandas().array


def fields_of(definitions: Definitions) -> set[str]:
    """The names of all fields that definitions can collect."""
    return {name for definition in definitions for name in definition.fields}
