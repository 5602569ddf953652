"""What a training learns from: rows that were sent, a stored dataset, or the stored labels.

Labels are taken as a snapshot, which is stored under its hash: so a training can be repeated, and
its model says what it saw. ``labels:new`` is what came since the champion's own snapshot; rows of
before are replayed beside them, or the model would forget what these taught (Robins 1995,
"Catastrophic forgetting, rehearsal and pseudorehearsal").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.datasets import StoredDataset, load, read_labels, save_snapshot
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.store import Database

REPLAY_RATIO: Final = 2
MIN_REPLAYED: Final = 1_000
"""So many rows of before are replayed beside new ones: twice their number, and these at least."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Material:
    """Rows of a training.

    Attributes:
        rows: as plain values; new ones before those that are replayed.
        new: how many of them are new; None where nothing is replayed by design.
        lineage: what to write down beside the hash of the rows.
    """

    rows: Rows
    new: int | None = None
    lineage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows of one kind of task come from.

    Attributes:
        database: with labels and datasets.
        task: the kind that the rows must have.
        kinds: of labels: several for multi-task rows, one for rows of a single question.
        champion: the version that the training replaces, whose snapshot says what is new.
        seed: of the choice of replayed rows.
    """

    database: Database
    task: str
    kinds: str | Sequence[str]
    champion: ModelVersion | None
    seed: int

    def find(self, reference: str) -> Material:
        """Return what a reference means: a SHA-256, ``labels:all`` or ``labels:new``.

        Raises:
            InvalidInput: there is no such dataset, it is of another task, or labels are too few.
        """
        if reference == "labels:all":
            return _of(self._snapshot(None))
        if reference == "labels:new":
            return self._new_labels()
        with self.database.connect() as connection:
            found = load(connection, reference)
        if found.task != self.task:
            raise InvalidInput("dataset", f"has {found.task} rows, but the task is {self.task}")
        return _of(found)

    def _new_labels(self) -> Material:
        since = None if self.champion is None else self.champion.lineage.get("last_label_seq")
        taken = self._snapshot(since)
        if since is None:
            return _of(taken)
        replayed = self._replayed(taken)
        lineage = _of(taken).lineage | {"replayed_rows": len(replayed)}
        return Material([*taken.rows, *replayed], len(taken.rows), lineage)

    def _snapshot(self, since: int | None) -> StoredDataset:
        # Read before the write transaction, so that other writers wait for the writing only.
        with self.database.connect() as connection:
            found = read_labels(connection, self.kinds, since=since, task=self._task())
        with self.database.begin() as connection:
            return save_snapshot(connection, found)

    def _replayed(self, taken: StoredDataset) -> Rows:
        new = {_known_by(row) for row in taken.rows}
        with self.database.connect() as connection:
            every = read_labels(connection, self.kinds, task=self._task())
        old = [row for row in map(dump, every.rows) if _known_by(row) not in new]
        wanted = max(REPLAY_RATIO * len(new), MIN_REPLAYED)
        chosen = np.random.default_rng(self.seed).permutation(len(old))[:wanted]
        return [old[position] for position in sorted(chosen.tolist())]

    def _task(self) -> Any:
        return self.task if isinstance(self.kinds, str) else None


def _known_by(row: dict[str, Any]) -> tuple[str | None, str]:
    """Return what a row gives an answer about: a text, or a text that a query brought."""
    return row.get("query"), row["text"]


def _of(dataset: StoredDataset) -> Material:
    lineage: dict[str, Any] = {"dataset": dataset.sha256}
    if dataset.last_label_seq is not None:
        lineage["last_label_seq"] = dataset.last_label_seq
    return Material(list(dataset.rows), None, lineage)
