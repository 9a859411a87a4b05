"""The revision of a store's schema: read with a plain select, changed by alembic alone."""

from __future__ import annotations

import re

from timeline import packaged
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Connection, Cursor
from timeline.drivers.sql.schema import REVISION, metadata
from timeline.errors import DriverMissing, StoreForeign, StoreNotFound, StoreOutdated, StoreTooNew


def connect(database: Database, *, writing: bool) -> Connection:
    """A new connection to a store that has the schema of this program, and an error for any other."""
    connection = database.connect(writing=writing)
    try:
        _check(database, connection.cursor())
    except BaseException:
        connection.close()
        raise
    return connection


def _check(database: Database, cursor: Cursor) -> None:
    stored = stored_revision(database, cursor)
    if stored is None:
        raise StoreNotFound(f"{database.place}: nothing is in there, no store yet; {database.init} makes one")
    if stored < REVISION:
        raise StoreOutdated(
            f"{database.place}: the store has schema {stored}, older than {REVISION}, which this program needs; "
            f"{database.init} brings it up to date and keeps all that is in it"
        )


def stored_revision(database: Database, cursor: Cursor) -> str | None:
    """The revision of the store, not later than ours; ``None`` where no table is."""
    tables = database.tables(cursor)
    if "alembic_version" not in tables:
        if tables:
            raise StoreForeign(_foreign(database, f"it holds other tables ({', '.join(sorted(tables)[:3])})"))
        return None
    cursor.execute("SELECT version_num FROM alembic_version")
    revisions = [revision for (revision,) in cursor.fetchall()]
    if not revisions and tables <= {"alembic_version", *metadata.tables}:
        return None  # not made to its end
    stored = str(revisions[0]) if len(revisions) == 1 else ""
    if not re.fullmatch("[0-9]{4}", stored, re.ASCII):
        raise StoreForeign(_foreign(database, f"its schema has the revision {stored!r:.40}"))
    if stored > REVISION:
        raise StoreTooNew(
            f"{database.place}: the store has schema {stored}, newer than {REVISION}, which is all that this program "
            "knows; install the newer version that made it"
        )
    if stored == REVISION and not tables.issuperset(metadata.tables):
        raise StoreForeign(_foreign(database, "tables of ours are missing"))
    return stored


def upgrade(database: Database) -> None:
    """Make the tables, or bring older ones up to date. Of two processes that do so at the same time, one does."""
    with database.migrating() as connection:
        stored = stored_revision(database, connection.connection.cursor())
        if stored == REVISION:
            return
        try:
            from alembic import command  # imported late: it takes its time, and only init needs it
            from alembic.config import Config
        except ModuleNotFoundError as error:
            raise DriverMissing(
                f"making a store needs {error.name}, which is not installed: pip install {error.name}"
            ) from error
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(packaged.path("migrations")).replace("%", "%%"))
        command.upgrade(config, REVISION)


def _foreign(database: Database, why: str) -> str:
    return f"{database.place}: this was not made by this program: {why}; choose another place for the store"
