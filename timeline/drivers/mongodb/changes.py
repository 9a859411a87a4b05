"""What is new since a token: the last appends that added events, and those that have not come to their end.

There is no transaction in which an append could be counted together with its events. So it says beforehand of which
resources it will add events (``appends``). When they are stored it takes the next number (``changes``), and is no
longer among the others. Who reads looks at those that are under way first, and at the numbers after that: an append
that is over by the first look has its number by the second.

A token is the last number and its mark. While any append is under way it is followed by chance, so that it never equals
another: events may come with no change of the number yet.

A writer that is killed stays among those that are under way. All answers are right, but its resources are read again
each time; so after an hour some other append gives it a number, in its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from secrets import token_hex
from typing import NamedTuple

from bson.int64 import Int64
from pymongo.errors import DuplicateKeyError

from timeline import clock
from timeline.drivers.mongodb import keys
from timeline.drivers.mongodb.codec import time
from timeline.drivers.mongodb.connection import Connection, Documents
from timeline.drivers.mongodb.schema import Document
from timeline.model import Resource

KEPT = 4_096
"""Changes that are kept. Who was away for longer reads everything again, which costs no more by then."""

TIDIED = 64
"""Every so many changes those beyond are removed, and the appends looked for that will never come to their end."""

ABANDONED = 3_600 * clock.SECOND
"""An append that began so long ago is that of a writer which was killed."""

_TOKEN = re.compile(r"(?P<number>[0-9]{1,18})\.(?P<mark>[0-9a-f]{16})(?:\.[0-9a-f]{16})?", re.ASCII)


class Change(NamedTuple):
    """A change, as a token names it."""

    number: int
    mark: str


class Changes:
    """The version of a store, and what has changed since."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last(self) -> Change:
        """The last change.

        Raises :class:`~timeline.errors.StoreNotFound` where there is none: ``prepare`` has made one, so that the
        database was removed under us.
        """
        found = self._changes.find_one({}, {"mark": 1}, sort=[("_id", -1)])
        if found is None:
            raise self._connection.schema.not_found()
        return _change(found)

    def last_since(self, seen: Change) -> Change | None:
        """The last change, where one that was seen is there still; ``None`` where it is not."""
        found = list(self._changes.find({"_id": {"$gte": Int64(seen.number)}}, {"mark": 1}, sort=[("_id", 1)]))
        return _change(found[-1]) if found and _change(found[0]) == seen else None

    def begin(self, resources: Iterable[str]) -> str:
        """Say that events of these resources, by their keys, may come from now on; what the append is called."""
        name = token_hex(16)
        began = {"_id": name, "began": time(clock.now()), "resources": list(resources)}
        self._connection["appends"].insert_one(began)
        return name

    def note(self, resources: Iterable[str], last: Change) -> Change:
        """Give the next number to an append that added events; ``last`` is the last that is known."""
        named = list(resources)
        while True:
            own = Change(last.number + 1, token_hex(8))
            try:
                self._changes.insert_one({"_id": Int64(own.number), "mark": own.mark, "resources": named})
                return own
            except DuplicateKeyError:
                last = self.last()

    def end(self, names: Collection[str]) -> None:
        """Say that nothing more comes of these appends."""
        # Not durable: one that comes back has its resources read again, for an hour
        self._connection.passing("appends").delete_many({"_id": {"$in": list(names)}})

    def tidy(self, last: Change) -> None:
        """Remove what nobody will ask for, and end the appends of writers that were killed."""
        self._connection.passing("changes").delete_many({"_id": {"$lte": Int64(last.number - KEPT)}})
        before = {"began": {"$lte": time(clock.now() - ABANDONED)}}
        abandoned = list(self._connection["appends"].find(before))
        if abandoned:
            self.note(_union(abandoned), last)
            self.end([one["_id"] for one in abandoned])

    def version(self) -> str:
        """As :meth:`timeline.drivers.contract.EventStore.version`."""
        under_way = self._connection["appends"].find_one({}, {"_id": 1})
        last = self.last()
        token = f"{last.number}.{last.mark}"
        return token if under_way is None else f"{token}.{token_hex(8)}"

    def changed(self, since: str) -> Collection[Resource] | None:
        """As :meth:`timeline.drivers.contract.EventStore.changed`."""
        under_way = list(self._connection["appends"].find({}))
        token = _TOKEN.fullmatch(since)
        if token is None:
            return None
        seen = Change(int(token["number"]), token["mark"])
        found = list(self._changes.find({"_id": {"$gte": Int64(seen.number)}}, sort=[("_id", 1)]))
        if not found or _change(found[0]) != seen or _change(found[-1]).number != seen.number + len(found) - 1:
            return None
        return [keys.resource_of(key) for key in sorted(_union([*found[1:], *under_way]))]

    @property
    def _changes(self) -> Documents:
        return self._connection["changes"]


def _change(document: Document) -> Change:
    return Change(int(document["_id"]), str(document["mark"]))


def _union(documents: Iterable[Document]) -> set[str]:
    return {key for document in documents for key in document["resources"]}
