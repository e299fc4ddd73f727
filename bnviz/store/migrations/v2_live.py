"""Makes the tables of what is under way, of films, and of the networks that sweeps have trained."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Make them beside those of kept runs."""
    op.create_table(
        "live",
        sa.Column("tab", sa.String(64), primary_key=True),
        sa.Column("place", sa.String(20), primary_key=True),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_index("live_by_age", "live", ["updated"])
    op.create_table(
        "networks",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("learned", sa.Double, nullable=False),
        sa.Column("found", sa.LargeBinary, nullable=False),
    )
    op.create_index("networks_by_age", "networks", ["learned"])
    op.create_table(
        "films",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("made", sa.Double, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("saved_at", sa.Double, nullable=False),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
