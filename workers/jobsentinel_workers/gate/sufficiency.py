"""Whether enough rows were judged for the gate to decide by itself."""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.gate.policy import GatePolicy
from jobsentinel_workers.multi_task.assessment.bootstrap import Groups
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.tasks import TaskType


def shortage(judged: Judged, groups: Groups | None, policy: GatePolicy) -> str | None:
    """Return what is missing, with how many rows are needed; None where nothing is.

    Rows of one group count once. Of a yes-or-no task each answer is counted as well: one scam
    among a thousand rows says nothing of how scams are found.
    """
    members = np.arange(judged.rows) if groups is None else groups
    different = len(np.unique(members))
    if different < policy.min_rows:
        return too_few(different, policy)
    if judged.task.type is not TaskType.BINARY:
        return None
    said = [(word, members[judged.targets == answer]) for answer, word in ((0, "no"), (1, "yes"))]
    counts = [(len(np.unique(found)), word) for word, found in said]
    count, word = min(counts)
    if count >= policy.min_rows_of_a_kind:
        return None
    return (
        f"{count} of the judged rows, near-duplicates counted once, are labelled {word}; "
        f"{policy.min_rows_of_a_kind} are needed"
    )


def too_few(count: int, policy: GatePolicy) -> str:
    """Return that so many rows are not enough."""
    return (
        f"{count} rows were judged, near-duplicates counted once; {policy.min_rows} are needed "
        "to decide without a person"
    )
