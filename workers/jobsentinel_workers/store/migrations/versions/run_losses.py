"""The loss curves of training runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; runs from before it have no curve."""
    op.create_table(
        "run_losses",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("loss", sa.Float(53), nullable=False),
    )
