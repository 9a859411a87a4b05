"""The driver of HBase: the contract, on the parts that fulfil it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

from timeline.drivers.contract import Appended, Driver, Problem, Summary
from timeline.drivers.hbase import schema
from timeline.drivers.hbase.changes import Changes
from timeline.drivers.hbase.checking import Checking
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.contents import Contents
from timeline.drivers.hbase.listing import Listing
from timeline.drivers.hbase.quarantine import Quarantine
from timeline.drivers.hbase.reading import Reading
from timeline.drivers.hbase.url import HbaseUrl
from timeline.drivers.hbase.writing import Writing
from timeline.drivers.limits import within_limits
from timeline.model import Event, Outcome, Quarantined, Resource, Scope


def open(url: str) -> HbaseDriver:
    """The driver of a store in HBase, through its Thrift gateway: ``hbase://host:9090/prefix?timeout=30``.

    Raises :class:`~timeline.errors.StoreUrlError`.
    """
    return HbaseDriver(HbaseUrl(url))


class HbaseDriver(Driver):
    """A store in HBase."""

    def __init__(self, url: HbaseUrl) -> None:
        self._connections = Connections(url)
        listing = self._listing = Listing(self._connections)
        self._reading = Reading(self._connections, listing)
        self._writing = Writing(self._connections)
        self._changes = Changes(self._connections)
        self._quarantine = Quarantine(self._connections)
        self._contents = Contents(self._connections, self._quarantine)

    def prepare(self) -> None:
        self._connections.check_open()
        schema.prepare(self._connections.url, self._connections.translated)

    def append(self, events: Iterable[Event]) -> Appended:
        self._writing.append(within_limits(events))  # first the iterable, which may raise
        return Appended(events=None, bodies=None, duplicates=None)

    def events(
        self,
        which: Scope | Collection[Resource],
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        yield from chain.from_iterable(self._reading.events(which, until, known_before, last_per_body))

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        return self._listing.resources(scope, after, limit)

    def version(self) -> str:
        return self._changes.version()

    def changed(self, since: str) -> Collection[Resource] | None:
        return self._changes.changed(since)

    def summary(self) -> Summary:
        return self._contents.summary()

    def check(self) -> Iterator[Problem]:
        return Checking(self._connections).problems()

    def close(self) -> None:
        self._connections.close()

    def put(self, records: Iterable[Quarantined]) -> int | None:
        given = list(records)
        self._quarantine.put(given)
        return None if given else 0

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        return self._quarantine.page(after, limit, settled)

    def find(self, id: str) -> Sequence[Quarantined]:
        return self._quarantine.find(id)

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        self._quarantine.settle(id, outcome, at, note)
