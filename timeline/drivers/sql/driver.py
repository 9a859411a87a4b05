"""The driver of SQL databases: the contract, on the parts that fulfil it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, count
from random import uniform
from time import sleep
from typing import TypeVar

from timeline.drivers.contract import Appended, Driver, Problem, Summary
from timeline.drivers.limits import within_limits
from timeline.drivers.sql import revision
from timeline.drivers.sql.changes import Changes
from timeline.drivers.sql.checking import Checking
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.contents import Contents
from timeline.drivers.sql.database import Conflict, ConnectionLost, Database
from timeline.drivers.sql.quarantine import Quarantine
from timeline.drivers.sql.reading import Reading
from timeline.drivers.sql.writing import Writing
from timeline.errors import StoreNotFound, StoreOutdated
from timeline.model import Event, Outcome, Quarantined, Resource, Scope

T = TypeVar("T")

_TURNS = 20
"""How often a transaction that others were in the way of is begun."""


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
        self._connections.check_open()
        with self._database.translated():
            try:
                revision.connect(self._database, writing=False).close()
            except (StoreNotFound, StoreOutdated):
                revision.upgrade(self._database)

    def append(self, events: Iterable[Event]) -> Appended:
        batch = within_limits(events)  # before the transaction: the iterable may be slow, and may raise
        try:
            return self._written(lambda: self._writing.append(batch))
        except ConnectionLost:
            self._written(lambda: self._writing.append(batch))
            # what the lost transaction had committed, the second has counted as duplicates
            return Appended(events=None, bodies=None, duplicates=None)

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

    def check(self) -> Iterator[Problem]:
        with self._database.translated():
            yield from Checking(self._database, self._connections).problems()

    def put(self, records: Iterable[Quarantined]) -> int | None:
        given = list(records)
        try:
            return self._written(lambda: self._quarantine.put(given))
        except ConnectionLost:
            self._written(lambda: self._quarantine.put(given))
            return None

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        with self._database.translated():
            return self._quarantine.list(after, limit, settled)

    def find(self, id: str) -> Sequence[Quarantined]:
        with self._database.translated():
            return self._quarantine.find(id)

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        try:
            self._written(lambda: self._quarantine.settle(id, outcome, at, note))
        except ConnectionLost:
            self._written(lambda: self._quarantine.settle(id, outcome, at, note))

    def _written(self, write: Callable[[], T]) -> T:
        """What a transaction gives back, begun again for as long as it is others who are in the way.

        Raises :class:`ConnectionLost` where nobody knows whether it was committed: all that is written here is
        idempotent, so that it can be done again.
        """
        for turn in count(1):
            try:
                with self._database.translated():
                    return write()
            except ConnectionLost:
                self._connections.close_idle()  # the others are lost too, or will be
                raise
            except Conflict:
                if turn == _TURNS:
                    raise
                sleep(uniform(0, 0.002 * 2 ** min(turn, 8)))  # who is in the way would be so again
        raise AssertionError("the last turn returns or raises")
