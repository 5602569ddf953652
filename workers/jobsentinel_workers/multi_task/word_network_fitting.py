"""Fits networks over words and embedding.

Half of a text's words are left out at each step, anew each time, and the vectors of all others
have to do: with a few thousand rows nothing else keeps a network from learning the rows by heart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import nn

from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.fine_tuning.random_state import own_random_state
from jobsentinel_workers.multi_task.tasks import Task, TaskType
from jobsentinel_workers.multi_task.word_fitting import FAR_OFF
from jobsentinel_workers.multi_task.word_networks import Halves, WordNetworks
from jobsentinel_workers.multi_task.words import Array, Float32s, Vocabulary, count_words, to_codes

NETWORKS = 3
MAX_PLACES = 2**13
VECTOR_WIDTH = 48
UNITS = 128
EPOCHS = 12
BATCH_SIZE = 64
RATE, VECTOR_RATE = 2e-3, 4e-3
WORD_DROPOUT, EMBEDDING_DROPOUT, UNIT_DROPOUT = 0.5, 0.2, 0.3
WORDS_SCALE = 3.0
"""Sums of words are of length 1 or 2 before; beside an embedding's they would hardly count."""

_Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def fit_word_networks(
    task: Task,
    texts: Sequence[str],
    embeddings: FloatArray,
    targets: Array,
    *,
    seed: int,
    before_epoch: Callable[[], None],
) -> WordNetworks:
    """Return networks of ``task`` fitted to ``texts`` and their (n, d) embeddings.

    Args:
        task: with values or classes.
        texts: as they were embedded.
        embeddings: of length 1.
        targets: (n,) or (n, c) without NaN.
        seed: decides how the networks begin and what they leave out.
        before_epoch: called before each epoch; it may raise to stop.
    """
    counts = count_words(texts)
    # How much a word counts is for its vector to say.
    vocabulary = Vocabulary.of_counts(counts, limit=MAX_PLACES).without_rarity()
    features = vocabulary.scale(counts)
    centre, unit = 0.0, 1.0
    if task.has_values:
        centre, unit = float(targets.mean()), max(float(targets.std()), 1e-9)
    inputs = torch.from_numpy(embeddings * np.float32(np.sqrt(embeddings.shape[1])))
    wanted = torch.from_numpy(((targets - centre) / unit).astype(np.float32))
    networks = []
    for number in range(NETWORKS):
        with own_random_state(seed + number):
            outputs = len(task.classes) or 1
            network = _Network(len(vocabulary.places), embeddings.shape[1], outputs)
            data = (features, inputs, wanted)
            _fit(network, data, _LOSSES[task.type], before_epoch)
            networks.append(network.eval())
    return _frozen(vocabulary, networks, centre, unit)


class _Network(nn.Module):
    def __init__(self, places: int, embedding_dim: int, outputs: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(max(1, places), VECTOR_WIDTH, mode="sum")
        nn.init.normal_(self.vectors.weight, 0.0, 0.02)
        self.hidden = nn.Linear(VECTOR_WIDTH + embedding_dim, UNITS)
        self.last = nn.Linear(UNITS, outputs)
        self.embedding_dropout = nn.Dropout(EMBEDDING_DROPOUT)
        self.unit_dropout = nn.Dropout(UNIT_DROPOUT)

    def forward(self, words: csr_matrix, embeddings: torch.Tensor) -> torch.Tensor:
        """Return (n, outputs) from (n, k) words, some of them left out, and (n, d) embeddings."""
        kept = torch.ones(words.nnz)
        if self.training:
            # Sums of the words left are as long as those of all, when directions differ.
            kept = (torch.rand(words.nnz) >= WORD_DROPOUT) / math.sqrt(1 - WORD_DROPOUT)
        total = self.vectors(
            torch.from_numpy(words.indices.astype(np.int64)),
            torch.from_numpy(words.indptr[:-1].astype(np.int64)),
            per_sample_weights=torch.from_numpy(words.data.astype(np.float32)) * kept,
        )
        inputs = torch.cat([total * WORDS_SCALE, self.embedding_dropout(embeddings)], dim=1)
        units = self.unit_dropout(nn.functional.gelu(self.hidden(inputs)))
        outputs: torch.Tensor = self.last(units)
        return outputs


def _fit(
    network: _Network,
    data: tuple[csr_matrix, torch.Tensor, torch.Tensor],
    loss_of: _Loss,
    before_epoch: Callable[[], None],
) -> None:
    features, embeddings, targets = data
    vectors = {"params": network.vectors.parameters(), "weight_decay": 0.0}
    others = [*network.hidden.parameters(), *network.last.parameters()]
    optimiser = torch.optim.AdamW([vectors, {"params": others, "weight_decay": 0.01}])
    steps = EPOCHS * -(-len(targets) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [VECTOR_RATE, RATE], steps)
    for _ in range(EPOCHS):
        before_epoch()
        order = torch.randperm(len(targets))
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            loss = loss_of(network(features[rows.numpy()], embeddings[rows]), targets[rows])
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()


def _cauchy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Rows far off, typing errors among them, pull less and less (Holland and Welsch 1977)."""
    return torch.log1p(((outputs[:, 0] - targets) / FAR_OFF) ** 2).mean() * FAR_OFF / 2


def _each_class(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    losses = nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="sum")
    return losses / len(targets)


def _one_class(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(outputs, targets.long())


_LOSSES: dict[TaskType, _Loss] = {
    TaskType.REGRESSION: _cauchy,
    TaskType.QUANTILE: _cauchy,
    TaskType.MULTILABEL: _each_class,
    TaskType.CLASSIFICATION: _one_class,
}
TASKS_WITH_NETWORKS = frozenset(_LOSSES)


def _frozen(
    vocabulary: Vocabulary, networks: Sequence[_Network], centre: float, unit: float
) -> WordNetworks:
    """Return the networks as arrays; scales of words and targets become part of the weights."""
    coded = [
        to_codes(n.vectors.weight.detach().numpy()[: len(vocabulary.places)]) for n in networks
    ]
    return WordNetworks(
        vocabulary=vocabulary,
        codes=np.stack([codes for codes, _ in coded]),
        step=np.stack([step * np.float32(WORDS_SCALE) for _, step in coded]),
        hidden=np.stack([_halves(n.hidden.weight.detach().numpy().T) for n in networks]),
        hidden_bias=np.stack([n.hidden.bias.detach().numpy() for n in networks]),
        last=np.stack(
            [
                np.ascontiguousarray(n.last.weight.detach().numpy().T) * np.float32(unit)
                for n in networks
            ]
        ),
        bias=np.stack([n.last.bias.detach().numpy() * np.float32(unit) for n in networks])
        + np.float32(centre),
    )


def _halves(weights: Float32s) -> Halves:
    return np.ascontiguousarray(weights, dtype=np.float16)
