"""A fleet that grows: events in, the segments of their resources as columns out.

What was handed out never changes. The rows of a resource whose events have changed are written anew at the end, and the
resource points to them from then on; the old rows stay for those who still read them.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from timeline.model import LIFE_BOUNDS, Body, Event, Json, Phase, Resource
from timeline.replay.fold import changes
from timeline.replay.join.fleet import EXISTENCES, NOT_COLLECTED, NULL, Array, Field, Fleet, Names
from timeline.replay.kinds import Kind, arrow_array, common, kind_of

_PENDING = 50_000
"""Rows that are held as Python objects, at most."""

_NARROW = (np.int8, np.int16, np.int32)
_NUMBERS = {existence: number for number, existence in enumerate(EXISTENCES)}
_decode = msgspec.json.decode


class GrowingFleet:
    """Takes in the events of resources, and gives the fleet as it is by then. Not to be shared by threads."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, str], _Named] = {}
        self._resources: list[Resource] = []
        self._newest: list[_Newest | None] = []
        """The newest event of each resource: where only repeats of it came after it, nothing is to be done."""
        self._first = array("q")
        self._last = array("q")
        self._starts = _Column(np.int64)
        self._existence = _Column(np.int8)
        self._fields: dict[str, _Values] = {}
        self._rows = 1
        self._live = 0
        self._starts.extend([np.iinfo(np.int64).min])
        self._existence.extend([0])
        self._pending = _Pending()

    def put(self, resource: Resource, events: Sequence[Event]) -> None:
        """Take in all the events of a resource, in the order of the model, in place of those it had."""
        number = self._number(resource)
        if self._only_repeats(number, events):
            return
        pending = self._pending
        first = self._rows + len(pending.starts)
        for change in changes(events, self._codes):
            pending.starts.append(change.start)
            pending.existence.append(_NUMBERS[change.existence])
            pending.fields.append(change.fields)
        last = self._rows + len(pending.starts)
        self._live += (last - first) - (self._last[number] - self._first[number])
        self._first[number], self._last[number] = first, last
        if len(pending.starts) >= _PENDING:
            self._write()

    @property
    def wasteful(self) -> bool:
        """Whether more rows are of the past than are in use: time to begin anew."""
        return self._rows > 2 * self._live + _PENDING

    def fleet(self) -> Fleet:
        """The fleet as it is now."""
        self._write()
        first, last = (np.frombuffer(bytes(each), np.int64) for each in (self._first, self._last))
        live = _Live(first, last)
        return Fleet(
            {key: named.names() for key, named in self._named.items()},
            self._resources,
            first,
            last,
            self._starts.sealed(),
            self._existence.sealed(),
            {name: values.field(live) for name, values in sorted(self._fields.items())},
        )

    def _only_repeats(self, number: int, events: Sequence[Event]) -> bool:
        """Whether the events are those that were put before, and after them repeats of the newest.

        Events are added to and never taken away: where the newest that was put stands in its old place, those before it
        are as they were.
        """
        newest, count = self._newest[number], len(events)
        if count:
            last = events[-1]
            alone = count == 1 or events[-2].occurred_at != last.occurred_at
            self._newest[number] = _Newest(count, last.occurred_at, last.body.digest, last.phase, alone)
        if newest is None or count < newest.events:
            return False
        before = events[newest.events - 1]
        if (before.occurred_at, before.body.digest, before.phase) != (newest.at, newest.digest, newest.phase):
            return False
        at, plain = newest.at, newest.alone and newest.phase not in LIFE_BOUNDS
        for event in events[newest.events :]:
            # an event alone at its instant, which bounds no life and says what was said last, changes no state
            if not plain or event.occurred_at == at or event.body.digest != newest.digest or event.phase in LIFE_BOUNDS:
                return False
            at = event.occurred_at
        return True

    def _number(self, resource: Resource) -> int:
        key = (resource.type, resource.source)
        named = self._named.get(key)
        if named is None:
            named = self._named[key] = _Named()
        number = named.numbers.get(resource.id)
        if number is None:
            number = named.numbers[resource.id] = len(self._resources)
            self._resources.append(resource)
            self._newest.append(None)
            self._first.append(0)
            self._last.append(0)
        return number

    def _codes(self, body: Body) -> Mapping[str, int]:
        fields, codes = self._fields, {}
        for name, value in body.spoken().items():
            said = bytes(value)
            values = fields.get(name) or self._values(name)
            code = values.codes.get(said)
            codes[name] = values.code(said) if code is None else code
        return codes

    def _values(self, name: str) -> _Values:
        values = self._fields.get(name)
        if values is None:
            values = self._fields[name] = _Values(self._rows)
        return values

    def _write(self) -> None:
        pending, self._pending = self._pending, _Pending()
        count = len(pending.starts)
        if not count:
            return
        self._starts.extend(pending.starts)
        self._existence.extend(pending.existence)
        for name, values in self._fields.items():
            values.column.extend(np.array([fields.get(name, NOT_COLLECTED) for fields in pending.fields], np.int32))
        self._rows += count


