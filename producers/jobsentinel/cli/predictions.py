"""Predictions as cells of a table; what no head answered is a dash."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from jobsentinel.cli.money import estimate, stated
from jobsentinel.cli.output import percent
from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.results import CustomPrediction, PostingScore


def prediction_columns(matched: bool, custom: Sequence[str]) -> list[str]:
    """Return the columns that `predicted` fills."""
    match = [">match"] if matched else []
    return [
        "~category",
        ">sure",
        "salary a year",
        ">scam",
        *match,
        *(f"~~{name}" for name in custom),
    ]


def predicted(
    score: PostingScore, matched: bool, custom: Sequence[str], *, with_stated: bool = False
) -> list[object]:
    """Return a score's cells: category and its probability, salary, scam, match, own models.

    With ``with_stated`` the salary that the posting states stands below the estimate.
    """
    category, match = score.category, score.match_quality
    cells: list[object] = [
        category and category_name(category.label),
        category and percent(category.probability),
        _salary(score, with_stated),
        _scam(score),
    ]
    if matched:
        cells.append(None if match is None else percent(match))
    return cells + [_custom(score.custom.get(name)) for name in custom]


def category_name(key: str) -> str:
    """Return the display name of a category, or the key of one that the user made."""
    return JOB_CATEGORIES.get(key, key)


def _salary(score: PostingScore, with_stated: bool) -> str | None:
    lines = [estimate(score.salary_year_usd)] if score.salary_year_usd else []
    if with_stated and score.stated_salary:
        lines.append(stated(score.stated_salary))
    return "\n".join(lines) or None


def _scam(score: PostingScore) -> Text | None:
    if score.scam is None:
        return None
    shown = percent(score.scam.probability)
    return Text(f"SCAM {shown}", style="bold red") if score.scam.is_scam else Text(shown)


def _custom(prediction: CustomPrediction | None) -> str | None:
    if prediction is None:
        return None
    if prediction.label is None:
        return None if prediction.value is None else _number(prediction.value)
    sure = "" if prediction.probability is None else f" {percent(prediction.probability)}"
    return f"{prediction.label}{sure}"


def _number(value: float) -> str:
    # Eight characters at most, which is what the narrowest column shows on one line.
    if 1_000 <= abs(value) < 1_000_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if 0.01 <= abs(value) < 1_000 else f"{value:.3g}"
