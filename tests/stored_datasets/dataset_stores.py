"""Rows to store, and the store's side of sending them, without a queue in between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import update

from jobsentinel.contract import wire
from jobsentinel.contract.datasets import DatasetDigest, StoreDatasetRequest, parse_row
from jobsentinel.contract.results import StoreDatasetResult
from jobsentinel.contract.tasks import TASKS
from jobsentinel.dataset_files import source_of
from jobsentinel.dataset_sending import DatasetReceipt, Upload
from jobsentinel_workers.datasets.receiving import receive
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.schema import change_counter, metadata

CLASSES = [{"text": f"Nurse {n}, nights", "label": "yes" if n % 3 else "no"} for n in range(20)]
NUMBERS = [{"text": f"Cook {n}", "value": n / 7} for n in range(10)]
PAIRS = [{"text_a": f"a {n}", "text_b": f"b {n}", "score": n / 10} for n in range(10)]
RANKED = [{"query": f"q {n % 3}", "text": f"t {n}", "score": n / 10} for n in range(10)]
SEVERAL: list[dict[str, Any]] = [
    {"text": f"Job {n}", "scam": n % 2 == 0, "salary_year_usd": 50_000 + n}
    if n % 3
    else {"text": f"Job {n}", "category": "healthcare", "labels": {"size": "big", "tags": ["a"]}}
    for n in range(12)
]
ROWS = {
    "classification": CLASSES,
    "regression": NUMBERS,
    "similarity": PAIRS,
    "reranker": RANKED,
    "multi-task": SEVERAL,
}


def lines(rows: Any) -> str:
    """Return rows as JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def digest_of_rows(rows: list[dict[str, Any]], task: Any = "classification") -> str:
    """Return the id of these rows."""
    digest = DatasetDigest(task)
    for row in rows:
        digest.add(parse_row(task, row))
    return digest.hexdigest()


def emptied(database: Database) -> Database:
    """Take everything out of a store and set its clock back to 0."""
    with database.begin() as connection:
        for table in metadata.sorted_tables:
            if table is not change_counter:
                connection.execute(table.delete())
        connection.execute(update(change_counter).values(value=0))
    return database


class Sender:
    """Brings datasets into a store.

    Attributes:
        requests: what was asked so far.
        cut_after: how many requests pass before the connection breaks; None lets all pass.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.requests: list[StoreDatasetRequest] = []
        self.cut_after: int | None = None

    def ask(self, request: Mapping[str, Any] | StoreDatasetRequest) -> StoreDatasetResult:
        """Answer a request as a worker does: over the wire, in one transaction."""
        if self.cut_after is not None and len(self.requests) >= self.cut_after:
            raise ConnectionResetError("torn off")
        packed = wire.encode_request(TASKS["store_dataset"], StoreDatasetRequest.parse(request))
        _, decoded = wire.decode_request(packed)
        assert isinstance(decoded, StoreDatasetRequest)
        self.requests.append(decoded)
        answer = receive(self._database, decoded)
        if answer.store is None:
            return answer.result
        with self._database.begin() as connection:
            return answer.store(connection) or answer.result

    def send(
        self, source: Any, task: Any = "classification", name: str | None = None, **options: Any
    ) -> DatasetReceipt:
        """Send a dataset whole."""
        chunk_rows = options.pop("chunk_rows", 7)
        made = Upload(
            source_of(source), task, name, chunk_rows, self.ask, lambda answer: answer, **options
        )
        return made.run()

    @property
    def rows_sent(self) -> int:
        """How many rows were sent so far."""
        return sum(len(request.rows) for request in self.requests)
