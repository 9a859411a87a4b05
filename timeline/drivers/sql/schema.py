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

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Sequence, SmallInteger, Table
from sqlalchemy.dialects.mysql import LONGBLOB, VARBINARY
from sqlalchemy.types import TypeEngine

from timeline.model import limits
from timeline.model.quarantine import NOTE_BYTES

REVISION = "0003"
"""The revision of the schema that this program reads and writes."""

metadata = MetaData()

# SQLite takes a column for its row id only where the type is spelled INTEGER
_Id = BigInteger().with_variant(Integer(), "sqlite")


# MariaDB asks how long what it is to find may be, and cuts other bytes at 64 KiB unless they are called long.
def _short(most: int) -> TypeEngine[bytes]:
    return LargeBinary().with_variant(VARBINARY(most), "mysql", "mariadb")


_LONG = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
_NAME = _short(limits.NAME_BYTES)
_ID = _short(limits.ID_BYTES)
_PACKED_ID = _short(limits.ID_BYTES + 2)

SEQUENCES = ("resource_id_seq", "body_id_seq", "event_stream_seq", "event_type_id_seq")
"""Of a database with several writers: where the next ids come from, named after the column that they are for."""

for _name in SEQUENCES:
    Sequence(_name, metadata=metadata)


def sequence_of(column: Column[int]) -> str:
    """The sequence that the ids of a column come from."""
    return f"{column.table.name}_{column.name}_seq"


resource = Table(
    "resource",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("type", _NAME, nullable=False),
    Column("source", _NAME, nullable=False),
    Column("name", _ID, nullable=False),
    Index("resource_key", "type", "source", "name", unique=True),
)
"""``name`` is the id that the resource has in the world."""

body = Table(
    "body",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("data", _LONG, nullable=False),
)

body_digest = Table(
    "body_digest",
    metadata,
    Column("digest", _short(32), primary_key=True),
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
    Column("recorded_at", BigInteger, nullable=False),
    Column("event_type", Integer, nullable=False),
    Column("phase", SmallInteger, primary_key=True, autoincrement=False),
    Column("message_id", _PACKED_ID),
    sqlite_with_rowid=False,
)

event_type = Table(
    "event_type",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", _ID, nullable=False),
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
    Column("mark", _short(8), nullable=False),
    Column("resources", _LONG, nullable=False),
)
"""To which resources an append added events: their ids, packed, since a row for each would cost an append a good deal
of its time and room. ``number`` counts those of a writer. ``mark`` is random: it tells apart what has the same number
in two stores, or in one before and after a backup was restored. The last of each writer are kept. Rows can be deleted
at any moment: the gap is noticed, and then anything may have changed."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("reason", _ID, nullable=False),
    Column("detail", _LONG, nullable=False),
    Column("origin", _LONG, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("event_type", _LONG),
    Column("message_id", _LONG),
    Column("size", BigInteger, nullable=False),
    Column("data", _LONG, nullable=False),
    Column("outcome", _ID),
    Column("settled_at", BigInteger),
    Column("place", _LONG),
    Column("note", _short(NOTE_BYTES)),
    Index("quarantine_age", "received_at", "id"),
)
