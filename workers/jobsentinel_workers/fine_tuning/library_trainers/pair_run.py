"""Similarity by sentence-transformers' losses: pairs that belong together, or scored ones.

Pairs without scores are trained by multiple negatives ranking (Henderson et al. 2017,
arXiv 1705.00652): of all second texts of a batch, a text's own partner shall be the nearest. Scored
pairs may be trained by CoSENT (Huang et al. 2024, doi 10.1109/TASLP.2024.3402087), which only wants
the cosines in the order of the scores.
"""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers.base.sampler import NoDuplicatesBatchSampler
from sentence_transformers.sentence_transformer.losses import (
    CoSENTLoss,
    MultipleNegativesRankingLoss,
)

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.evaluation import (
    embeddings_of_pairs,
    ranking_loss,
    ranking_metrics,
    similarity_metrics_of,
)
from jobsentinel_workers.fine_tuning.features import LiveFeatures
from jobsentinel_workers.fine_tuning.learner import Learner
from jobsentinel_workers.fine_tuning.library_trainers.epoch_batches import Batches, EpochBatches
from jobsentinel_workers.fine_tuning.library_trainers.kept_trainer import run_trainer
from jobsentinel_workers.fine_tuning.library_trainers.sentence_trainer import (
    sentence_model,
    sentence_trainer,
)
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.run import ModelRun, plan_of
from jobsentinel_workers.fine_tuning.run_keeper import RunKeeper
from jobsentinel_workers.fine_tuning.summary import summarise

Metrics = dict[str, float | None]


class PairRun(ModelRun):
    """Trains the encoder of a similarity model on pairs."""

    @property
    def _positive(self) -> bool:
        return self.data.train.positive_pairs

    def complete(self) -> TrainingMetrics:
        """Train to the end and return what was achieved; the model has the best epoch's weights."""
        self._validation = LiveFeatures(self.model.encoder, self.data.validation.texts)
        learner = Learner(self.model, self.config)
        sentences = sentence_model(self.model.encoder, learner.set_training)
        loss = (MultipleNegativesRankingLoss if self._positive else CoSENTLoss)(sentences)
        columns = self._columns()
        batches = self._batches(columns)
        plan = plan_of(self.config, len(batches))
        keeper = RunKeeper(learner.trained, plan, checkpoints=self._checkpoints, hooks=self._hooks)
        if not keeper.restore():
            keeper.state.baseline = self._metrics()
        run_trainer(
            sentence_trainer(sentences, loss, columns, keeper),
            keeper,
            batches,
            validate=lambda: self._validation_loss(loss),
            arithmetic=self._arithmetic,
            device=self.model.encoder.device,
        )
        self.model.finish_encoder()
        return summarise(self.config, self.data, keeper.state, self._metrics())

    def _columns(self) -> dict[str, list[Any]]:
        texts = self.data.train.texts
        columns: dict[str, list[Any]] = {"text_a": texts[0::2], "text_b": texts[1::2]}
        if not self._positive:
            columns["label"] = self.data.train.numbers().tolist()
        return columns

    def _batches(self, columns: dict[str, list[Any]]) -> EpochBatches:
        if not self._positive:
            return EpochBatches(self._order.batches, self._order.batches_an_epoch)
        return distinct_batches(columns, self.config.schedule.batch_size, self.config.seed)

    @torch.no_grad()
    def _validation_loss(self, loss: Any) -> float:
        first, second = self._embeddings()
        if self._positive:
            return ranking_loss(first, second, self.data.validation)
        truth = torch.from_numpy(self.data.validation.numbers()).to(first.device)
        return float(loss.compute_loss_from_embeddings([first, second], truth))

    def _metrics(self) -> Metrics:
        first, second = self._embeddings()
        if self._positive:
            return ranking_metrics(first, second, self.data.validation)
        return similarity_metrics_of(first, second, self.data.validation)

    @torch.no_grad()
    def _embeddings(self) -> tuple[torch.Tensor, torch.Tensor]:
        with self._arithmetic():
            return embeddings_of_pairs(self.data, self._validation)


def distinct_batches(columns: dict[str, list[Any]], batch_size: int, seed: int) -> EpochBatches:
    """Return batches in which no text comes twice, since its copy would count as a wrong answer.

    A batch of one pair teaches nothing and is left out.

    Raises:
        InvalidInput: nearly all pairs share a text.
    """
    from datasets import Dataset

    sampler = NoDuplicatesBatchSampler(
        Dataset.from_dict(columns),
        batch_size=batch_size,
        drop_last=False,
        generator=torch.Generator(),
        seed=seed,
    )

    def batches_of(epoch: int) -> Batches:
        sampler.set_epoch(epoch)
        found = [list(batch) for batch in sampler if len(batch) > 1]
        if not found:
            raise InvalidInput("rows", "must not all share a text: each pair needs other texts")
        return found

    return EpochBatches(batches_of, len(batches_of(0)))
