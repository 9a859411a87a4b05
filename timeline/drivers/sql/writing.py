"""Events stored: one transaction for each call, without a read for what was met before."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from timeline.drivers.codec import encode, pack_message_id
from timeline.drivers.contract import Appended
from timeline.drivers.sql.changes import Log
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.database import Database, Key
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.ids import Ids
from timeline.drivers.sql.schema import body, body_digest, event, event_type, resource, stream
from timeline.errors import StoreCorrupt
from timeline.model import LIFE_BOUNDS, Event, Phase, Resource

Stream = tuple[int, int, bytes]
"""Id of the resource, kind, digest of the body."""

_KINDS = {phase: int(phase) if phase in LIFE_BOUNDS else 0 for phase in Phase}

_EVENT_KEY = (event.c.stream, event.c.occurred_at, event.c.phase)
_event_key = itemgetter(*(list(event.c).index(column) for column in _EVENT_KEY))


class Writing:
    """Appends events to a store."""

    def __init__(self, database: Database, connections: Connections) -> None:
        self._place = database.place
        self._connections = connections
        self._resources: Ids[Resource] = Ids(database, resource, id="id", given_out=resource.c.id, remember=20_000)
        self._event_types: Ids[str] = Ids(database, event_type, id="id", given_out=event_type.c.id, remember=2_000)
        self._bodies: Ids[bytes] = Ids(database, body_digest, id="body", given_out=body.c.id, remember=0)
        self._streams: Ids[Stream] = Ids(database, stream, id="id", given_out=event.c.stream, remember=50_000)
        self._insert_bodies = database.inserting(body, [body.c.id])
        self._insert_events = database.inserting(event, _EVENT_KEY)
        self._log = Log(database)

    def append(self, batch: Sequence[Event]) -> Appended:
        """As :meth:`timeline.drivers.contract.EventStore.append`."""
        if not batch:
            return Appended(events=0, bodies=0, duplicates=0)
        named = [event.resource for event in batch]
        typed = [event.event_type for event in batch]
        with self._connections.writing() as cursor:
            resources = self._resources.of(cursor, named, _resource_row)
            event_types = self._event_types.of(cursor, typed, _event_type_row)
            said = [
                (resource, _KINDS[event.phase], event.body.digest)
                for resource, event in zip(resources, batch, strict=True)
            ]
            streams, bodies = self._streams_of(cursor, said, batch)
            rows = [
                (
                    stream,
                    event.occurred_at,
                    event.recorded_at,
                    event_type,
                    int(event.phase),
                    pack_message_id(event.message_id),
                )
                for stream, event_type, event in zip(streams, event_types, batch, strict=True)
            ]
            rows.sort(key=_event_key)  # as they lie on the pages; of equal keys the first given stays the first
            events = self._insert_events.run(cursor, rows)
            if events:
                self._log.note(cursor, resources)  # also those of duplicates: telling them apart would need a read
        self._resources.remember(named, resources)
        self._event_types.remember(typed, event_types)
        self._streams.remember(said, streams)
        return Appended(events=events, bodies=bodies, duplicates=len(batch) - events)

    def _streams_of(self, cursor: Cursor, said: Sequence[Stream], batch: Sequence[Event]) -> tuple[list[int], int]:
        """The id of the stream of each event, and how many bodies are new; both are stored."""
        ids, unknown = self._streams.known(said)
        if not unknown:
            return ids, 0
        data = {event.body.digest: event.body.data for id, event in zip(ids, batch, strict=True) if not id}
        bodies, new = self._bodies.learn(cursor, {digest: (digest,) for digest in data})
        if new:
            self._insert(cursor, [(bodies[digest], data[digest]) for digest in new])
        rows: dict[Stream, Key] = {
            (resource, kind, digest): (resource, kind, bodies[digest]) for resource, kind, digest in unknown
        }
        fresh = set(new)
        learnt, _ = self._streams.learn(cursor, rows, surely_new={stream for stream in rows if stream[2] in fresh})
        return [id or learnt[stream] for stream, id in zip(said, ids, strict=True)], len(new)

    def _insert(self, cursor: Cursor, bodies: Sequence[tuple[int, bytes]]) -> None:
        if self._insert_bodies.run(cursor, sorted(bodies)) != len(bodies):
            raise StoreCorrupt(
                f"{self._place}: ids were given out that bodies have already; was a backup restored without its "
                "sequences? Set body_id_seq beyond the greatest id of body"
            )


def _resource_row(key: Resource) -> Key:
    return encode(key.type), encode(key.source), encode(key.id)


def _event_type_row(name: str) -> Key:
    return (encode(name),)
