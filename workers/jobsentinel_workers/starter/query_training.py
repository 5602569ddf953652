"""Trains the adapter for queries: low-rank changes that move queries to frozen documents.

Loss: cross-entropy of the right document among all of its kind, by cosines over a temperature
(the InfoNCE of van den Oord et al. 2018, arXiv:1807.03748, with every document as a negative, which
costs nothing where documents are frozen).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from jobsentinel_workers.encoders import Backbone, QueryAdapter, TextEncoder
from jobsentinel_workers.encoders.adapters import adapter_state, add_adapters
from jobsentinel_workers.starter.query_sources import Choice, Drawn, QuerySource
from jobsentinel_workers.starter.training_steps import run_by_length, take_steps

PARTS_OF_A_STEP = 6


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """How the adapter is trained; together with the seed and the data it fixes the result."""

    rank: int = 16
    alpha: float = 32.0
    first_layer: int = 2
    learning_rate: float = 1e-3
    temperature: float = 0.05
    steps: int = 240
    warmup_steps: int = 30
    texts_a_step: int = 192
    max_tokens: int = 48
    seed: int = 7


def train_query_adapter(
    backbone: Backbone,
    sources: Mapping[QuerySource, float],
    settings: QuerySettings,
    log: Callable[[str], None],
) -> QueryAdapter:
    """Return the trained adapter; ``backbone.network`` is adapted in place.

    ``sources`` come with the share of a step's texts that each has.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    add_adapters(
        backbone.network,
        rank=settings.rank,
        alpha=settings.alpha,
        first_layer=settings.first_layer,
    )
    encoder = TextEncoder(backbone, max_tokens=settings.max_tokens)
    trained = [weight for weight in backbone.network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _rate_of(settings))

    def draw_loss() -> torch.Tensor:
        return _loss(encoder, _draw(sources, settings.texts_a_step, rng), settings.temperature)

    take_steps(
        settings.steps,
        draw_loss,
        weights=trained,
        optimiser=optimiser,
        schedule=schedule,
        log=log,
    )
    state = {name: tensor.clone() for name, tensor in adapter_state(backbone.network).items()}
    return QueryAdapter(backbone.sha256, settings.rank, settings.alpha, state)


def _rate_of(settings: QuerySettings) -> Callable[[int], float]:
    def rate(step: int) -> float:
        return min((step + 1) / settings.warmup_steps, (settings.steps - step) / settings.steps)

    return rate


def _draw(
    sources: Mapping[QuerySource, float], count: int, rng: np.random.Generator
) -> list[Drawn]:
    return [source.draw(round(share * count), rng) for source, share in sources.items()]


def _loss(encoder: TextEncoder, drawn: Sequence[Drawn], temperature: float) -> torch.Tensor:
    embedded = _embed(encoder, [text for each in drawn for text in each.texts])
    parts = torch.split(embedded, [len(each.texts) for each in drawn])
    losses = [
        choice.weight * _choice_loss(queries, choice, temperature)
        for each, queries in zip(drawn, parts, strict=True)
        for choice in each.choices
    ]
    return torch.stack(losses).sum()


def _choice_loss(queries: torch.Tensor, choice: Choice, temperature: float) -> torch.Tensor:
    logits = queries @ choice.documents.T / temperature
    if choice.not_wrong is not None:
        logits = logits.masked_fill(choice.not_wrong, float("-inf"))
    return nn.functional.cross_entropy(logits, torch.from_numpy(choice.right))


def _embed(encoder: TextEncoder, texts: Sequence[str]) -> torch.Tensor:
    """Return (n, d) embeddings of length 1, open to gradients."""
    encoded = encoder.prepare(texts)
    return run_by_length(encoded, PARTS_OF_A_STEP, encoder.embed, encoder.backbone.pad_id)
