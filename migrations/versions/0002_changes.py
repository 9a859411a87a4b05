"""To which resources each append added events.

What was added before is not known by now: the log begins with a gap, and a token from before finds no way across.
"""

import os

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, VARBINARY

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    was = sa.table("writer", sa.column("commits"))
    commits = op.get_bind().execute(sa.select(sa.func.coalesce(sa.func.sum(was.c.commits), 0))).scalar_one()
    # The column has another name: an older program that is still connected is to fail, and not to add what is not noted
    op.drop_table("writer")
    writer = op.create_table(
        "writer",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("changes", sa.BigInteger, nullable=False),
    )
    change = op.create_table(
        "change",
        sa.Column("writer", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("mark", sa.LargeBinary().with_variant(VARBINARY(8), "mysql", "mariadb"), nullable=False),
        sa.Column("resources", sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb"), nullable=False),
    )
    if commits:
        number = int(commits) + 1
        op.bulk_insert(writer, [{"id": 0, "changes": number}])
        op.bulk_insert(change, [{"writer": 0, "number": number, "mark": os.urandom(8), "resources": b""}])
