"""A cross-encoder trained by sentence-transformers' CrossEncoderTrainer over our pair network.

Loss: binary cross-entropy of the logit against the score, which may lie between 0 and 1. Rows count
by their weights, over the mean weight, so that the size of a step does not depend on their scale.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers.cross_encoder import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from torch.nn import functional

from jobsentinel_workers.encoders import FloatArray, run_directly
from jobsentinel_workers.encoders.adapters import AdaptedLinear
from jobsentinel_workers.fine_tuning.arithmetic import training_arithmetic
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.curriculum import OrderOfRows
from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
from jobsentinel_workers.fine_tuning.library_trainers.engine_module import EngineModule
from jobsentinel_workers.fine_tuning.library_trainers.epoch_batches import EpochBatches
from jobsentinel_workers.fine_tuning.library_trainers.kept_trainer import (
    KeptTrainer,
    optimizers_of,
    run_trainer,
)
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics, similarity_metrics
from jobsentinel_workers.fine_tuning.reranker_parts import RerankerParts
from jobsentinel_workers.fine_tuning.run import plan_of
from jobsentinel_workers.fine_tuning.run_keeper import Hooks, RunKeeper
from jobsentinel_workers.fine_tuning.summary import summarise
from jobsentinel_workers.fine_tuning.trained_weights import TrainedWeights
from jobsentinel_workers.fine_tuning.training_data import TrainingData
from jobsentinel_workers.reranking import PairLimits, PairModel
from jobsentinel_workers.reranking.ranking_measures import RankedGrades, ndcg_at

Metrics = dict[str, float | None]
HEAD_SPEED = 3.0
"""The head may move faster than the adapters."""


class PairTrainer(KeptTrainer, CrossEncoderTrainer):
    """The library's trainer for cross-encoders, without its model card."""

    def add_model_card_callback(self, *_: Any) -> None:
        """Nothing: a card would describe the machine and ask the hub."""


class WeightedLoss(BinaryCrossEntropyLoss):
    """The library's loss where each row counts as much as its weight says.

    A row's label is its score beside its weight, divided by the mean weight of all training rows.
    """

    def forward(
        self,
        inputs: list[list[str]],
        labels: Any,  # tensors of two numbers, as the library hands on labels that are lists
        prompt: str | None = None,
        task: str | None = None,
    ) -> torch.Tensor:
        """Return the weighted mean of the batch."""
        scores, weights = torch.stack(list(labels)).unbind(dim=1)
        self.bce_with_logits_loss.weight = weights
        loss: torch.Tensor = super().forward(inputs, scores, prompt, task)
        return loss


