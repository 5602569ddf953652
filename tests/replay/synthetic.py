"""Labelled texts of known difficulty: most are easy, and the rest lie close to the boundary."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.replay import Corpus, LabelledTexts

MODEL = "given-embeddings"


def words(rng: np.random.Generator, count: int = 4) -> str:
    """Return words that nobody used before, so that no two texts are near-copies."""
    letters = list("abcdefghijklmnop")
    return " ".join("".join(rng.choice(letters, 7)) for _ in range(count))


def near_a_boundary(rows: int = 200) -> tuple[LabelledTexts, npt.NDArray[np.float64]]:
    """Return two classes of which four texts in ten are hard to tell apart: margin finds them."""
    rng = np.random.default_rng(3)
    embeddings = rng.normal(size=(rows, 8))
    is_first = rng.random(rows) < 0.5
    distance = np.where(rng.random(rows) < 0.4, 0.25, 3.0) * np.abs(1 + 0.2 * rng.normal(size=rows))
    embeddings[:, 0] = np.where(is_first, distance, -distance)
    labels = np.where(is_first, "cook", "nurse").tolist()
    texts = LabelledTexts.of((words(rng), label) for label in labels)
    return texts, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def corpus_near_a_boundary(rows: int = 200) -> Corpus:
    """Return the same as a corpus."""
    texts, embeddings = near_a_boundary(rows)
    return Corpus.of(texts, embeddings, model=MODEL)
