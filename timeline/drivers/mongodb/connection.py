"""The connection of a driver to its database: made when it is needed, shared by threads, made anew after a fork."""

from __future__ import annotations

import os
from typing import Any

from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database

from timeline.drivers.mongodb.errors import Translated
from timeline.drivers.mongodb.schema import Document, Schema
from timeline.drivers.mongodb.url import MongodbUrl
from timeline.errors import StoreError

Documents = Collection[Document]

_DURABLE = WriteConcern(w="majority", j=True, wtimeout=60_000)
"""Acknowledged is what a majority of the servers has in its journal."""
_PASSING = WriteConcern(w=1)
"""For the removal of what nobody misses, nor minds."""


class Connection:
    """Gives the collections of a store, once it is seen to be one."""

    def __init__(self, url: MongodbUrl) -> None:
        self.translated = Translated(url)
        self.schema = Schema(url)
        self.place = url.place
        self._url = url
        # By process. A client has threads, locks and sockets, which are its process's own.
        self._clients: dict[int, MongoClient[Document]] = {}
        self._checked: set[int] = set()
        self._closed = False

    def __getitem__(self, name: str) -> Documents:
        """A collection of the store, for what must be durable."""
        return self._store()[name]

    def passing(self, name: str) -> Documents:
        """A collection of the store, for what need not be durable."""
        return self._store().get_collection(name, write_concern=_PASSING)

    def database(self) -> Database[Document]:
        """The database, whatever it holds."""
        if self._closed:
            raise StoreError("the store was closed: open it again")
        client = self._clients.get(os.getpid())
        if client is None:
            options: dict[str, Any] = {**self._url.bounds, "connect": False, "appname": "timeline"}
            made = MongoClient[Document](self._url.url, **options)
            client = self._clients.setdefault(os.getpid(), made)
            if client is not made:
                made.close()  # another thread was faster
        # What is read is what was written: by the primary, whatever the URL says
        return client.get_database(self._url.database, write_concern=_DURABLE, read_preference=ReadPreference.PRIMARY)

    def close(self) -> None:
        """Close the connections of this process. Those of others are theirs."""
        self._closed = True
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _store(self) -> Database[Document]:
        database = self.database()
        if os.getpid() not in self._checked:
            self.schema.check(database)
            self._checked.add(os.getpid())
        return database
