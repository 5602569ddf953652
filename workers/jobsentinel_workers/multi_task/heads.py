"""The small networks that answer one task each from an embedding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from jobsentinel_workers.multi_task.tasks import Task, TaskType

DROPOUT = 0.2


class Head(nn.Module):
    """A linear layer, or one hidden layer, from (n, d) embeddings to (n, task.output_dim).

    Args:
        columns: of the embeddings, those that this head reads.
    """

    def __init__(self, task: Task, columns: Sequence[int]) -> None:
        super().__init__()
        self.task = task
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.layers = _layers(len(columns), task.hidden, task.output_dim)

    columns: torch.Tensor

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return (n, output_dim): logits, the value, or the P10, P50 and P90 of it."""
        # Embeddings of length 1 have components near 1/sqrt(d); scaled, they suit usual rates.
        scaled = embeddings * float(embeddings.shape[1]) ** 0.5
        if len(self.columns) < embeddings.shape[1]:
            scaled = scaled[:, self.columns]
        raw: torch.Tensor = self.layers(scaled)
        return spread(raw) if self.task.type is TaskType.QUANTILE else raw


def _layers(embedding_dim: int, hidden: int, output_dim: int) -> nn.Sequential:
    if not hidden:
        return nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(embedding_dim, output_dim))
    return nn.Sequential(
        nn.Dropout(DROPOUT),
        nn.Linear(embedding_dim, hidden),
        nn.GELU(),
        nn.Dropout(DROPOUT),
        nn.Linear(hidden, output_dim),
    )


def spread(raw: torch.Tensor) -> torch.Tensor:
    """Return (n, 3) P10, P50, P90 from raw outputs; they can never cross."""
    median = raw[:, :1]
    below, above = nn.functional.softplus(raw[:, 1:2]), nn.functional.softplus(raw[:, 2:3])
    return torch.cat([median - below, median, median + above], dim=1)
