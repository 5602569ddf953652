"""The tables, for SQLite and Postgres alike.

Times are text in UTC (see ``timestamps``). JSON is text too: SQLite would turn the number 1.0
in a JSON column into 1, and Postgres reads the text with ``payload::json``. ``change_seq`` is the
store's clock (see ``changes``): whoever has seen number N asks for what came after it.
A change here needs a migration and a new ``REVISION``; a test compares the two.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

REVISION: Final = "0008"
"""The newest migration; a store at this revision is opened without loading Alembic."""


class JsonText(TypeDecorator[Any]):
    """Any JSON value as text; what is read equals what was written, type for type."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData()

change_counter = Table(
    "change_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

postings = Table(
    "postings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("company", Text),
    Column("location", Text),
    Column("experience_level", Text),
    Column("employment_type", Text),
    Column("remote", Boolean),
    Column("salary", Text),
    Column("url", Text),
    Column("source", Text),
    Column("posted_at", Text),
    Column("content_hash", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("change_seq", BigInteger, nullable=False),
    Index("postings_by_change", "change_seq"),
    Index("postings_by_content", "content_hash"),
)

# What filters compare, apart from the long texts, so that looking through it is quick. Texts are
# folded (see ``jobsentinel.contract.filter_fields``), so that every database compares them alike.
posting_facts = Table(
    "posting_facts",
    metadata,
    Column("posting_id", Text, ForeignKey("postings.id", ondelete="CASCADE"), primary_key=True),
    Column("remote", Boolean),
    Column("posted_day", Integer),  # since the year 1
    Column("stated_salary_low", Float(53)),  # a year, as are the next two
    Column("stated_salary_high", Float(53)),
    Column("estimated_salary", Float(53)),
    Column("scam", Float(53)),
    Column("match_quality", Float(53)),
    Column("change_seq", BigInteger, nullable=False),
    Column("category", Text),
    Column("id", Text),
    Column("title", Text),
    Column("company", Text),
    Column("location", Text),
    Column("employment_type", Text),
    Column("experience_level", Text),
    Column("source", Text),
    Column("url", Text),
)

posting_deletions = Table(
    "posting_deletions",
    metadata,
    Column("posting_id", Text, primary_key=True),
    Column("change_seq", BigInteger, nullable=False),
    Index("posting_deletions_by_change", "change_seq"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("encoder_id", Text, primary_key=True),
    Column("content_hash", Text, primary_key=True),
    Column("dim", Integer, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("change_seq", BigInteger, nullable=False),
    Index("embeddings_by_change", "encoder_id", "change_seq"),
)

results = Table(
    "results",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("model", JsonText, nullable=False),
    Column("fencing_token", BigInteger, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("change_seq", BigInteger, nullable=False),
    Index("results_by_change", "change_seq"),
    Index("results_by_task", "task", "change_seq"),
    Index("results_by_item", "item_id", "task", "change_seq"),
)

job_commits = Table(
    "job_commits",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("fencing_token", BigInteger, nullable=False),
    Column("committed_at", Text, nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("label_key", Text, primary_key=True),
    Column("posting_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("value", JsonText, nullable=False),
    Column("source", Text),
    Column("job_id", Text),
    Column("created_at", Text, nullable=False),
    Column("change_seq", BigInteger, nullable=False),
    Column("query", Text),
    Column("event", Text),
    Column("shown_rank", Integer),
    Column("seconds_spent", Float(53)),
    Column("strategy", Text),  # that chose the posting, as are the next two
    Column("chosen_by", Text),
    Column("model_version", Text),
    Index("labels_by_kind", "kind", "change_seq"),
    Index("labels_by_posting", "posting_id"),
)

label_history = Table(
    "label_history",
    metadata,
    Column("label_key", Text, primary_key=True),
    Column("created_at", Text, primary_key=True),
    Column("value_hash", Text, primary_key=True),
    Column("posting_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("value", JsonText, nullable=False),
    Column("source", Text),
    Column("job_id", Text),
    Column("query", Text),
    Column("event", Text),
    Column("shown_rank", Integer),
    Column("seconds_spent", Float(53)),
    Column("strategy", Text),  # that chose the posting, as are the next two
    Column("chosen_by", Text),
    Column("model_version", Text),
    Index("label_history_by_posting", "posting_id"),
)

# Postings that somebody was given to label; nobody else is given them until then.
reservations = Table(
    "reservations",
    metadata,
    Column("posting_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("annotator", Text, nullable=False),
    Column("reserved_until", Text, nullable=False),
    Column("batch_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("chosen_by", Text, nullable=False),
    Column("model_version", Text),
    Column("score", Float(53), nullable=False),
    Column("reason", Text, nullable=False),
    Index("reservations_by_end", "reserved_until"),
)

# Circles of labelling and training: one for each kind of label that is to be learnt by itself.
loops = Table(
    "loops",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("trigger", JsonText, nullable=False),
    Column("training", JsonText, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("last_label_seq", BigInteger, nullable=False),
    Column("trained_at", Text),
    Column("baseline", JsonText, nullable=False),
    Column("run_id", Text),
    Column("checked_at", Text),
    Column("decision", JsonText, nullable=False),
    Column("created_at", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("total_steps", Integer),
    Column("loss", Float(53)),
    Column("metrics", JsonText, nullable=False),
    Column("config", JsonText, nullable=False),
    Column("model_name", Text),
    Column("model_version", Integer),
    Column("error", Text),
    Column("fencing_token", BigInteger, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("started_at", Text),
    Column("finished_at", Text),
    Index("runs_by_creation", "created_at"),
)

run_losses = Table(
    "run_losses",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("loss", Float(53), nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("name", Text),
    Column("total_rows", Integer, nullable=False),
    Column("origin", JsonText, nullable=False),
    Column("summary", JsonText, nullable=False),
    Column("last_label_seq", BigInteger),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("sealed_at", Text),  # nobody sees a dataset before
)

dataset_rows = Table(
    "dataset_rows",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("content", JsonText, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("traceback", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("versions", JsonText, nullable=False),
    Column("created_at", Text, nullable=False),
    Index("dead_letters_by_creation", "created_at"),
)

audit = Table(
    "audit",
    metadata,
    # In SQLite an INTEGER key is the row's own number: it lies in the file once, so that what is
    # verified is all there is.
    Column(
        "seq",
        BigInteger().with_variant(Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),  # the very text that was signed, hence no JsonText
    Column("previous_mac", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("mac", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("seal", Text, nullable=False),
)
