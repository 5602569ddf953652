"""Rows of a reranker count as much as their weights say, and queries are set apart whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.fine_tuning.training_runs import Row

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.fine_tuning import FineTuningConfig, JobMatchingDataset, train_fine_tuned
from jobsentinel_workers.fine_tuning.library_trainers.reranker_run import reranking_metrics
from jobsentinel_workers.reranking import CrossEncoderReranker


def pair(number: int, score: float, **more: Any) -> Row:
    return {"query": f"query {number}", "text": f"text {number}", "score": score, **more}


def contradicting(weight_of_yes: float | None, weight_of_no: float | None) -> JobMatchingDataset:
    """Rows that say yes and no of the same pairs."""
    rows = [
        pair(number, score, **({} if weight is None else {"weight": weight}))
        for number in range(6)
        for score, weight in ((1.0, weight_of_yes), (0.0, weight_of_no))
    ]
    return JobMatchingDataset.from_rows(rows)


def mean_logit(rows: JobMatchingDataset, base: Path, folder: Path) -> float:
    """Train on rows that contradict each other, and return what is then said of them."""
    config = FineTuningConfig(
        task="reranker", method="lora", epochs=10, batch_size=8, max_tokens=16,
        learning_rate=1e-2, precision="fp32", base_encoder=str(base),
    )  # fmt: skip
    saved = train_fine_tuned(config, rows).save(folder)
    reranker = CrossEncoderReranker.load(saved, precision="fp32")
    return float(run_directly(reranker.model, [("query 1", "text 1")])[0, 0])


def test_of_rows_that_contradict_each_other_the_heavier_prevail(
    tiny_folder: Path, tmp_path: Path
) -> None:
    yes = mean_logit(contradicting(9.0, 1.0), tiny_folder, tmp_path / "yes")
    no = mean_logit(contradicting(1.0, 9.0), tiny_folder, tmp_path / "no")

    assert yes > no + 0.5


def test_only_the_ratio_of_weights_counts(tiny_folder: Path, tmp_path: Path) -> None:
    plain = mean_logit(contradicting(None, None), tiny_folder, tmp_path / "plain")
    alike = mean_logit(contradicting(7.0, 7.0), tiny_folder, tmp_path / "alike")

    assert alike == pytest.approx(plain, abs=1e-4)


def test_the_log_loss_that_chooses_the_best_epoch_is_weighted() -> None:
    rows = JobMatchingDataset.from_rows([pair(n, float(n > 0), weight=1.0 + n) for n in range(8)])
    logits = np.linspace(-1, 1, 8, dtype=np.float32)

    metrics = reranking_metrics(logits, rows)

    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits),
        torch.from_numpy(rows.numbers()).float(),
        weight=torch.arange(1.0, 9.0) * 8 / 36,
    )
    assert metrics["log_loss"] == pytest.approx(float(expected))


@pytest.mark.parametrize("weight", [0, -1.0, 1_001, "2", True, float("nan")])
def test_a_weight_that_cannot_be_is_refused(weight: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        JobMatchingDataset.from_rows([pair(0, 1.0), pair(1, 0.0, weight=weight)] * 4)

    assert refused.value.field == "rows.1.weight"


def test_only_rows_of_a_reranker_have_weights() -> None:
    with pytest.raises(InvalidInput, match="is not a field of a regression row"):
        JobMatchingDataset.from_rows([{"text": "a", "value": 1.0, "weight": 2.0}])


@pytest.mark.parametrize("queries", [2, 5])
def test_queries_that_brought_the_same_postings_are_set_apart_whole(queries: int) -> None:
    # Given queries that share all of their postings
    rows = JobMatchingDataset.from_rows(
        [
            {"query": f"query {query}", "text": f"text {text}", "score": float(text % 2)}
            for query in range(queries)
            for text in range(6)
        ]
    )

    # When some rows are set apart
    kept, apart = rows.split(0.2, seed=0)

    # Then no query is on both sides
    sides = [{example.texts[0] for example in side.examples} for side in (kept, apart)]
    assert len(apart) == 6
    assert not sides[0] & sides[1]


def test_few_queries_of_different_grades_are_set_apart_whole_too() -> None:
    # Given three queries with postings of their own, each with a grade of its own
    rows = JobMatchingDataset.from_rows(
        [
            {"query": f"query {query}", "text": f"{query} {text}", "score": query / 2}
            for query in range(3)
            for text in range(4)
        ]
    )

    kept, apart = rows.split(0.2, seed=0)

    assert {example.texts[0] for example in apart.examples}.isdisjoint(
        example.texts[0] for example in kept.examples
    )
