"""A posting on its way to a person: what is shown, what a model says, and why it was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from jobsentinel_workers.labelling.questions import BUILT_IN, Question, Value
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.store.postings import StoredPosting

ORIGIN_FIELDS: Final = ("strategy", "chosen_by", "model_version")
"""Of a label too: what chose the posting."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a posting.

    Attributes:
        value: the likeliest class, yes or no, or the number.
        probability: of that value, where the model gives one.
        low: with ``high`` the interval of a number, where the model gives one.
        probabilities: of all classes, where the model gives them.
        model_version: as ``name@version``.
    """

    value: Value
    model_version: str
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    probabilities: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A label that is there already, for files that carry labels."""

    value: Value
    annotator: str
    created_at: str
    seconds_spent: float | None = None


@dataclass(frozen=True, slots=True)
class LabellingTask:
    """One posting to label.

    Attributes:
        position: from 1, in the order in which to label.
        score: the acquisition score; None where nothing chose the posting.
        chosen_by: the part of the strategy; ``random`` is the part drawn evenly.
        model_version: whose view counted.
    """

    posting_id: str
    title: str
    text: str
    position: int = 1
    prediction: Prediction | None = None
    score: float | None = None
    reason: str | None = None
    strategy: str | None = None
    chosen_by: str | None = None
    model_version: str | None = None
    answers: tuple[Answer, ...] = ()

    @property
    def origin(self) -> dict[str, str]:
        """What a label of this posting keeps of how it was chosen."""
        found = {name: getattr(self, name) for name in ORIGIN_FIELDS}
        return {name: value for name, value in found.items() if value is not None}


def shown_text(posting: StoredPosting) -> str:
    """Return a posting for people: title, facts with the salary it states, and description.

    Models are shown another text, without the salary.
    """
    facts = (
        posting.company,
        posting.location,
        posting.employment_type,
        posting.experience_level,
        "remote" if posting.remote else None,
        posting.salary,
    )
    parts = (posting.title, " · ".join(fact for fact in facts if fact), posting.description)
    return "\n\n".join(part for part in parts if part)


def prediction_in(payload: Mapping[str, Any], question: Question, model: str) -> Prediction | None:
    """Return what a stored score says to a question, or None where no trained head answers.

    Args:
        payload: a stored `PostingScore`.
        model: the scoring model, or one of the user's.
    """
    if model != SCORING or question.kind not in BUILT_IN:
        answers = payload.get("custom") or {}
        return _own(answers.get(question.kind if model == SCORING else model))
    if (stamp := payload.get("model")) is None:
        return None
    return _BUILT_IN[question.kind](payload, f"{stamp['name']}@{stamp['version']}")


def _category(payload: Mapping[str, Any], version: str) -> Prediction | None:
    if not (found := payload.get("category")):
        return None
    probabilities = dict(found["probabilities"])
    return Prediction(found["label"], version, found["probability"], probabilities=probabilities)


def _scam(payload: Mapping[str, Any], version: str) -> Prediction | None:
    if not (found := payload.get("scam")):
        return None
    says = bool(found["is_scam"])
    return Prediction(says, version, found["probability"] if says else 1.0 - found["probability"])


def _salary(payload: Mapping[str, Any], version: str) -> Prediction | None:
    if not (found := payload.get("salary_year_usd")):
        return None
    return Prediction(found["value"], version, low=found["low"], high=found["high"])


def _match(payload: Mapping[str, Any], version: str) -> Prediction | None:
    value = payload.get("match_quality")
    return None if value is None else Prediction(value, version)


_BUILT_IN: Final = MappingProxyType(
    {"category": _category, "scam": _scam, "salary": _salary, "match": _match}
)


def _own(found: Mapping[str, Any] | None) -> Prediction | None:
    if not found or not found.get("model"):
        return None
    version = f"{found['model']['name']}@{found['model']['version']}"
    sure = found.get("probability")
    if found.get("label") is not None:
        return Prediction(found["label"], version, sure)
    if found.get("value") is not None:
        return Prediction(found["value"], version)
    if sure is None:
        return None
    return Prediction(sure >= 0.5, version, max(sure, 1.0 - sure))
