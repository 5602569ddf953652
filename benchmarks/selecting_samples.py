"""Selection beside scikit-activeml and small-text, on one thread and with the same numbers.

From 1,000 candidates with 500 labelled, embeddings 384 wide and 20 classes, a batch of 50; then our
time and memory from 100,000, and 1,000 through the queue. The peers get the predictions ready-made,
as ours do. Beside the times stands that of a fixed product and sort, for machines that are busy.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.measure import Row, Work, in_turn, seconds, times_as_fast
from jobsentinel_workers.active_learning import QueryStrategy, select, strategy_named

if TYPE_CHECKING:  # it brings torch along, which is not to count into the memory
    from benchmarks.options import Options

CANDIDATES, MANY, LABELLED, WIDTH, CLASSES, MEMBERS, PICKS = 1_000, 100_000, 500, 384, 20, 5, 50
ROUNDS, PEER_ROUNDS = 15, 3
CLASSIC: Final = frozenset({"uncertainty", "margin", "entropy", "diversity", "hybrid", "random"})

Pool = Mapping[str, Any]


def run(options: Options) -> Iterator[Row]:
    """Yield the time of a selection by each strategy, what the peers take, and large pools."""
    pool = make_pool(CANDIDATES)
    rounds, few = options.size(ROUNDS, 1), options.size(PEER_ROUNDS, 1)
    peers = {**_scikit_activeml(pool), **_small_text(pool)}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _calibration(pool, rounds)
        for strategy in QueryStrategy:
            ours = _choosing(strategy, pool)
            (taken,) = in_turn(rounds, ours, warm_up=True)
            goal = "< 5" if strategy.value in CLASSIC else "< 50"
            name = f"from {CANDIDATES:,} with {LABELLED} labelled, {strategy.value}"
            yield from taken.rows(name, goal)
            for (peer, compared), work in peers.items():
                if compared == strategy.value:
                    mine, theirs = in_turn(few, ours, work, warm_up=True)
                    yield Row(f"the same by {peer}, p50", theirs.p50, "ms")
                    yield times_as_fast(f"{strategy.value} against {peer}", mine, theirs)
    yield from _many(options.size(MANY, 2_000))
    from benchmarks.selecting_stored import through_the_queue  # it brings torch along

    yield from through_the_queue(options)


def _calibration(pool: Pool, rounds: int) -> Iterator[Row]:
    candidates, labelled = pool["embeddings"], pool["labelled_embeddings"]

    def work(_: int) -> None:
        (candidates @ labelled.T).argmax(axis=1)
        np.sort(candidates, axis=1)

    (taken,) = in_turn(rounds, work, warm_up=True)
    shape = f"{len(candidates):,} x {WIDTH}"
    yield from taken.rows(f"for comparison: a product and a sort of {shape} in numpy")


def make_pool(size: int) -> dict[str, Any]:
    """Return all that a strategy may look at: postings of 60 kinds, with noise."""
    random = np.random.default_rng(0)
    total = size + LABELLED
    kinds = random.standard_normal((3 * CLASSES, WIDTH), dtype=np.float32)
    vectors = kinds[random.integers(0, len(kinds), total)]
    vectors += random.standard_normal((total, WIDTH), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    probabilities = random.dirichlet(np.full(CLASSES, 0.3), size=total)
    members = random.dirichlet(np.full(CLASSES, 0.3), size=(MEMBERS, size))
    values = random.normal(80_000, 20_000, total)
    return {
        "probabilities": probabilities[:size],
        "embeddings": vectors[:size],
        "values": values[:size],
        "committee_probabilities": members,
        "committee_values": values[:size] + random.normal(0, 1_000, (MEMBERS, size)),
        "labelled_embeddings": vectors[size:],
        "labelled_probabilities": probabilities[size:],
        "labelled_values": values[size:],
    }


def _choosing(strategy: QueryStrategy, pool: Pool) -> Work:
    known = strategy_named(strategy.value)
    given = {name: value for name, value in pool.items() if name in known.needs | known.uses}
    given = given or {"embeddings": pool["embeddings"]}
    return lambda number: select(strategy, num_samples=PICKS, seed=max(number, 0), **given)


def _many(size: int) -> Iterator[Row]:
    # In a process of its own, whose peak is that of the data and the selections alone.
    command = [sys.executable, "-m", "benchmarks.selecting_samples", str(size)]
    found = json.loads(subprocess.check_output(command, cwd=Path(__file__).parents[1]))
    for name, taken_s in found["taken_s"].items():
        yield Row(f"from {size:,}, {name}", taken_s, "s", "< 3")
    yield Row(
        f"process that chose from {size:,}, resident at most", found["peak_mb"], "MB", "< 1000"
    )


def _measure_many(size: int) -> dict[str, Any]:
    pool = make_pool(size)
    chosen = {strategy.value: _choosing(strategy, pool) for strategy in QueryStrategy}
    taken = {name: seconds(partial(choose, 0)) for name, choose in chosen.items()}
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"taken_s": taken, "peak_mb": peak_kb / 1024}


def _scikit_activeml(pool: Pool) -> dict[tuple[str, str], Callable[[int], object]]:
    """Return its strategies by the name of ours."""
    from skactiveml import pool as peer

    # Its queries want a corpus and a model around.
    vectors = np.concatenate((pool["embeddings"], pool["labelled_embeddings"]))
    labels = np.concatenate((np.full(CANDIDATES, np.nan), np.arange(LABELLED) % CLASSES))
    salaries = np.concatenate((np.full(CANDIDATES, np.nan), pool["labelled_values"]))
    model = _classifier(pool["probabilities"], pool["labelled_probabilities"], labels)
    asked = {"clf": model, "fit_clf": False}
    members = [
        _classifier(rows, pool["labelled_probabilities"], labels)
        for rows in pool["committee_probabilities"]
    ]
    committee = {"ensemble": members, "fit_ensemble": False}
    regressor = {"reg": _regressor(pool["values"], pool["labelled_values"]), "fit_reg": False}
    spread = {
        "ensemble": [_regressor(row, pool["labelled_values"]) for row in pool["committee_values"]],
        "fit_ensemble": False,
    }
    neighbours = {"nearest_neighbors_dict": {"n_neighbors": 10}}
    kinds: dict[str, tuple[type[Any], dict[str, Any], dict[str, Any]]] = {
        "random": (peer.RandomSampling, {}, {}),
        "uncertainty": (peer.UncertaintySampling, {"method": "least_confident"}, asked),
        "margin": (peer.UncertaintySampling, {"method": "margin_sampling"}, asked),
        "entropy": (peer.UncertaintySampling, {"method": "entropy"}, asked),
        "vote-entropy": (peer.QueryByCommittee, {"method": "vote_entropy"}, committee),
        "committee-kl": (peer.QueryByCommittee, {"method": "KL_divergence"}, committee),
        "badge": (peer.Badge, {}, asked),
        "k-center": (peer.CoreSet, {}, {}),
        "typiclust": (peer.TypiClust, {"k": 20}, {}),
        "contrastive": (peer.ContrastiveAL, neighbours, asked),
        "committee-variance": (peer.QueryByCommittee, {}, spread),
        "gsx": (peer.GreedySamplingX, {}, {}),
        "gsy": (peer.GreedySamplingTarget, {"method": "GSy"}, regressor),
        "igs": (peer.GreedySamplingTarget, {"method": "GSi"}, regressor),
    }

    def work(name: str) -> Work:
        kind, settings, given = kinds[name]
        y = salaries if name in {"committee-variance", "gsx", "gsy", "igs"} else labels
        return lambda number: kind(random_state=max(number, 0), **settings).query(
            vectors, y, batch_size=PICKS, **given
        )

    return {("scikit-activeml", name): work(name) for name in kinds}


def _classifier(own: NDArray[Any], labelled: NDArray[Any], labels: NDArray[Any]) -> Any:
    """Return a scikit-activeml classifier that gives known probabilities by the rows' number."""
    from skactiveml.base import SkactivemlClassifier

    by_count = {CANDIDATES: own, LABELLED: labelled, len(labels): np.concatenate((own, labelled))}

    class Known(SkactivemlClassifier):  # type: ignore[misc]  # the library has no types
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Known:
            self.classes_ = np.arange(CLASSES)
            return self

        def predict_proba(self, X: Any) -> Any:
            return by_count[len(X)].copy()

        def predict(self, X: Any) -> Any:
            return by_count[len(X)].argmax(axis=1)

    return Known(classes=list(range(CLASSES))).fit(None, None)


