"""What is wrong in the collections: documents that name what is not there, bodies that are not what they were.

What a document needs was there before it. So it is looked for after the document was read, and it does not matter what
others append meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

from timeline import clock
from timeline.drivers.contract import Damage, Problem
from timeline.drivers.mongodb import keys
from timeline.drivers.mongodb.codec import read_message_id, read_text
from timeline.drivers.mongodb.connection import Connection
from timeline.drivers.mongodb.quarantine import record_of
from timeline.drivers.mongodb.schema import Document
from timeline.model import LIFE_BOUNDS, Outcome, Phase, Resource

_MOST = 1_000
"""Problems of one kind that are told."""
_BODIES, _DOCUMENTS = 32, 2_000
"""Documents that are fetched together. A body may have a megabyte."""

_PHASES = frozenset(int(phase) for phase in Phase)
_BOUNDS = frozenset(int(phase) for phase in LIFE_BOUNDS)


class Checking:
    """Looks through a store for what cannot be right."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def problems(self) -> Iterator[Problem]:
        """As :meth:`timeline.drivers.contract.CheckedStore.check`."""
        for find in (self._bodies, self._resources, self._streams, self._events, self._log, self._records):
            yield from islice(find(), _MOST)

    def _bodies(self) -> Iterator[Problem]:
        for document in self._all("bodies", _BODIES):
            digest, data = document["_id"], document.get("data")
            if not isinstance(digest, str) or not keys.is_digest(digest) or not isinstance(data, bytes):
                yield _damaged("bodies", document, "it is no body")
            elif sha256(data).hexdigest() != digest:
                detail = f"the body {digest} has other bytes than its digest says"
                yield Problem(damage=Damage.BODY_DAMAGED, detail=detail)

    def _resources(self) -> Iterator[Problem]:
        for document in self._all("resources"):
            key = document["_id"]
            if _resource(key) is None:
                yield _damaged("resources", document, "its key is that of no resource")
            elif [document.get(name) for name in ("type", "source", "id")] != key.split(" "):
                yield _damaged("resources", document, "it has other parts than its key", _resource(key))
            elif not str(document.get("event")).startswith(f"{key} "):
                yield _damaged("resources", document, "its first event is none of its own", _resource(key))

    def _streams(self) -> Iterator[Problem]:
        for some in _in_parts(self._all("streams")):
            resources: dict[str, Document] = {}
            for document in some:
                stream = _stream(document["_id"])
                if stream is None:
                    yield _damaged("streams", document, "its key is that of no stream")
                else:
                    resources.setdefault(stream[0], document)
            for key in self._missing("resources", resources):
                detail = (
                    f"the stream {resources[key]['_id']!r} is of a resource that is not in the collection resources"
                )
                yield Problem(damage=Damage.REFERENCE_MISSING, detail=detail, resource=_resource(key))

    def _events(self) -> Iterator[Problem]:
        for some in _in_parts(self._all("events")):
            streams: dict[str, Resource] = {}
            bodies: dict[str, Resource] = {}
            for document in some:
                why = _wrong_with_event(document)
                stream = _stream(str(document["_id"])[: keys.STREAM_TAIL - keys.EVENT_TAIL])
                resource = None if stream is None else _resource(stream[0])
                if why is not None or stream is None or resource is None:
                    yield _damaged("events", document, why or "its key is that of no event", resource)
                    continue
                streams.setdefault(document["_id"][: keys.STREAM_TAIL - keys.EVENT_TAIL], resource)
                bodies.setdefault(stream[2], resource)
            for key in self._missing("bodies", bodies):
                detail = f"events name the body {key}, which is not there"
                yield Problem(damage=Damage.BODY_MISSING, detail=detail, resource=bodies[key])
            for key in self._missing("streams", streams):
                detail = f"events are of the stream {key!r}, which is not in the collection streams"
                yield Problem(damage=Damage.REFERENCE_MISSING, detail=detail, resource=streams[key])

    def _log(self) -> Iterator[Problem]:
        for name in ("appends", "changes"):
            for document in self._all(name, _BODIES):
                resources = document.get("resources")
                if not isinstance(resources, list) or None in map(_resource, resources):
                    yield _damaged(name, document, "it names what are no resources")

    def _records(self) -> Iterator[Problem]:
        for document in self._all("quarantine", _BODIES):
            try:
                record = record_of(document)
            except keys.Unreadable as error:
                yield _damaged("quarantine", document, str(error))
                continue
            times = [record.received_at] + ([] if record.settled_at is None else [record.settled_at])
            if not all(clock.MIN <= at <= clock.MAX for at in times):
                yield _damaged("quarantine", document, "its times are not within the years 1 to 9999")
            elif (record.outcome is None) != (record.settled_at is None):
                yield _damaged("quarantine", document, "it is settled without a time, or has a time without being so")
            elif record.note is not None and record.outcome is not Outcome.DROPPED:
                yield _damaged("quarantine", document, "it has a note and was not dropped")

    def _all(self, collection: str, number: int = _DOCUMENTS) -> Iterator[Document]:
        return iter(self._connection[collection].find({}, sort=[("_id", 1)], batch_size=number))

    def _missing(self, collection: str, wanted: Collection[str]) -> Sequence[str]:
        """Those keys that no document has."""
        if not wanted:
            return []
        found = self._connection[collection].find({"_id": {"$in": list(wanted)}}, {"_id": 1})
        there = {document["_id"] for document in found}
        return [key for key in wanted if key not in there]


