"""The driver of SQL databases: the contract, on the parts that fulfil it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain

from timeline.drivers.contract import Appended, Driver, Summary
from timeline.drivers.sql import revision
from timeline.drivers.sql.changes import Changes
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.contents import Contents
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.quarantine import Quarantine
from timeline.drivers.sql.reading import Reading
from timeline.drivers.sql.writing import Writing
from timeline.errors import StoreNotFound, StoreOutdated
from timeline.model import Event, Outcome, Quarantined, Resource, Scope


class SqlDriver(Driver):
    """A store in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connections = Connections(database)

    # Each compiles statements: one that is never asked does not.

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self._database, self._connections)

    @cached_property
    def _writing(self) -> Writing:
        return Writing(self._database, self._connections)

    @cached_property
    def _contents(self) -> Contents:
        return Contents(self._database, self._connections)

    @cached_property
    def _changes(self) -> Changes:
        return Changes(self._database, self._connections)

    @cached_property
    def _quarantine(self) -> Quarantine:
        return Quarantine(self._database, self._connections)

    def prepare(self) -> None:
        with self._database.translated():
            try:
                revision.connect(self._database, writing=False).close()
            except (StoreNotFound, StoreOutdated):
                revision.upgrade(self._database)

    def append(self, events: Iterable[Event]) -> Appended:
        batch = list(events)  # before the transaction: the iterable may be slow, and may raise
        with self._database.translated():
            return self._writing.append(batch)

    def events(
        self,
        which: Scope | Collection[Resource],
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        with self._database.translated():
            yield from chain.from_iterable(self._reading.events(which, until, known_before, last_per_body))

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        with self._database.translated():
            return self._contents.resources(scope, after, limit)

    def version(self) -> str:
        with self._database.translated():
            return self._changes.version()

    def changed(self, since: str) -> Collection[Resource] | None:
        with self._database.translated():
            return self._changes.changed(since)

    def summary(self) -> Summary:
        with self._database.translated():
            return self._contents.summary()

    def close(self) -> None:
        with self._database.translated():
            self._connections.close()

    def put(self, records: Iterable[Quarantined]) -> int | None:
        given = list(records)
        with self._database.translated():
            return self._quarantine.put(given)

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        with self._database.translated():
            return self._quarantine.list(after, limit, settled)

    def find(self, id: str) -> Sequence[Quarantined]:
        with self._database.translated():
            return self._quarantine.find(id)

    def settle(self, id: str, outcome: Outcome, at: int) -> None:
        with self._database.translated():
            self._quarantine.settle(id, outcome, at)
