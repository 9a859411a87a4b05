"""Resources, bodies, events and quarantine.

A migration says what the tables are at its time: it imports nothing of today's.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, VARBINARY

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite takes a column for its row id only where the type is spelled INTEGER
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def short(most: int) -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(VARBINARY(most), "mysql", "mariadb")


Long = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "resource",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("type", short(64), nullable=False),
        sa.Column("source", short(64), nullable=False),
        sa.Column("name", short(512), nullable=False),
    )
    op.create_index("resource_key", "resource", ["type", "source", "name"], unique=True)
    op.create_table(
        "body",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("data", Long, nullable=False),
    )
    op.create_table(
        "body_digest",
        sa.Column("digest", short(32), primary_key=True),
        sa.Column("body", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stream",
        sa.Column("resource", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("body", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event",
        sa.Column("stream", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("occurred_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("event_type", sa.Integer, nullable=False),
        sa.Column("phase", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("message_id", short(514)),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_type",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", short(512), nullable=False),
    )
    op.create_index("event_type_name", "event_type", ["name"], unique=True)
    op.create_table(
        "writer",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("commits", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", short(512), primary_key=True),
        sa.Column("reason", short(512), nullable=False),
        sa.Column("detail", Long, nullable=False),
        sa.Column("origin", Long, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("event_type", Long),
        sa.Column("message_id", Long),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("data", Long, nullable=False),
        sa.Column("outcome", short(512)),
        sa.Column("settled_at", sa.BigInteger),
    )
    op.create_index("quarantine_age", "quarantine", ["received_at", "id"])
    if op.get_bind().dialect.supports_sequences:  # else one writes at a time, and the greatest id tells the next
        for name in ("resource_id_seq", "body_id_seq", "event_stream_seq", "event_type_id_seq"):
            op.execute(sa.schema.CreateSequence(sa.Sequence(name)))
