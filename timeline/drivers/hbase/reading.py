"""Events read back.

The resources of a salt lie in order, so a fleet is one scan for each salt, merged. Where only the state at an instant
is wanted, HBase itself passes over the rest: a filter lets of each row the first column through that is not later.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from timeline import clock
from timeline.drivers.hbase import paging
from timeline.drivers.hbase.bodies import read_bodies
from timeline.drivers.hbase.codec import (
    BOUND,
    REFERENCE_BYTES,
    SALTS,
    after_all,
    name_of,
    named,
    read_column,
    read_value,
    salted,
    since_first,
    split_row,
    stamp,
)
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.gateway import Cells, Row
from timeline.drivers.hbase.listing import Listing
from timeline.drivers.hbase.schema import EVENTS
from timeline.errors import StoreCorrupt
from timeline.model import Body, Event, Phase, Resource, Scope, order

Parts: TypeAlias = list[tuple[bytes, Cells]]
"""The rows of one resource: what follows the name, and the cells."""

_PHASES = {int(phase): phase for phase in Phase}
_RESTORED = 255 - Phase.RESTORE
_FEW = SALTS
"""Resources that are looked for one by one rather than in a scan of each salt."""
_ROWS, _ROWS_OF_ONE_CELL = 400, 1_000
"""Rows of a page."""
_EVENTS = 500
"""Events whose bodies are looked up together."""


class Reading:
    """The events of a store, read back."""

    def __init__(self, connections: Connections, listing: Listing) -> None:
        self._connections = connections
        self._listing = listing
        self._place = connections.url.place

    def events(
        self, which: Scope | Collection[Resource], until: int | None, known_before: int | None, last_per_body: bool
    ) -> Iterator[Sequence[Event]]:
        """As :meth:`timeline.drivers.contract.EventStore.events`, the events of each resource in one piece."""
        choice = _Choice(until, known_before, last_per_body)
        if isinstance(which, Scope):
            each = self._of_scope(which, choice)
        else:
            each = self._of_some([name_of(one) for one in which], choice)
        bodies: dict[bytes, Body] = {}
        for some in _together(each):
            wanted = {row[1 : 1 + REFERENCE_BYTES] for _, parts in some for row, _ in parts}
            bodies = {key: body for key, body in bodies.items() if key in wanted}
            bodies |= read_bodies(self._connections, wanted - bodies.keys())
            for name, parts in some:
                yield self._events(name, parts, bodies)

    def _of_scope(self, scope: Scope, choice: _Choice) -> Iterator[tuple[bytes, Parts]]:
        """The rows of the resources in a scope, in their order."""
        if scope.id is not None or len(few := self._listing.names(scope, None, _FEW)) < _FEW:
            names = list(self._listing.all_names(scope)) if scope.id is not None else few
            yield from self._of_some(names, choice)
            return
        for prefix in self._listing.prefixes(scope):
            stop = after_all(prefix) if prefix else b"\xff"
            salts = [
                self._grouped(bytes((salt,)) + prefix, bytes((salt,)) + stop, choice, first=64) for salt in range(SALTS)
            ]
            yield from merge(*salts, key=itemgetter(0))

    def _of_some(self, names: Iterable[bytes], choice: _Choice) -> Iterator[tuple[bytes, Parts]]:
        """The rows of some resources, in their order."""
        wanted = sorted({salted(name) for name in names})
        salts = [self._of_salt(list(of_salt), choice) for _, of_salt in groupby(wanted, key=itemgetter(0))]
        return merge(*salts, key=itemgetter(0))

    def _of_salt(self, wanted: list[bytes], choice: _Choice) -> Iterator[tuple[bytes, Parts]]:
        """The rows of resources of one salt. What lies between two of them is passed over or not, as is the quicker."""
        nexts = iter(wanted)
        current = next(nexts)

        def wanted_from(row: bytes) -> bytes:
            nonlocal current
            while after_all(current) <= row:
                current = next(nexts, b"\xff")
            return current

        names = {name[1:] for name in wanted}
        first = choice.most if len(wanted) == 1 else 64
        found = self._grouped(wanted[0], after_all(wanted[-1]), choice, first=first, wanted_from=wanted_from)
        return ((name, parts) for name, parts in found if name in names)

    def _grouped(
        self,
        start: bytes,
        stop: bytes,
        choice: _Choice,
        *,
        first: int,
        wanted_from: Callable[[bytes], bytes] | None = None,
    ) -> Iterator[tuple[bytes, Parts]]:
        """The rows of a range, resource by resource."""
        rows = paging.rows(
            self._connections,
            EVENTS,
            start,
            stop,
            filter=choice.filter,
            whole=choice.last_per_body,
            first=min(first, choice.most),
            most=choice.most,
            wanted_from=wanted_from,
        )
        for name, parts in groupby(map(self._split, rows), key=itemgetter(0)):
            of_one = [(rest, cells) for _, rest, cells in parts]
            if choice.last_per_body and any(_is_restore(rest) for rest, _ in of_one):
                key = start[:1] + name
                every = _Choice(choice.until, choice.known_before, False)
                yield from self._grouped(key, after_all(key), every, first=_ROWS)
            else:
                yield name, of_one

    def _split(self, row: Row) -> tuple[bytes, bytes, Cells]:
        try:
            return *split_row(row[0]), row[1]
        except ValueError as error:
            raise self._corrupt(f"the row {row[0].hex()} is that of no event") from error

    def _events(self, name: bytes, parts: Parts, bodies: dict[bytes, Body]) -> Sequence[Event]:
        """The events of one resource, in order."""
        try:
            resource = named(name)
            found = [
                (*read_column(column), rest[1 : 1 + REFERENCE_BYTES], value)
                for rest, cells in parts
                for column, value in cells.items()
            ]
            found.sort()
            events = [
                Event(resource, at, _PHASES[phase], bodies[body], *read_value(value))
                for at, phase, body, value in found
            ]
        except KeyError as error:
            said = error.args[0]
            what = f"the body {said[:-1].hex()}" if isinstance(said, bytes) else f"the phase {said}"
            raise self._corrupt(f"events of {named(name)} name {what}, which is not there") from error
        except (ValueError, struct.error) as error:
            raise self._corrupt(f"an event of {name!r} cannot be read ({error})") from error
        if len({(at, phase) for at, phase, _, _ in found}) < len(found):
            events.sort(key=order)  # of the same time and phase: only the bodies can tell
        return events

    def _corrupt(self, why: str) -> StoreCorrupt:
        return StoreCorrupt(f"{self._place}: {why}; restore the store from a backup")


class _Choice:
    """Which events of a resource are wanted, and the filter that lets them through.

    A filter is text of ours; of what was asked nothing is in it but numbers, as 8 bytes each.
    """

    def __init__(self, until: int | None, known_before: int | None, last_per_body: bool) -> None:
        self.until = until
        self.known_before = known_before
        self.last_per_body = last_per_body
        self.most = _ROWS_OF_ONE_CELL if last_per_body else _ROWS
        filters = []
        if until is not None:
            first = stamp(min(max(until, clock.MIN - 1), clock.MAX), 255)
            filters.append(b"ColumnRangeFilter('%b', true, '%b', true)" % (_quoted(first), b"\xff" * 9))
        if known_before is not None:
            filters.append(
                b"ValueFilter(<, 'binary:%b')" % _quoted(since_first(min(max(known_before, clock.MIN), clock.MAX + 1)))
            )
        if last_per_body:
            filters.append(b"ColumnPaginationFilter(1, 0)")
        self.filter = b" AND ".join(filters) or None


def _quoted(data: bytes) -> bytes:
    """Bytes between quotes in a filter: any byte is itself but the quote."""
    return data.replace(b"'", b"''")


def _is_restore(rest: bytes) -> bool:
    return rest[:1] == BOUND and rest[-1] == _RESTORED


def _together(each: Iterable[tuple[bytes, Parts]]) -> Iterator[list[tuple[bytes, Parts]]]:
    """Resources, whole, as soon as together they have so many events."""
    some: list[tuple[bytes, Parts]] = []
    held = 0
    for name, parts in each:
        some.append((name, parts))
        held += sum(len(cells) for _, cells in parts)
        if held >= _EVENTS:
            yield some
            some, held = [], 0
    if some:
        yield some
