"""Setting rows apart for validation, so that it holds nothing that was learnt.

Rows of a group go to one side: near-duplicates, or what the caller says belongs together. Of every
task, and within it of every class, about the same share is set apart; what only few rows know
stays where it can be learnt.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.multi_task.examples import MIN_LABELS, MultiTaskExample
from jobsentinel_workers.multi_task.near_duplicates import near_duplicate_groups
from jobsentinel_workers.multi_task.tasks import Label

__all__ = ["MIN_VALIDATION_LABELS", "hold_out", "near_duplicate_groups"]

MIN_VALIDATION_LABELS = 4
"""Fewer judge nothing; a task that cannot spare them is judged on the rows it was trained on."""

Key = tuple[str, ...]
"""A task, or a task and one of its classes."""
Rows = list[MultiTaskExample]

logger = logging.getLogger(__name__)


def hold_out(
    rows: Sequence[MultiTaskExample],
    share: float,
    seed: int,
    groups: Sequence[Hashable] | None = None,
) -> tuple[Rows, Rows]:
    """Return ``rows`` in a part to train on and a part to validate with, each in their order.

    Args:
        share: of each task's labels that are set apart, where it has enough of them.
        groups: one for each row; rows of one group stay together, and nothing else does. By
            default near-duplicates form a group; where that leaves a task without validation, as
            when all texts follow one template, only rows with the same text do.

    Raises:
        InvalidInput: there are not as many groups as rows.
    """
    if groups is not None:
        if len(groups) != len(rows):
            raise InvalidInput("groups", f"are {len(groups)} for {len(rows)} rows")
        return _parts(rows, _Split(rows, groups, share, seed))
    split = _Split(rows, near_duplicate_groups([row.text for row in rows]), share, seed)
    if split.unjudged:
        logger.warning("near_duplicates_on_both_sides tasks=%s", ",".join(split.unjudged))
        split = _Split(rows, [content_hash(row.text) for row in rows], share, seed)
    return _parts(rows, split)


def _parts(rows: Sequence[MultiTaskExample], split: _Split) -> tuple[Rows, Rows]:
    apart = [group in split.apart for group in split.groups]
    return (
        [row for row, out in zip(rows, apart, strict=True) if not out],
        [row for row, out in zip(rows, apart, strict=True) if out],
    )


class _Split:
    """Chooses the groups that go apart, for the rarest labels first."""

    def __init__(
        self,
        rows: Sequence[MultiTaskExample],
        groups: Sequence[Hashable],
        share: float,
        seed: int,
    ) -> None:
        self.groups = groups
        self.apart: set[Hashable] = set()
        self._share = share
        self._held: dict[Hashable, Counter[Key]] = {group: Counter() for group in groups}
        self._total: Counter[Key] = Counter()
        for row, group in zip(rows, groups, strict=True):
            keys = list(_keys(row))
            self._held[group].update(keys)
            self._total.update(keys)
        self._left = self._total.copy()
        self._members: dict[Key, list[Hashable]] = {key: [] for key in self._total}
        names = list(self._held)
        for n in np.random.default_rng(seed).permutation(len(names)):
            for key in self._held[names[n]]:
                self._members[key].append(names[n])
        # Classes before whole tasks: what these still lack may then be of any class.
        for key in sorted(self._total, key=lambda key: (-len(key), self._total[key], key)):
            self._set_apart(key)

    @property
    def unjudged(self) -> list[str]:
        """Tasks that could spare labels for validation and have too few there."""
        return [
            key[0]
            for key in self._total
            if len(key) == 1
            and self._wanted(key)
            and self._total[key] - self._left[key] < MIN_VALIDATION_LABELS
        ]

    def _wanted(self, key: Key) -> float:
        total = self._total[key]
        if len(key) > 1:
            return self._share * total
        if total < MIN_LABELS + MIN_VALIDATION_LABELS:
            return 0
        return max(MIN_VALIDATION_LABELS, math.floor(self._share * total))

    def _set_apart(self, key: Key) -> None:
        for group in self._members[key]:
            owed = self._wanted(key) - (self._total[key] - self._left[key])
            if owed < 0.5:
                return
            if owed >= self._held[group][key] / 2 and self._can_spare(group):
                self.apart.add(group)
                self._left.subtract(self._held[group])

    def _can_spare(self, group: Hashable) -> bool:
        return group not in self.apart and all(
            self._left[key] - count >= self._needed(key) for key, count in self._held[group].items()
        )

    def _needed(self, key: Key) -> int:
        """Return how many labels must stay: enough to learn the task, and one of each class."""
        return MIN_LABELS if len(key) == 1 and self._total[key] >= MIN_LABELS else 1


def _keys(row: MultiTaskExample) -> Iterator[Key]:
    for task, label in row.labels.items():
        if not _is_missing(label):
            yield (task,)
            yield from ((task, name) for name in _classes(label))


def _is_missing(label: Label | None) -> bool:
    return label is None or (isinstance(label, float) and math.isnan(label))


def _classes(label: Label | None) -> list[str]:
    """Return the classes that a label names; none for a number other than 0 and 1."""
    if isinstance(label, str):
        return [label]
    if isinstance(label, Sequence):
        return list(label)
    return [str(float(label))] if label in (0, 1) else []
