"""Makes the tables of runs and of their files."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make them in an empty database."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("deleted", sa.Double),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("special", sa.Text, nullable=False),
        sa.Column("searched", sa.Text, nullable=False),
        sa.Column("data", sa.String(40), nullable=False),
        sa.Column("steps", sa.BigInteger, nullable=False),
        sa.Column("loss", sa.Double),
        sa.Column("accuracy", sa.Double),
        sa.Column("networks", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_index("runs_of_owner", "runs", ["owner", "created"])
    op.create_index("runs_by_age", "runs", ["pinned", "created"])
    op.create_table(
        "files",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
