"""Small training runs, and what to compare of them."""

from __future__ import annotations

from typing import Any

import torch

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    FineTuningTrainer,
    JobMatchingDataset,
    Progress,
    TrainingMetrics,
)

Row = dict[str, Any]
Weights = dict[str, torch.Tensor]

PACE: dict[str, Row] = {
    "head": {"method": "head", "learning_rate": 1e-2},
    "top2": {"method": "top2", "learning_rate": 1e-3},
    "full": {"method": "full", "learning_rate": 5e-4},
    "lora": {"method": "lora", "learning_rate": 5e-3},
}
"""Learning rates that suit a network this small."""


def config_of(**settings: Any) -> FineTuningConfig:
    defaults: Row = {"max_tokens": 32, "precision": "fp32", "seed": 1, "checkpoint_every_steps": 4}
    return FineTuningConfig(**(defaults | settings))


def train(
    rows: list[Row], config: FineTuningConfig, encoder: TextEncoder, **hooks: Any
) -> tuple[FineTunedBERT, TrainingMetrics]:
    model = FineTunedBERT(config, encoder)
    trainer = FineTuningTrainer(model, config, **hooks)
    return model, trainer.train(JobMatchingDataset.from_rows(rows))


def weights_of(model: FineTunedBERT) -> Weights:
    parts = {"head": model.head, "encoder": model.encoder.network}
    return {
        f"{part}.{name}": tensor.clone()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


def assert_same(first: Weights, second: Weights) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=1e-5, atol=1e-6, msg=name)


class StopAfter:
    """Says stop at one step of training."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.seen = 0

    def watch(self, progress: Progress) -> None:
        if progress.phase == "training":
            self.seen = progress.step

    def __call__(self) -> bool:
        return self.seen >= self.step
