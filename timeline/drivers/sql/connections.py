"""The open connections of a driver: handed to one user at a time, taken back, opened anew after a fork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from types import TracebackType
from weakref import WeakSet

from timeline.drivers.sql import revision
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Connection, Cursor
from timeline.errors import StoreError


class Connections:
    """Connections in autocommit, opened when they are needed and kept for the next user.

    Not SQLAlchemy's pool: a checkout there costs half of what SQLite needs to answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: dict[bool, list[Connection]] = {False: [], True: []}
        """By whether they are for writing."""
        self._leases: set[Lease] = set()
        self._inherited: set[Lease] = set()
        self._closed = False
        self._one_writer = RLock()
        _all.add(self)

    def reading(self) -> Lease:
        """A cursor for one statement, which is one read transaction by itself."""
        return Lease(self)

    def streaming(self) -> Lease:
        """A cursor for one statement, whose rows are not all held at once."""
        return Lease(self, stream=True)

    @contextmanager
    def reading_at_once(self) -> Iterator[Cursor]:
        """A cursor for several statements that are one read transaction."""
        with Lease(self) as cursor:
            cursor.execute(self._database.begin_reading)
            yield cursor
            cursor.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A cursor for a write transaction: committed at the end, rolled back on an error."""
        with self._one_writer, Lease(self, writing=True) as cursor:
            cursor.execute(self._database.begin_writing)
            yield cursor
            cursor.execute("COMMIT")

    def check_open(self) -> None:
        """Raises :class:`~timeline.errors.StoreError` once it was closed."""
        if self._closed:
            raise StoreError("the store was closed: open it again")

    def close(self) -> None:
        """Close what is idle now, and the rest when it is given back."""
        self._closed = True
        self.close_idle()

    def _take(self, writing: bool) -> Connection:
        self.check_open()
        if self._inherited:
            raise StoreError(
                "this process was forked while its parent read the store, and cannot use it: "
                "read to the end before the fork, or start processes by spawn"
            )
        while True:
            try:
                connection = self._idle[writing].pop()
            except IndexError:
                return revision.connect(self._database, writing=writing)
            if self._database.is_alive(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Connection, writing: bool) -> None:
        if self._database.may_be_kept(connection):
            self._idle[writing].append(connection)
        else:
            connection.close()
        if self._closed:
            self.close_idle()

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    # SQLite's locks belong to the process, and its record of them to memory, which a fork copies: beside a connection
    # that is inherited open, a child's own connections to the file believe in locks that only the parent has, and what
    # it commits can be lost. So what is idle is closed before a fork, and the write transaction of another thread is
    # waited for. What is being read cannot be helped: the child is refused.

    def _before_fork(self) -> None:
        self._one_writer.acquire()
        self.close_idle()

    def _after_fork_in_parent(self) -> None:
        self._one_writer.release()

    def _after_fork_in_child(self) -> None:
        self._inherited |= self._leases
        self._one_writer.release()


class Lease:
    """The use of one connection. After an error it is closed, which ends its transaction, and not used again."""

    __slots__ = ("_connection", "_cursor", "_of", "_stream", "_writing")

    def __init__(self, of: Connections, *, writing: bool = False, stream: bool = False) -> None:
        self._of = of
        self._writing = writing
        self._stream = stream

    def __enter__(self) -> Cursor:
        self._connection = self._of._take(self._writing)
        self._of._leases.add(self)
        try:
            self._cursor = self._of._database.stream(self._connection) if self._stream else self._connection.cursor()
        except BaseException:
            self._of._leases.discard(self)
            self._connection.close()
            raise
        return self._cursor

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._of._leases.discard(self)
        if self in self._of._inherited:
            return  # not ours to close
        if kind is None:
            self._cursor.close()  # a statement that was not read to its end holds its read transaction
            self._of._give_back(self._connection, self._writing)
        elif kind is GeneratorExit and self._stream and self._of._database.abandon(self._connection, self._cursor):
            self._of._give_back(self._connection, self._writing)
        else:
            self._connection.close()


_all: WeakSet[Connections] = WeakSet()
_forking: list[Connections] = []


def _before_fork() -> None:
    _forking.extend(_all)
    for connections in _forking:
        connections._before_fork()


def _after_fork_in_parent() -> None:
    while _forking:
        _forking.pop()._after_fork_in_parent()


def _after_fork_in_child() -> None:
    while _forking:
        _forking.pop()._after_fork_in_child()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
