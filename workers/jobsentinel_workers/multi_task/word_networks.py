"""Small networks over words and embedding together, for answers that depend on both.

What a title is worth depends on the town: a sum over words cannot say that, and a head over the
embedding hardly sees the town. Each network gives every word a vector of its own, adds them up,
and reads the sum beside the embedding (the deep part of Cheng et al. 2016, "Wide & Deep Learning";
the linear model over words is the wide part). Several that differ by chance are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.special import erf

from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.multi_task.words import Array, Float32s, Vocabulary, used_columns

Halves = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class WordNetworks:
    """Some networks of one shape, whose outputs are averaged.

    Attributes:
        vocabulary: of k places.
        codes: (networks, k, width) int8, the places' vectors in steps.
        step: (networks, width) float32.
        hidden: (networks, width + d, units) float16 weights, from the words' sum and the
            embedding of d numbers.
        hidden_bias: (networks, units) float32.
        last: (networks, units, outputs) float32.
        bias: (networks, outputs) float32.
    """

    vocabulary: Vocabulary
    codes: npt.NDArray[np.int8]
    step: Float32s
    hidden: Halves
    hidden_bias: Float32s
    last: Float32s
    bias: Float32s

    def outputs(self, counts: csr_matrix, embeddings: FloatArray) -> Array:
        """Return (n, outputs): logits, or a value in the task's targets.

        Args:
            counts: (n, BUCKETS) as `count_words` returns them.
            embeddings: (n, d) of length 1, of the same texts.
        """
        features, used = used_columns(self.vocabulary.scale(counts))
        scaled = embeddings * np.sqrt(embeddings.shape[1])
        found = [self._output(number, features, used, scaled) for number in range(len(self.codes))]
        mean: Array = np.mean(found, axis=0)
        return mean

    def _output(
        self,
        network: int,
        features: csr_matrix,
        used: npt.NDArray[np.int32],
        embeddings: FloatArray,
    ) -> Array:
        words = features @ self.codes[network][used].astype(np.float32) * self.step[network]
        inputs = np.concatenate([words, embeddings], axis=1)
        units = gelu(inputs @ self.hidden[network].astype(np.float32) + self.hidden_bias[network])
        output: Array = units @ self.last[network] + self.bias[network]
        return output


def gelu(values: Array) -> Array:
    """Return the exact Gaussian error linear unit (Hendrycks and Gimpel 2016), as torch has it."""
    result: Array = values * (1 + erf(values / np.sqrt(2))) / 2
    return result
