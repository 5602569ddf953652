"""A labelled set for fine-tuning: read, checked, hashed, split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MAX_CLASSES, MAX_TRAINING_ROWS, MIN_TRAINING_ROWS
from jobsentinel_workers.fine_tuning.agreement import check_agreement
from jobsentinel_workers.fine_tuning.config import TaskKind
from jobsentinel_workers.fine_tuning.examples import (
    TARGET_FIELDS,
    Example,
    read_example,
    task_of,
)
from jobsentinel_workers.fine_tuning.splitting import split_examples


@dataclass(frozen=True)
class JobMatchingDataset:
    """Examples of one task.

    Rows are ``{"text", "label"}``, ``{"text", "value"}``, ``{"text_a", "text_b"}`` for pairs that
    belong together, with a ``score`` from 0 to 1 for pairs that do so more or less, or ``{"query",
    "text", "score"}``, with a ``weight`` for rows that count as more or less than one in the loss;
    an ``id`` is allowed and not read.

    Example:
        >>> rows = [{"text": f"Nurse {n}", "label": n % 2} for n in range(8)]
        >>> JobMatchingDataset.from_rows(rows).classes
        ('0', '1')
    """

    task: TaskKind
    examples: tuple[Example, ...]

    @classmethod
    def from_rows(cls, rows: Iterable[Any], task: TaskKind | None = None) -> Self:
        """Return the set of ``rows``; without ``task``, the first row's fields tell it.

        Raises:
            InvalidInput: naming the row and field, both rows where one text has two labels, or
                ``rows`` when there are too few or too many or nothing to tell apart.
        """
        return cls._from_placed(((f"rows.{at}", row) for at, row in enumerate(rows)), task)

    @classmethod
    def from_jsonl(cls, path: Path | str, task: TaskKind | None = None) -> Self:
        """Return the set in a file of one JSON object a line; empty lines are skipped.

        Raises:
            InvalidInput: naming the line, from 1, and the field.
        """
        return cls._from_placed(_read_lines(Path(path)), task)

    @classmethod
    def _from_placed(cls, rows: Iterable[tuple[str, Any]], task: TaskKind | None) -> Self:
        examples: list[Example] = []
        places: list[str] = []
        for place, row in rows:
            task = task or task_of(row, place)
            examples.append(read_example(row, task, place))
            places.append(place)
            if len(examples) > MAX_TRAINING_ROWS:
                raise InvalidInput("rows", f"must be at most {MAX_TRAINING_ROWS}")
        if task is None or len(examples) < MIN_TRAINING_ROWS:
            raise InvalidInput("rows", f"must be at least {MIN_TRAINING_ROWS}, not {len(examples)}")
        check_agreement(examples, places)
        return cls._checked(task, examples)

    @classmethod
    def _checked(cls, task: TaskKind, examples: Sequence[Example]) -> Self:
        different = len({example.target for example in examples})
        field = TARGET_FIELDS[task]
        if not examples[0].scored:
            return cls(task, tuple(examples))
        if different < 2:
            raise InvalidInput(f"rows.{field}", "must not be the same in all rows")
        if task == "classification" and different > MAX_CLASSES:
            raise InvalidInput(f"rows.{field}", f"must be at most {MAX_CLASSES} different ones")
        return cls(task, tuple(examples))

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels in alphabetical order; empty unless this is classification."""
        if self.task != "classification":
            return ()
        return tuple(sorted({str(example.target) for example in self.examples}))

    @property
    def positive_pairs(self) -> bool:
        """Whether the rows are pairs that belong together, without scores."""
        return bool(self.examples) and not self.examples[0].scored

    @cached_property
    def texts(self) -> list[str]:
        """All texts in one list; a pair takes two neighbouring places."""
        return [text for example in self.examples for text in example.texts]

    @cached_property
    def sha256(self) -> str:
        """A hash of what is learnt from: texts, targets and weights in their order."""
        digest = hashlib.sha256(self.task.encode())
        for example in self.examples:
            target = example.target if example.scored else None
            weight = () if example.weight is None else (example.weight,)
            line = json.dumps([example.texts, target, *weight], ensure_ascii=True)
            digest.update(line.encode() + b"\n")
        return digest.hexdigest()

    def numbers(self) -> NDArray[np.float64]:
        """Return the targets of all tasks but classification, (n,)."""
        return np.array([float(example.target) for example in self.examples])

    def weights(self) -> NDArray[np.float64]:
        """Return how many rows each row counts as, (n,)."""
        weights = (example.weight for example in self.examples)
        return np.array([1.0 if weight is None else weight for weight in weights])

    def class_indices(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return each label's place in ``classes``, (n,).

        Raises:
            InvalidInput: a label is not among them.
        """
        place = {name: at for at, name in enumerate(classes)}
        for at, example in enumerate(self.examples):
            if example.target not in place:
                raise InvalidInput(f"rows.{at}.label", f"{example.target!r} was not trained on")
        return np.array([place[str(example.target)] for example in self.examples], dtype=np.int64)

    def split(self, fraction: float, seed: int) -> tuple[Self, Self]:
        """Return a training and a validation set with about ``fraction`` of the rows.

        Rows with the same text stay on one side, labels keep their shares where they can, and
        every label keeps a row to train on. The same rows and seed give the same split.

        Raises:
            InvalidInput: there are too few different texts to set any apart.
        """
        train, validation = split_examples(self.examples, fraction, seed)
        parts = [tuple(self.examples[at] for at in rows) for rows in (train, validation)]
        return type(self)(self.task, parts[0]), type(self)(self.task, parts[1])


def _read_lines(path: Path) -> Iterator[tuple[str, Any]]:
    if not path.is_file():
        raise InvalidInput("path", f"{path} is not a file")
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield f"line {number}", _parse(line, f"line {number}")


def _parse(line: bytes, place: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(place, f"is not JSON in UTF-8 ({error})") from error
