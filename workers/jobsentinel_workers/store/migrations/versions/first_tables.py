"""The first tables.

They are spelled out here and not taken from ``schema``, which moves on with later versions.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables and set the clock to 0."""
    _make_change_counter()
    _make_postings()
    _make_embeddings()
    _make_results()
    _make_labels()
    _make_runs()
    _make_dead_letters()


def _make_change_counter() -> None:
    counter = op.create_table(
        "change_counter",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counter, [{"id": 1, "value": 0}])


def _make_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("company", sa.Text),
        sa.Column("location", sa.Text),
        sa.Column("experience_level", sa.Text),
        sa.Column("employment_type", sa.Text),
        sa.Column("remote", sa.Boolean),
        sa.Column("salary", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("posted_at", sa.Text),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sa.Column("change_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("postings_by_change", "postings", ["change_seq"])
    op.create_index("postings_by_content", "postings", ["content_hash"])
    op.create_table(
        "posting_deletions",
        sa.Column("posting_id", sa.Text, primary_key=True),
        sa.Column("change_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("posting_deletions_by_change", "posting_deletions", ["change_seq"])


def _make_embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("encoder_id", sa.Text, primary_key=True),
        sa.Column("content_hash", sa.Text, primary_key=True),
        sa.Column("dim", sa.Integer, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("change_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("embeddings_by_change", "embeddings", ["encoder_id", "change_seq"])


def _make_results() -> None:
    op.create_table(
        "results",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("fencing_token", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("change_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("results_by_change", "results", ["change_seq"])
    op.create_index("results_by_task", "results", ["task", "change_seq"])
    op.create_index("results_by_item", "results", ["item_id", "task", "change_seq"])
    op.create_table(
        "job_commits",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("fencing_token", sa.BigInteger, nullable=False),
        sa.Column("committed_at", sa.Text, nullable=False),
    )


def _make_labels() -> None:
    op.create_table(
        "labels",
        sa.Column("label_key", sa.Text, primary_key=True),
        sa.Column("posting_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("job_id", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("change_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("labels_by_kind", "labels", ["kind", "change_seq"])
    op.create_index("labels_by_posting", "labels", ["posting_id"])
    op.create_table(
        "label_history",
        sa.Column("label_key", sa.Text, primary_key=True),
        sa.Column("created_at", sa.Text, primary_key=True),
        sa.Column("value_hash", sa.Text, primary_key=True),
        sa.Column("posting_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("job_id", sa.Text),
    )
    op.create_index("label_history_by_posting", "label_history", ["posting_id"])


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("total_steps", sa.Integer),
        sa.Column("loss", sa.Float(53)),
        sa.Column("metrics", sa.Text, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("model_name", sa.Text),
        sa.Column("model_version", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("fencing_token", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text),
        sa.Column("finished_at", sa.Text),
    )
    op.create_index("runs_by_creation", "runs", ["created_at"])


def _make_dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("traceback", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("versions", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_index("dead_letters_by_creation", "dead_letters", ["created_at"])
