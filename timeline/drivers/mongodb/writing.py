"""Appends: every document is inserted where none with its key is, and what it needs is there before it.

A body comes before the streams that name it, a resource before its streams, and a stream before its events. So where a
stream is there, what comes before it need not be looked for: an append of repeats inserts its events and nothing else,
between saying that it begins and that it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from bson.binary import Binary
from pymongo.errors import OperationFailure, PyMongoError

from timeline.drivers.mongodb import keys
from timeline.drivers.mongodb.changes import TIDIED, Change, Changes
from timeline.drivers.mongodb.codec import message_id, text, time
from timeline.drivers.mongodb.connection import Connection
from timeline.drivers.mongodb.inserting import insert_missing
from timeline.drivers.mongodb.schema import Document
from timeline.model import Body, Event, Resource

T = TypeVar("T")

EVENTS = 2_000
"""Events that are stored by one turn."""
_BYTES = 8 * 1024 * 1024
"""Bytes of bodies in one command, about."""
_REMEMBERED = 50_000
"""Streams that are known to be there without asking; 20 MB at the most of usual ones."""


@dataclass
class Batch:
    """Some events as documents, and what they need. Each event stands in it once: of several the first given."""

    given: int = 0
    resources: dict[str, Document] = field(default_factory=dict)
    streams: dict[str, tuple[str, Body]] = field(default_factory=dict)
    """By their keys, the key of the resource and the body."""
    events: dict[str, Document] = field(default_factory=dict)


class Writing:
    """Stores events."""

    def __init__(self, connection: Connection, changes: Changes) -> None:
        self._connection = connection
        self._changes = changes
        self._streams: set[str] = set()
        self._noted: Change | None = None
        """One of our changes: these streams were there before it, and so they are for as long as it is."""

    def store(self, batch: Batch, *, again: bool) -> tuple[int, int]:
        """Store a batch; how many events and bodies were not there before.

        With ``again`` the outcome of a first turn is not known: what it may have added is noted as a change.
        """
        last = self._last()
        append = self._changes.begin(batch.resources)
        try:
            bodies = self._prepare_streams(batch)
            events = self._insert("events", list(batch.events.values()))
        except OperationFailure:
            # The server refuses, but it answers: what came so far is told now, and not when the append is given up.
            with suppress(PyMongoError):
                self._changes.note(batch.resources, last)
                self._changes.end([append])
            raise
        if events or again:
            own = self._changes.note(batch.resources, last)
            self._remember(batch, own)
            if own.number % TIDIED == 0:
                self._changes.tidy(own)
        self._changes.end([append])
        return events, bodies

    def _last(self) -> Change:
        """The last change. Where ours is gone, it is another store, or this one as it was: nothing is known of it."""
        noted = self._noted
        last = None if noted is None else self._changes.last_since(noted)
        if last is None:
            self._streams.clear()
            self._noted = None
            last = self._changes.last()
        return last

    def _remember(self, batch: Batch, own: Change) -> None:
        # Threads do this side by side: the later change holds for the streams of both.
        self._noted = own if self._noted is None else max(own, self._noted)
        if len(self._streams) + len(batch.streams) > _REMEMBERED:
            self._streams.clear()
        self._streams.update(batch.streams)

    def _prepare_streams(self, batch: Batch) -> int:
        """Make sure that the streams are there, and what they need; how many bodies were not."""
        unknown = {key: one for key, one in batch.streams.items() if key not in self._streams}
        missing = self._missing("streams", unknown)
        bodies = {body.digest.hex(): body for _, body in missing.values()}
        new = 0
        for some in _by_bytes(self._missing("bodies", bodies)):
            new += self._insert("bodies", some)
        resources = {key: batch.resources[key] for key, _ in missing.values()}
        self._insert("resources", list(self._missing("resources", resources).values()))
        self._insert("streams", [{"_id": key} for key in missing])
        return new

    def _insert(self, collection: str, documents: Sequence[Document]) -> int:
        """Insert those that are not there; how many."""
        return len(documents) - len(insert_missing(self._connection[collection], documents))

    def _missing(self, collection: str, wanted: Mapping[str, T]) -> dict[str, T]:
        """What is not there. By the time that it is inserted it may be."""
        if not wanted:
            return {}
        found = self._connection[collection].find(
            {"_id": {"$in": list(wanted)}}, {"_id": 1}, batch_size=len(wanted) + 1
        )
        there = {document["_id"] for document in found}
        return {key: one for key, one in wanted.items() if key not in there}


def batches(events: Iterable[Event]) -> Iterator[Batch]:
    """Events in turns."""
    rest = iter(events)
    while some := list(islice(rest, EVENTS)):
        yield _batch(some)


def _batch(events: Sequence[Event]) -> Batch:
    batch = Batch(given=len(events))
    resources: dict[Resource, str] = {}
    for event in events:
        resource = resources.get(event.resource)
        if resource is None:
            resource = resources[event.resource] = keys.of_resource(event.resource)
        stream = keys.of_stream(resource, event)
        key = keys.of_event(stream, event)
        if key in batch.events:
            continue
        document: Document = {
            "_id": key,
            "occurred_at": time(event.occurred_at),
            "recorded_at": time(event.recorded_at),
            "event_type": text(event.event_type),
        }
        if event.message_id is not None:
            document["message_id"] = Binary(message_id(event.message_id))
        batch.events[key] = document
        batch.streams.setdefault(stream, (resource, event.body))
        if resource not in batch.resources:
            batch.resources[resource] = _resource(resource, key)
    return batch


def _resource(key: str, event: str) -> Document:
    type, source, id = key.split(" ")
    return {"_id": key, "type": type, "source": source, "id": id, "event": event}


def _by_bytes(bodies: Mapping[str, Body]) -> Iterator[list[Document]]:
    some: list[Document] = []
    held = 0
    for digest, body in bodies.items():
        some.append({"_id": digest, "data": Binary(body.data)})
        held += len(body.data)
        if held >= _BYTES:
            yield some
            some, held = [], 0
    yield some
