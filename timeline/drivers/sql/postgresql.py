"""What is PostgreSQL's own: its URL, how to connect, and how it does what the others do in another way."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
import sqlalchemy
from psycopg.conninfo import make_conninfo
from sqlalchemy import ARRAY, BigInteger, Column, ColumnElement, NullPool, Table, any_, bindparam, create_engine, tuple_
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from timeline.drivers.sql.dbapi import Connection, Cursor
from timeline.drivers.sql.driver import SqlDriver
from timeline.drivers.sql.postgresql_errors import Translated
from timeline.drivers.sql.postgresql_rows import PostgresqlFinding, PostgresqlInsertion
from timeline.drivers.sql.schema import sequence_of
from timeline.drivers.sql.server_url import ServerUrl
from timeline.errors import StoreUrlError

EXAMPLE = "postgresql+psycopg://user@host/database"

# What libpq leaves without a bound would wait for hours for a host that is gone. A URL may say otherwise.
_BOUNDED = {
    "connect_timeout": "10",
    "tcp_user_timeout": "30000",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "application_name": "timeline",
}
_LOCK_WAIT = "-c lock_timeout=30s"
_SILENCE = "-c idle_in_transaction_session_timeout=30s"
"""For who writes: one of whom nothing is heard before the commit would keep its locks for hours, and others out. Who
reads may take a break in the midst of an answer, and keeps nobody out."""
_INIT_LOCK = 0x74696D656C696E65
"""Of the advisory lock that who changes the schema holds: ``timeline``, in ASCII."""


def open(url: str) -> SqlDriver:
    """The driver of a store in a PostgreSQL database: ``postgresql+psycopg://user@host/database?sslmode=verify-full``.

    What stands after ``?`` is libpq's; what is not given, such as the password, comes from where libpq finds it.
    """
    return SqlDriver(Postgresql(ServerUrl(url, EXAMPLE)))


class Postgresql:
    """A store in a PostgreSQL database, in the first schema of the search path."""

    dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
    writers = 16
    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    begin_writing = "BEGIN ISOLATION LEVEL READ COMMITTED"

    def __init__(self, url: ServerUrl) -> None:
        self.place = url.place
        self.init = url.init
        named = {"user": url.user, "password": url.password, "host": url.host, "port": url.port}
        given = {name: value for name, value in named.items() if value is not None}
        options = dict(url.options)
        if "dbname" in options:
            raise StoreUrlError(f"{self.place}: the database is the one in the path; dbname cannot name another")
        said = options.pop("options", "")
        bounded = {**_BOUNDED, **given, **options}
        try:
            self._reading, self._writing = (
                make_conninfo("", dbname=url.database, **bounded, options=f"{ours} {said}".rstrip())
                for ours in (_LOCK_WAIT, f"{_LOCK_WAIT} {_SILENCE}")  # of two that differ, the last holds
            )
        except psycopg.ProgrammingError as error:
            raise StoreUrlError(f"{self.place}: {str(error).strip()}; what may stand after ? is libpq's") from error
        self._translated = Translated(url.place, url.init, url.database)

    def connect(self, *, writing: bool) -> Connection:
        return cast(Connection, self._connect(self._writing if writing else self._reading))

    def _connect(self, conninfo: str | None = None) -> psycopg.Connection[Any]:
        try:
            # rows come in binary form: their bytes need not be read from digits
            return psycopg.connect(conninfo or self._reading, autocommit=True, cursor_factory=_BinaryCursor)
        except psycopg.Error as error:
            raise self._translated.not_connected(error) from error

    def may_be_kept(self, connection: Connection) -> bool:
        return True

    def is_alive(self, connection: Connection) -> bool:
        # The server says nothing unless asked, but for its last words.
        said = select.poll()
        said.register(cast("psycopg.Connection[Any]", connection).fileno(), select.POLLIN)
        return not said.poll(0)

    def stream(self, connection: Connection) -> Cursor:
        return _Stream(cast("psycopg.Connection[Any]", connection), self.begin_reading)

    def abandon(self, connection: Connection, stream: Cursor) -> bool:
        try:
            stream.close()
        except psycopg.Error:
            return False  # the server is gone, and nobody waits for more of its rows
        return True

    def tables(self, cursor: Cursor) -> set[str]:
        cursor.execute(
            "SELECT relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname = current_schema() AND relkind IN ('r', 'p', 'v', 'm', 'f')"
        )
        return {name for (name,) in cursor.fetchall()}

    @contextmanager
    def migrating(self) -> Iterator[sqlalchemy.Connection]:
        engine = create_engine(
            "postgresql+psycopg://", creator=self._connect, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as migration:
            migration.exec_driver_sql(self.begin_writing)
            migration.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_INIT_LOCK})")
            yield migration
            migration.exec_driver_sql("COMMIT")

    def inserting(self, table: Table, key: Sequence[Column[Any]]) -> PostgresqlInsertion:
        return PostgresqlInsertion(table, key, self.dialect)

    def finding(self, key: Sequence[Column[Any]], id: Column[Any]) -> PostgresqlFinding:
        return PostgresqlFinding(key, id, self.dialect)

    def one_of(self, column: Column[Any], values: Sequence[int]) -> tuple[ColumnElement[bool], dict[str, Any]]:
        return column == any_(bindparam("one_of", type_=ARRAY(BigInteger))), {"one_of": list(values)}

    def beyond(self, columns: Sequence[Column[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
        return tuple_(*columns) > tuple_(*values)

    def next_ids(self, cursor: Cursor, given_out: Column[Any], number: int) -> Sequence[int]:
        cursor.execute(f"SELECT nextval('{sequence_of(given_out)}') FROM generate_series(1, %s)", (number,))
        return [id for (id,) in cursor.fetchall()]

    def translated(self) -> Translated:
        return self._translated


class _BinaryCursor(psycopg.Cursor[Any]):
    """A cursor whose rows come in PostgreSQL's binary form."""

    def __init__(self, connection: psycopg.Connection[Any], **options: Any) -> None:
        super().__init__(connection, **options)
        self.format = psycopg.pq.Format.BINARY


class _ServerCursor(psycopg.ServerCursor[Any]):
    """A cursor that may be forgotten: where an answer failed, its connection is closed."""

    def __del__(self) -> None:  # type: ignore[override]  # takes what it warns with; this one need not warn
        pass


class _Stream:
    """A cursor on the server, in a transaction of its own."""

    rowcount = -1

    def __init__(self, connection: psycopg.Connection[Any], begin: str) -> None:
        self._connection = connection
        connection.execute(begin)
        self._cursor = _ServerCursor(connection, "timeline")
        self._cursor.format = psycopg.pq.Format.BINARY

    def execute(self, operation: str, parameters: Sequence[Any] = (), /) -> object:
        return self._cursor.execute(operation, parameters)

    def executemany(self, operation: str, parameters: Sequence[Sequence[Any]], /) -> object:
        raise NotImplementedError("a cursor of one statement")

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchmany(self, size: int = 1, /) -> Sequence[Any]:
        return self._cursor.fetchmany(size)

    def fetchall(self) -> Sequence[Any]:
        return self._cursor.fetchall()

    def close(self) -> object:
        self._cursor.close()
        return self._connection.execute("COMMIT")
