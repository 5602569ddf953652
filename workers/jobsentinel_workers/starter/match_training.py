"""Learns how alike profile and posting must be to match, from occupations.

A profile is what somebody in an occupation calls the job, does in it and works with; it matches
postings of that occupation, half-way those of close relatives, and not those of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel
from jobsentinel_workers.multi_task.matching import PairScorer
from jobsentinel_workers.starter.open_data import Occupation
from jobsentinel_workers.starter.ranking_data import sample_document

PAIRS_AN_OCCUPATION = 4
NEGATIVES_A_POSITIVE = 3
PULL_TO_COSINE = 3e-3
"""Weights are drawn towards equal ones: a few hundred occupations cannot pin down 384."""


@dataclass(frozen=True, slots=True)
class MatchPairs:
    """Embedded pairs: (n, d) profiles, (n, d) postings, (n,) grades in 0..1."""

    profiles: FloatArray
    postings: FloatArray
    grades: npt.NDArray[np.float32]


def sample_profile(occupation: Occupation, rng: np.random.Generator) -> str:
    """Return a short résumé of somebody in ``occupation``."""
    titles = occupation.names
    lines = [str(rng.choice(titles))]
    tasks = list(occupation.tasks)
    lines += [tasks[n] for n in rng.permutation(len(tasks))[: rng.integers(1, 4)]]
    if occupation.tools and rng.random() < 0.5:
        count = min(5, len(occupation.tools))
        lines.append("Skills: " + ", ".join(rng.choice(occupation.tools, count, replace=False)))
    return "\n".join(lines)


def match_pairs(
    occupations: Sequence[Occupation], encoder: SequenceModel, runner: Runner, seed: int
) -> MatchPairs:
    """Return pairs of each occupation with itself, a relative, and unrelated ones."""
    rng = np.random.default_rng(seed)
    repeated = [n for n in range(len(occupations)) for _ in range(PAIRS_AN_OCCUPATION)]
    profiles = runner(encoder, [sample_profile(occupations[n], rng) for n in repeated])
    postings = runner(encoder, [sample_document(occupations[n], rng) for n in repeated])
    pairs = [
        pair for row in range(len(repeated)) for pair in _pairs(row, repeated, occupations, rng)
    ]
    first, second, grades = (np.array(column) for column in zip(*pairs, strict=True))
    return MatchPairs(profiles[first], postings[second], grades.astype(np.float32))


def _pairs(
    row: int,
    repeated: Sequence[int],
    occupations: Sequence[Occupation],
    rng: np.random.Generator,
) -> list[tuple[int, int, float]]:
    mine = occupations[repeated[row]]
    pairs = [(row, row, 1.0)]
    for other in rng.integers(0, len(repeated), NEGATIVES_A_POSITIVE * 3):
        theirs = occupations[repeated[other]]
        if theirs.family != mine.family and len(pairs) <= NEGATIVES_A_POSITIVE:
            pairs.append((row, int(other), mine.related.get(theirs.code, 0.0)))
    relatives = [n for n, own in enumerate(repeated) if occupations[own].code in mine.related]
    if relatives:
        other = int(rng.choice(relatives))
        pairs.append((row, other, mine.related[occupations[repeated[other]].code]))
    return pairs


def train_pair_scorer(scorer: PairScorer, pairs: MatchPairs, seed: int, epochs: int = 60) -> None:
    """Fit ``scorer`` in place on all ``pairs`` at once."""
    torch.manual_seed(seed)
    profiles, postings = torch.from_numpy(pairs.profiles), torch.from_numpy(pairs.postings)
    grades = torch.from_numpy(pairs.grades)
    optimiser = torch.optim.Adam(scorer.parameters(), lr=0.3)
    for _ in range(epochs):
        optimiser.zero_grad()
        logits = scorer(profiles, postings)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, grades)
        loss = loss + PULL_TO_COSINE * scorer.weights.var()
        torch.autograd.backward(loss)
        optimiser.step()
    scorer.trained = True


def measure_match(scorer: PairScorer, pairs: MatchPairs) -> dict[str, float]:
    """Return how well own occupations are told from unrelated ones, and by the plain cosine."""
    plain = np.einsum("nd,nd->n", pairs.profiles, pairs.postings)
    with torch.inference_mode():
        logits = scorer(torch.from_numpy(pairs.profiles), torch.from_numpy(pairs.postings))
    clear = (pairs.grades == 1) | (pairs.grades == 0)
    actual = pairs.grades[clear] == 1
    return {
        "match_quality_pr_auc": float(average_precision_score(actual, logits.numpy()[clear])),
        "match_quality_roc_auc": float(roc_auc_score(actual, logits.numpy()[clear])),
        "match_quality_pr_auc_of_cosine": float(average_precision_score(actual, plain[clear])),
    }