def _wrong_with_event(document: Document) -> str | None:
    """What is wrong with an event by itself, but for its stream; ``None`` where nothing is."""
    key, recorded_at = document["_id"], document.get("recorded_at")
    if not isinstance(key, str):
        return "its key is no text"
    try:
        at, phase, _ = keys.event_of(key)
        read_text(document["event_type"])
        read_message_id(document.get("message_id"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"it cannot be read: {error!r}"
    if phase not in _PHASES or key[keys.STREAM_TAIL - keys.EVENT_TAIL :] != f"{at + 2**63:016x}{phase:02}":
        return "its key ends in no time and phase"
    if not clock.MIN <= at <= clock.MAX or document.get("occurred_at") != at:
        return "its time is not within the years 1 to 9999, or is another than that of its key"
    if not isinstance(recorded_at, int) or not clock.MIN <= recorded_at <= clock.MAX:
        return "the time at which it was recorded is not within the years 1 to 9999"
    if key[-keys.EVENT_TAIL + 1 : -keys.EVENT_TAIL + 3] != f"{phase if phase in _BOUNDS else 0:02}":
        return "it lies in a stream of another kind than its phase says"
    return None


def _stream(key: Any) -> tuple[str, int, str] | None:
    """What the key of a stream says; ``None`` where it is none."""
    if not isinstance(key, str):
        return None
    try:
        resource, kind, digest = keys.stream_of(key)
    except keys.Unreadable:
        return None
    if _resource(resource) is None or kind not in _BOUNDS | {0} or not keys.is_digest(digest):
        return None
    return (resource, kind, digest) if key == f"{resource} {kind:02}{digest}" else None


def _resource(key: Any) -> Resource | None:
    """The resource with this key; ``None`` where it is none."""
    if not isinstance(key, str):
        return None
    try:
        return keys.resource_of(key)
    except keys.Unreadable:
        return None


def _damaged(collection: str, document: Document, why: str, resource: Resource | None = None) -> Problem:
    detail = f"{collection}: the document {document['_id']!r:.200}: {why}"
    return Problem(damage=Damage.ROW_DAMAGED, detail=detail, resource=resource)


def _in_parts(documents: Iterable[Document]) -> Iterator[list[Document]]:
    rest = iter(documents)
    while some := list(islice(rest, _DOCUMENTS)):
        yield some
