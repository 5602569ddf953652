"""A model's answers about a posting as the contract sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobsentinel.contract import results
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.task_specs import BUILT_IN_TASKS
from jobsentinel_workers.inference.facts import read_stated_salary

Prediction = Mapping[str, Any]


def posting_score(
    posting: Posting,
    prediction: Prediction,
    custom: dict[str, results.CustomPrediction],
    stamp: results.ModelStamp,
) -> results.PostingScore:
    """Return the score of ``posting``; answers to further tasks stand among the custom ones."""
    return results.PostingScore(
        posting_id=posting.id,
        category=_category(prediction.get("job_category")),
        salary_year_usd=_salary(prediction.get("salary_prediction")),
        stated_salary=_stated_salary(posting),
        scam=_scam(prediction.get("scam_detection")),
        match_quality=_match(prediction.get("match_quality")),
        custom={**_further(prediction, stamp), **custom},
        model=stamp if prediction else None,
    )


def _further(
    prediction: Prediction, stamp: results.ModelStamp
) -> dict[str, results.CustomPrediction]:
    return {
        name: custom_prediction(answer, stamp)
        for name, answer in prediction.items()
        if name not in BUILT_IN_TASKS
    }


def custom_prediction(answer: Prediction, stamp: results.ModelStamp) -> results.CustomPrediction:
    """Return a class with its probability, the probability of yes, or a number."""
    probability = answer.get("probability")
    return results.CustomPrediction(
        label=answer.get("class"),
        probability=None if probability is None else _unit(probability),
        probabilities=answer.get("probabilities") or {},
        value=answer.get("value"),
        model=stamp,
    )


def _category(answer: Prediction | None) -> results.CategoryPrediction | None:
    if answer is None:
        return None
    return results.CategoryPrediction(
        label=answer["class"],
        probability=_unit(answer["probability"]),
        probabilities=answer["probabilities"],
    )


def _salary(answer: Prediction | None) -> results.SalaryPrediction | None:
    if answer is None:
        return None
    return results.SalaryPrediction(value=answer["value"], low=answer["low"], high=answer["high"])


def _stated_salary(posting: Posting) -> results.StatedSalary | None:
    stated = read_stated_salary(posting)
    if stated is None:
        return None
    return results.StatedSalary(
        low=stated.low,
        high=stated.high,
        currency=stated.currency,
        period=stated.period,
        low_year=stated.low_year,
        high_year=stated.high_year,
        text=stated.text,
    )


def _scam(answer: Prediction | None) -> results.ScamPrediction | None:
    if answer is None:
        return None
    return results.ScamPrediction(
        probability=_unit(answer["probability"]),
        is_scam=answer["prediction"],
        threshold=_unit(answer["threshold"]),
    )


def _match(answer: Prediction | None) -> float | None:
    return None if answer is None else _unit(answer["value"])


def _unit(value: float) -> float:
    """Rounding in float32 can put a probability a hair outside 0 to 1."""
    return min(1.0, max(0.0, float(value)))
