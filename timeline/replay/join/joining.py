"""Samples joined to the segments in force at their times, over columns, without a store.

The meaning is one sentence: a sample gets what ``timeline(resource).at(timestamp)`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from timeline import clock
from timeline.errors import InputError
from timeline.model import Existence
from timeline.replay.join import asof
from timeline.replay.join.columns import one
from timeline.replay.join.covering import Covering
from timeline.replay.join.fleet import EXISTENCES, NOT_COLLECTED, TIME, Array, Fleet, encoded, times
from timeline.replay.join.options import JoinCounts, Options
from timeline.replay.join.subjects import Rule, Subjects
from timeline.replay.join.times import Times, microseconds

_SMALL = 50_000
"""Rows of a chunk below which chunks are put together first."""


class Joined(NamedTuple):
    """What was in force for samples."""

    rows: Array | None
    """int32: rows of the fleet; only of samples that cover time."""
    added: pa.Table
    """The columns that are added."""
    samples: Array | None = None
    """int64: which of the samples each row is of; ``None`` where each has one, in turn."""
    replaced: dict[str, pa.Array] = {}  # noqa: RUF012  # never changed
    """Columns of the samples that have other values now."""

    def beside(self, samples: pa.Table) -> pa.Table:
        """The samples with the columns that are added."""
        if self.samples is not None:
            samples = _taken(samples, self.samples)
        for name, column in self.replaced.items():
            samples = samples.set_column(samples.schema.get_field_index(name), name, column)
        for field, column in zip(self.added.schema, self.added.columns, strict=True):
            samples = samples.append_column(field, column)
        return samples


class Join:
    """Joins samples of one schema to a fleet, batch by batch.

    ``find`` tells the rule of a meter, ``None`` for none. Raises :class:`~timeline.errors.InputError` where the samples
    have not the columns that are needed, or have one that would be added.
    """

    def __init__(
        self,
        fleet: Fleet,
        schema: pa.Schema,
        options: Options,
        find: Callable[[str], Rule | None] | None = None,
        names: Collection[str] = (),
    ) -> None:
        """``names`` are those of columns that the samples have besides."""
        self._fleet = fleet
        self._options = options
        self._words = _words(schema, options)
        fields = fleet.fields if options.fields is None else options.fields
        self._fields = {name: fleet.field(name) for name in fields}
        self._subjects = Subjects(
            fleet,
            type=options.type,
            source=options.source,
            columns=self._words,
            find=find,
            describe=options.describe,
        )
        self.counts = JoinCounts(kernel="compiled" if asof.COMPILED else "numpy")
        self._covering = None if options.policy == "at" else Covering(fleet, options, find)
        empty = self._added(np.zeros(0, np.int32))
        if options.policy == "split":
            none = np.zeros(0, np.int64)
            empty |= self._parts(none, times(none, None), times(none, None))
        taken = [name for name in empty if name in schema.names or name in names]
        if taken:
            raise InputError(f"the samples have a column {taken[0]!r} of their own; give a prefix for what is added")
        marked = {options.prefix + name: field.named(options.prefix + name) for name, field in self._fields.items()}
        self.added = pa.schema([marked.get(name) or pa.field(name, column.type) for name, column in empty.items()])
        """The columns that are added."""
        self.schema = pa.schema([*schema, *self.added], schema.metadata)
        """What comes out."""

    def table(self, samples: pa.Table) -> pa.Table:
        """The samples with what was in force, in the order in which they came."""
        return self.joined(samples).beside(samples)

    def joined(self, samples: pa.Table) -> Joined:
        """What was in force, in the order in which the samples came."""
        if self._covering is not None:
            return self._covered(samples, self._covering)
        added: dict[str, list[pa.Array]] = {name: [] for name in self.added.names}
        for columns in self._batches(samples):
            found, told = self._subjects.of(columns), self._times(columns)
            fleet = self._fleet
            rows = asof.locate(found.codes, found.groups, told.times, told.unit, fleet.first, fleet.last, fleet.starts)
            for known in (found.valid, told.valid):
                if known is not None:
                    rows[~known] = 0
            for name, column in self._added(rows).items():
                added[name].append(column)
            self.counts.samples += len(rows)
        chunks = [pa.chunked_array(added[field.name], field.type) for field in self.added]
        return Joined(None, pa.table(chunks, schema=self.added))

    def _covered(self, samples: pa.Table, covering: Covering) -> Joined:
        row0 = self.counts.samples
        columns = self._whole(samples)
        found, told = self._subjects.of(columns), self._times(columns)
        covered = covering.of(columns, found, told, row0)
        added = self._added(covered.rows)
        self.counts.samples += len(samples)
        if covered.samples is not None and covered.start is not None and covered.end is not None:
            untimed = None if told.valid is None else ~told.valid[covered.samples]
            added |= self._parts(covered.samples + row0, times(covered.start, untimed), times(covered.end, untimed))
        replaced = {} if covered.value is None else {self._options.name("value"): covered.value}
        return Joined(covered.rows, pa.table(added, schema=self.added), covered.samples, replaced)

    def dicts(self, joined: Joined, samples: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The samples with what was in force, where they are dicts: values are as the events said them."""
        options, fleet = self._options, self._fleet
        rows = joined.rows
        assert rows is not None
        existence = fleet.existence[rows].tolist()
        codes = {options.prefix + name: field.codes[rows].tolist() for name, field in self._fields.items()}
        values = {options.prefix + name: field.values for name, field in self._fields.items()}
        others = {
            name: _plain(column)
            for name, column in zip(joined.added.column_names, joined.added.columns, strict=True)
            if name not in codes
        }
        others |= {name: column.to_pylist() for name, column in joined.replaced.items()}
        which = range(len(rows)) if joined.samples is None else joined.samples.tolist()
        for place, sample in enumerate(which):
            told = dict(samples[sample])
            told |= {name: column[place] for name, column in others.items()}
            told |= {name: None if (code := of[place]) < 0 else values[name][code] for name, of in codes.items()}
            told[options.prefix + "existence"] = str(EXISTENCES[existence[place]])
            yield told

    def _batches(self, samples: pa.Table) -> Iterator[dict[str, pa.Array]]:
        """The columns that tell a sample's resource and time, in pieces, by our words."""
        keys = samples.select([self._options.name(word) for word in self._words])
        chunks = max((column.num_chunks for column in keys.columns), default=1)
        if chunks > 1 and len(keys) < chunks * _SMALL:
            yield self._whole(samples)
            return
        for batch in keys.to_batches():
            yield dict(zip(self._words, batch.columns, strict=True))

    def _whole(self, samples: pa.Table) -> dict[str, pa.Array]:
        """The columns that are needed, each in one piece."""
        whole = {}
        for word in self._words:
            column = samples[self._options.name(word)]
            try:
                together = column.combine_chunks()
            except pa.ArrowException:
                together = column  # dictionaries that hold null cannot be put together
            whole[word] = together if isinstance(together, pa.Array) else one(together)
        return whole

    def _times(self, columns: Mapping[str, pa.Array]) -> Times:
        name, row0 = self._options.name("timestamp"), self.counts.samples
        return microseconds(columns["timestamp"], self._options.unit, name=name, row0=row0)

    def _added(self, rows: Array) -> dict[str, pa.Array]:
        """The columns that are added, for rows of the fleet."""
        options, fleet = self._options, self._fleet
        gathered = asof.gather(rows, [fleet.existence, *(field.codes for field in self._fields.values())])
        self._count(gathered[0][0])
        added = {"existence": fleet.existences(gathered[0][0])}
        if options.since:
            added["since"] = times(fleet.starts[rows], fleet.existence[rows] == EXISTENCES.index(Existence.UNKNOWN))
        for (name, field), (codes, valid) in zip(self._fields.items(), gathered[1:], strict=True):
            added[name] = encoded(codes, None if valid is None else pa.py_buffer(valid), field.dictionary)
        if options.collected:
            for name, field in self._fields.items():
                added[f"{name}_collected"] = pa.array(field.codes[rows] != NOT_COLLECTED)
        return {options.prefix + name: column for name, column in added.items()}

    def _parts(self, rows: Array, start: pa.Array, end: pa.Array) -> dict[str, pa.Array]:
        prefix = self._options.prefix
        return {f"{prefix}row": pa.array(rows), f"{prefix}part_start": start, f"{prefix}part_end": end}

    def _count(self, existence: Array) -> None:
        counts = self.counts
        present, deleted = (int(np.count_nonzero(existence == EXISTENCES.index(each))) for each in _COUNTED)
        counts.rows += len(existence)
        counts.present += present
        counts.deleted += deleted
        counts.unknown += len(existence) - present - deleted
        counts.no_rule = dict(self._subjects.no_rule)


