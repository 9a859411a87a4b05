"""The resources that a store knows, by name and by id."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from timeline.drivers.hbase import paging
from timeline.drivers.hbase.codec import after_all, escaped, name_of, named, named_id_first
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.schema import META, RESOURCES, RESOURCES_BY_ID
from timeline.errors import StoreCorrupt
from timeline.model import Resource, Scope

_MOST = 5_000
"""Rows of a page; nothing is in them but their keys."""


class Listing:
    """Lists resources, in order."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def resources(self, scope: Scope, after: Resource | None, limit: int) -> list[Resource]:
        """As :meth:`timeline.drivers.contract.EventStore.resources`."""
        return [self._named(name) for name in self.names(scope, after, limit)]

    def names(self, scope: Scope, after: Resource | None, limit: int) -> list[bytes]:
        """The names of a page of resources."""
        return list(islice(self.all_names(scope, after, limit), max(0, limit)))

    def all_names(self, scope: Scope, after: Resource | None = None, expected: int = _MOST) -> Iterator[bytes]:
        """The names of the resources in a scope from the one after ``after`` on; about so many will be asked for."""
        first = min(max(1, expected), _MOST)
        if scope.id is not None:
            yield from self._with_id(scope, scope.id, after, first)
            return
        for prefix in self.prefixes(scope, after):
            start = RESOURCES + prefix
            stop = after_all(start)
            if after is not None:
                start = max(start, RESOURCES + name_of(after) + b"\0")
            for row, _ in paging.rows(self._connections, META, start, stop, whole=True, first=first, most=_MOST):
                yield row[1:]

    def prefixes(self, scope: Scope, after: Resource | None = None) -> Iterator[bytes]:
        """What the names of the resources in a scope begin with; its id is not looked at.

        A source alone has a part of each type.
        """
        if scope.type is not None:
            yield escaped(scope.type) + (b"" if scope.source is None else escaped(scope.source))
        elif scope.source is None:
            yield b""
        else:
            for kind in self._types(after):
                yield kind + escaped(scope.source)

    def _types(self, after: Resource | None) -> Iterator[bytes]:
        """The types that there are, as they stand in names: one seek for each."""
        start, stop = RESOURCES, after_all(RESOURCES)
        if after is not None:
            start += escaped(after.type)
        while rows := self._first(start, stop):
            kind = rows[0][1 : len(rows[0]) - len(rows[0].split(b"\0\1", 1)[1])]
            yield kind
            start = RESOURCES + after_all(kind)

    def _first(self, start: bytes, stop: bytes) -> list[bytes]:
        page, _ = self._connections.ask(lambda gateway: gateway.page(META, start, stop, 1, whole=True))
        return [row for row, _ in page]

    def _with_id(self, scope: Scope, id: str, after: Resource | None, first: int) -> Iterator[bytes]:
        prefix = RESOURCES_BY_ID + escaped(id)
        if scope.type is not None:
            prefix += escaped(scope.type)
            if scope.source is not None:
                prefix += escaped(scope.source)
        for row, _ in paging.rows(
            self._connections, META, prefix, after_all(prefix), whole=True, first=first, most=_MOST
        ):
            try:
                found = named_id_first(row[1:])
            except ValueError as error:
                raise self._corrupt(row) from error
            if found in scope and (after is None or found > after):
                yield name_of(found)

    def _named(self, name: bytes) -> Resource:
        try:
            return named(name)
        except ValueError as error:
            raise self._corrupt(RESOURCES + name) from error

    def _corrupt(self, row: bytes) -> StoreCorrupt:
        url = self._connections.url
        return StoreCorrupt(
            f"{url.place}: the row {row.hex()} of the table {url.prefix}_{META} names no resource; restore it from a "
            "backup"
        )
