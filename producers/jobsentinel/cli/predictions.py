"""Predictions as cells of a table; what no head answered is a dash."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from jobsentinel.cli.output import percent, thousands
from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.results import CustomPrediction, PostingScore, SalaryPrediction


def prediction_columns(matched: bool, custom: Sequence[str]) -> list[str]:
    """Return the columns that `predicted` fills."""
    match = [">match"] if matched else []
    return ["~category", ">sure", ">USD a year", ">scam", *match, *(f"~{name}" for name in custom)]


def predicted(score: PostingScore, matched: bool, custom: Sequence[str]) -> list[object]:
    """Return a score's cells: category and its probability, salary, scam, match, own models."""
    category, match = score.category, score.match_quality
    cells: list[object] = [
        category and category_name(category.label),
        category and percent(category.probability),
        score.salary_year_usd and _salary(score.salary_year_usd),
        _scam(score),
    ]
    if matched:
        cells.append(None if match is None else percent(match))
    return cells + [_custom(score.custom.get(name)) for name in custom]


def category_name(key: str) -> str:
    """Return the display name of a category, or the key of one that the user made."""
    return JOB_CATEGORIES.get(key, key)


def _salary(salary: SalaryPrediction) -> str:
    low = thousands(salary.low).removesuffix("k")
    return f"{thousands(salary.value)} ({low}-{thousands(salary.high)})"


def _scam(score: PostingScore) -> Text | None:
    if score.scam is None:
        return None
    shown = percent(score.scam.probability)
    return Text(f"SCAM {shown}", style="bold red") if score.scam.is_scam else Text(shown)


def _custom(prediction: CustomPrediction | None) -> str | None:
    if prediction is None:
        return None
    if prediction.label is None:
        return None if prediction.value is None else f"{prediction.value:.4g}"
    sure = "" if prediction.probability is None else f" {percent(prediction.probability)}"
    return f"{prediction.label}{sure}"
