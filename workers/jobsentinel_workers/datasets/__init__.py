"""Datasets in the store: rows that producers sent, and snapshots of stored labels.

A dataset is known by the SHA-256 of what can be learnt from it, and never changes. So a training
that names one can be repeated, and its model's lineage says what it saw::

    with database.begin() as connection:
        taken = snapshot_labels(connection, ["category", "scam"])
    with database.connect() as connection:
        again = load(connection, taken.sha256)
"""

from __future__ import annotations

from jobsentinel_workers.datasets.snapshots import read_labels, save_snapshot, snapshot_labels
from jobsentinel_workers.datasets.stored import (
    StoredDataset,
    delete,
    list_datasets,
    load,
    resolve,
)
from jobsentinel_workers.store.datasets import Dataset, remove_stale_uploads

__all__ = [
    "Dataset",
    "StoredDataset",
    "delete",
    "list_datasets",
    "load",
    "read_labels",
    "remove_stale_uploads",
    "resolve",
    "save_snapshot",
    "snapshot_labels",
]
