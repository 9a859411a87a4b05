"""Where in a quarantined message it is wrong, and why one was dropped.

Of what was quarantined before, neither is known.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, VARBINARY

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("quarantine")}
    for column in (
        sa.Column("place", sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")),
        sa.Column("note", sa.LargeBinary().with_variant(VARBINARY(1_024), "mysql", "mariadb")),
    ):
        # a database that commits each change of a table may have broken off between the two
        if column.name not in there:
            op.add_column("quarantine", column)
