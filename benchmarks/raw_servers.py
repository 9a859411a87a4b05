"""The floors of the stores on servers: the same events by each client's own calls, with nothing looked up or noted.

The key is that of an event: resource, time, phase and digest of the body. Bodies are not stored, but with documents and
cells, which are as the driver has stored them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy.engine import make_url

from timeline.model import Event

T = TypeVar("T")

_BATCH = 1_000

_TABLE = """
CREATE TABLE raw_event (
    type {name}, source {name}, id {id}, occurred_at BIGINT, phase SMALLINT, digest {digest},
    recorded_at BIGINT NOT NULL, event_type {id} NOT NULL, message_id {id},
    PRIMARY KEY (type, source, id, occurred_at, phase, digest)
)
"""


class Raw(Protocol):
    """A client of a server, and nothing of ours."""

    def insert(self, events: Sequence[Event]) -> None:
        """Store events that are new, a thousand at a time."""

    def bytes_per_repeat(self) -> float | None:
        """The bytes that an event takes in the driver's store, without its body; ``None`` where nobody can tell."""

    def close(self) -> None:
        """Give back what was opened."""


class Postgresql:
    """psycopg."""

    def __init__(self, url: str, events: Sequence[Event]) -> None:
        import psycopg

        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._connection.execute(_TABLE.format(name="BYTEA", id="BYTEA", digest="BYTEA"))

    def insert(self, events: Sequence[Event]) -> None:
        cursor = self._connection.cursor()
        for rows in batched([_row(event) for event in events], _BATCH):
            places = ",".join(["(%s,%s,%s,%s,%s,%s,%s,%s,%s)"] * len(rows))
            values = [value for row in rows for value in row]
            cursor.execute(f"INSERT INTO raw_event VALUES {places} ON CONFLICT DO NOTHING".encode(), values)

    def bytes_per_repeat(self) -> float | None:
        (size,) = self._connection.execute("SELECT pg_total_relation_size('event')").fetchone() or (0,)
        (rows,) = self._connection.execute("SELECT count(*) FROM event").fetchone() or (1,)
        return float(size) / float(rows)

    def close(self) -> None:
        self._connection.close()


class Mariadb:
    """PyMySQL."""

    def __init__(self, url: str, events: Sequence[Event]) -> None:
        import pymysql

        given = make_url(url)
        self._connection = pymysql.connect(
            host=given.host or "",
            port=given.port or 3306,
            user=given.username,
            password=given.password or "",
            database=given.database,
            autocommit=True,
        )
        self._cursor = self._connection.cursor()
        self._cursor.execute(_TABLE.format(name="VARBINARY(64)", id="VARBINARY(512)", digest="BINARY(32)"))

    def insert(self, events: Sequence[Event]) -> None:
        for rows in batched([_row(event) for event in events], _BATCH):
            places = ",".join(["(%s,%s,%s,%s,%s,%s,%s,%s,%s)"] * len(rows))
            self._cursor.execute(
                f"INSERT IGNORE INTO raw_event VALUES {places}", [value for row in rows for value in row]
            )

    def bytes_per_repeat(self) -> float | None:
        self._cursor.execute("ANALYZE TABLE event")
        self._cursor.execute(
            "SELECT (data_length + index_length) FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = 'event'"
        )
        ((size,),) = self._cursor.fetchall()
        self._cursor.execute("SELECT COUNT(*) FROM event")
        ((rows,),) = self._cursor.fetchall()
        return float(size) / float(rows)

    def close(self) -> None:
        self._connection.close()


class Mongodb:
    """pymongo, and documents like those that the driver has stored."""

    def __init__(self, url: str, events: Sequence[Event]) -> None:
        from pymongo import MongoClient, WriteConcern

        self._client: Any = MongoClient(url)
        database = self._client.get_default_database()
        self._like: Any = database["events"].find_one()
        self._raw = database.get_collection("raw", write_concern=WriteConcern("majority", j=True))
        for index in database["events"].list_indexes():
            if index["name"] != "_id_":
                self._raw.create_index(list(index["key"].items()))

    def insert(self, events: Sequence[Event]) -> None:
        key = self._like["_id"]
        documents = [
            {
                **self._like,
                "_id": f"{event.occurred_at:020}{int(event.phase):02}{event.body.digest.hex()}{number}{key}"[
                    : len(key)
                ],
            }
            for number, event in enumerate(events)
        ]
        for some in batched(documents, _BATCH):
            self._raw.insert_many(some, ordered=False)

    def bytes_per_repeat(self) -> float | None:
        return None

    def close(self) -> None:
        self._client.close()


class Hbase:
    """happybase, and cells like those that the driver has stored."""

    def __init__(self, url: str, events: Sequence[Event]) -> None:
        import happybase

        given = make_url(url)
        self._connection = happybase.Connection(given.host, given.port)
        self._connection.create_table("raw", {"e": {"max_versions": 1}})
        self._table = self._connection.table("raw")
        events_table = next(
            name
            for name in self._connection.tables()
            if name.startswith((given.database or "").encode()) and b"event" in name
        )
        self._like = next(iter(self._connection.table(events_table).scan(limit=1, batch_size=1)))

    def insert(self, events: Sequence[Event]) -> None:
        row, cells = self._like
        value = next(iter(cells.values()))
        for some in batched(events, _BATCH):
            with self._table.batch() as batch:
                for event in some:
                    key = (
                        event.body.digest[:16]
                        + event.resource.id.encode()
                        + event.occurred_at.to_bytes(8, "big", signed=True)
                    )
                    batch.put((key + row)[: max(len(row), len(key))], {b"e:" + bytes([event.phase]): value})

    def bytes_per_repeat(self) -> float | None:
        return None

    def close(self) -> None:
        self._connection.close()


def batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Parts of so many."""
    for first in range(0, len(values), size):
        yield values[first : first + size]


def _row(event: Event) -> tuple[Any, ...]:
    return (
        event.resource.type.encode(),
        event.resource.source.encode(),
        event.resource.id.encode(),
        event.occurred_at,
        int(event.phase),
        event.body.digest,
        event.recorded_at,
        event.event_type.encode(),
        None if event.message_id is None else event.message_id.encode(),
    )
