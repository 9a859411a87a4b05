"""What a store holds: its resources, and the counts.

A resource is written before its first event, with the key of that. One that was left behind by a writer which was
killed between the two is no resource: it is listed when an event of it is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from timeline.drivers.contract import Summary
from timeline.drivers.mongodb import keys
from timeline.drivers.mongodb.codec import read_text
from timeline.drivers.mongodb.connection import Connection
from timeline.drivers.mongodb.schema import Document
from timeline.model import Resource, Scope, limits

Condition = dict[str, Any]

_PAGE = 1_000
"""Resources that are read together."""


class Contents:
    """The resources of a store, and its counts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def resources(self, scope: Scope, after: Resource | None, limit: int) -> Sequence[Resource]:
        """As :meth:`timeline.drivers.contract.EventStore.resources`."""
        listed: list[str] = []
        last = None if after is None else keys.of_resource(after)
        self._connection["resources"]  # a store is there, though nothing is asked of it
        while len(listed) < limit:
            number = min(limit - len(listed), _PAGE)
            page = self._page(scope, last, number)
            listed += self._with_events(page)
            if len(page) < number:
                break
            last = page[-1]["_id"]
        return [keys.resource_of(key) for key in listed]

    def with_id(self, scope: Scope) -> Sequence[str]:
        """The keys of the resources with an id, in order; of some there may be no events."""
        if scope.type is not None and scope.source is not None and scope.id is not None:
            return [keys.of_resource(Resource(type=scope.type, source=scope.source, id=scope.id))]
        found = self._connection["resources"].find(_parts(scope), {"_id": 1}, sort=[("_id", 1)])
        return [document["_id"] for document in found]

    def ranges(self, scope: Scope) -> Iterator[Condition]:
        """The conditions on keys, of resources or of events, that choose a scope without an id, in their order."""
        if scope.type is None and scope.source is None:
            yield {}
            return
        for type in self._types() if scope.type is None else [keys.spell(scope.type)]:
            parts = [type] if scope.source is None else [type, keys.spell(scope.source)]
            yield {"_id": keys.under(*parts)}

    def summary(self) -> Summary:
        """As :meth:`timeline.drivers.contract.EventStore.summary`."""
        events = self._connection["events"]
        unsettled = self._connection["quarantine"].find({"settled": False}, {"reason": 1})
        reasons = Counter(read_text(document["reason"]) for document in unsettled)
        return Summary(
            revision=self._connection.schema.revision(self._connection.database()),
            resources=self._number_of_resources(),
            events=events.count_documents({}),
            bodies=self._connection["bodies"].count_documents({}),
            first_event=self._extreme("occurred_at", 1),
            last_event=self._extreme("occurred_at", -1),
            newest_record=self._extreme("recorded_at", -1),
            quarantined=dict(sorted(reasons.items())),
            many_bodies=sorted(self._many_bodies(), key=lambda pair: (-pair[1], pair[0])),
        )

    def _page(self, scope: Scope, last: str | None, number: int) -> Sequence[Document]:
        """Some resources of a scope, after one, by their keys."""
        conditions: list[Condition] = []
        if scope.type is not None:
            conditions.append({"_id": keys.under(keys.spell(scope.type))})
        if last is not None:
            conditions.append({"_id": {"$gt": last}})
        if parts := _parts(scope):
            conditions.append(parts)
        condition: Condition = {"$and": conditions} if conditions else {}
        found = self._connection["resources"].find(
            condition, {"event": 1}, sort=[("_id", 1)], limit=number, batch_size=number + 1
        )
        return list(found)

    def _with_events(self, page: Sequence[Document]) -> list[str]:
        """The keys of those that have events: one find, unless some of them were left behind."""
        if not page:
            return []
        first = {document["event"]: document["_id"] for document in page}
        there = {first[key] for key in self._keys_of_events({"_id": {"$in": list(first)}})}
        if absent := [document["_id"] for document in page if document["_id"] not in there]:
            ranges = [{"_id": keys.under(key)} for key in absent]
            there |= {key[: -keys.EVENT_TAIL] for key in self._keys_of_events({"$or": ranges})}
        return [document["_id"] for document in page if document["_id"] in there]

    def _keys_of_events(self, condition: Condition) -> Iterator[str]:
        return (document["_id"] for document in self._connection["events"].find(condition, {"_id": 1}))

    def _types(self) -> Iterator[str]:
        """The types that resources have, by their order: one find for each."""
        condition: Condition = {}
        while (found := self._connection["resources"].find_one(condition, {"type": 1}, sort=[("_id", 1)])) is not None:
            yield found["type"]
            condition = {"_id": {"$gte": keys.under(found["type"])["$lt"]}}

    def _number_of_resources(self) -> int:
        number, last = 0, None
        while page := self._page(Scope(), last, _PAGE):
            number += len(self._with_events(page))
            last = page[-1]["_id"]
        return number

    def _extreme(self, name: str, direction: int) -> int | None:
        found = self._connection["events"].find_one({}, {name: 1}, sort=[(name, direction)])
        return None if found is None else int(found[name])

    def _many_bodies(self) -> Iterator[tuple[Resource, int]]:
        found = self._connection["streams"].find({}, {"_id": 1}, sort=[("_id", 1)])
        streams = (keys.stream_of(document["_id"]) for document in found)
        for key, of_one in groupby(streams, key=lambda stream: stream[0]):
            bodies = len({digest for _, _, digest in of_one})
            if bodies > limits.MANY_BODIES:
                yield keys.resource_of(key), bodies


def _parts(scope: Scope) -> Condition:
    """The condition on the parts of resources, as they are spelled: text, whatever it was."""
    given = {"type": scope.type, "source": scope.source, "id": scope.id}
    return {name: {"$eq": keys.spell(part)} for name, part in given.items() if part is not None}
