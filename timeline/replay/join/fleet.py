"""The segments of a fleet in columns: what samples are joined to.

A row is a segment. The rows of a resource lie side by side in order of time; a segment ends where the next one of its
resource begins, and the last is open. Row 0 belongs to no resource: it is the answer ``unknown``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from timeline.errors import InputError
from timeline.model import Existence, Json, Resource
from timeline.replay.kinds import AS_JSON, Kind, is_json

Array = np.ndarray[Any, Any]

EXISTENCES = (Existence.UNKNOWN, Existence.PRESENT, Existence.DELETED)
"""What the numbers in the column ``existence`` stand for."""

NULL, NOT_COLLECTED = -1, -2
"""Codes of a field that has no value: one that was said to be ``null``, and one of which nothing has spoken."""

TIME = pa.timestamp("us", tz="UTC")

_OPEN = np.iinfo(np.int64).max


class Field:
    """What a field is in each row: codes, and the dictionary that they point into."""

    def __init__(
        self, codes: Array, dictionary: Callable[[], tuple[Kind, pa.Array]], values: Callable[[], Sequence[Json]]
    ) -> None:
        self.codes = codes
        """int8, int16 or int32, one a row; negative where there is no value."""
        self._make_dictionary = dictionary
        self._make_values = values
        self._dictionary: tuple[Kind, pa.Array] | None = None
        self._values: Sequence[Json] | None = None

    @property
    def dictionary(self) -> pa.Array:
        """The values, as an Arrow array of the one kind that they have; of several kinds, as JSON."""
        return self._made()[1]

    def named(self, name: str) -> pa.Field:
        """The Arrow field of a column of this; JSON is marked as such."""
        kind, dictionary = self._made()
        type = pa.dictionary(pa.from_numpy_dtype(self.codes.dtype), dictionary.type)
        return pa.field(name, type, metadata=AS_JSON if kind is Kind.JSON else None)

    @property
    def values(self) -> Sequence[Json]:
        """The values, as the events said them."""
        if self._values is None:
            self._values = self._make_values()
        return self._values

    def _made(self) -> tuple[Kind, pa.Array]:
        if self._dictionary is None:
            self._dictionary = self._make_dictionary()
        return self._dictionary


class Names(NamedTuple):
    """The resources of a type and source: their ids, and the number that each has in the fleet."""

    ids: pa.Array
    numbers: Array
    """int32."""


class Fleet:
    """The segments of many resources, in columns. Never changes; may be shared by threads."""

    def __init__(
        self,
        names: Mapping[tuple[str, str], Names],
        resources: Sequence[Resource],
        first: Array,
        last: Array,
        starts: Array,
        existence: Array,
        fields: Mapping[str, Field],
    ) -> None:
        self._names = names
        self._resources = resources
        self.first = first
        """int64, one a resource: its first row."""
        self.last = last
        """int64, one a resource: the row after its last."""
        self.starts = starts
        """int64, one a row: when the segment begins, microseconds since 1970 UTC."""
        self.existence = existence
        """int8, one a row: an index of :data:`EXISTENCES`."""
        self.fields = fields
        self._made: tuple[object, pa.Table] | None = None
        """The table that was asked for last, and how: who asks again while nothing is new gets it again."""

    def __len__(self) -> int:
        """How many resources there are."""
        return len(self.first)

    def names(self, type: str, source: str) -> Names:
        """The resources of a type and source."""
        return self._names.get((type, source)) or Names(pa.array([], pa.string()), np.zeros(0, np.int32))

    def of(self, source: str) -> Array:
        """int64: the numbers of the resources of a source, in the order of resources."""
        known = self._resources[: len(self)]
        wanted = [number for number, resource in enumerate(known) if resource.source == source]
        wanted.sort(key=known.__getitem__)
        return np.array(wanted, np.int64)

    def ids(self, numbers: Array) -> pa.Array:
        """The ids of resources."""
        return pa.array([self._resources[number].id for number in numbers.tolist()], pa.string())

    def ends(self, rows: Array, last: Array) -> Array:
        """int64: when the segments in ``rows`` end; :data:`~numpy.iinfo` of int64's greatest where they are open.

        ``last`` holds, for each of them, the row after the last of its resource.
        """
        following = rows + 1
        return np.where(following < last, self.starts[np.minimum(following, len(self.starts) - 1)], _OPEN)

    def existences(self, codes: Array) -> pa.DictionaryArray:
        """A column of existences."""
        return dictionary_array(codes, None, pa.array([str(each) for each in EXISTENCES], pa.string()))

    def table(self, fields: Sequence[str] | None, start: int | None, end: int | None, source: str) -> pa.Table:
        """The segments of a source as one table, clipped to ``[start, end)``; ``None`` is no bound.

        Each resource begins with what was in force at ``start``, ``unknown`` included.
        Columns: ``resource_id``, ``start``, ``end`` (null where open), ``existence``, and the fields; sorted by
        resource, then by time.
        """
        asked = (None if fields is None else tuple(fields), start, end, source)
        made = self._made
        if made is None or made[0] != asked:
            made = self._made = asked, self._table(self.fields if fields is None else fields, start, end, source)
        return made[1]

    def _table(self, fields: Iterable[str], start: int | None, end: int | None, source: str) -> pa.Table:
        numbers, rows, starts, ends = self._clipped(self.of(source), start, end)
        ids, inverse = np.unique(numbers, return_inverse=True)
        table = pa.table(
            {
                "resource_id": dictionary_array(inverse.astype(np.int32), None, self.ids(ids)),
                "start": times(starts, None),
                "end": times(ends, ends == _OPEN),
                "existence": self.existences(self.existence[rows]),
            }
        )
        for name in fields:
            field = self.field(name)
            codes = field.codes[rows]
            column = dictionary_array(np.maximum(codes, 0), codes < 0, field.dictionary)
            table = table.append_column(field.named(name), column)
        return table

    def field(self, name: str) -> Field:
        """A field; one that nothing has spoken of where it is none of :attr:`fields`."""
        if name in self.fields:
            return self.fields[name]
        codes = np.full(len(self.starts), NOT_COLLECTED, np.int8)
        return Field(codes, lambda: (Kind.TEXT, pa.array([], pa.string())), list)

    def _clipped(self, numbers: Array, start: int | None, end: int | None) -> tuple[Array, Array, Array, Array]:
        counts = self.last[numbers] - self.first[numbers]
        numbers, counts = numbers[counts > 0], counts[counts > 0]
        before = 0 if start is None else 1  # the row 0, which is in force before the first evidence
        of = np.repeat(numbers, counts + before)
        within = np.arange(len(of)) - np.repeat(np.cumsum(counts + before) - counts - before, counts + before) - before
        rows = np.where(within < 0, 0, self.first[of] + within)
        starts = np.where(within < 0, np.iinfo(np.int64).min, self.starts[rows])
        ends = np.where(within < 0, self.starts[self.first[of]], self.ends(rows, self.last[of]))
        if start is not None:
            starts = np.maximum(starts, start)
        if end is not None:
            ends = np.minimum(ends, end)
        kept = starts < ends
        return of[kept], rows[kept], starts[kept], ends[kept]


def from_segments(segments: pa.Table, type: str = "", source: str = "") -> Fleet:
    """The fleet whose segments are given, as :meth:`Fleet.table` gives them.

    Rows of one resource are to stand side by side, in order of time. Where a segment has an end at which none begins,
    as in a clipped table, all is ``unknown`` from then on. Raises :class:`~timeline.errors.InputError`.
    """
    missing = [name for name in ("resource_id", "start", "existence") if name not in segments.column_names]
    if missing:
        raise InputError(f"segments have no column {missing[0]!r}; there are {', '.join(segments.column_names)}")
    for name in ("resource_id", "start", "existence"):
        if segments[name].null_count:
            raise InputError(f"segments have rows without {name!r}, which each is to have")
    segments = segments.combine_chunks()
    ids = _encoded(segments["resource_id"])
    codes, starts = _numpy(ids.indices), _numpy(_one(segments["start"]).cast(TIME).view(pa.int64()))
    gaps = _gaps(codes, starts, segments)
    codes, starts = np.insert(codes, gaps.before, codes[gaps.after]), np.insert(starts, gaps.before, gaps.starts)
    changes = np.flatnonzero(np.diff(codes)) + 1
    first = np.concatenate(([0], changes)) if len(codes) else np.zeros(0, np.int64)
    last = np.concatenate((changes, [len(codes)])) if len(codes) else first
    names = ids.dictionary.take(pa.array(codes[first])).to_pylist()
    inner = np.ones(max(len(starts) - 1, 0), bool)
    inner[changes - 1] = False
    if len(set(names)) < len(names) or bool((np.diff(starts)[inner] <= 0).any()):
        raise InputError("segments are to be sorted by resource_id and start, and no two begin at the same time")
    said = _encoded(segments["existence"])
    meaning = {str(each): number for number, each in enumerate(EXISTENCES)}
    try:
        existence = np.array([meaning[text] for text in said.dictionary.to_pylist()], np.int8)[_numpy(said.indices)]
    except KeyError as error:
        raise InputError(f"{error.args[0]!r} is no existence; there are {', '.join(meaning)}") from None
    existence = np.insert(existence, gaps.before, 0)
    fields = {
        name: _field(segments.schema.field(name), segments[name], gaps.before)
        for name in segments.column_names
        if name not in ("resource_id", "start", "end", "existence")
    }
    return Fleet(
        {(type, source): Names(pa.array(names, pa.string()), np.arange(len(names), dtype=np.int32))},
        [Resource(type=type, source=source, id=name) for name in names],
        first.astype(np.int64) + 1,
        last.astype(np.int64) + 1,
        np.concatenate(([np.iinfo(np.int64).min], starts)),
        np.concatenate((np.zeros(1, np.int8), existence)),
        fields,
    )


class _Gaps(NamedTuple):
    """Spans between segments of which nothing is told."""

    after: Array
    """int64: the segments that they follow."""
    before: Array
    """int64: the places of the segments that follow them."""
    starts: Array
    """int64: when they begin, microseconds since 1970 UTC."""


def _gaps(codes: Array, starts: Array, segments: pa.Table) -> _Gaps:
    if "end" not in segments.column_names:
        return _Gaps(*(np.zeros(0, np.int64) for _ in range(3)))
    column = _one(segments["end"]).cast(TIME)
    ends = np.where(_numpy(column.is_valid()), _numpy(column.view(pa.int64()).fill_null(0)), _OPEN)
    following = np.append(np.where(codes[1:] == codes[:-1], starts[1:], _OPEN), _OPEN)[: len(ends)]
    if bool(((ends > following) & (ends != _OPEN)).any()):
        raise InputError("segments of one resource overlap: each is to end before the next begins, or as it does")
    after = np.flatnonzero((ends != _OPEN) & (ends < following))
    return _Gaps(after, after + 1, ends[after])


def dictionary_array(codes: Array, null: Array | None, dictionary: pa.Array) -> pa.DictionaryArray:
    """Codes and their dictionary as an Arrow array; ``null`` tells where there is no value."""
    valid = None if null is None or not null.any() else pa.py_buffer(np.packbits(~null, bitorder="little"))
    return encoded(codes, valid, dictionary)


def encoded(codes: Array, valid: pa.Buffer | None, dictionary: pa.Array) -> pa.DictionaryArray:
    """Codes and their dictionary as an Arrow array; ``valid`` is a bitmap as Arrow has it."""
    indices = pa.Array.from_buffers(
        pa.from_numpy_dtype(codes.dtype), len(codes), [valid, pa.py_buffer(np.ascontiguousarray(codes))]
    )
    return pa.DictionaryArray.from_arrays(indices, dictionary, safe=False)  # the codes are ours


def times(instants: Array, null: Array | None) -> pa.Array:
    """int64 microseconds as a column of times."""
    valid = None if null is None or not null.any() else pa.py_buffer(np.packbits(~null, bitorder="little"))
    return pa.Array.from_buffers(TIME, len(instants), [valid, pa.py_buffer(np.ascontiguousarray(instants))])


def _field(named: pa.Field, column: pa.ChunkedArray, gaps: Array) -> Field:
    array = _encoded(column)
    codes = np.where(_numpy(array.indices.is_valid()), _numpy(array.indices.fill_null(0)), NULL)
    dictionary = array.dictionary
    codes = np.concatenate(([NOT_COLLECTED], np.insert(codes, gaps, NOT_COLLECTED)))
    codes = codes.astype(np.min_scalar_type(-max(len(dictionary), 2)))
    kind = Kind.JSON if is_json(named) else Kind.TEXT
    return Field(codes, lambda: (kind, dictionary), dictionary.to_pylist)


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    array = _one(column)
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def _one(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else combined.chunk(0)


def _numpy(array: pa.Array) -> Array:
    result: Array = array.to_numpy(zero_copy_only=False)
    return result