class _Newest(NamedTuple):
    """The newest event of a resource, and how many there were with it."""

    events: int
    at: int
    digest: bytes
    phase: Phase
    alone: bool
    """Whether no other happened at its instant."""


class _Named:
    """The ids of the resources of a type and source."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._names = Names(pa.array([], pa.string()), np.zeros(0, np.int32))

    def names(self) -> Names:
        """The ids as they are now."""
        known = len(self._names.ids)
        if known < len(self.numbers):
            new = list(islice(self.numbers.items(), known, None))
            ids = pa.concat_arrays([self._names.ids, pa.array([id for id, _ in new], pa.string())])
            numbers = np.concatenate((self._names.numbers, np.array([number for _, number in new], np.int32)))
            self._names = Names(ids, numbers)
        return self._names


class _Pending:
    """Rows that are not in columns yet."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.existence: list[int] = []
        self.fields: list[Mapping[str, int]] = []


class _Column:
    """An array that grows, and widens where it must."""

    def __init__(self, dtype: Any) -> None:
        self._data: Array = np.empty(1024, dtype)
        self._size = 0

    def extend(self, values: Any) -> None:
        new = np.asarray(values)
        dtype = self._data.dtype
        if dtype.itemsize < 4 and len(new):
            dtype = next(np.dtype(each) for each in _NARROW if new.max() <= np.iinfo(each).max)
            dtype = max(dtype, self._data.dtype, key=lambda each: each.itemsize)
        needed = self._size + len(new)
        if needed > len(self._data) or dtype != self._data.dtype:
            grown = np.empty(max(needed * 3 // 2, len(self._data)), dtype)
            grown[: self._size] = self._data[: self._size]
            self._data = grown
        self._data[self._size : needed] = new
        self._size = needed

    def sealed(self) -> Array:
        """What is there now. Rows that are added later lie behind it, or in another array."""
        return self._data[: self._size]


class _Values:
    """The values of a field: each distinct one has a code."""

    def __init__(self, rows: int) -> None:
        self.column = _Column(np.int8)
        self.column.extend(np.full(rows, NOT_COLLECTED, np.int8))
        self.codes: dict[bytes, int] = {b"null": NULL}
        self._said: list[bytes] = []
        self._decoded: list[Json] = []
        self._met: dict[Kind, int] = {}
        """The kinds of values, and the code with which each was first met."""
        self._made: tuple[Kind, pa.Array] = Kind.TEXT, arrow_array(Kind.TEXT, [])

    def code(self, value: bytes) -> int:
        """The code of a value, given as its canonical bytes."""
        if value not in self.codes:
            code = self.codes[value] = len(self._said)
            self._said.append(value)
            self._met.setdefault(kind_of(value) or Kind.JSON, code)
        return self.codes[value]

    def field(self, live: _Live) -> Field:
        """The field as it is now."""
        codes, count = self.column.sealed(), len(self._said)
        return Field(codes, partial(self._dictionary, codes, count, live), partial(self._values, count))

    def _dictionary(self, codes: Array, count: int, live: _Live) -> tuple[Kind, pa.Array]:
        kinds = [kind for kind, first in list(self._met.items()) if first < count]
        if len(kinds) > 1:
            return self._of_several_kinds(codes, count, live.rows)
        # what is in no segment has no say in what kind the column is: it depends on how the fleet came to be
        if kinds and not ((codes[live.newest] >= 0).any() or (codes[live.rows] >= 0).any()):
            kinds = []
        kind, made = self._made
        if kind is not common(kinds):
            kind, made = common(kinds), arrow_array(common(kinds), [])
        if len(made) < count and kinds:
            made = pa.concat_arrays([made, arrow_array(kind, self._said[len(made) : count])])
        self._made = kind, made
        return kind, made[:count]

    def _of_several_kinds(self, codes: Array, count: int, live: Array) -> tuple[Kind, pa.Array]:
        used = set(np.unique(codes[live]).tolist()) - {NULL, NOT_COLLECTED}
        kind = common(kind_of(self._said[code]) or Kind.JSON for code in used)
        stand_in = self._said[min(used)] if used else b'""'
        said = [self._said[code] if kind is Kind.JSON or code in used else stand_in for code in range(count)]
        return kind, arrow_array(kind, said)

    def _values(self, count: int) -> Sequence[Json]:
        decoded = self._decoded
        if len(decoded) < count:
            decoded = self._decoded = decoded + [_decode(value) for value in self._said[len(decoded) : count]]
        return decoded[:count]


class _Live:
    """The rows that are in use."""

    def __init__(self, first: Array, last: Array) -> None:
        self._first = first
        self._counts = last - first
        self.newest = last[self._counts > 0] - 1
        """The last row of each resource."""

    @cached_property
    def rows(self) -> Array:
        """All of them."""
        before = np.cumsum(self._counts) - self._counts
        rows: Array = np.repeat(self._first - before, self._counts) + np.arange(self._counts.sum())
        return rows
