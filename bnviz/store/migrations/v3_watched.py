"""Makes the tables of watched runs and of their looks."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Make them beside the tables of runs."""
    op.create_table(
        "watched",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("process", sa.BigInteger, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("heard", sa.Double, nullable=False),
        sa.Column("ending", sa.String(16), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("network", sa.LargeBinary),
        sa.Column("curve", sa.LargeBinary),
    )
    op.create_index("watched_by_age", "watched", ["started"])
    op.create_table(
        "looks",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("step", sa.BigInteger, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
