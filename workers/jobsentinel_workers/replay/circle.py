"""One simulated circle of labelling: select, take the hidden labels, learn, judge, and again.

Selection is that of the service, with its random share and its care for near-duplicates. For one
seed all strategies share the rows that judge, the pool and the labels they begin with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning import Need, QueryStrategy, select, strategy_named
from jobsentinel_workers.active_learning.checks import check_count, check_seed, check_share
from jobsentinel_workers.active_learning.random_share import RANDOM_SHARE
from jobsentinel_workers.active_learning.strategies import BUILT_IN
from jobsentinel_workers.multi_task import TaskType
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.assessment.metrics import measure
from jobsentinel_workers.replay.corpus import Corpus
from jobsentinel_workers.replay.heads import Floats, Head, fit_committee, fit_head
from jobsentinel_workers.replay.labelled_texts import Codes

BASELINE: Final = QueryStrategy.RANDOM.value
FEWEST_MEMBERS: Final = 2
_FOR_VALUES: Final = frozenset({Need.VALUES, Need.COMMITTEE_VALUES, Need.LABELLED_VALUES})
_MEASURES: Final = {
    TaskType.CLASSIFICATION: ("accuracy", "macro_f1"),
    TaskType.BINARY: ("pr_auc", "f1", "pr_auc_at_base_rate", "f1_at_base_rate"),
}
_SEEDS_A_SEED: Final = 10_000
"""Rounds of one seed that draw independently of those of the next."""

CLASS_STRATEGIES: Final = tuple(
    name.value
    for name, strategy in BUILT_IN.items()
    # gsx is k-center by another name, for those who look for it beside gsy and igs.
    if not (strategy.needs & _FOR_VALUES) and name is not QueryStrategy.GSX
)
"""The built-in strategies that choose for a question with classes."""


class CircleStopped(Exception):
    """Somebody asked for the end before the circle was through; there is no curve."""


@dataclass(frozen=True, slots=True)
class Circle:
    """The settings of a simulated circle.

    Attributes:
        start: labels before the first selection, drawn evenly.
        batch: labels between two trainings.
        budget: labels in the end, those at the start included.
        test_share: of the rows, set apart to judge.
        random_share: part of each batch that is drawn evenly, as in service.
        committee: heads whose disagreement counts, for strategies that ask a committee.

    Raises:
        InvalidInput: a setting is out of bounds.
    """

    start: int = 20
    batch: int = 20
    budget: int = 500
    test_share: float = 0.3
    random_share: float = RANDOM_SHARE
    committee: int = 5

    def __post_init__(self) -> None:
        for name in ("start", "batch", "budget", "committee"):
            check_count(getattr(self, name), name)
        for name in ("test_share", "random_share"):
            check_share(getattr(self, name), name)
        if not 0 < self.test_share < 1:
            raise InvalidInput("test_share", f"must lie between 0 and 1, not {self.test_share}")
        if self.start < 2:
            raise InvalidInput("start", "must be 2 or more, one of each of two classes")
        if self.committee < FEWEST_MEMBERS:
            raise InvalidInput("committee", f"must be of {FEWEST_MEMBERS} heads or more")
        if self.budget < self.start + self.batch:
            least = self.start + self.batch
            problem = f"must be {least} or more, the start and one batch, not {self.budget}"
            raise InvalidInput("budget", problem)

    def label_counts(self, pool: int) -> tuple[int, ...]:
        """Return after how many labels a head is trained, in a pool of so many rows."""
        last = min(self.budget, pool)
        counts = [*range(self.start, last, self.batch), last]
        return tuple(counts)

    def to_json(self) -> dict[str, Any]:
        """Return the settings by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Curve:
    """How quality grew with labels, for one strategy and seed.

    Attributes:
        label_counts: p numbers of labels, growing.
        measures: by name, the p values on the rows that judge.
        pool: rows that could be labelled.
        judged: rows that judged.
    """

    strategy: str
    seed: int
    label_counts: tuple[int, ...]
    measures: dict[str, tuple[float, ...]]
    pool: int
    judged: int


