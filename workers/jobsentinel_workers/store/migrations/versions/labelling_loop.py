"""How a label came about, who has a posting to label, and the circles of labelling and training."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns, which labels from before leave empty, and the tables."""
    for table in ("labels", "label_history"):
        op.add_column(table, sa.Column("seconds_spent", sa.Float(53)))
        op.add_column(table, sa.Column("strategy", sa.Text))
        op.add_column(table, sa.Column("chosen_by", sa.Text))
        op.add_column(table, sa.Column("model_version", sa.Text))
    op.create_table(
        "reservations",
        sa.Column("posting_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("reserved_until", sa.Text, nullable=False),
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("chosen_by", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text),
        sa.Column("score", sa.Float(53), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("reservations_by_end", "reservations", ["reserved_until"])
    op.create_table(
        "loops",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("training", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("last_label_seq", sa.BigInteger, nullable=False),
        sa.Column("trained_at", sa.Text),
        sa.Column("baseline", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("checked_at", sa.Text),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
