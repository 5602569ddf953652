"""What a stored score says about a kind of label, and whether a label agrees with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobsentinel_workers.models_in_service import SCORING

_FIELDS: Final = {"category": "category", "scam": "scam", "salary": "salary_year_usd"}
"""Where a score has the scoring model's answers; those to other kinds stand among the custom."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer of one version of a model about one posting."""

    version: int
    content: Mapping[str, Any]

    def agrees(self, value: Any) -> bool | None:
        """Return whether it is what a label says; None where that cannot be told.

        A class is the same or not. A number lies in the answer's interval or not; an answer without
        an interval does not say how near it means to be.
        """
        if "is_scam" in self.content:
            return bool(self.content["is_scam"] is value)
        if "label" in self.content:
            return str(self.content["label"]) == _class_name(value)
        if "low" in self.content and "high" in self.content:
            return bool(self.content["low"] <= value <= self.content["high"])
        return None


def stored_answer(payload: Mapping[str, Any], kind: str, model: str) -> StoredAnswer | None:
    """Return what ``model`` said in a stored score about ``kind``, if it said anything."""
    stamp = payload.get("model")
    if model == SCORING and kind in _FIELDS:
        content = payload.get(_FIELDS[kind])
    else:
        content = payload.get("custom", {}).get(kind if model == SCORING else model)
        stamp = None if content is None else content.get("model")
    if content is None or stamp is None or stamp.get("name") != model:
        return None
    return StoredAnswer(int(stamp["version"]), content)


def _class_name(value: Any) -> str:
    """Name a label as trainings name classes that are numbers or truth values."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
