"""What producers send: postings, candidates, samples and labels."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from jobsentinel.contract import limits
from jobsentinel.contract.base import (
    FilledText,
    Identifier,
    IsoDate,
    LongText,
    Message,
    ShortText,
    fault,
    kind_of,
)
from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.feedback import (
    MAX_SHOWN_RANK,
    RELEVANCE,
    FeedbackEvent,
    misplaced_fields,
    relevance_problems,
)
from jobsentinel.contract.text import compose_posting_text, normalise


class Posting(Message):
    """A job posting as a scraper found it; only an id and some text are required."""

    id: Identifier
    title: ShortText = ""
    description: LongText = ""
    company: ShortText | None = None
    location: ShortText | None = None
    employment_type: ShortText | None = None
    experience_level: ShortText | None = None
    remote: bool | None = None
    salary: ShortText | None = None
    """The salary as the posting states it; never shown to the salary model."""
    url: Annotated[str, Field(max_length=limits.MAX_URL_CHARS)] | None = None
    source: ShortText | None = None
    posted_at: IsoDate | None = None

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if not normalise(self.title) and not normalise(self.description):
            raise fault("description", "and title are both empty; one of them must hold text")
        return self

    def text(self) -> str:
        """Return the text that models see."""
        return compose_posting_text(
            title=self.title,
            description=self.description,
            company=self.company,
            location=self.location,
            experience_level=self.experience_level,
            employment_type=self.employment_type,
            remote=self.remote,
        )


class Candidate(Message):
    """One text to be ranked against a query."""

    id: Identifier
    text: FilledText


class Sample(Message):
    """One unlabelled text that could be worth a human's minute."""

    id: Identifier
    text: FilledText


class LabelledSample(Message):
    """A text that has its label, from which picks keep away."""

    text: FilledText
    value: float | int | None = None
    """The label where it is a number; strategies for values need it."""


class Label(Message):
    """A human's answer about one posting.

    ``kind`` names the question: ``category``, ``salary`` (USD a year), ``scam`` and ``match`` (0 to
    1) are checked for their kind of value; any other name is the user's. ``relevance`` asks how
    well the posting answers a ``query``, and is told by a value from 0 to 1 or by an event.
    """

    posting_id: Identifier
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    value: bool | float | ShortText | None = None
    annotator: ShortText | None = None
    query: FilledText | None = None
    """Of relevance: the search or the résumé that the posting was shown for."""
    event: FeedbackEvent | None = None
    """Of relevance: what somebody did with the posting; None is a judgement."""
    shown_rank: Annotated[int, Field(ge=1, le=MAX_SHOWN_RANK)] | None = None
    """Of relevance: the place at which the posting was shown, from 1."""
    seconds_spent: Annotated[float, Field(ge=0.0, le=limits.MAX_SECONDS_SPENT)] | None = None
    """The time that the answer took."""
    strategy: ShortText | None = None
    """What chose the posting for labelling, as are the next two."""
    chosen_by: ShortText | None = None
    """The part of the strategy; ``random`` is the part drawn evenly."""
    model_version: ShortText | None = None
    """The model whose view of the posting counted, as ``name@version``."""

    @model_validator(mode="after")
    def _fields_fit_kind(self) -> Self:
        if self.kind == RELEVANCE:
            problems = relevance_problems(query=self.query, event=self.event, value=self.value)
        else:
            problems = misplaced_fields(
                query=self.query, event=self.event, shown_rank=self.shown_rank
            )
        for field, problem in problems:
            raise fault(field, problem)
        if self.value is None and self.event is None:
            raise fault("value", "is missing")
        return self

    @model_validator(mode="after")
    def _value_fits_kind(self) -> Self:
        problem = None if self.value is None else label_problem(self.kind, self.value)
        if problem:
            raise fault("value", f"{problem} (found {kind_of(self.value)} {self.value!r:.40})")
        return self


def label_problem(kind: str, value: object) -> str | None:
    """Return what is wrong with ``value`` as a label of ``kind``, or None."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "category" if not isinstance(value, str) or value not in JOB_CATEGORIES:
            return f"must be one of the {len(JOB_CATEGORIES)} category keys for kind 'category'"
        case "salary" if not (number and 1_000 <= float(value) <= 10_000_000):  # type: ignore[arg-type]  # a number by the check before
            return "must be 1,000 to 10,000,000 USD a year for kind 'salary'"
        case "scam" if not isinstance(value, bool):
            return "must be true or false for kind 'scam'"
        case "match" | "relevance" if not (number and 0 <= float(value) <= 1):  # type: ignore[arg-type]  # likewise
            return f"must be a number from 0 to 1 for kind {kind!r}"
    return None
