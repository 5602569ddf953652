"""Few-shot learning by pairs of rows: SetFit (Tunstall et al. 2022, arXiv 2209.11055).

A few rows of each class make many pairs: two of one class belong together, two of different classes
do not. The encoder learns that by the cosine; a linear head over it is trained afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import numpy as np
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss

from jobsentinel_workers.fine_tuning.curriculum import OrderOfRows
from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
from jobsentinel_workers.fine_tuning.library_trainers.epoch_batches import EpochBatches
from jobsentinel_workers.fine_tuning.library_trainers.kept_trainer import run_trainer
from jobsentinel_workers.fine_tuning.library_trainers.sentence_trainer import (
    sentence_model,
    sentence_trainer,
)
from jobsentinel_workers.fine_tuning.stages import Stage

PAIRS_A_ROW: Final = 20
"""Of each kind, as in the paper; a pair that is drawn twice counts once."""
MAX_PAIRS: Final = 20_000
"""Beyond some hundred rows, more pairs cost time and teach little."""
BATCH_SIZE: Final = 16
LEARNING_RATE: Final = 2e-5

Pair = tuple[int, int]


def contrast(stage: Stage, rows: JobMatchingDataset) -> None:
    """Train the encoder of ``stage`` on pairs of ``rows``."""
    network = stage.own_network()
    sentences = sentence_model(stage.model.encoder, network.train)
    alike, unlike = draw_pairs(rows, stage.config.seed)
    pairs = [*alike, *unlike]
    columns: dict[str, list[Any]] = {
        "text_a": [rows.texts[first] for first, _ in pairs],
        "text_b": [rows.texts[second] for _, second in pairs],
        "label": [1.0] * len(alike) + [0.0] * len(unlike),
    }
    order = OrderOfRows(len(pairs), BATCH_SIZE, stage.config.seed)
    keeper = stage.keeper(network, LEARNING_RATE, order.batches_an_epoch)
    run_trainer(
        sentence_trainer(sentences, CosineSimilarityLoss(sentences), columns, keeper),
        keeper,
        EpochBatches(order.batches, order.batches_an_epoch),
        validate=None,
        arithmetic=stage.arithmetic,
        device=stage.model.encoder.device,
    )
    network.eval()


def draw_pairs(rows: JobMatchingDataset, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Return pairs of rows of one class, and as many at most of different ones."""
    rng = np.random.default_rng(seed)
    labels = [example.target for example in rows.examples]
    members: dict[object, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        members[label].append(row)
    draws = min(PAIRS_A_ROW, max(1, MAX_PAIRS // (2 * len(labels))))
    alike: set[Pair] = set()
    unlike: set[Pair] = set()
    for row, label in enumerate(labels):
        others = [other for other in members[label] if other != row]
        if others:
            alike.update(_pair(row, int(other)) for other in rng.choice(others, draws))
        drawn = rng.choice(len(labels), 4 * draws)
        different = [int(other) for other in drawn if labels[other] != label]
        unlike.update(_pair(row, other) for other in different[:draws])
    return sorted(alike), sorted(unlike)


def _pair(first: int, second: int) -> Pair:
    return min(first, second), max(first, second)
