"""What stored scores say about one question: probabilities of all classes, or a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobsentinel_workers.models_in_service import SCORING

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredScore:
    """One model's answer about a posting; it has probabilities or a value.

    Attributes:
        model_version: as ``name@version``.
        change_seq: of the result that holds it.
    """

    probabilities: Mapping[str, float] | None
    value: float | None
    model_version: str
    change_seq: int

    def has_classes_of(self, other: StoredScore) -> bool:
        """Whether both are probabilities of the same classes, or both values."""
        if self.probabilities is None or other.probabilities is None:
            return self.probabilities is other.probabilities
        return self.probabilities.keys() == other.probabilities.keys()


@dataclass(frozen=True, slots=True)
class ScoreReader:
    """Finds the answer about ``kind`` of a model: the scoring model, or one of the user's own."""

    kind: str
    model: str

    def read(self, payload: Payload, change_seq: int) -> StoredScore | None:
        """Return the answer in a stored score, or None where it holds none.

        The likeliest class alone is none: it does not tell how close the others come.
        """
        if self.model == SCORING and self.kind in _BUILT_IN:
            found = _BUILT_IN[self.kind](payload)
            stamp = payload.get("model")
        else:
            answer = self._custom(payload)
            found, stamp = _of_custom(answer), answer.get("model")
        if found is None or stamp is None:
            return None
        probabilities, value = found
        version = f"{stamp['name']}@{stamp['version']}"
        return StoredScore(probabilities, value, version, change_seq)

    def _custom(self, payload: Payload) -> Payload:
        # Further tasks of the scoring model stand among the user's models, under their own names.
        answers: Payload = payload.get("custom") or {}
        answer: Payload = answers.get(self.kind if self.model == SCORING else self.model) or {}
        return answer


_Found = tuple[Mapping[str, float] | None, float | None]


def _of_category(payload: Payload) -> _Found | None:
    answer = payload.get("category")
    return None if answer is None else (answer["probabilities"], None)


def _of_scam(payload: Payload) -> _Found | None:
    answer = payload.get("scam")
    return None if answer is None else (_yes_or_no(answer["probability"]), None)


def _of_salary(payload: Payload) -> _Found | None:
    answer = payload.get("salary_year_usd")
    return None if answer is None else (None, float(answer["value"]))


def _of_match(payload: Payload) -> _Found | None:
    answer = payload.get("match_quality")
    return None if answer is None else (None, float(answer))


def _of_custom(answer: Payload) -> _Found | None:
    if answer.get("probabilities"):
        return answer["probabilities"], None
    if answer.get("value") is not None:
        return None, float(answer["value"])
    if answer.get("label") is None and answer.get("probability") is not None:
        return _yes_or_no(answer["probability"]), None
    return None


def _yes_or_no(yes: float) -> dict[str, float]:
    return {"no": 1.0 - yes, "yes": yes}


_BUILT_IN: Final[Mapping[str, Callable[[Payload], _Found | None]]] = {
    "category": _of_category,
    "scam": _of_scam,
    "salary": _of_salary,
    "match": _of_match,
}
