"""Labels that belong to a query: its text, the event that was seen, the place shown at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; labels from before have none of it, and keep their keys."""
    for table in ("labels", "label_history"):
        op.add_column(table, sa.Column("query", sa.Text))
        op.add_column(table, sa.Column("event", sa.Text))
        op.add_column(table, sa.Column("shown_rank", sa.Integer))
