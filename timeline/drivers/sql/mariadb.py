"""What is MariaDB's own: its URL, how to connect, and how it does what the others do in another way."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any, cast

import pymysql
import sqlalchemy
from pymysql.cursors import SSCursor
from sqlalchemy import Column, ColumnElement, Dialect, NullPool, Table, and_, create_engine, false, or_
from sqlalchemy.engine import make_url

from timeline.drivers.sql.dbapi import Connection, Cursor
from timeline.drivers.sql.driver import SqlDriver
from timeline.drivers.sql.mariadb_errors import Translated
from timeline.drivers.sql.mariadb_rows import MariadbFinding, MariadbInsertion
from timeline.drivers.sql.revision import stored_revision
from timeline.drivers.sql.schema import REVISION, SEQUENCES, metadata, sequence_of
from timeline.drivers.sql.server_url import ServerUrl
from timeline.drivers.sql.statement import one_of_places
from timeline.errors import StoreBusy, StoreDenied, StoreError, StoreUrlError

EXAMPLE = "mariadb+pymysql://user@host/database"
TIMEOUT = 30.0
"""How long to wait for the server at a time, in seconds, unless the URL says otherwise."""

_INIT_LOCK = "timeline.init"
_ASKED_AFTER = 1.0
"""Seconds that a connection may be idle without being asked whether the server is there still."""

_SESSION = (
    # strict, or values that do not fit are cut; and with as many warnings as a statement has rows: all are looked at
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', max_error_count = 65535, "
    # the second is of locks on whole tables, for which the server would wait a day
    "innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, "
    "default_storage_engine = InnoDB, "  # whatever the server takes else: some know no transactions
    "net_write_timeout = 3600"  # who reads an answer may take a break
)
_READING = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_WRITING = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
_PACKET = 16 * 1024 * 1024
"""What the server has to take at a time: a notification of 4 MiB in quarantine, of whose bytes each may take two."""


def open(url: str) -> SqlDriver:
    """The driver of a store in a MariaDB database: ``mariadb+pymysql://user@host/database?ssl_ca=/etc/ssl/ca.pem``."""
    given = ServerUrl(url, EXAMPLE)
    return SqlDriver(Mariadb(given, _options(given)))


def _options(url: ServerUrl) -> dict[str, Any]:
    read: dict[str, Callable[[str], Any]] = {
        "timeout": float,
        "unix_socket": str,
        "ssl": _yes_or_no,
        "ssl_ca": str,
        "ssl_cert": str,
        "ssl_key": str,
        "ssl_verify_identity": _yes_or_no,
    }
    options: dict[str, Any] = {}
    for name, value in url.options.items():
        if name not in read:
            raise StoreUrlError(f"{url.place}: {name} is no option of MariaDB here; {', '.join(read)} are")
        try:
            options[name] = read[name](value)
        except ValueError:
            raise StoreUrlError(f"{url.place}: the option {name} cannot be {value!r}") from None
    if not 0 < options.setdefault("timeout", TIMEOUT) < 1_000_000:
        raise StoreUrlError(f"{url.place}: the timeout is a number of seconds, such as ?timeout=30")
    if "ssl_key" in options and "ssl_cert" not in options:
        raise StoreUrlError(f"{url.place}: ssl_key is the key of a certificate: ssl_cert names it")
    return options


