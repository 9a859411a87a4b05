"""The collections of a store and their indexes: what is there is looked at by who opens, and made by ``prepare``.

``schema``      one document: the revision, and whether ``prepare`` came to its end
``resources``   a resource: its parts, and the event with which it came
``streams``     which bodies a resource has, by kind
``bodies``      a body's bytes, by its digest
``events``      an event: all of its key in ``_id``, its provenance beside it
``appends``     an append that has not come to its end
``changes``     the last appends that added events, numbered, with their resources
``quarantine``  records
"""

from __future__ import annotations

import re
from contextlib import suppress
from secrets import token_hex
from typing import Any

from bson.int64 import Int64
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from timeline.drivers.mongodb.url import MongodbUrl
from timeline.errors import StoreForeign, StoreNotFound, StoreOutdated, StoreTooNew

REVISION = "0002"
_READ_AS_IT_IS = ["0001"]
"""Older revisions whose documents say less, and are read as they are."""

Document = dict[str, Any]

COLLECTIONS = ("schema", "resources", "streams", "bodies", "events", "appends", "changes", "quarantine")
_INDEXES = {
    "resources": {"by_id": [("id", 1), ("_id", 1)]},
    "quarantine": {
        "by_age": [("received_at", 1), ("_id", 1)],
        "unsettled_by_age": [("settled", 1), ("received_at", 1), ("_id", 1)],
    },
}
_OURS = "timeline"
_THERE = 48
"""The code of a collection that cannot be made for being there."""


class Schema:
    """The schema of the store at a URL."""

    def __init__(self, url: MongodbUrl) -> None:
        self._place = url.place
        self._init = url.init

    def check(self, database: Database[Document]) -> None:
        """Raises an error for any but a store that has the schema of this program."""
        stored = self._stored(database)
        if stored is None:
            raise self.not_found()
        if stored < REVISION:
            raise StoreOutdated(
                f"{self._place}: the store has schema {stored}, older than {REVISION}, which this program needs; "
                f"{self._init} brings it up to date and keeps all that is in it"
            )
        missing = sorted(set(COLLECTIONS) - set(database.list_collection_names()))
        if missing:
            raise self._foreign(f"collections of ours are missing ({', '.join(missing)})")
        for name, wanted in _INDEXES.items():
            found = database[name].index_information()
            for index, key in wanted.items():
                if index not in found:
                    raise StoreOutdated(
                        f"{self._place}: the index {index} of the collection {name} is missing; {self._init} makes it"
                    )
                if [tuple(field) for field in found[index]["key"]] != key:
                    raise self._foreign(f"the index {index} of the collection {name} has another key than ours")

    def prepare(self, database: Database[Document]) -> None:
        """Make what is missing. Who does it at the same time does the same; who broke off is gone on from."""
        if self._stored(database) is None:
            self._is_free(database)
            self._claim(database)
        for name in sorted(set(COLLECTIONS) - set(database.list_collection_names())):
            try:
                database.command("create", name)
            except OperationFailure as error:
                if error.code != _THERE:
                    raise
        for name, wanted in _INDEXES.items():
            for index, key in wanted.items():
                database[name].create_index(key, name=index)
        if database["changes"].find_one({}, {"_id": 1}) is None:
            with suppress(DuplicateKeyError):  # of who does it at the same time
                database["changes"].insert_one({"_id": Int64(0), "mark": token_hex(8), "resources": []})
        older: Document = {"_id": _OURS, "revision": {"$in": _READ_AS_IT_IS}}
        database["schema"].update_one(older, {"$set": {"revision": REVISION}})
        database["schema"].update_one({"_id": _OURS, "made": False}, {"$set": {"made": True}})

    def revision(self, database: Database[Document]) -> str:
        """The revision of the store."""
        return self._stored(database) or ""

    def not_found(self) -> StoreNotFound:
        """What is to be said where no store is."""
        return StoreNotFound(f"{self._place}: nothing is in there, no store yet; {self._init} makes one")

    def _stored(self, database: Database[Document]) -> str | None:
        """The revision of the store, not later than ours; ``None`` where none is that was made to its end."""
        found = database["schema"].find_one({"_id": _OURS})
        if found is None:
            names = _named(database)
            if set(names) - set(COLLECTIONS):
                raise self._foreign(f"it holds other collections ({', '.join(names[:3])})")
            return None
        stored = found.get("revision")
        if not isinstance(stored, str) or not re.fullmatch("[0-9]{4}", stored, re.ASCII):
            raise self._foreign(f"its schema has the revision {stored!r:.40}")
        if stored > REVISION:
            raise StoreTooNew(
                f"{self._place}: the store has schema {stored}, newer than {REVISION}, which is all that this program "
                "knows; install the newer version that made it"
            )
        return stored if found.get("made") is True else None

    def _is_free(self, database: Database[Document]) -> None:
        """Raises an error where a collection of one of our names holds what is not ours."""
        for name in _named(database):
            if database[name].find_one({}, {"_id": 1}) is not None and not self._claimed(database):
                raise self._foreign(f"it holds a collection {name} with other documents than ours")

    def _claimed(self, database: Database[Document]) -> bool:
        return database["schema"].find_one({"_id": _OURS}) is not None

    def _claim(self, database: Database[Document]) -> None:
        """Say that this is ours before anything else is made: so what broke off is known again."""
        with suppress(DuplicateKeyError):  # of who does it at the same time, or broke off
            database["schema"].insert_one({"_id": _OURS, "revision": REVISION, "made": False})

    def _foreign(self, why: str) -> StoreForeign:
        return StoreForeign(
            f"{self._place}: this was not made by this program: {why}; choose another database for the store"
        )


def _named(database: Database[Document]) -> list[str]:
    return sorted(name for name in database.list_collection_names() if not name.startswith("system."))
