"""What the fleet remembers: postings, embeddings, results, labels, runs and dead letters in SQL.

SQLite in the data folder by default, Postgres by URL for several machines; both keep the
same promises, and the tests run over both. Functions take an open connection, so that one
transaction can commit a job's results, embeddings and completion together::

    database = Database.open("sqlite:////var/lib/jobsentinel/store.db")
    with database.begin() as connection:
        if results.commit_job(connection, job_id, token):
            results.save(connection, job_id, "score", rows, fencing_token=token)
"""

from __future__ import annotations

from jobsentinel_workers.store.database import Database
from jobsentinel_workers.store.vector_index import VectorIndex

__all__ = ["Database", "VectorIndex"]
