"""Taking in a dataset that a producer sends: chunks in any order, then the seal."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.datasets import DatasetDigest, StoreDatasetRequest
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.results import StoreDatasetResult
from jobsentinel_workers.datasets.stored import digested
from jobsentinel_workers.datasets.summaries import Summary
from jobsentinel_workers.jobs.context import Answer
from jobsentinel_workers.store import Database, datasets


def receive(
    database: Database, request: StoreDatasetRequest, check: Callable[[], None] = lambda: None
) -> Answer:
    """Store the rows of ``request``; without any, say what lacks, or seal what is whole.

    Args:
        check: called now and then while a whole dataset is read; what it raises ends the work.

    Raises:
        InvalidInput: the rows do not have the hash that they were announced with, or teach
            nothing. The upload is dropped then.
    """
    if request.rows:
        asked = StoreDatasetResult(sha256=request.sha256, state="open")
        return Answer(asked, lambda connection: _put(connection, request))
    return _settle(database, request, check)


def _put(connection: Connection, request: StoreDatasetRequest) -> Message:
    found = _opened(connection, request)
    if found.sealed_at is not None:
        return _result(found)
    rows = [dump(row) for row in request.rows]
    stored = datasets.put_rows(connection, request.sha256, request.first_row, rows)
    return _result(found, stored=stored)


def _opened(connection: Connection, request: StoreDatasetRequest) -> datasets.Dataset:
    return datasets.open_upload(
        connection, request.sha256, request.task, request.total_rows, name=request.name
    )


def _settle(database: Database, request: StoreDatasetRequest, check: Callable[[], None]) -> Answer:
    digest, summary = DatasetDigest(request.task), Summary(request.task)
    with database.connect() as connection:
        found = datasets.find(connection, request.sha256)
        if found is not None and found.sealed_at is not None:
            return Answer(_result(found))
        missing = datasets.missing(connection, request.sha256, request.total_rows)
        if missing:
            return Answer(_open(request, missing))
        # Read here and not in the writer's transaction: others would wait for the whole of it.
        try:
            for _, row in digested(connection, request.sha256, digest, check=check):
                summary.add(row)
            _require_hash(request, digest)
            digest.check()
        except InvalidInput:
            _drop(database, request.sha256)
            raise

    def store(connection: Connection) -> Message:
        upload = _opened(connection, request)
        if datasets.seal(connection, request.sha256, summary.as_json()):
            return _result(upload, sealed=True)
        # Somebody deleted rows since they were read.
        return _open(request, datasets.missing(connection, request.sha256, request.total_rows))

    return Answer(_open(request, []), store)


def _require_hash(request: StoreDatasetRequest, digest: DatasetDigest) -> None:
    if digest.hexdigest() != request.sha256:
        problem = f"{request.sha256} is not the hash of the rows sent, {digest.hexdigest()}"
        raise InvalidInput("sha256", f"{problem}: were they changed meanwhile? They are dropped")


def _drop(database: Database, sha256: str) -> None:
    with database.begin() as connection:
        found = datasets.find(connection, sha256)
        if found is not None and found.sealed_at is None:
            datasets.delete_dataset(connection, sha256)


def _result(
    found: datasets.Dataset, *, stored: int = 0, sealed: bool = False
) -> StoreDatasetResult:
    is_sealed = sealed or found.sealed_at is not None
    return StoreDatasetResult(
        sha256=found.sha256,
        state="sealed" if is_sealed else "open",
        name=found.name,
        stored=stored,
    )


def _open(request: StoreDatasetRequest, missing: list[tuple[int, int]]) -> StoreDatasetResult:
    return StoreDatasetResult(sha256=request.sha256, state="open", missing=tuple(missing))
