"""The labelled texts that a replay hides and asks for again: distinct, checked, of known classes.

A text that is there twice counts once; one with two different labels is left out, since nobody
knows which of them a person would give. Both are told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import normalise
from jobsentinel_workers.multi_task import Task, TaskType, scored_text

Codes = npt.NDArray[np.intp]

_NO_AND_YES = (("no", "yes"), ("false", "true"), ("0", "1"))
"""Pairs of classes that answer a yes-or-no question, the second one yes."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTexts:
    """Distinct texts with one class each.

    Attributes:
        texts: n texts as the models see them, salary figures taken out.
        codes: (n,) positions in ``classes``.
        classes: two or more names, by the alphabet; of a yes-or-no question no, then yes.
        is_binary: whether it is one.
        notes: what was left out, for people.
    """

    texts: tuple[str, ...]
    codes: Codes
    classes: tuple[str, ...]
    is_binary: bool
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str]], *, positive: str | None = None) -> LabelledTexts:
        """Return what ``rows`` of text and label hold.

        Args:
            positive: of two classes, the one that is yes; ``yes``, ``true`` and ``1`` beside their
                opposite are so without saying.

        Raises:
            InvalidInput: there are fewer than two classes, or ``positive`` is not one of two.
        """
        given = [(scored_text(normalise(text)), label) for text, label in rows]
        label_of, notes = _one_label_each(given)
        classes = _ordered(sorted(set(label_of.values())), positive)
        place = {name: number for number, name in enumerate(classes)}
        codes = np.array([place[label] for label in label_of.values()], dtype=np.intp)
        binary = positive is not None or tuple(map(str.casefold, classes)) in _NO_AND_YES
        return cls(tuple(label_of), codes, classes, binary, notes)

    def task(self, base_rate: float | None = None) -> Task:
        """Return the question that the labels answer.

        Raises:
            InvalidInput: there is a base rate and the question is no yes-or-no question.
        """
        if self.is_binary:
            return Task("label", TaskType.BINARY, base_rate=base_rate)
        if base_rate is not None:
            raise InvalidInput("base_rate", "is for yes-or-no labels; positive names what is yes")
        return Task("label", TaskType.CLASSIFICATION, classes=self.classes)

    def fingerprint(self) -> str:
        """Return 32 hexadecimal digits that stand for all texts and labels, in their order."""
        hashed = hashlib.sha256(repr((self.classes, self.codes.tolist())).encode())
        for text in self.texts:
            hashed.update(hashlib.sha256(text.encode()).digest())
        return hashed.hexdigest()[:32]


def _one_label_each(rows: list[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    labels: dict[str, set[str]] = {}
    for text, label in rows:
        labels.setdefault(text, set()).add(label)
    agreed = {text: next(iter(given)) for text, given in labels.items() if len(given) == 1}
    notes = []
    if repeated := len(rows) - len(labels):
        notes.append(f"Rows that repeat the text of another and count once: {repeated:,}.")
    if torn := len(labels) - len(agreed):
        notes.append(f"Texts that have two different labels and are left out: {torn:,}.")
    return agreed, tuple(notes)


def _ordered(names: list[str], positive: str | None) -> tuple[str, ...]:
    if len(names) < 2:
        held = f"hold one class only, {names[0]!r:.80}" if names else "hold no row"
        raise InvalidInput("labels", f"{held}; two classes or more are needed")
    if positive is None:
        return tuple(names)
    if positive not in names or len(names) != 2:
        listed = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
        problem = f"must be one of two classes, not {positive!r:.80}; there are {listed}"
        raise InvalidInput("positive", problem)
    return (next(name for name in names if name != positive), positive)
