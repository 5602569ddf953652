"""Trains the first cross-encoder: low-rank adapters on the sentence encoder.

Loss: cross-entropy between the graded relevance of a group and the softmax of its logits (ListNet,
Cao et al. 2007), plus a small binary term that keeps single logits meaningful.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from jobsentinel_workers.encoders import Backbone, ThreadTokenizer
from jobsentinel_workers.encoders.adapters import add_adapters, fill_adapters
from jobsentinel_workers.reranking.pair_scoring import PairNetwork
from jobsentinel_workers.starter.ranking_data import Draw, RankingGroup
from jobsentinel_workers.starter.training_steps import run_by_length, take_steps

PARTS_OF_A_STEP = 2


@dataclass(frozen=True, slots=True)
class RerankerSettings:
    """How the adapter is trained; together with the seed and the data it fixes the result."""

    rank: int = 16
    alpha: float = 32.0
    first_layer: int = 2
    learning_rate: float = 5e-4
    head_learning_rate: float = 2e-3
    steps: int = 1_200
    groups_a_step: int = 4
    warmup_share: float = 0.1
    max_tokens: int = 80
    pointwise_weight: float = 0.2
    seed: int = 7


def train_adapter(
    backbone: Backbone,
    draw: Draw,
    settings: RerankerSettings,
    log: Callable[[str], None],
    start: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> PairNetwork:
    """Return a pair network with trained adapters; ``backbone.network`` is adapted in place.

    Adapters begin as the tensors of ``start`` where it names them.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    add_adapters(
        backbone.network,
        rank=settings.rank,
        alpha=settings.alpha,
        first_layer=settings.first_layer,
    )
    fill_adapters(backbone.network, start)
    network = PairNetwork(backbone.network, backbone.hidden_size)
    tokenizer = ThreadTokenizer(backbone.tokenizer_json, max_tokens=settings.max_tokens)
    optimiser, schedule = _optimiser(network, settings)
    # Dropout stays off: a few epochs over many distinct texts do not overfit 0.7 M numbers.
    network.eval()

    def draw_loss() -> torch.Tensor:
        return _loss(network, tokenizer, draw(settings.groups_a_step, rng), settings)

    take_steps(
        settings.steps,
        draw_loss,
        weights=_trainable(network),
        optimiser=optimiser,
        schedule=schedule,
        log=log,
    )
    return network


def _loss(
    network: PairNetwork,
    tokenizer: ThreadTokenizer,
    groups: Sequence[RankingGroup],
    settings: RerankerSettings,
) -> torch.Tensor:
    pairs = [(group.query, document) for group in groups for document in group.documents]
    grades = torch.tensor([grade for group in groups for grade in group.grades])
    logits = run_by_length(tokenizer.encode(pairs), PARTS_OF_A_STEP, network)
    return ranking_loss(logits.view(len(groups), -1), grades.view(len(groups), -1), settings)


def ranking_loss(
    logits: torch.Tensor, grades: torch.Tensor, settings: RerankerSettings
) -> torch.Tensor:
    """Return the mean loss of (groups, documents) logits against grades in 0..1."""
    target = grades / grades.sum(dim=1, keepdim=True)
    listwise = -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
    pointwise = nn.functional.binary_cross_entropy_with_logits(logits, grades)
    return listwise + settings.pointwise_weight * pointwise


def _trainable(network: PairNetwork) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _optimiser(
    network: PairNetwork, settings: RerankerSettings
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    head = set(network.head.parameters())
    adapters = [parameter for parameter in _trainable(network) if parameter not in head]
    optimiser = torch.optim.AdamW(
        [
            {"params": adapters, "lr": settings.learning_rate},
            {"params": list(head), "lr": settings.head_learning_rate},
        ],
        weight_decay=0.01,
    )
    warmup = max(1, int(settings.warmup_share * settings.steps))

    def factor(step: int) -> float:
        left = (settings.steps - step) / (settings.steps - warmup)
        return min(1.0, (step + 1) / warmup, max(0.0, left))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
