"""Rows with labels of some tasks, and how a step's labels lie in its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from jobsentinel_workers.multi_task.batches import Rows
from jobsentinel_workers.multi_task.losses import known_rows

Known = Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows to learn from or to judge by.

    Attributes:
        rows: positions of their texts.
        targets: by task, of the same rows; NaN where a label is missing.
    """

    rows: Rows
    targets: Mapping[str, torch.Tensor]

    def targets_at(self, batch: Rows) -> dict[str, torch.Tensor]:
        """Return the targets of some of the rows, by their place among them."""
        chosen = torch.from_numpy(batch)
        return {name: values[chosen.to(values.device)] for name, values in self.targets.items()}

    def known(self) -> Known:
        """Return by task which rows have its label."""
        arrays = {name: values.cpu().double().numpy() for name, values in self.targets.items()}
        return {name: known_rows(values) for name, values in arrays.items()}


def shares_of_labels(batches: Sequence[Rows], known: Known) -> list[dict[str, float]]:
    """Return, for each batch of a step, which share of the step's labels of a task it has."""
    counts = [{name: float(rows[batch].sum()) for name, rows in known.items()} for batch in batches]
    totals = {name: sum(count[name] for count in counts) or 1.0 for name in known}
    return [{name: count[name] / totals[name] for name in known} for count in counts]
