"""A replay from labels to findings: what a strategy would have saved on labelled texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task import Task
from jobsentinel_workers.multi_task.assessment.catalogue import headline
from jobsentinel_workers.replay.circle import (
    CLASS_STRATEGIES,
    Circle,
    check_size,
    check_strategies,
)
from jobsentinel_workers.replay.comparing import Found, compare
from jobsentinel_workers.replay.corpus import Corpus
from jobsentinel_workers.replay.kept_curves import KeptCurves
from jobsentinel_workers.replay.learning_curves import LearningCurves
from jobsentinel_workers.replay.running import OnCurve, run_circles

FEWEST_SEEDS: Final = 2
MOST_SEEDS: Final = 1_000
SEEDS: Final = 20
FEW_SEEDS: Final = 10
FEW_JUDGED: Final = 100


@dataclass(frozen=True, eq=False)
class Replay:
    """A finished replay.

    Attributes:
        name: of the labels, for people.
        model: whose embeddings the heads read.
        rows: distinct labelled texts.
        notes: what readers should know before they believe the figures.
    """

    name: str
    model: str
    task: Task
    classes: tuple[str, ...]
    rows: int
    circle: Circle
    curves: LearningCurves
    notes: tuple[str, ...] = ()

    @property
    def measures(self) -> tuple[str, ...]:
        """What was measured, the first one first."""
        first = headline(self.task)
        return (first, *(name for name in self.curves.values if name != first))

    @cached_property
    def found(self) -> dict[str, list[Found]]:
        """By measure, what each strategy achieved, the baseline first."""
        return {name: compare(self.curves, name) for name in self.measures}

    def to_json(self) -> dict[str, Any]:
        """Return everything: settings, each seed's curves, and what they say."""
        curves = self.curves
        return {
            "labels": self.name,
            "model": self.model,
            "classes": list(self.classes),
            "base_rate": self.task.base_rate,
            "rows": self.rows,
            "pool": curves.pools,
            "judged": curves.judged,
            "settings": self.circle.to_json(),
            "seeds": list(curves.seeds),
            "notes": list(self.notes),
            "label_counts": curves.label_counts.astype(int).tolist(),
            "measures": {
                name: [each.to_json() for each in self.found[name]] for name in self.found
            },
            "curves": {
                strategy: {name: values[at].tolist() for name, values in curves.values.items()}
                for at, strategy in enumerate(curves.strategies)
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a replay is about to do, checked before minutes of work.

    Attributes:
        strategies: the baseline is added to them.
        seeds: repetitions, the seeds 0, 1 and so on.

    Raises:
        InvalidInput: the labels are too few, a strategy is unknown or chooses for values, or the
            seeds are too few to show a spread.
    """

    corpus: Corpus
    circle: Circle
    strategies: tuple[str, ...] = CLASS_STRATEGIES
    seeds: int = SEEDS

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategies", check_strategies(self.strategies))
        if not FEWEST_SEEDS <= self.seeds <= MOST_SEEDS:
            problem = f"must be {FEWEST_SEEDS} to {MOST_SEEDS:,}, not {self.seeds}"
            raise InvalidInput("seeds", f"{problem}: one seed shows no spread")
        check_size(self.corpus, self.circle)

    @property
    def total(self) -> int:
        """How many curves there are to be."""
        return self.seeds * len(self.strategies)

    def kept(self, folder: Path) -> KeptCurves:
        """Return the curves in ``folder`` that this replay made before.

        Raises:
            InvalidInput: the folder holds another replay, or cannot be written.
        """
        settings = json.dumps(self.circle.to_json(), sort_keys=True)
        return KeptCurves(folder, f"{self.corpus.identity} {settings}")

    def done(self, kept: KeptCurves) -> int:
        """Return how many of the curves are kept."""
        return sum(
            (strategy, seed) in kept.curves
            for strategy in self.strategies
            for seed in range(self.seeds)
        )


def replay(
    name: str,
    plan: Plan,
    kept: KeptCurves,
    *,
    jobs: int = 1,
    notes: Sequence[str] = (),
    on_curve: OnCurve = lambda curve: None,
) -> Replay:
    """Simulate the circle for each strategy and seed of ``plan`` whose curve is not ``kept`` yet.

    Args:
        name: of the labels, for people.
        jobs: processes side by side.
        notes: what readers should know, beside what is found here.
        on_curve: told of each new curve once it is kept.

    Raises:
        InvalidInput: a strategy of another package is at fault.
        KeyboardInterrupt: what is done is kept.
    """
    corpus, circle = plan.corpus, plan.circle
    curves = LearningCurves.of(
        run_circles(
            corpus,
            circle,
            plan.strategies,
            range(plan.seeds),
            kept,
            jobs=jobs,
            on_curve=on_curve,
        )
    )
    return Replay(
        name,
        corpus.model,
        corpus.task,
        corpus.classes,
        len(corpus.codes),
        circle,
        curves,
        (*notes, *_warnings(curves, circle)),
    )


def _warnings(curves: LearningCurves, circle: Circle) -> list[str]:
    notes = []
    least = curves.pools[0]
    if least <= circle.budget:
        notes.append(
            f"The pool holds {least:,} rows, no more than the budget of {circle.budget:,}: in the "
            "end all strategies have learnt the same. Replay more rows, or a smaller budget."
        )
    elif least < 2 * circle.budget:
        notes.append(
            f"The budget of {circle.budget:,} is much of the pool of {least:,} rows: towards the "
            "end there is little left to choose from."
        )
    if curves.judged[0] < FEW_JUDGED:
        notes.append(f"Only {curves.judged[0]} rows judge: the curves are rough.")
    if len(curves.seeds) < FEW_SEEDS:
        notes.append(f"Only {len(curves.seeds)} seeds: the intervals are rough. Take 20 or more.")
    return notes
