"""Reading datasets of the store: by id, checked against it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection

from jobsentinel.contract.base import Message
from jobsentinel.contract.datasets import ROW_OF_DATASET, DatasetDigest, DatasetTask
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import datasets

_PREFIX = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A dataset with its rows, as plain maps of the fields that each has, in their order.

    Attributes:
        last_label_seq: of a snapshot of labels, the store's change number at which it was taken:
            give it as ``since`` to the next one, and that holds what came later.
    """

    sha256: str
    task: DatasetTask
    name: str | None
    rows: tuple[dict[str, Any], ...]
    last_label_seq: int | None = None
    origin: dict[str, Any] = field(default_factory=dict)


def load(connection: Connection, sha256: str) -> StoredDataset:
    """Return the dataset of this id.

    Raises:
        InvalidInput: there is none, it was not sent whole, or its rows were altered in the store.
    """
    found = require(connection, sha256)
    digest = DatasetDigest(cast(DatasetTask, found.task))
    rows = tuple(content for content, _ in digested(connection, sha256, digest))
    if digest.hexdigest() != sha256:
        problem = f"{sha256} was altered in the store: its rows have the hash {digest.hexdigest()}"
        raise InvalidInput("dataset", f"{problem}; delete it and send it again")
    return StoredDataset(sha256, digest.task, found.name, rows, found.last_label_seq, found.origin)


def digested(
    connection: Connection,
    sha256: str,
    digest: DatasetDigest,
    *,
    check: Callable[[], None] = lambda: None,
) -> Iterator[tuple[dict[str, Any], Message]]:
    """Yield the rows, each as it is stored and as a message, while ``digest`` takes them."""
    kind = ROW_OF_DATASET[digest.task]
    for number, content in enumerate(datasets.rows_of(connection, sha256)):
        if number % 500 == 0:
            check()
        row = kind.parse(content, at=f"rows.{number}")
        digest.add(row)
        yield content, row


def require(connection: Connection, sha256: str) -> datasets.Dataset:
    """Return what is known of a sealed dataset.

    Raises:
        InvalidInput: there is none, or it was not sent whole.
    """
    found = datasets.find(connection, sha256)
    if found is None:
        raise InvalidInput("dataset", f"{sha256} is not stored")
    if found.sealed_at is None:
        there = datasets.count_rows(connection, sha256)
        problem = f"{sha256} was not sent whole: {there:,} of {found.total_rows:,} rows are there"
        raise InvalidInput("dataset", f"{problem}; send it again, and it goes on")
    return found


def resolve(connection: Connection, prefix: str) -> datasets.Dataset:
    """Return the dataset or upload whose id begins with ``prefix``.

    Raises:
        InvalidInput: it is no beginning of an id, or of none, or of several.
    """
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput("SHA", f"{prefix!r} is not 4 to 64 of the digits 0 to 9 and a to f")
    found = datasets.newest(connection, prefix=prefix, sealed=None, limit=3)
    if not found:
        raise InvalidInput("SHA", f"no dataset begins with {prefix}")
    if len(found) > 1:
        raise InvalidInput("SHA", f"several datasets begin with {prefix}; give more digits")
    return found[0]


def list_datasets(connection: Connection, *, limit: int = 1_000) -> list[datasets.Dataset]:
    """Return what is known of the newest datasets; uploads in progress are not among them."""
    return datasets.newest(connection, limit=limit)


def delete(connection: Connection, sha256: str) -> bool:
    """Delete a dataset, and return whether there was one. Models that learnt from it stay."""
    return datasets.delete_dataset(connection, sha256)
