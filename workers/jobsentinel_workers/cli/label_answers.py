"""Which keys mean which answer, and answers that are typed: numbers, and classes by number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.questions import Question, Value

UNDO: Final = "u"
SKIP: Final = "s"
QUIT: Final = "q"

_KEYS: Final = "123456789" + "".join(c for c in "abcdefghijklmnopqrstuvwxyz" if c not in "usq")


def keys_for(question: Question) -> Mapping[str, Value]:
    """Return the answer of each key; none where answers are typed.

    Keys follow the order of the classes and not what a model says, so that fingers learn them and
    nobody is led.
    """
    if question.form == "yes_no":
        return {"y": True, "n": False}
    if question.form == "choice" and len(question.classes) <= len(_KEYS):
        return dict(zip(_KEYS, question.classes, strict=False))
    return {}


@dataclass(slots=True)
class Typing:
    """An answer while it is typed.

    Attributes:
        shown: what stands there so far.
        fault: why what was entered last is none.
    """

    question: Question
    shown: str = ""
    fault: str = ""
    _classes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self._classes = list(self.question.classes)

    def add(self, key: str) -> None:
        """Take a character; what is no part of a number is let pass."""
        if key.isdecimal() or key in ".,-$" or (key in "kKeE" and self.shown):
            self.shown += key
        self.fault = ""

    def back(self) -> None:
        """Take the last character away."""
        self.shown = self.shown[:-1]

    def enter(self) -> Value | None:
        """Return the answer; None if it is none, and ``fault`` says why."""
        typed, self.shown = self.shown, ""
        if not typed:
            return None
        try:
            return self._value(typed)
        except InvalidInput as error:
            self.fault = f"{typed}: {error.problem}"
            return None

    def _value(self, typed: str) -> Value:
        if not self._classes:
            return self.question.value_of(typed)
        if not typed.isdecimal() or not 1 <= int(typed) <= len(self._classes):
            raise InvalidInput("value", f"type a number from 1 to {len(self._classes)}")
        return self._classes[int(typed) - 1]
