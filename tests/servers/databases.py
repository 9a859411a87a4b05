"""A database of its own for each test, on a server of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import URL, NullPool, create_engine, make_url

DATABASE = "timeline"
"""The database that a server of ours begins with."""


@contextmanager
def fresh_database(url: str, *, drop: str) -> Iterator[str]:
    """The URL of a new database beside that of a URL. It is dropped at the end by this statement.

    Whose URL it is must have the right to make databases.
    """
    beside = make_url(url)
    name = f"timeline_{uuid4().hex[:16]}"
    _do(beside, f"CREATE DATABASE {name}")
    try:
        yield beside.set(database=name).render_as_string(hide_password=False)
    finally:
        _do(beside, drop.format(name))


def _do(beside: URL, statement: str) -> None:
    engine = create_engine(beside, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
