"""A reranker is judged by queries that it has not learnt from, each of them as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from simulated_models import DATE, SAME_SPEED

from jobsentinel_workers.fine_tuning import FineTuningConfig, JobMatchingDataset
from jobsentinel_workers.gate import Contender, GatePolicy, Verdict, decide
from jobsentinel_workers.multi_task.assessment import Judged
from jobsentinel_workers.multi_task.assessment.bootstrap import Groups
from jobsentinel_workers.multi_task.tasks import Task, TaskType
from jobsentinel_workers.training.fine_tune_job import FineTuneJob
from jobsentinel_workers.training.frozen_part import freeze

POLICY = GatePolicy(resamples=200, task_metrics={"reranker": "spearman"})
QUERIES = np.repeat(np.arange(40), 10)
WORDS = ["welder", "florist", "notary", "pilot", "baker", "tailor", "diver", "miner", "usher"]


def judged(right: int, own: int) -> Judged:
    """400 rows of 40 queries, about ``right`` in ten of which a model is right altogether."""
    truth = np.tile(np.arange(10) / 9, 40)
    sign = np.where(np.random.default_rng(own).random(40) < right / 10, 1.0, -1.0)[QUERIES]
    values = np.repeat((sign * truth)[:, None], 3, axis=1)
    return Judged(Task("reranker", TaskType.REGRESSION), truth, values)


def verdict(clusters: Groups | None) -> Verdict:
    ours, other = (
        Contender(f"reranker@{version}", {"reranker": judged(right, version)})
        for version, right in ((2, 7), (1, 6))
    )
    together = None if clusters is None else {"reranker": clusters}
    return decide(
        ours, other, trained=["reranker"], latency=SAME_SPEED, date=DATE, policy=POLICY,
        clusters=together,
    )  # fmt: skip


def width(verdict: Verdict) -> float:
    main = verdict.comparisons[0]
    assert main.low is not None
    assert main.high is not None
    return main.high - main.low


def test_rows_of_a_query_are_drawn_together_and_still_count_one_by_one() -> None:
    by_row, by_query = verdict(None), verdict(QUERIES)

    assert width(by_query) > 1.5 * width(by_row)
    assert not any("are needed" in reason for reason in by_query.reasons)


def test_rows_of_a_single_query_decide_nothing() -> None:
    alone = verdict(np.zeros(400, dtype=np.int64))

    assert not alone.promote
    assert any("all belong together, as those of one query" in each for each in alone.reasons)


def row(query: str, number: int, **more: Any) -> dict[str, Any]:
    text = f"{WORDS[number % 9]} wanted in {WORDS[number // 9]} town"
    return {"query": query, "text": text, "score": float(number % 2), **more}


def frozen_queries(rows: list[dict[str, Any]]) -> tuple[set[str], set[str]]:
    """Return the queries that train and those that judge."""
    texts = ["\n".join((each["query"], each["text"])) for each in rows]
    queries = [each["query"] for each in rows]
    training, frozen = freeze(texts, "reranker", frozenset(), None, queries=queries)
    return {queries[n] for n in training}, {queries[n] for n in frozen.positions}


def test_a_query_judges_with_all_of_its_postings_and_goes_on_to_do_so() -> None:
    # Given twenty queries that brought the same postings
    queries = [f"{one} {other} work" for one in WORDS[:5] for other in WORDS[5:]]
    rows = [row(query, number) for query in queries for number in range(12)]

    # When some are set apart, and again with more feedback of the same queries in another order
    training, judging = frozen_queries(rows)
    more = [row(query, number) for query in reversed(queries) for number in range(30)]
    again, judging_again = frozen_queries([*more, *rows])

    # Then no query is on both sides, and each stays on its side
    assert training
    assert judging
    assert not training & judging
    assert (again, judging_again) == (training, judging)


def test_versions_of_one_resume_are_one_query() -> None:
    resume = " ".join(f"{one} in a {other} shop for years" for one in WORDS for other in WORDS)
    resumes = [f"{resume} {word}" for word in WORDS[:5]]
    searches = [f"{word} work" for word in WORDS]

    training, judging = frozen_queries(
        [row(query, number) for query in (*resumes, *searches) for number in range(4)]
    )

    assert set(resumes) <= training or set(resumes) <= judging


# A reranker of the packaged size is trained here: some seconds.
def test_with_too_few_queries_to_spare_any_all_train_and_the_gate_promotes_nothing(
    tmp_path: Path,
) -> None:
    # Given feedback of two queries, one of which would judge
    queries = ["welder work", "florist usher work"]
    salted = [q for q in (f"{a} {b} work" for a in WORDS for b in WORDS) if _judges(q)][:1]
    rows = [row(query, number) for query in (*salted, *queries[:1]) for number in range(12)]
    config = FineTuningConfig(
        task="reranker", method="head", epochs=1, max_tokens=16, precision="fp32"
    )
    dataset = JobMatchingDataset.from_rows(rows, "reranker")
    job = FineTuneJob("reranker", config, dataset, POLICY, frozenset(), tmp_path / "run")

    # When a reranker is trained; then both train, and nothing judges
    trained = job.train(lambda progress: None, lambda: False)
    trained.save(tmp_path / "staging")
    decided = trained.judge(tmp_path / "staging", None)

    assert trained.frozen == frozenset()
    assert not decided.promote
    assert any("0 rows were judged" in reason for reason in decided.reasons)


def _judges(query: str) -> bool:
    return query in frozen_queries([row(query, number) for number in range(8)])[1]