class RerankerRun:
    """Takes a cross-encoder through its epochs; ``parts`` then has the best one's weights."""

    def __init__(
        self,
        parts: RerankerParts,
        config: FineTuningConfig,
        data: TrainingData,
        order: OrderOfRows,
        *,
        checkpoints: CheckpointFolder | None,
        hooks: Hooks,
    ) -> None:
        self.parts = parts
        self.config = config
        self.data = data
        self._order = order
        self._checkpoints = checkpoints
        self._hooks = hooks
        self._model = _pair_model(parts, config)

    def complete(self) -> TrainingMetrics:
        """Train to the end and return what was achieved."""
        trained = TrainedWeights(_weights(self.parts, self.config), self._rate_of, 0.0)
        plan = plan_of(self.config, self._order.batches_an_epoch)
        keeper = RunKeeper(trained, plan, checkpoints=self._checkpoints, hooks=self._hooks)
        if not keeper.restore():
            keeper.state.baseline = self._metrics()
        run_trainer(
            lambda arguments: self._make_trainer(arguments, keeper),
            keeper,
            EpochBatches(self._order.batches, self._order.batches_an_epoch),
            validate=lambda: _log_loss(self._logits(), self.data.validation),
            arithmetic=self._arithmetic,
            device=self.parts.device,
        )
        return summarise(self.config, self.data, keeper.state, self._metrics())

    def _make_trainer(self, arguments: dict[str, Any], keeper: RunKeeper) -> KeptTrainer:
        # Without dropout: a few epochs of small changes do not overfit.
        network = self.parts.network.eval()
        module = EngineModule(
            network,
            self._model,
            lambda padded: network(padded).unsqueeze(-1),
            output="scores",
            set_training=lambda on: None,
            pad_id=self.parts.backbone.pad_id,
        )
        encoder = CrossEncoder(
            modules=[module], device=str(self.parts.device), activation_fn=torch.nn.Identity()
        )
        rows = self.data.train
        weights = rows.weights()
        labels = np.stack([rows.numbers(), weights / weights.mean()], axis=1).astype(np.float32)
        columns = {"query": rows.texts[0::2], "text": rows.texts[1::2], "label": labels.tolist()}
        return PairTrainer(
            model=encoder,
            args=CrossEncoderTrainingArguments(**arguments),
            train_dataset=Dataset.from_dict(columns),
            loss=WeightedLoss(encoder),
            optimizers=optimizers_of(keeper),
        )

    def _rate_of(self, name: str) -> float:
        rate = self.config.schedule.learning_rate
        both = self.config.method == "lora"
        return rate * HEAD_SPEED if both and name.startswith("head.") else rate

    def _logits(self) -> FloatArray:
        texts = self.data.validation.texts
        with self._arithmetic():
            pairs = list(zip(texts[0::2], texts[1::2], strict=True))
            return run_directly(self._model, pairs)[:, 0]

    def _metrics(self) -> Metrics:
        return reranking_metrics(self._logits(), self.data.validation)

    def _arithmetic(self) -> AbstractContextManager[object]:
        return training_arithmetic(self.config, self.parts.device, trains_encoder=True)


def _weights(parts: RerankerParts, config: FineTuningConfig) -> dict[str, torch.nn.Parameter]:
    network = parts.network.requires_grad_(False)
    weights = {f"head.{name}": weight for name, weight in network.head.named_parameters()}
    if config.method == "lora":
        for name, layer in network.transformer.named_modules():
            if isinstance(layer, AdaptedLinear):
                weights |= {f"{name}.down": layer.down, f"{name}.up": layer.up}
    return weights


def _pair_model(parts: RerankerParts, config: FineTuningConfig) -> PairModel:
    limits = parts.limits
    tokens = min(config.max_tokens, limits.max_tokens)
    return PairModel(
        parts.network,
        parts.backbone.tokenizer_json,
        model_id="in training",
        limits=PairLimits(min(limits.max_query_tokens, tokens // 2), tokens),
        precision="fp32",
        device=parts.device,
        pad_id=parts.backbone.pad_id,
    )


def reranking_metrics(logits: FloatArray, rows: JobMatchingDataset) -> Metrics:
    """Return nDCG@10 over queries with different scores, Spearman's correlation, and log loss."""
    truth = rows.numbers()
    spearman = similarity_metrics(truth, logits.astype(np.float64))["spearman"]
    return {
        "ndcg_at_10": _mean_ndcg(logits, rows),
        "spearman": spearman,
        "log_loss": _log_loss(logits, rows),
    }


def _mean_ndcg(logits: FloatArray, rows: JobMatchingDataset) -> float | None:
    queries: dict[str, list[int]] = defaultdict(list)
    for row, example in enumerate(rows.examples):
        queries[example.texts[0]].append(row)
    truth = rows.numbers()
    found = []
    for members in queries.values():
        grades = truth[members]
        if len(set(grades)) > 1:
            order = np.argsort(-logits[members], kind="stable")
            found.append(ndcg_at(RankedGrades(grades[order].tolist(), grades.tolist())))
    return float(np.mean(found)) if found else None


def _log_loss(logits: FloatArray, rows: JobMatchingDataset) -> float:
    truth = torch.from_numpy(rows.numbers().astype(np.float32))
    losses = functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits), truth, reduction="none"
    )
    return float(np.average(losses.numpy(), weights=rows.weights()))
