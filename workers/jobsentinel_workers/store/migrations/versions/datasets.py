"""Datasets for training, and their rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make both tables, empty."""
    op.create_table(
        "datasets",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("total_rows", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("last_label_seq", sa.BigInteger),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sa.Column("sealed_at", sa.Text),
    )
    op.create_table(
        "dataset_rows",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.Text, nullable=False),
    )
