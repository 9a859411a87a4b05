"""What is SQLite's own: its URL, its file, how that is opened, and what its errors mean."""

from __future__ import annotations

import errno
import os
import re
import shlex
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qsl, quote

import sqlalchemy
from sqlalchemy import Column, ColumnElement, NullPool, Table, create_engine, func, select, tuple_
from sqlalchemy.dialects.sqlite import dialect

from timeline.drivers.sql.dbapi import Connection, Cursor
from timeline.drivers.sql.driver import SqlDriver
from timeline.drivers.sql.sqlite_errors import Translated, is_busy, is_forbidden
from timeline.drivers.sql.sqlite_rows import SqliteFinding, SqliteInsertion
from timeline.drivers.sql.statement import one_of_places
from timeline.errors import StoreError, StoreForeign, StoreFull, StoreNotFound, StoreReadOnly, StoreUrlError

TIMEOUT = 30.0
"""How long to wait for another process that writes, in seconds, unless the URL says otherwise."""

_URL = re.compile(r"sqlite:///(?P<path>[^?]+)(?:\?(?P<query>.*))?", re.IGNORECASE | re.DOTALL)
_PAGE_BYTES = 8192

# Pages that are mapped are not copied, which is a third of the time that an answer takes. They count as memory of the
# process, though, and what stores a million events is to stay small.
_FOR_READING = ("mmap_size=2147418112",)

# Batches touch the same pages again and again: the longer the log, the fewer times these are written to their place. At
# 4,000 pages (32 MB) a fleet's hourly repeats take three quarters of the time that they take at SQLite's 1,000.
_FOR_WRITING = ("synchronous=FULL", "cache_size=-8192", "wal_autocheckpoint=4000")

_NOT_MADE: dict[int, type[StoreError]] = {
    errno.EACCES: StoreReadOnly,
    errno.EPERM: StoreReadOnly,
    errno.EROFS: StoreReadOnly,
    errno.ENOSPC: StoreFull,
    errno.EDQUOT: StoreFull,
}


def open(url: str) -> SqlDriver:
    """The driver of a store in a SQLite file: ``sqlite:///here.db``, ``sqlite:////var/lib/there.db?timeout=30``."""
    match = _URL.fullmatch(url)
    if match is None or match["path"] == ":memory:":
        raise StoreUrlError(
            f"{url} names no file: sqlite:///timeline.db does, in the working directory, and "
            "sqlite:////var/lib/timeline.db anywhere; a store in memory is memory:"
        )
    if "\0" in match["path"]:
        raise StoreUrlError(f"{url!r}: a file name cannot hold the character NUL")
    return SqlDriver(Sqlite(url, match["path"], _timeout(url, match["query"] or "")))


def _timeout(url: str, query: str) -> float:
    timeout = TIMEOUT
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name != "timeout":
            raise StoreUrlError(f"{url}: {name} is no option of SQLite; timeout is, in seconds: ?timeout=30")
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", value):
            raise StoreUrlError(f"{url}: the timeout is a number of seconds, such as ?timeout=30, not {value!r}")
        timeout = float(value)
    return timeout