def check_strategies(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``names`` without repeats, the baseline first.

    Raises:
        InvalidInput: there is no such strategy, or it chooses for values.
    """
    for name in names:
        if strategy_named(name).needs & _FOR_VALUES:
            known = ", ".join(CLASS_STRATEGIES)
            raise InvalidInput(
                "strategy", f"{name} chooses for values, a replay for classes: {known}"
            )
    return tuple(dict.fromkeys((BASELINE, *names)))


def check_size(corpus: Corpus, circle: Circle, seed: int = 0) -> tuple[Codes, Codes]:
    """Return the rows of the pool and those that judge, for this seed.

    Raises:
        InvalidInput: they are too few for the first selection, or to judge by; says how many rows
            are needed.
    """
    pool, judged = corpus.split(circle.test_share, seed)
    needed = circle.start + circle.batch
    if len(pool) < needed:
        problem = (
            f"leave {len(pool)} rows to choose from beside {len(judged)} that judge; "
            f"start and batch need {needed}"
        )
        raise InvalidInput("labels", problem)
    if min(len(np.unique(corpus.codes[rows])) for rows in (pool, judged)) < 2:
        problem = (
            f"are {len(corpus.codes)} rows in {len(set(corpus.groups))} groups of near-copies: too "
            "few for two classes both in the pool and among the rows that judge"
        )
        raise InvalidInput("labels", problem)
    return pool, judged


def simulate(
    corpus: Corpus,
    circle: Circle,
    strategy: str,
    seed: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Curve:
    """Return the learning curve of ``strategy``; the same input gives the same curve.

    Raises:
        InvalidInput: the rows are too few, or the strategy is at fault.
        CircleStopped: ``should_stop`` said so.
    """
    with threadpool_limits(1):
        return _Simulation(corpus, circle, strategy, check_seed(seed)).run(should_stop)


class _Simulation:
    """A circle under way: rows labelled so far, and those still to choose from."""

    def __init__(self, corpus: Corpus, circle: Circle, strategy: str, seed: int) -> None:
        self._corpus, self._circle, self._strategy, self._seed = corpus, circle, strategy, seed
        known = strategy_named(strategy)
        self._wanted = known.needs | known.uses
        pool, self._judged = check_size(corpus, circle, seed)
        self._size = len(pool)
        self._labelled, self._left = first_rows(pool, corpus.codes, circle.start, seed)

    def run(self, should_stop: Callable[[], bool]) -> Curve:
        counts = self._circle.label_counts(self._size)
        head = self._learn()
        points = [self._judge(head)]
        for number, count in enumerate(counts[1:], start=1):
            if should_stop():
                raise CircleStopped
            self._label(count - len(self._labelled), head, number)
            head = self._learn()
            points.append(self._judge(head))
        names = [name for name in _MEASURES[self._corpus.task.type] if name in points[0]]
        return Curve(
            self._strategy,
            self._seed,
            counts,
            {name: tuple(point[name] for point in points) for name in names},
            self._size,
            len(self._judged),
        )

    def _learn(self) -> Head:
        corpus = self._corpus
        rows = self._labelled
        return fit_head(corpus.embeddings[rows], corpus.codes[rows], len(corpus.classes))

    def _label(self, count: int, head: Head, number: int) -> None:
        seed = self._seed * _SEEDS_A_SEED + number
        chosen = select(
            self._strategy,
            num_samples=count,
            class_names=self._corpus.classes if self._asks_classes else None,
            seed=seed,
            random_share=self._circle.random_share,
            **self._arguments(head, seed),
        )
        self._labelled = np.append(self._labelled, self._left[chosen.indices])
        self._left = np.delete(self._left, chosen.indices)

    @property
    def _asks_classes(self) -> bool:
        return bool(self._wanted & {Need.PROBABILITIES, Need.COMMITTEE_PROBABILITIES})

    def _arguments(self, head: Head, seed: int) -> dict[str, Any]:
        embeddings = self._corpus.embeddings
        found: dict[str, Any] = {"embeddings": embeddings[self._left]}
        if Need.LABELLED_EMBEDDINGS in self._wanted:
            found["labelled_embeddings"] = embeddings[self._labelled]
        if Need.PROBABILITIES in self._wanted:
            found["probabilities"] = head.probabilities(embeddings[self._left])
        if Need.LABELLED_PROBABILITIES in self._wanted:
            found["labelled_probabilities"] = head.probabilities(embeddings[self._labelled])
        if Need.COMMITTEE_PROBABILITIES in self._wanted:
            found["committee_probabilities"] = self._votes(seed)
        return found

    def _votes(self, seed: int) -> Floats:
        corpus, rows = self._corpus, self._labelled
        members = fit_committee(
            corpus.embeddings[rows],
            corpus.codes[rows],
            len(corpus.classes),
            members=self._circle.committee,
            seed=seed,
        )
        return np.stack([each.probabilities(corpus.embeddings[self._left]) for each in members])

    def _judge(self, head: Head) -> dict[str, float]:
        corpus, task = self._corpus, self._corpus.task
        answers = head.probabilities(corpus.embeddings[self._judged])
        if task.type is TaskType.BINARY:
            answers = answers[:, 1]
        targets = corpus.codes[self._judged].astype(np.float64)
        return measure(Judged(task, targets, np.clip(answers, 0.0, 1.0)))


def first_rows(pool: Codes, codes: Codes, count: int, seed: int) -> tuple[Codes, Codes]:
    """Return ``count`` rows drawn evenly, and all others, in an order that is drawn too.

    Equal scores go by place, and files are often sorted by class: in the file's order, ties would
    give the answers away. If the rows drawn are of one class, the last gives way to one of another.
    """
    drawn = np.random.default_rng((seed, 2)).permutation(pool)
    if len(np.unique(codes[drawn[:count]])) < 2:
        other = count + int(np.argmax(codes[drawn[count:]] != codes[drawn[0]]))
        drawn[[count - 1, other]] = drawn[[other, count - 1]]
    return drawn[:count], drawn[count:]
