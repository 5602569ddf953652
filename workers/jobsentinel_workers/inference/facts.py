"""What a posting says and what a model says of it, as filters will ask for it."""

from __future__ import annotations

from typing import Any, Protocol

from jobsentinel.contract.postings import Posting
from jobsentinel.contract.results import PostingScore
from jobsentinel_workers.multi_task.stated_salary import StatedSalary, parse_stated_salary


class StatedYear(Protocol):
    """The ends of a stated salary for a full-time year; one of them is always there."""

    @property
    def low_year(self) -> float | None: ...

    @property
    def high_year(self) -> float | None: ...


def read_stated_salary(posting: Posting) -> StatedSalary | None:
    """Return the salary that ``posting`` states, or None."""
    return parse_stated_salary(posting.salary, posting.text())


def facts_of(posting: Posting, stated: StatedYear | None) -> dict[str, Any]:
    """Return a row for `store.posting_facts.describe`."""
    return {
        **posting.model_dump(),
        "stated_salary_low": stated.low_year if stated else None,
        "stated_salary_high": stated.high_year if stated else None,
    }


def score_facts(score: PostingScore) -> dict[str, Any]:
    """Return a row for `store.posting_facts.keep_scores`."""
    return {
        "posting_id": score.posting_id,
        "category": score.category.label if score.category else None,
        "estimated_salary": score.salary_year_usd.value if score.salary_year_usd else None,
        "scam": score.scam.probability if score.scam else None,
        "match_quality": score.match_quality,
    }
