"""What differs from one SQL database to another: the rest of this package is the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import sqlalchemy
from sqlalchemy import Column, Dialect, Insert, Table

from timeline.drivers.sql.dbapi import Connection, Cursor


class Database(Protocol):
    """One database, by its URL."""

    place: str
    """What to call it in a sentence to people, without credentials."""
    init: str
    """The command that makes the store, or brings it up to date."""

    @property
    def dialect(self) -> Dialect:
        """How SQLAlchemy spells statements for it."""

    writers: int
    """How many transactions that write can go on side by side without waiting for one another, at the most."""
    begin_reading: str
    """Opens a transaction whose statements all show the same moment."""
    begin_writing: str
    """Opens a transaction that writes."""

    def connect(self, *, writing: bool) -> Connection:
        """A new connection in autocommit. Makes nothing: raises :class:`~timeline.errors.StoreNotFound`."""

    def may_be_kept(self, connection: Connection) -> bool:
        """Whether a connection can be used for another answer."""

    def tables(self, cursor: Cursor) -> set[str]:
        """The tables that are there, ours or not."""

    def migrating(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A transaction in which the schema can be changed by one process at a time; makes what the tables need."""

    def insert_new(self, table: Table) -> Insert:
        """An insert that leaves a row alone whose primary key is there, and refuses all else that is wrong."""

    def next_ids(self, cursor: Cursor, given_out: Column[Any], number: int) -> Sequence[int]:
        """Ids for rows to be inserted in this transaction: above 0, and none that the column ``given_out`` has."""

    def translated(self) -> AbstractContextManager[None]:
        """Within it, errors of the database and its driver become errors of ours."""