def _regressor(own: NDArray[Any], labelled: NDArray[Any]) -> Any:
    """Return a scikit-activeml regressor that gives known values by the rows' number."""
    from skactiveml.base import SkactivemlRegressor

    both = np.concatenate((own, labelled))
    by_count = {len(own): own, len(labelled): labelled, len(both): both}

    class Known(SkactivemlRegressor):  # type: ignore[misc]  # the library has no types
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Known:
            self.fitted_ = True
            return self

        def predict(self, X: Any) -> Any:
            return by_count[len(X)]

    return Known().fit(None, None)


def _small_text(pool: Pool) -> dict[tuple[str, str], Work]:
    """Return its strategies by the name of ours; none where it is not installed.

    It is no dependency of the project, for it brings a package ``tests`` of its own.
    """
    if find_spec("small_text") is None:
        return {}
    from small_text.query_strategies import coresets, strategies

    vectors = np.concatenate((pool["embeddings"], pool["labelled_embeddings"]))
    everything = np.concatenate((pool["probabilities"], pool["labelled_probabilities"]))
    open_, known = np.arange(CANDIDATES), np.arange(CANDIDATES, len(vectors))

    class Known:
        def predict_proba(self, _: Any) -> Any:
            return everything

    def by_confidence(strategy: Any) -> Work:
        return lambda _: strategy.query(Known(), vectors, open_, known, None, n=PICKS)

    def by_embedding(strategy: Any) -> Work:
        return lambda _: strategy.sample(
            None, vectors, open_, known, None, PICKS, vectors, embeddings_proba=everything
        )

    return {
        ("small-text", "margin"): by_confidence(strategies.BreakingTies()),
        ("small-text", "entropy"): by_confidence(strategies.PredictionEntropy()),
        ("small-text", "diversity"): by_embedding(strategies.EmbeddingKMeans()),
        ("small-text", "contrastive"): by_embedding(
            strategies.ContrastiveActiveLearning(pbar=None)
        ),
        ("small-text", "k-center"): by_embedding(coresets.GreedyCoreset(distance_metric="cosine")),
    }


if __name__ == "__main__":
    print(json.dumps(_measure_many(int(sys.argv[1]))))
