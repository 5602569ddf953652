"""What all strategies and seeds of a replay share: embeddings, classes and groups of near-copies.

A group goes whole to the pool or to the rows that judge, so no near-copy of a judged text is ever
learnt from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.near_duplicates import NEAR_DUPLICATE_COSINE
from jobsentinel_workers.fine_tuning.grouping import groups_of_pairs
from jobsentinel_workers.multi_task import MultiTaskExample, Task
from jobsentinel_workers.multi_task.splitting import hold_out, near_duplicate_groups
from jobsentinel_workers.replay.labelled_texts import Codes, LabelledTexts

Vectors = npt.NDArray[np.float32]
_COSINES_AT_ONCE = 20_000_000
"""Of all pairs: 80 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Labelled texts as arrays, n rows.

    Attributes:
        embeddings: (n, d) float32.
        codes: (n,) positions in ``classes``.
        groups: a number for each row; rows of one number are near-copies.
        task: the question that the classes answer.
        model: whose embeddings they are.
        identity: stands for texts, labels and model.
    """

    embeddings: Vectors
    codes: Codes
    classes: tuple[str, ...]
    groups: tuple[int, ...]
    task: Task
    model: str
    identity: str

    @classmethod
    def of(
        cls,
        labelled: LabelledTexts,
        embeddings: npt.ArrayLike,
        *,
        model: str,
        base_rate: float | None = None,
    ) -> Corpus:
        """Return ``labelled`` with their (n, d) ``embeddings`` by ``model``.

        Args:
            base_rate: how often yes is right in life, where the labels hold more or less of it.

        Raises:
            InvalidInput: embeddings that are no numbers, or not one for each text.
        """
        vectors = np.asarray(embeddings, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(labelled.texts):
            shape = f"({len(labelled.texts)}, d)"
            raise InvalidInput("embeddings", f"must have the shape {shape}, not {vectors.shape}")
        if not np.isfinite(vectors).all():
            row = int(np.argmin(np.isfinite(vectors).all(axis=1)))
            raise InvalidInput(f"embeddings.{row}", "holds NaN or infinity")
        return cls(
            vectors,
            labelled.codes,
            labelled.classes,
            tuple(near_copy_groups(labelled.texts, vectors)),
            labelled.task(base_rate),
            model,
            f"{labelled.fingerprint()} {model} {base_rate}",
        )

    def split(self, test_share: float, seed: int) -> tuple[Codes, Codes]:
        """Return the rows of the pool and those that judge, of every class about the same share."""
        rows = [MultiTaskExample("", {"label": self.classes[code]}) for code in self.codes]
        place = {id(row): number for number, row in enumerate(rows)}
        pool, apart = hold_out(rows, test_share, seed, self.groups)
        return _places(pool, place), _places(apart, place)


def near_copy_groups(texts: tuple[str, ...], vectors: Vectors) -> list[int]:
    """Return a group for each text: copies by their words, or by the cosine of their embeddings."""
    by_words = near_duplicate_groups(texts)
    pairs = [(row, group) for row, group in enumerate(by_words) if group != row]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    at_once = max(1, _COSINES_AT_ONCE // len(unit))
    for start in range(0, len(unit), at_once):
        close = unit[start : start + at_once] @ unit.T > NEAR_DUPLICATE_COSINE
        rows, others = np.nonzero(close)
        later = others > rows + start
        pairs += zip(others[later].tolist(), (rows[later] + start).tolist(), strict=True)
    return groups_of_pairs(len(texts), pairs)


def _places(rows: list[MultiTaskExample], place: dict[int, int]) -> Codes:
    return np.array([place[id(row)] for row in rows], dtype=np.intp)
