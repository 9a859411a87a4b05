"""The tables, as of :data:`REVISION`. The migrations make them; a test holds the two equal.

::

    resource 1──n stream n──1 body        event_type
                    │1                        │1
                    └──────────n event n──────┘

A stream is one body of one resource: the times at which the same was said again are its rows in ``event``, side by side
and in order, so that the last one before T is found at once. Phases that bound a life have streams of their own
(``kind`` is their number), of which every row is wanted; all other phases share one (``kind`` is 0).

Ids and names are bytes, since collations fold and pad text; times are integers, since the time types of databases
round. There are no foreign keys: nothing is ever deleted, every id is taken in the transaction that uses it, and the
check would cost each event a look-up.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, SmallInteger, Table

REVISION = "0002"
"""The revision of the schema that this program reads and writes."""

metadata = MetaData()

# SQLite takes a column for its row id only where the type is spelled INTEGER
_Id = BigInteger().with_variant(Integer(), "sqlite")

resource = Table(
    "resource",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("type", LargeBinary, nullable=False),
    Column("source", LargeBinary, nullable=False),
    Column("name", LargeBinary, nullable=False),
    Index("resource_key", "type", "source", "name", unique=True),
)
"""``name`` is the id that the resource has in the world."""

body = Table(
    "body",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

body_digest = Table(
    "body_digest",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("body", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Apart from ``body``, so that the digest is stored once: it is read when a body is looked for, and can be computed."""

stream = Table(
    "stream",
    metadata,
    Column("resource", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("body", BigInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Found by resource only, never by its id: it has no index of that."""

event = Table(
    "event",
    metadata,
    Column("stream", BigInteger, primary_key=True, autoincrement=False),
    Column("occurred_at", BigInteger, primary_key=True, autoincrement=False),
    Column("phase", SmallInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("event_type", Integer, nullable=False),
    Column("message_id", LargeBinary),
    sqlite_with_rowid=False,
)

event_type = Table(
    "event_type",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", LargeBinary, nullable=False),
    Index("event_type_name", "name", unique=True),
)

writer = Table(
    "writer",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("changes", BigInteger, nullable=False),
)
"""How many appends added events. A few rows, so that writers of a database that lets them write side by side need not
wait for one another."""

change = Table(
    "change",
    metadata,
    Column("writer", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("mark", LargeBinary, nullable=False),
    Column("resources", LargeBinary, nullable=False),
)
"""To which resources an append added events: their ids, packed, since a row for each would cost an append a good deal
of its time and room. ``number`` counts those of a writer. ``mark`` is random: it tells apart what has the same number
in two stores, or in one before and after a backup was restored. The last of each writer are kept. Rows can be deleted
at any moment: the gap is noticed, and then anything may have changed."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("reason", LargeBinary, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("origin", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("event_type", LargeBinary),
    Column("message_id", LargeBinary),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("outcome", LargeBinary),
    Column("settled_at", BigInteger),
    Index("quarantine_age", "received_at", "id"),
)