def _taken(samples: pa.Table, rows: Array) -> pa.Table:
    """These rows of the samples."""
    try:
        return samples.take(pa.array(rows))
    except pa.ArrowException:  # what cannot be taken of every type, is taken by column
        return pa.table([_taken_of(column, rows) for column in samples.columns], schema=samples.schema)


def _taken_of(column: pa.ChunkedArray, rows: Array) -> pa.ChunkedArray:
    type = column.type
    if not len(rows):
        return column.slice(0, 0)
    try:
        return column.take(pa.array(rows))
    except pa.ArrowException:
        if pa.types.is_dictionary(type):  # one that holds null cannot be put together
            return pa.chunked_array([one(column).take(pa.array(rows))]).cast(type)
        wide = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(type)
        if wide is not None:
            return column.cast(wide).take(pa.array(rows)).cast(type)
    whole = pa.concat_arrays(column.chunks)  # lists of views, runs: rows that lie side by side are cut out together
    begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    sizes = np.diff(begins, append=len(rows))
    return pa.chunked_array(
        [pa.concat_arrays([whole.slice(*each) for each in zip(rows[begins].tolist(), sizes.tolist(), strict=True)])]
    )


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """A column as Python has it; times as text in full."""
    if column.type != TIME:
        plain: list[Any] = column.to_pylist()
        return plain
    return [None if at is None else clock.format(at) for at in column.cast(pa.int64()).to_pylist()]


_COUNTED = (Existence.PRESENT, Existence.DELETED)


def _words(schema: pa.Schema, options: Options) -> list[str]:
    """Our words for the columns that are needed. Raises :class:`~timeline.errors.InputError` where one is missing."""
    words = ["resource_id", "timestamp"]
    words += [word for word in ("type", "source", "start") if word in options.columns]
    if options.policy != "at" and (options.cumulative or options.name("value") in schema.names):
        words.append("value")
    if (options.type is None and "type" not in words) or options.name("meter") in schema.names:
        words.append("meter")
    for word in words:
        name = options.name(word)
        found = len(schema.get_all_field_indices(name))
        if found == 0:
            raise InputError(
                f"the samples have no column {name!r}; they have {', '.join(schema.names) or 'none'}: "
                f"tell what {word} is called there" + (", or the type of all resources" if word == "meter" else "")
            )
        if found > 1:
            raise InputError(f"the samples have {found} columns that are called {name!r}")
    return words
