"""Fits word models: one linear model a task over hashed words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix, diags_array
from threadpoolctl import threadpool_limits
from torch import nn

from jobsentinel_workers.multi_task.losses import FloatArray, known_rows
from jobsentinel_workers.multi_task.tasks import Task, TaskType
from jobsentinel_workers.multi_task.words import (
    BUCKETS,
    Float32s,
    Vocabulary,
    WordModel,
    count_words,
)

YES_OR_NO_STRENGTH = 30.0
EQUAL_SHARE = 0.2
VALUE_PENALTY = 0.5
REWEIGHTINGS = 5
FAR_OFF = 0.35
"""Residuals of so many standard deviations of the targets count half."""
MAX_PLACES_OF_CLASSES = 2**15
"""Each place has a weight a class, and rare ones add little but size."""
CLASS_EPOCHS = 5
CLASS_BATCH = 128
CLASS_RATE = 0.05

Fitted = tuple[Float32s, Float32s]


def fit_word_model(
    task: Task, texts: Sequence[str], targets: FloatArray, seed: int = 0
) -> WordModel:
    """Return a word model of ``task``, fitted to the texts that have a target.

    Args:
        targets: (n,) or (n, c), NaN where there is no label.
        seed: fixes the order in which classes are learnt.
    """
    rows = np.flatnonzero(known_rows(targets)).tolist()
    counts = count_words([texts[row] for row in rows])
    limit = MAX_PLACES_OF_CLASSES if task.has_classes else BUCKETS
    vocabulary = Vocabulary.of_counts(counts, titled=task.words != "whole", limit=limit)
    features, known = vocabulary.scale(counts), targets[rows]
    with threadpool_limits(1):
        if task.has_values:
            weights, bias = _fit_values(features, known)
        elif task.type is TaskType.BINARY:
            weights, bias = _fit_yes_or_no(features, known)
        else:
            weights, bias = _fit_classes(task, features, known, seed)
    return WordModel.of_weights(vocabulary, weights, bias)


def _fit_values(features: csr_matrix, targets: FloatArray) -> Fitted:
    """Fit a ridge again and again, rows far off counting less (Holland and Welsch 1977, Cauchy).

    Salaries hold typing errors and hourly rates taken for yearly ones; what most rows agree on is
    closer to the next posting than a mean that these pull about.
    """
    from sklearn.linear_model import Ridge  # slow to import

    weights = np.ones(len(targets))
    for _ in range(REWEIGHTINGS):
        fitted = Ridge(alpha=VALUE_PENALTY).fit(features, targets, sample_weight=weights)
        residuals = targets - fitted.predict(features)
        weights = 1 / (1 + (residuals / (FAR_OFF * max(targets.std(), 1e-9))) ** 2)
        weights /= weights.mean()
    return _as_column(fitted.coef_), np.array([fitted.intercept_], dtype=np.float32)


def _fit_yes_or_no(features: csr_matrix, targets: FloatArray) -> Fitted:
    """Fit a logistic regression over words that weigh by how one-sided they are.

    Source: Wang and Manning 2012, "Baselines and Bigrams", whose log-count ratio is interpolated
    with equal weights.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import

    sidedness = _sidedness(features, targets > 0.5)
    # Balanced, so that a text of which no word is known says neither yes nor no.
    regression = LogisticRegression(
        C=YES_OR_NO_STRENGTH, class_weight="balanced", max_iter=1_000
    ).fit(features @ diags_array(sidedness), targets)
    return _as_column(regression.coef_[0] * sidedness), regression.intercept_.astype(np.float32)


def _sidedness(features: csr_matrix, yes: npt.NDArray[np.bool_]) -> FloatArray:
    """Return (k,) how far a word's share among the yes texts is from that among the others."""
    of_yes, of_no = (
        np.bincount(features[rows].indices, minlength=features.shape[1]) + 1.0
        for rows in (yes, ~yes)
    )
    ratio = np.log(of_yes / of_yes.sum()) - np.log(of_no / of_no.sum())
    sidedness: FloatArray = EQUAL_SHARE + np.abs(ratio)
    return sidedness


def _as_column(weights: FloatArray) -> Float32s:
    return weights.astype(np.float32)[:, None]


def _fit_classes(task: Task, features: csr_matrix, targets: FloatArray, seed: int) -> Fitted:
    """Descend with Adam in few epochs; stopping early is the penalty that it needs."""
    layer = nn.EmbeddingBag(features.shape[1], len(task.classes), mode="sum")
    nn.init.zeros_(layer.weight)
    bias = nn.Parameter(torch.zeros(len(task.classes)))
    optimiser = torch.optim.Adam([layer.weight, bias], lr=CLASS_RATE, fused=True)
    steps = CLASS_EPOCHS * -(-features.shape[0] // CLASS_BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, steps)
    rng = np.random.default_rng(seed)
    for _ in range(CLASS_EPOCHS):
        order = rng.permutation(features.shape[0])
        for start in range(0, len(order), CLASS_BATCH):
            rows = order[start : start + CLASS_BATCH]
            loss = _class_loss(task, _sum_words(layer, features[rows]) + bias, targets[rows])
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
    return layer.weight.detach().numpy(), bias.detach().numpy()


def _sum_words(layer: nn.EmbeddingBag, features: csr_matrix) -> torch.Tensor:
    total: torch.Tensor = layer(
        torch.from_numpy(features.indices.astype(np.int64)),
        torch.from_numpy(features.indptr[:-1].astype(np.int64)),
        per_sample_weights=torch.from_numpy(features.data.astype(np.float32)),
    )
    return total


def _class_loss(task: Task, logits: torch.Tensor, targets: FloatArray) -> torch.Tensor:
    if task.type is TaskType.MULTILABEL:
        wanted = torch.from_numpy(targets.astype(np.float32))
        sums = nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
        return sums / len(targets)
    return nn.functional.cross_entropy(logits, torch.from_numpy(targets.astype(np.int64)))