def _yes_or_no(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError(value)
    return value == "true"


class Mariadb:
    """A store in a MariaDB database."""

    dialect: Dialect = make_url("mariadb+pymysql://").get_dialect()()
    writers = 16
    begin_reading = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
    begin_writing = "START TRANSACTION READ WRITE"

    def __init__(self, url: ServerUrl, options: dict[str, Any]) -> None:
        self.place = url.place
        self.init = url.init
        self._url = url
        self._timeout = options["timeout"]
        self._options = {name: value for name, value in options.items() if name != "timeout"}
        self._translated = Translated(url.place, url.init, options["timeout"])

    def connect(self, *, writing: bool) -> Connection:
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(_WRITING if writing else _READING)
                if writing:
                    # one of whom nothing is heard before the commit would keep its locks for hours, and others out
                    cursor.execute(f"SET SESSION idle_transaction_timeout = {max(1, int(self._timeout))}")
                    self._check_packet(cast(Cursor, cursor))
        except BaseException:
            connection.close()
            raise
        return cast(Connection, connection)

    def _check_packet(self, cursor: Cursor) -> None:
        """The server would hang up on who sends too much at a time, and not say why."""
        cursor.execute("SELECT @@max_allowed_packet")
        packet = cursor.fetchone()[0]
        if packet < _PACKET:
            raise StoreError(
                f"{self.place}: the server takes {packet} bytes at a time, and {_PACKET} may be needed: "
                f"SET GLOBAL max_allowed_packet = {_PACKET}"
            )

    def _connect(self) -> _Connection:
        try:
            connection = _Connection(
                host=self._url.host or "localhost",
                port=self._url.port or 3306,
                user=self._url.user,
                password=(self._url.password or "").encode(),  # of text it would take Latin 1
                database=self._url.database,
                charset="utf8mb4",
                autocommit=True,
                init_command=_SESSION.format(seconds=max(1, int(self._timeout))),
                connect_timeout=min(self._timeout, 10),
                read_timeout=self._timeout + 5,  # the server says that a lock is not to be had before we stop to listen
                write_timeout=self._timeout + 5,
                **self._tls(),
            )
        except pymysql.err.MySQLError as error:
            raise self._translated.not_connected(error) from error
        version = str(connection.get_server_info())  # type: ignore[no-untyped-call]
        if "mariadb" not in version.lower():
            connection.close()
            raise StoreError(f"{self.place}: the server is no MariaDB, but {version}: it has no sequences")
        return connection

    def _tls(self) -> dict[str, Any]:
        options = dict(self._options)
        if options.pop("ssl", False) or any(name.startswith("ssl_") for name in options):
            authority, certificate = options.pop("ssl_ca", None), options.pop("ssl_cert", None)
            try:
                context = ssl.create_default_context(cafile=authority)
                if certificate is not None:
                    context.load_cert_chain(certificate, options.pop("ssl_key", None))
            except OSError as error:
                files = " and ".join(file for file in (authority, certificate) if file is not None)
                raise StoreDenied(
                    f"{self.place}: no connection that is protected as it was asked: {files}: {error}"
                ) from error
            context.check_hostname = options.pop("ssl_verify_identity", True)
            options["ssl"] = context
        return options

    def may_be_kept(self, connection: Connection) -> bool:
        cast(_Connection, connection).used = monotonic()
        return True

    def is_alive(self, connection: Connection) -> bool:
        kept = cast(_Connection, connection)
        if monotonic() - kept.used < _ASKED_AFTER:
            return True
        try:
            kept.ping(reconnect=False)
        except pymysql.err.MySQLError:
            return False
        return True

    def stream(self, connection: Connection) -> Cursor:
        return cast(Cursor, cast(_Connection, connection).cursor(SSCursor))

    def abandon(self, connection: Connection, stream: Cursor) -> bool:
        return False  # the rows that nobody wants would come before any other answer

    def tables(self, cursor: Cursor) -> set[str]:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_type <> 'SEQUENCE'"
        )
        return {name for (name,) in cursor.fetchall()}

    @contextmanager
    def migrating(self) -> Iterator[sqlalchemy.Connection]:
        # A change of a table commits what came before it. So a lock with a name keeps others out, and what was broken
        # off is begun again.
        with closing(self._connect()) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT GET_LOCK(CONCAT(%s, '.', DATABASE()), %s)", (_INIT_LOCK, self._timeout))
                if cursor.fetchall() != ((1,),):
                    raise StoreBusy(f"{self.place}: another process makes the store; try again when it is done")
                self._remove_what_was_broken_off(cast(Cursor, cursor))
            engine = create_engine("mariadb+pymysql://", creator=lambda: connection, poolclass=NullPool)
            with engine.connect() as migration:
                yield migration
                migration.commit()

    def _remove_what_was_broken_off(self, cursor: Cursor) -> None:
        """Tables of ours without a revision, or with an older one, in which nothing was ever stored."""
        if stored_revision(self, cursor) == REVISION:
            return
        ours = sorted(self.tables(cursor) & metadata.tables.keys())
        for name in ours:
            cursor.execute(f"SELECT EXISTS (SELECT * FROM `{name}`)")
            if cursor.fetchone()[0]:
                return
        for name in ours:
            cursor.execute(f"DROP TABLE `{name}`")
        for name in SEQUENCES:
            cursor.execute(f"DROP SEQUENCE IF EXISTS {name}")
        cursor.execute("DROP TABLE IF EXISTS alembic_version")

    def inserting(self, table: Table, key: Sequence[Column[Any]]) -> MariadbInsertion:
        return MariadbInsertion(table, self.dialect)

    def finding(self, key: Sequence[Column[Any]], id: Column[Any]) -> MariadbFinding:
        return MariadbFinding(key, id, self.dialect)

    def one_of(self, column: Column[Any], values: Sequence[int]) -> tuple[ColumnElement[bool], dict[str, Any]]:
        return one_of_places(column, values)

    def beyond(self, columns: Sequence[Column[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
        # of a comparison of rows it takes no range of the index, of this it does
        beyond: ColumnElement[bool] = false()
        for column, value in reversed(list(zip(columns, values, strict=True))):
            beyond = or_(column > value, and_(column == value, beyond))
        return beyond

    def next_ids(self, cursor: Cursor, given_out: Column[Any], number: int) -> Sequence[int]:
        cursor.execute(f"SELECT NEXTVAL({sequence_of(given_out)}) FROM seq_1_to_{number:d}")
        return [id for (id,) in cursor.fetchall()]

    def translated(self) -> Translated:
        return self._translated


class _Connection(pymysql.Connection):
    """A connection that can be closed twice, and when it was last used."""

    used = 0.0

    def close(self) -> None:
        result = getattr(self, "_result", None)
        if result is not None:
            result.unbuffered_active = False  # or it would read to its end, from a connection that is closed
        if self.open:
            super().close()
