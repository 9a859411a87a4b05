"""The engine: the only place where definitions, driver and replay meet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from timeline import clock, drivers
from timeline.clock import Instant
from timeline.drivers.contract import Driver, Summary
from timeline.engine import finding
from timeline.engine.counts import Counts
from timeline.errors import AmbiguousResource, ResourceNotFound
from timeline.model import Event, Existence, Json, Quarantined, Resource, Scope, State, canonical
from timeline.replay import Timeline, state

if TYPE_CHECKING:
    import threading

    # definitions and all that reads notifications are loaded when they are first needed: a question does not need them
    import pyarrow

    from timeline.consumers.source import Source
    from timeline.definitions import Definitions
    from timeline.engine.fleets import Fleets
    from timeline.engine.ingest import Notifications
    from timeline.metrics import Metrics
    from timeline.replay.join.fleet import Fleet
    from timeline.replay.join.options import JoinCounts, Policy, Unit

BATCH = 1_000
"""Notifications that are stored in one transaction, unless told otherwise."""

BUS_BATCH = 500
"""Messages of a bus that are stored in one transaction, unless told otherwise."""

BUS_AGE = 0.2
"""Seconds after which a message is stored, however few came with it, unless told otherwise."""


class Engine:
    """A store, read and written by definitions. Made by :func:`open`; may be shared by threads.

    Instants are microseconds since 1970 UTC, ISO 8601 text (no zone means UTC), ``now``, ``-2h``, or datetimes.
    ``as_known_at`` answers from the events recorded before an instant alone.
    Whatever reads or writes raises :class:`~timeline.errors.StoreError` where the store cannot do it, and
    :class:`~timeline.errors.TimeError` for what is no instant.
    """

    def __init__(self, driver: Driver, definitions: Definitions | None = None) -> None:
        self._driver = driver
        self._definitions = definitions
        self._fleets: Fleets | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back what the store had opened."""
        self._driver.close()

    def prepare(self) -> None:
        """Make the store, or bring an older one up to date: nothing else creates. Doing it again changes nothing."""
        self._driver.prepare()

    @property
    def driver(self) -> Driver:
        """The store."""
        return self._driver

    @property
    def definitions(self) -> Definitions:
        """The definitions; those that come with the package are loaded when they are first needed."""
        if self._definitions is None:
            from timeline.definitions import Definitions

            self._definitions = Definitions.load()
        return self._definitions

    def ingest(
        self, notifications: Notifications, *, batch: int = BATCH, progress: Callable[[Counts], None] | None = None
    ) -> Counts:
        """Store what notifications say: an iterable of bytes, texts, dicts or messages.

        Each ends whole in exactly one of: in scope (all its events stored), out of scope, quarantined. ``progress`` is
        called with the counts so far after each commit of ``batch`` notifications.
        """
        from timeline.engine.ingest import ingest

        if isinstance(notifications, (bytes, str, Mapping)):
            raise TypeError("ingest takes an iterable of notifications; one alone is to be put into a list")
        return ingest(self._driver, self.definitions, notifications, batch=batch, progress=progress)

    def consume(
        self,
        source: Source,
        *,
        batch: int = BUS_BATCH,
        age: float = BUS_AGE,
        until_empty: bool = False,
        stopping: threading.Event | None = None,
        metrics: Metrics | None = None,
        progress: Callable[[Counts], None] | None = None,
    ) -> Counts:
        """Store what the messages of a source say, and acknowledge them, until ``stopping`` is set.

        A message is acknowledged when its events, or its quarantine record, are durable. Up to ``batch`` of them are
        stored together, ``age`` seconds after the first has come at the latest. Where the store fails, what was not
        acknowledged is given back, and it goes on by itself when the store is back. With ``until_empty`` it ends when
        nothing is left. When it is to stop, what is being stored is finished if that takes seconds, and the rest is
        given back. The source is closed at the end.

        Raises :class:`~timeline.errors.TimelineError` where the source cannot go on.
        """
        from timeline.engine.loop import Loop
        from timeline.engine.storing import Storing

        loop = Loop(
            source,
            Storing(self._driver, self.definitions, metrics),
            batch=batch,
            patient=True,
            age=age,
            until_empty=until_empty,
            stopping=stopping,
            metrics=metrics,
            progress=progress,
        )
        try:
            return loop.run()
        finally:
            source.close()

    def state(self, type: str, id: str, at: Instant, *, source: str = "", as_known_at: Instant | None = None) -> State:
        """What a resource was at an instant, straight from the store.

        ``unknown`` where nothing speaks of it. Costs a look at each distinct body of the resource, however many events
        it has; a :meth:`timeline` also tells why and until when.
        """
        resource = Resource(type=type, source=source, id=id)
        until, known_before = clock.instant(at), _known_before(as_known_at)
        events = self._driver.events((resource,), until=until, known_before=known_before, last_per_body=True)
        return state(resource, until, list(events))

    def timeline(self, type: str, id: str, *, source: str = "", as_known_at: Instant | None = None) -> Timeline:
        """The whole timeline of a resource, with its evidence; empty where nothing speaks of it."""
        resource = Resource(type=type, source=source, id=id)
        known_before = _known_before(as_known_at)
        events = self._driver.events((resource,), known_before=known_before)
        return Timeline(resource, events, as_known_at=known_before)

    def resources(
        self,
        type: str | None = None,
        at: Instant = "now",
        where: Mapping[str, Json] | None = None,
        *,
        source: str | None = None,
        existence: Collection[Existence] = (Existence.PRESENT,),
        as_known_at: Instant | None = None,
    ) -> Iterator[State]:
        """The states of all resources at an instant, in the order ``(type, source, id)``, lazily.

        Those whose existence is one of ``existence`` and whose fields have the values of ``where``, compared by
        canonical bytes: ``1``, ``1.0`` and ``"1"`` are three values. A resource of which nothing speaks by then is
        ``unknown``, and listed only if that is asked for.
        """
        until = clock.instant(at)
        known_before = _known_before(as_known_at)
        scope = Scope(type=type, source=source)
        wanted = {name: canonical(value) for name, value in (where or {}).items()}
        found = self._states(scope, until, known_before)
        if Existence.UNKNOWN in existence:
            found = self._with_unknown(found, scope, until, known_before)
        for each in found:
            if each.existence in existence and all(
                name in each.fields and canonical(each.fields[name]) == value for name, value in wanted.items()
            ):
                yield each

    def join(
        self,
        samples: Any,
        fields: Sequence[str] | None = None,
        *,
        type: str | None = None,
        source: str = "",
        columns: Mapping[str, str] | None = None,
        unit: Unit = "us",
        policy: Policy = "at",
        period: int | None = None,
        cumulative: bool | Collection[str] | None = None,
        prefix: str = "",
        collected: bool = False,
        since: bool = False,
        as_known_at: Instant | None = None,
        progress: Callable[[JoinCounts], None] | None = None,
    ) -> Any:
        """Samples with what was in force at their times: for each what ``timeline(...).at(timestamp)`` says.

        What comes in goes out, its rows in their order, its own columns untouched: an Arrow table, a record batch or a
        reader of batches (lazily), a pandas or a polars frame; of any other object with the Arrow PyCapsule interface
        an Arrow table; of an iterable of dicts an iterator of dicts (lazily). Added are ``existence`` and the
        ``fields``, all unless given, dictionary-encoded; a field whose values are of several kinds is JSON. Dicts get
        the values as they are, and of all fields those that are in force.

        A sample has ``resource_id``, ``timestamp`` and ``meter``; ``columns`` tells what they are called otherwise, as
        in ``{"timestamp": "time"}``. Whole numbers in ``timestamp`` are in ``unit`` since 1970 UTC. The meter tells
        the type of the resource by the sample rules of the definitions; ``type``, or a column for it
        (``{"type": "kind"}``), overrides that. ``source`` is that of all samples, or a column too. A sample without id
        or time, and of a meter that no rule knows, is ``unknown``: ``progress`` is called with counts that name these
        meters, once for a table, after each batch otherwise.

        With another policy than ``at`` a sample covers the time up to its timestamp: from the column ``start`` where
        ``columns`` names one, else for ``period`` microseconds, else from the previous sample of the same id and
        meter. ``start`` joins what was in force as it begins, ``end`` as it ends; ``split`` makes a row for each
        segment that it touches, with its share of ``value`` by duration, and with ``row``, ``part_start`` and
        ``part_end``. Meters that the rules or ``cumulative`` name as such are first turned into deltas.

        ``prefix`` is put before the names of added columns. ``since`` adds when the segment began, ``collected`` for
        each field whether anything has spoken of it, which tells ``null`` from not collected.

        The segments are kept in memory; when the store has changed since, only what changed is read again. Raises
        :class:`~timeline.errors.InputError` for samples that cannot be read, and
        :class:`~timeline.errors.PackageMissing` where columns are to be joined and pyarrow is not installed.
        """
        from timeline.engine.joining import Joining
        from timeline.replay.join.options import Options

        _check_several(fields=fields, cumulative=cumulative)
        known_before = _known_before(as_known_at)
        options = Options(
            fields=None if fields is None else tuple(dict.fromkeys(fields)),
            type=type,
            source=source,
            columns=dict(columns or {}),
            unit=unit,
            policy=policy,
            period=period,
            cumulative=cumulative if cumulative is None or isinstance(cumulative, bool) else frozenset(cumulative),
            prefix=prefix,
            collected=collected,
            since=since,
        )
        fleet = partial(self._fleet, type, known_before)
        joining = Joining(self._driver, lambda: self.definitions, fleet, options, known_before, progress)
        return joining.joined(samples)

    def segments(
        self,
        type: str,
        fields: Sequence[str] | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        *,
        source: str = "",
        as_known_at: Instant | None = None,
    ) -> pyarrow.Table:
        """The timelines of all resources of a type as one Arrow table, clipped to ``[start, end)``.

        Columns: ``resource_id``, ``start`` and ``end`` (times in microseconds, UTC; ``end`` is null where open),
        ``existence``, and the fields, all unless given; each resource's rows in order of time, as
        :meth:`Timeline.between` tells them. It takes the join to other engines: see the page on them.

        Raises :class:`~timeline.errors.InputError` for a field that is not there.
        """
        from timeline.replay.join.options import check_fields
        from timeline.replay.kinds import need_arrow

        _check_several(fields=fields)
        need_arrow("a table of segments")
        fleet = self._fleet(type, _known_before(as_known_at))
        if fields is not None and not set(fields) <= fleet.fields.keys():
            from timeline.engine.joining import fields_of

            check_fields(fields, {*fleet.fields, *fields_of(self.definitions)})
        first, last = (None if bound is None else clock.instant(bound) for bound in (start, end))
        return fleet.table(fields, first, last, source)

    def events(
        self, type: str | None = None, *, source: str | None = None, as_known_at: Instant | None = None
    ) -> Iterator[Event]:
        """All events, lazily: by resource ``(type, source, id)``, then in the order of the model."""
        return self._driver.events(Scope(type=type, source=source), known_before=_known_before(as_known_at))

    def find(self, text: str, *, source: str | None = None) -> Resource:
        """The one resource that ``TYPE/ID`` or a bare ``ID`` means.

        Raises :class:`~timeline.errors.ResourceNotFound`, with near ones as suggestions, and
        :class:`~timeline.errors.AmbiguousResource`, with the candidates.
        """
        try:
            return finding.find(self._driver, text, source)
        except ResourceNotFound as error:
            raise ResourceNotFound(str(error), finding.near(self._driver, text)) from None

    def status(self) -> Summary:
        """What the store holds, counted."""
        return self._driver.summary()

    def quarantined(
        self, reasons: Collection[str] = (), event_types: Collection[str] = (), *, settled: bool = False
    ) -> Iterator[Quarantined]:
        """The unsettled quarantine records, oldest first, lazily; with ``settled`` also those that are settled.

        ``reasons`` keeps those with one of these reasons, ``event_types`` those whose event type fits one of these
        globs, such as ``compute.instance.*``; a message of which no event type could be read fits none.
        """
        from timeline.engine import quarantine

        _check_several(reasons=reasons, event_types=event_types)
        return quarantine.select(self._driver, reasons=reasons, event_types=event_types, settled=settled)

    def quarantine_record(self, id: str) -> Quarantined:
        """The quarantine record whose id begins so.

        Raises :class:`~timeline.errors.ResourceNotFound` and :class:`~timeline.errors.AmbiguousResource`.
        """
        found = self._driver.find(id)
        if not found:
            raise ResourceNotFound(f"no quarantine record begins with {id!r}")
        if len(found) > 1:
            raise AmbiguousResource(f"several quarantine records begin with {id!r}", tuple(each.id for each in found))
        return found[0]

    def retry(self, records: Iterable[Quarantined] | None = None) -> Counts:
        """Read quarantined messages again, all that are unsettled unless given, after the definitions were mended.

        Those that can be read now are stored, or are out of scope, and are settled; the others stay. A dropped one that
        is given is open again.
        """
        from timeline.engine import quarantine
        from timeline.engine.ingest import retry

        if records is None:
            records = self.quarantined()
        return retry(self._driver, self.definitions, quarantine.reopened(self._driver, records))

    def drop(self, records: Iterable[Quarantined], because: str) -> int:
        """Settle quarantined messages that are not to be read, with a note that says why, and tell how many.

        Nothing is deleted: the records stay, with the note. Those that are settled already stay as they are. The note
        has at most 1,024 bytes of UTF-8. Raises ``ValueError`` for an empty one.
        """
        from timeline.engine import quarantine

        return quarantine.drop(self._driver, records, because)

    def _fleet(self, type: str | None, known_before: int | None) -> Fleet:
        from timeline.engine.fleets import Fleets

        with self._lock:
            if self._fleets is None:
                self._fleets = Fleets(self._driver)
        return self._fleets.fleet(type, known_before)

    def _states(self, scope: Scope, until: int, known_before: int | None) -> Iterator[State]:
        events = self._driver.events(scope, until=until, known_before=known_before, last_per_body=True)
        for resource, of_resource in groupby(events, key=lambda event: event.resource):
            yield state(resource, until, list(of_resource))

    def _with_unknown(self, known: Iterator[State], scope: Scope, at: int, known_before: int | None) -> Iterator[State]:
        """Known states, and between them the resources of which nothing speaks yet."""
        following = next(known, None)
        for resource in self._spoken_of(scope, known_before):
            if following is not None and following.resource == resource:
                yield following
                following = next(known, None)
            else:
                yield State(resource=resource, at=at, existence=Existence.UNKNOWN, life=0, fields={})

    def _spoken_of(self, scope: Scope, known_before: int | None) -> Iterator[Resource]:
        """The resources of which something speaks, sooner or later, as far as was known."""
        if known_before is not None:
            events = self._driver.events(scope, known_before=known_before, last_per_body=True)
            yield from (resource for resource, _ in groupby(events, key=lambda event: event.resource))
            return
        after = None
        while page := self._driver.resources(scope, after=after):
            yield from page
            after = page[-1]


def open(url: str, *, definitions: str | Path | Definitions | None = None) -> Engine:
    """The engine on the store that a URL names, such as ``sqlite:///timeline.db`` or ``memory:``.

    ``definitions`` is a file, or definitions already loaded; unless given, those that come with the package.
    Raises :class:`~timeline.errors.StoreError` and :class:`~timeline.errors.DefinitionError`.
    """
    if isinstance(definitions, (str, Path)):
        from timeline.definitions import Definitions

        definitions = Definitions.load(definitions)
    return Engine(drivers.open(url), definitions)


def _check_several(**names: object) -> None:
    """Raise TypeError for a text where several are meant: its letters would be taken for them."""
    for word, value in names.items():
        if isinstance(value, str):
            raise TypeError(f"{word} takes several names; one alone is to be put into a list: [{value!r:.60}]")


def _known_before(as_known_at: Instant | None) -> int | None:
    return None if as_known_at is None else clock.instant(as_known_at)
