"""What differs from one SQL database to another: the rest of this package is the same for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import sqlalchemy
from sqlalchemy import Column, ColumnElement, Dialect, Table

from timeline.drivers.sql.dbapi import Connection, Cursor
from timeline.errors import StoreBusy, StoreUnavailable

Key = tuple[Any, ...]


class Insertion(Protocol):
    """Inserts rows into a table, many at a time."""

    def run(self, cursor: Cursor, rows: Sequence[Sequence[Any]]) -> int:
        """Insert rows, values in the order of the table's columns, and leave alone what is there by its key.

        Of rows with the same key the first stays. Refuses all else that is wrong. Returns how many are new.
        """


class Finding(Protocol):
    """Finds rows of a table by a key, many at a time."""

    def run(self, cursor: Cursor, keys: Sequence[Key]) -> Mapping[Key, int]:
        """The ids of the rows that have one of these keys, by key."""


class Database(Protocol):
    """One database, by its URL."""

    place: str
    """What to call it in a sentence to people, without credentials."""
    init: str
    """The command that makes the store, or brings it up to date."""

    @property
    def dialect(self) -> Dialect:
        """How SQLAlchemy spells statements for it, with values by their position."""

    writers: int
    """How many transactions that write can go on side by side without waiting for one another, at the most."""
    begin_reading: str
    """Opens a transaction whose statements all show the same moment."""
    begin_writing: str
    """Opens a transaction that writes, and sees what others have committed before each of its statements."""

    def connect(self, *, writing: bool) -> Connection:
        """A new connection in autocommit. Makes nothing: raises :class:`~timeline.errors.StoreNotFound`."""

    def may_be_kept(self, connection: Connection) -> bool:
        """Whether a connection can be used for another answer."""

    def is_alive(self, connection: Connection) -> bool:
        """Whether a connection that was kept can be used still: the server may have closed it."""

    def stream(self, connection: Connection) -> Cursor:
        """A cursor for one statement whose rows are not all held at once. Closing it ends its transaction."""

    def abandon(self, connection: Connection, stream: Cursor) -> bool:
        """End a stream that was not read to its end; whether its connection may be used for another answer."""

    def tables(self, cursor: Cursor) -> set[str]:
        """The tables that are there, ours or not."""

    def migrating(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A transaction in which the schema can be changed by one process at a time; makes what the tables need."""

    def inserting(self, table: Table, key: Sequence[Column[Any]]) -> Insertion:
        """An insertion into a table that has this unique key."""

    def finding(self, key: Sequence[Column[Any]], id: Column[Any]) -> Finding:
        """What finds ids by these columns, which are a unique key."""

    def one_of(self, column: Column[Any], values: Sequence[int]) -> tuple[ColumnElement[bool], dict[str, Any]]:
        """That a column has one of these values, none of which is 0, as a condition and the values of its parameters.

        Of the conditions for some number of values there are few.
        """

    def beyond(self, columns: Sequence[Column[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
        """That these columns, an index in their order, come after these values."""

    def next_ids(self, cursor: Cursor, given_out: Column[Any], number: int) -> Sequence[int]:
        """Ids for rows to be inserted in this transaction: above 0, and none that the column ``given_out`` has."""

    def translated(self) -> AbstractContextManager[None]:
        """Within it, errors of the database and its driver become errors of ours."""


class Conflict(StoreBusy):
    """Another transaction was in the way, and this one was undone for it: done again it will pass."""


class ConnectionLost(StoreUnavailable):
    """The connection broke. What was not committed is undone; of a commit that was under way nobody knows."""
