"""The driver of MongoDB: the contract, on the parts that fulfil it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from timeline.drivers.contract import Appended, Driver, Problem, Summary
from timeline.drivers.limits import within_limits
from timeline.drivers.mongodb.changes import Changes
from timeline.drivers.mongodb.checking import Checking
from timeline.drivers.mongodb.connection import Connection
from timeline.drivers.mongodb.contents import Contents
from timeline.drivers.mongodb.errors import ConnectionLost
from timeline.drivers.mongodb.quarantine import Quarantine
from timeline.drivers.mongodb.reading import Reading
from timeline.drivers.mongodb.url import MongodbUrl
from timeline.drivers.mongodb.writing import Batch, Writing, batches
from timeline.model import Event, Outcome, Quarantined, Resource, Scope

T = TypeVar("T")


def open(url: str) -> MongodbDriver:
    """The driver of a store in a MongoDB database: ``mongodb://user@host:27017/database?replicaSet=rs0&tls=true``.

    What stands after ``?`` is pymongo's. Reads ask the primary, and writes wait for a majority, whatever stands there.
    """
    return MongodbDriver(MongodbUrl(url))


class MongodbDriver(Driver):
    """A store in a MongoDB database. It is without transactions: the contract says what it keeps less of."""

    def __init__(self, url: MongodbUrl) -> None:
        self._connection = Connection(url)
        self._changes = Changes(self._connection)
        self._writing = Writing(self._connection, self._changes)
        self._contents = Contents(self._connection)
        self._reading = Reading(self._connection, self._contents)
        self._quarantine = Quarantine(self._connection)

    def prepare(self) -> None:
        with self._connection.translated:
            self._connection.schema.prepare(self._connection.database())

    def append(self, events: Iterable[Event]) -> Appended:
        given = within_limits(events)  # before anything is stored: the iterable may raise
        if not given:
            with self._connection.translated:
                self._changes.last()  # a store is there, though nothing is asked of it
        new = bodies = 0
        certain = True
        for batch in batches(given):
            stored = self._store(batch)
            if stored is None:
                certain = False
            else:
                new, bodies = new + stored[0], bodies + stored[1]
        if not certain:
            return Appended(events=None, bodies=None, duplicates=None)
        return Appended(events=new, bodies=bodies, duplicates=len(given) - new)

    def events(
        self,
        which: Scope | Collection[Resource],
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        with self._connection.translated:
            yield from chain.from_iterable(self._reading.events(which, until, known_before, last_per_body))

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        with self._connection.translated:
            return self._contents.resources(scope, after, limit)

    def version(self) -> str:
        with self._connection.translated:
            return self._changes.version()

    def changed(self, since: str) -> Collection[Resource] | None:
        with self._connection.translated:
            return self._changes.changed(since)

    def summary(self) -> Summary:
        with self._connection.translated:
            return self._contents.summary()

    def check(self) -> Iterator[Problem]:
        with self._connection.translated:
            yield from Checking(self._connection).problems()

    def close(self) -> None:
        self._connection.close()

    def put(self, records: Iterable[Quarantined]) -> int | None:
        given = list(records)
        try:
            return self._translated(lambda: self._quarantine.put(given))
        except ConnectionLost:
            self._translated(lambda: self._quarantine.put(given))
            return None

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        with self._connection.translated:
            return self._quarantine.list(after, limit, settled)

    def find(self, id: str) -> Sequence[Quarantined]:
        with self._connection.translated:
            return self._quarantine.find(id)

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        try:
            self._translated(lambda: self._quarantine.settle(id, outcome, at, note))
        except ConnectionLost:
            self._translated(lambda: self._quarantine.settle(id, outcome, at, note))

    def _store(self, batch: Batch) -> tuple[int, int] | None:
        """How many events and bodies of a batch are new; ``None`` where a lost connection has left that unknown."""
        try:
            return self._translated(lambda: self._writing.store(batch, again=False))
        except ConnectionLost:
            self._translated(lambda: self._writing.store(batch, again=True))
            return None  # what the first turn had stored, the second has found there

    def _translated(self, call: Callable[[], T]) -> T:
        with self._connection.translated:
            return call()
