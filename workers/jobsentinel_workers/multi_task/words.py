"""Linear models over words and pairs of words, for what an embedding smooths away.

Scams give themselves away by wording anywhere in the text, pay depends on the town, and a title's
exact words tell its function, while the encoder reads the beginning for its meaning. On the open
data these plain models rank level with the heads over embeddings, and both together better than
either.

A text is two blocks of hashed terms, each of length 1: its first line, which is the title of a
posting, and the whole. A title thus counts alike whether much or nothing follows it, for tasks
that look at titles.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from jobsentinel_workers.encoders.tokenizing import MAX_TITLE_CHARS

BLOCK_BUCKETS = 2**20
"""Terms of a block are hashed into so many places, of which few are in use: no word list is
shipped, and hardly two terms share a place."""
BUCKETS = 2 * BLOCK_BUCKETS
MAX_SCANNED_CHARS = 20_000
MAX_CODE = 127

_LINK = re.compile(
    r"#?\b(?:URL|EMAIL|PHONE)_\w+#?|https?://\S+|www\.\S+|\S+@\S+\.\w+", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"\w+")

Array = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The places that count, and how much.

    Attributes:
        places: (k,) int32 ascending, those that at least two training texts had.
        rarity: (k,) float16, inverse document frequency of each in the training texts.
    """

    places: npt.NDArray[np.int32]
    rarity: npt.NDArray[np.float16]

    def without_rarity(self) -> Self:
        """Return the same places, each word counting alike."""
        return type(self)(self.places, np.ones_like(self.rarity))

    @classmethod
    def of_counts(cls, counts: csr_matrix, *, titled: bool = True, limit: int = BUCKETS) -> Self:
        """Return the vocabulary of training texts, as :func:`count_words` counted them.

        Without ``titled``, the first line counts as part of the whole only. At most ``limit``
        places are kept, those that most texts have.
        """
        documents = np.bincount(counts.indices, minlength=BUCKETS)
        if not titled:
            documents[:BLOCK_BUCKETS] = 0
        # What only one text says teaches that text and nothing else.
        places = np.flatnonzero(documents >= 2)
        if len(places) > limit:
            most = np.argsort(-documents[places], kind="stable")[:limit]
            places = np.sort(places[most])
        rarity = np.log((1 + counts.shape[0]) / (1 + documents[places])) + 1
        return cls(places.astype(np.int32), rarity.astype(np.float16))

    def scale(self, counts: csr_matrix) -> csr_matrix:
        """Return (n, k): counts by rarity, each block of length 1, so that no long text shouts."""
        columns = np.searchsorted(self.places, counts.indices)
        columns = np.minimum(columns, max(0, len(self.places) - 1))
        known = np.zeros(counts.nnz, bool)
        if len(self.places):
            known = self.places[columns] == counts.indices
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[known]
        columns, second = columns[known], counts.indices[known] >= BLOCK_BUCKETS
        values = counts.data[known] * self.rarity[columns].astype(np.float64)
        blocks = 2 * rows + second
        squares = np.bincount(blocks, values**2, minlength=2 * counts.shape[0])
        values /= np.sqrt(squares[blocks])
        return csr_matrix((values, (rows, columns)), shape=(counts.shape[0], len(self.places)))


@dataclass(frozen=True, slots=True)
class WordModel:
    """Raw outputs of a task from the words of a text.

    Weights are whole multiples of a step, 127 at most, so that they take a byte each on disk.

    Attributes:
        vocabulary: of k places.
        codes: (k, outputs) int8, weights of each place in steps.
        step: (outputs,) float32.
        bias: (outputs,) float32, added to every row.
    """

    vocabulary: Vocabulary
    codes: npt.NDArray[np.int8]
    step: Float32s
    bias: Float32s

    @classmethod
    def of_weights(cls, vocabulary: Vocabulary, weights: Float32s, bias: Float32s) -> Self:
        """Return a model of (k, outputs) weights, rounded to steps."""
        codes, step = to_codes(weights)
        return cls(vocabulary, codes, step, bias)

    def outputs(self, counts: csr_matrix) -> Array:
        """Return (n, outputs): logits, or a value in the task's targets."""
        features, used = used_columns(self.vocabulary.scale(counts))
        total: Array = features @ self.codes[used].astype(np.float64)
        return total * self.step + self.bias


def to_codes(weights: Float32s) -> tuple[npt.NDArray[np.int8], Float32s]:
    """Return (k, m) weights as whole steps, and the (m,) steps."""
    step = (np.abs(weights).max(axis=0, initial=1e-9) / MAX_CODE).astype(np.float32)
    return np.round(weights / step).astype(np.int8), step


def used_columns(features: csr_matrix) -> tuple[csr_matrix, npt.NDArray[np.int32]]:
    """Return the columns that hold something, and which they are.

    Only the weights of words that are there then leave their bytes.
    """
    used, columns = np.unique(features.indices, return_inverse=True)
    shape = (features.shape[0], len(used))
    return csr_matrix((features.data, columns, features.indptr), shape=shape), used


def count_words(texts: Sequence[str]) -> csr_matrix:
    """Return (n, BUCKETS) with 1 + log(count) of each place that a text's terms hash to.

    One count serves the word models of all tasks.
    """
    rows: list[int] = []
    columns: list[int] = []
    values: list[int] = []
    for row, text in enumerate(texts):
        title = text[:MAX_TITLE_CHARS].partition("\n")[0]
        for block, part in enumerate((title, text[:MAX_SCANNED_CHARS])):
            counts = Counter(map(_bucket, _terms(part)))
            rows += [row] * len(counts)
            columns += [block * BLOCK_BUCKETS + place for place in counts]
            values += counts.values()
    logs = 1 + np.log(np.array(values, dtype=np.float64))
    return csr_matrix((logs, (rows, columns)), shape=(len(texts), BUCKETS))


def _terms(text: str) -> Iterable[str]:
    plain = _LINK.sub(" linkmark ", text.lower())
    words = _WORD.findall(_DIGITS.sub("0", plain))
    yield from words
    yield from map(" ".join, itertools.pairwise(words))


def _bucket(term: str) -> int:
    # Python's own hash changes from process to process; this one never does.
    return zlib.crc32(term.encode("utf-8")) % BLOCK_BUCKETS
