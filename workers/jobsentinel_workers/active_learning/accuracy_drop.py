"""Whether a model answers worse than it did, from few labels and however often one looks.

A loop looks after every import of labels. A plain test at 5 % would, looked at often enough, fire
by chance alone; the evidence here stays valid under any number of looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from scipy.special import betainc, betaincinv, betaln, ndtri

from jobsentinel.contract.errors import InvalidInput

ERROR_RATE: Final = 0.05
"""The chance that an alarm is ever given, between two trainings, though nothing dropped."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many labels a model's answers were held against, and how many it had right."""

    hits: int
    labels: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.labels:
            raise InvalidInput("hits", f"must be 0 to {self.labels}, not {self.hits}")

    @property
    def accuracy(self) -> float | None:
        """The share that was right; None of no labels."""
        return self.hits / self.labels if self.labels else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the interval in which the true accuracy lies.

        Wilson's score interval, which holds for few labels too: Wilson (1927), "Probable inference,
        the law of succession, and statistical inference", https://doi.org/10.2307/2276774.
        """
        if not self.labels:
            return 0.0, 1.0
        z = float(ndtri((1 + confidence) / 2))
        n, share = self.labels, self.hits / self.labels
        centre = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
        return max(0.0, centre - half), min(1.0, centre + half)

    def to_json(self) -> dict[str, Any]:
        """Return the counts with accuracy and interval."""
        low, high = self.interval()
        counts = {"hits": self.hits, "labels": self.labels, "accuracy": self.accuracy}
        return {**counts, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class AccuracyDrop:
    """The accuracy of now beside that of before.

    Attributes:
        before: at the last training.
        now: since then.
        drop: by how much the accuracy of now lies below; None while one of both has no label.
        evidence: how much likelier the labels of now are if accuracy dropped than if it did not.
        needed: from how much evidence on the drop counts as real.
    """

    before: Tally
    now: Tally
    drop: float | None
    evidence: float
    needed: float

    @property
    def is_real(self) -> bool:
        """Whether chance is ruled out as the reason."""
        return self.evidence >= self.needed

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "before": self.before.to_json(),
            "now": self.now.to_json(),
            "drop": self.drop,
            "evidence": self.evidence,
            "needed": self.needed,
        }


def compare_accuracy(before: Tally, now: Tally, *, error_rate: float = ERROR_RATE) -> AccuracyDrop:
    """Return how the accuracy of now compares with that of before.

    Half of ``error_rate`` goes to the lower end of the accuracy before (Clopper and Pearson, 1934,
    https://doi.org/10.1093/biomet/26.4.404), half to the evidence that accuracy is below that end:
    a mixture of likelihood ratios, of which the chance ever to exceed ``1 / a`` is at most ``a``
    (Ville's inequality; Robbins, 1970, https://doi.org/10.1214/aoms/1177696786).
    """
    share = error_rate / 2
    lowest = _lower_end(before, share)
    drop = None
    if before.accuracy is not None and now.accuracy is not None:
        drop = before.accuracy - now.accuracy
    return AccuracyDrop(before, now, drop, _evidence_below(now, lowest), 1 / share)


def _lower_end(tally: Tally, share: float) -> float:
    if not tally.hits:
        return 0.0
    return float(betaincinv(tally.hits, tally.labels - tally.hits + 1, share))


def _evidence_below(tally: Tally, accuracy: float) -> float:
    """Return the likelihood of an accuracy anywhere below, evenly mixed, over that of this one."""
    if not (0.0 < accuracy < 1.0 and tally.labels):
        return 1.0
    hits, misses = tally.hits, tally.labels - tally.hits
    part = float(betainc(hits + 1, misses + 1, accuracy))
    if part == 0.0:  # below the least number there is: the labels speak for a higher accuracy
        return 0.0
    mixed = float(betaln(hits + 1, misses + 1)) + math.log(part) - math.log(accuracy)
    single = hits * math.log(accuracy) + misses * math.log1p(-accuracy)
    return math.exp(min(700.0, mixed - single))
