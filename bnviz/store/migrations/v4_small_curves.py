"""Adds a small curve to each watched run, which a list draws; rows from before have none and go on without."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the column."""
    op.add_column("watched", sa.Column("small", sa.LargeBinary))
