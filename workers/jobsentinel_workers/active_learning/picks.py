"""What a selection answers: every candidate's score, and the picks with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.near_duplicates import Placed
from jobsentinel_workers.active_learning.pool import Chosen
from jobsentinel_workers.active_learning.reasons import explain_twin


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen candidate.

    Attributes:
        index: its row in the pool.
        score: its acquisition score.
        reason: why it was chosen, for the person who labels it.
        chosen_by: the strategy that chose it; ``random`` for the random share, and in a hybrid,
            uncertainty or diversity.
    """

    index: int
    score: float
    reason: str
    chosen_by: str


@dataclass(frozen=True, eq=False)
class Selection:
    """What a strategy makes of a pool: nothing of the pool is left out.

    Attributes:
        scores: (n,) acquisition score of every candidate, 0 or more, higher is more worth a label;
            in the unit of the strategy. A hybrid's is 0.7 x least confidence + 0.3 x diversity;
            its picks go by share.
        picks: the chosen candidates in the order in which to label them.
        near_duplicates_checked: whether embeddings were there to keep near-duplicates apart.
    """

    strategy: str
    seed: int
    scores: Floats
    picks: tuple[Pick, ...]
    near_duplicates_checked: bool
    random_share: float = 0.0

    @property
    def indices(self) -> list[int]:
        """The rows of the chosen candidates, in order."""
        return [pick.index for pick in self.picks]


def describe(chosen: Sequence[Chosen], scores: Floats) -> tuple[Pick, ...]:
    """Return the picks with their scores; a near-duplicate's reason names the pick it repeats."""
    position = {each.index: number for number, (each, _, _) in enumerate(chosen, start=1)}

    def explain(each: Placed, reason: str) -> str:
        return reason if each.twin is None else explain_twin(reason, each, position[each.twin])

    return tuple(
        Pick(each.index, float(scores[each.index]), explain(each, reason), strategy)
        for each, reason, strategy in chosen
    )