class Sqlite:
    """A store in one SQLite file, with its write-ahead log beside it."""

    dialect = dialect()
    writers = 1
    begin_reading = "BEGIN"
    begin_writing = "BEGIN IMMEDIATE"  # a plain BEGIN that comes to write fails at once where another writes

    def __init__(self, url: str, path: str, timeout: float) -> None:
        self.place = path
        self.init = f"timeline init --store {shlex.quote(url)}"
        # The working directory may change; and the log lies beside the file, not beside a link to it.
        self._path = os.path.realpath(path)
        self._timeout = timeout
        self._translated = Translated(path, self._path, timeout)

    def connect(self, *, writing: bool) -> sqlite3.Connection:
        try:
            found = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            raise StoreNotFound(f"{self.place}: no store is there yet; {self.init} makes one") from None
        except OSError as error:
            raise StoreError(f"{self.place}: cannot be looked at: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{self.place}: a store is a file, and this is {_what_it_is(found.st_mode)}")
        if found.st_size == 0:
            raise StoreNotFound(f"{self.place}: the file is empty, no store yet; {self.init} makes one")
        if not os.access(self._path, os.R_OK):
            raise StoreError(f"{self.place}: may not be read by this user; ask who owns it, or run as its owner")
        if os.access(self._path, os.W_OK) and os.access(os.path.dirname(self._path), os.W_OK):
            return self._open("mode=rw", _FOR_WRITING if writing else _FOR_READING)
        return self._connect_read_only()

    def _connect_read_only(self) -> sqlite3.Connection:
        try:
            return self._open("mode=ro", _FOR_READING)
        except sqlite3.OperationalError as error:
            if not is_forbidden(error):
                raise
        # Reading needs the log and its index beside the store, or leave to make them, or the promise that nobody
        # writes. That promise would be false while the log holds commits: they would not be seen.
        if _size(self._path + "-wal"):
            raise StoreReadOnly(
                f"{self.place}: the log beside it ({self.place}-wal) holds commits that cannot be read without writing "
                "in its folder; copy both files to a folder of your own, or run any command as the store's owner"
            )
        return self._open("immutable=1", _FOR_READING, _Unlocked)

    def may_be_kept(self, connection: Connection) -> bool:
        return not isinstance(connection, _Unlocked)

    def _refuse_what_is_no_database(self) -> None:
        # SQLite takes a file of one byte for an empty database, and would write over it
        if _size(self._path) == 1:
            raise StoreForeign(f"{self.place}: is no store, but a file that something else made; name another")

    def _open(
        self, mode: str, pragmas: Sequence[str], kind: type[sqlite3.Connection] = sqlite3.Connection
    ) -> sqlite3.Connection:
        self._refuse_what_is_no_database()
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self._path))}?{mode}",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=kind,
        )
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("SELECT 1 FROM sqlite_master")  # only now is the file looked into
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def tables(self, cursor: Cursor) -> set[str]:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in cursor.fetchall()}

    @contextmanager
    def migrating(self) -> Iterator[sqlalchemy.Connection]:
        self._make_file()
        if not (os.access(self._path, os.W_OK) and os.access(os.path.dirname(self._path), os.W_OK)):
            raise StoreReadOnly(f"{self.place}: no store can be made there: the file or its folder cannot be written")
        with closing(self._open("mode=rw", _FOR_WRITING)) as connection:
            if not self.tables(connection.cursor()):
                connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
                self._keep_a_log(connection)
            engine = create_engine("sqlite://", creator=lambda: connection, poolclass=NullPool)
            with engine.connect() as migration:
                migration.exec_driver_sql("BEGIN EXCLUSIVE")
                yield migration
                migration.commit()

    def _make_file(self) -> None:
        try:
            # Not if it is there: closing it again would let go of the locks that this process has on it.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            if not os.path.isfile(self._path):
                kind = _what_it_is(os.stat(self._path).st_mode)
                raise StoreError(f"{self.place}: a store is a file, and this is {kind}") from None
        except (FileNotFoundError, NotADirectoryError):
            folder = os.path.dirname(self._path)
            raise StoreNotFound(f"{self.place}: there is no folder {folder}; make it first") from None
        except OSError as error:
            refused = _NOT_MADE.get(error.errno or 0, StoreError)
            raise refused(f"{self.place}: cannot be made: {error.strerror}") from error

    def _keep_a_log(self, connection: sqlite3.Connection) -> None:
        deadline = monotonic() + self._timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite does not wait here: two that do this at the same time would wait for each other
                if not is_busy(error) or monotonic() > deadline:
                    raise
                sleep(0.01)

    def is_alive(self, connection: Connection) -> bool:
        return True  # there is no server

    def stream(self, connection: Connection) -> Cursor:
        return connection.cursor()  # it reads as it is asked

    def abandon(self, connection: Connection, stream: Cursor) -> bool:
        stream.close()
        return self.may_be_kept(connection)

    def inserting(self, table: Table, key: Sequence[Column[Any]]) -> SqliteInsertion:
        return SqliteInsertion(table, key, self.dialect)

    def finding(self, key: Sequence[Column[Any]], id: Column[Any]) -> SqliteFinding:
        return SqliteFinding(key, id, self.dialect)

    def one_of(self, column: Column[Any], values: Sequence[int]) -> tuple[ColumnElement[bool], dict[str, Any]]:
        return one_of_places(column, values)

    def beyond(self, columns: Sequence[Column[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
        return tuple_(*columns) > tuple_(*values)

    def next_ids(self, cursor: Cursor, given_out: Column[Any], number: int) -> Sequence[int]:
        # nobody else writes until this transaction ends, and the column leads an index: this is one seek
        cursor.execute(str(select(func.max(given_out)).compile(dialect=self.dialect)))
        ((last,),) = cursor.fetchall()
        first = (last or 0) + 1
        return range(first, first + number)

    def translated(self) -> Translated:
        return self._translated


class _Unlocked(sqlite3.Connection):
    """Reads on the promise that nobody writes, which is made for one answer at a time."""


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _what_it_is(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "something else"
