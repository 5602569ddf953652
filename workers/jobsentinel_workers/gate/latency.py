"""How long two models take for the same texts, measured in turns.

A machine that is busy, warm or throttled slows whoever runs at that moment. So the models run one
right after the other, and which goes first changes each round; the medians leave out the rounds in
which something else got in the way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from jobsentinel.contract.errors import InvalidInput

Answer = Callable[[Sequence[Any]], object]
"""A model as the gate times it: from texts, or pairs of texts, to whatever it answers."""
Clock = Callable[[], float]

ROUNDS = 11


@dataclass(frozen=True, slots=True)
class Latency:
    """Median seconds a text.

    Raises:
        InvalidInput: a time is not above 0: the clock is too coarse for so few texts.
    """

    champion_s: float
    challenger_s: float

    def __post_init__(self) -> None:
        if not (self.champion_s > 0 and self.challenger_s > 0):
            raise InvalidInput("latency", "must be above 0 s a text; measure more texts a round")

    @property
    def ratio(self) -> float:
        """The challenger's time over the champion's."""
        return self.challenger_s / self.champion_s

    def to_json(self) -> dict[str, Any]:
        """Return the times as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the times that :meth:`to_json` wrote."""
        return cls(**fields)


def measure_latency(
    champion: Answer,
    challenger: Answer,
    texts: Sequence[Any],
    *,
    rounds: int = ROUNDS,
    clock: Clock = time.perf_counter,
) -> Latency:
    """Return how long each model takes for ``texts``, each timed ``rounds`` times in turns.

    Both answer once before anything is timed, so that neither pays for what is loaded late.

    Raises:
        InvalidInput: there is no text or no round, or the clock did not move.
    """
    if not texts:
        raise InvalidInput("texts", "must hold at least one text to time")
    if rounds < 1:
        raise InvalidInput("rounds", f"must be at least 1, not {rounds}")
    models = (champion, challenger)
    for model in models:
        model(texts)
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for position in (0, 1) if turn % 2 == 0 else (1, 0):
            taken[position].append(_time(models[position], texts, clock) / len(texts))
    return Latency(*map(statistics.median, taken))


def _time(model: Answer, texts: Sequence[Any], clock: Clock) -> float:
    start = clock()
    model(texts)
    return clock() - start
