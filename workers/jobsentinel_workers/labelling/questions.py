"""What people are asked about a posting, and how their answer becomes a label's value.

Four kinds of label have a fixed form; any other is the user's, and its classes are those given or
those that are labelled already. Tools write answers in their own ways: keys or display names of
classes, ``yes`` or ``true``, ``52,000`` or ``52k``. Whatever is none of these is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from sqlalchemy import Connection, select

from jobsentinel.contract.base import kind_of
from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import RELEVANCE
from jobsentinel.contract.postings import label_problem
from jobsentinel_workers.store.schema import labels

Form = Literal["choice", "yes_no", "number"]
Value = str | bool | float

BUILT_IN: Final = ("category", "salary", "scam", "match")

_YES: Final = frozenset({"yes", "y", "true", "1", "scam"})
_NO: Final = frozenset({"no", "n", "false", "0", "genuine"})
_NUMBER: Final = re.compile(
    r"\$?\s*([+-]?(?:\d{1,3}(?:[, ]\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(k?)", re.IGNORECASE
)
_LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"salary": (1_000.0, 10_000_000.0), "match": (0.0, 1.0)}
)


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of label as a question to people.

    Attributes:
        classes: key and display name of each answer of a choice, in the order in which it is shown.
        limits: least and greatest number, where there are any.
    """

    kind: str
    form: Form
    classes: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The question in words."""
        return {
            "category": "Which category is this job in?",
            "salary": "What does it pay a year, in USD?",
            "scam": "Is it a scam?",
            "match": "How well does it fit, from 0 to 1?",
        }.get(self.kind, f"{self.kind}?")

    def value_of(self, said: object) -> Value:
        """Return the label's value for an answer, as a tool wrote it or a person typed it.

        Raises:
            InvalidInput: it is no answer to this question.
        """
        value = self._read(said)
        if problem := label_problem(self.kind, value):
            raise InvalidInput("value", f"{problem} (found {kind_of(said)} {said!r:.40})")
        return value

    def told(self, value: Value) -> str:
        """Return a value as people read it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return self.classes.get(value, value)
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"

    def _read(self, said: object) -> Value:
        if self.form == "choice":
            return self._class(said)
        if self.form == "yes_no":
            return _truth(said)
        return _number(said)

    def _class(self, said: object) -> str:
        if isinstance(said, str):
            wanted = said.strip()
            if said in self.classes:
                return said
            for key, name in self.classes.items():
                if wanted.casefold() in {key.casefold(), name.casefold()}:
                    return key
        known = ", ".join(list(self.classes)[:5]) + (", ..." if len(self.classes) > 5 else "")
        raise InvalidInput("value", f"must be one of {known} (found {kind_of(said)} {said!r:.40})")


def _truth(said: object) -> bool:
    if isinstance(said, bool):
        return said
    word = said.strip().casefold() if isinstance(said, str) else said
    if word in _YES or word == 1:
        return True
    if word in _NO or word == 0:
        return False
    raise InvalidInput("value", f"must be yes or no (found {kind_of(said)} {said!r:.40})")


def _number(said: object) -> float:
    if isinstance(said, str):
        found = _NUMBER.fullmatch(said.strip())
        if found and any(map(str.isdigit, found[1])):
            number = float(found[1].replace(",", "").replace(" ", ""))
            return number * (1_000.0 if found[2] else 1.0)
    elif isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said):
        return float(said)
    raise InvalidInput("value", f"must be a number (found {kind_of(said)} {said!r:.40})")


def built_in_question(kind: str) -> Question:
    """Return the question of one of the kinds that are built in."""
    if kind == "category":
        return Question(kind, "choice", JOB_CATEGORIES)
    if kind == "scam":
        return Question(kind, "yes_no")
    return Question(kind, "number", limits=_LIMITS[kind])


def question_for(connection: Connection, kind: str, classes: Sequence[str] = ()) -> Question:
    """Return the question of ``kind``; of one of the user's, by the classes given or labelled.

    Raises:
        InvalidInput: feedback on searches is no such kind; classes are given for a built-in kind;
            nothing is known of a kind of the user's.
    """
    if kind == RELEVANCE:
        raise InvalidInput("kind", f"{kind!r} belongs to a query; `jobsentinel label feedback`")
    if kind in BUILT_IN:
        if classes:
            raise InvalidInput("class", f"must not be given for the kind {kind!r}")
        return built_in_question(kind)
    if classes:
        return _own_choice(kind, list(dict.fromkeys(classes)))
    return _by_values(kind, _labelled_values(connection, kind))


def _labelled_values(connection: Connection, kind: str) -> list[object]:
    found = connection.scalars(select(labels.c.value).where(labels.c.kind == kind).distinct())
    return [value for value in found if value is not None]


def _by_values(kind: str, values: list[object]) -> Question:
    if values and all(isinstance(value, bool) for value in values):
        return Question(kind, "yes_no")
    if values and all(isinstance(value, str) for value in values):
        return _own_choice(kind, sorted(map(str, values)))
    if values and not any(isinstance(value, str | bool) for value in values):
        return Question(kind, "number")
    raise InvalidInput(
        "kind", f"{kind!r} is a kind of your own: name its answers with --class, two or more"
    )


def _own_choice(kind: str, classes: list[str]) -> Question:
    if len(classes) < 2:
        raise InvalidInput("class", f"of the kind {kind!r} must be two or more")
    return Question(kind, "choice", {each: each for each in classes})
