"""What rows must not say of each other: two labels for one text, or scores for some pairs only."""

from __future__ import annotations

from collections.abc import Sequence

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.examples import Example


def check_agreement(examples: Sequence[Example], places: Sequence[str]) -> None:
    """Refuse rows that contradict each other; ``places`` names them in errors.

    Texts that differ in case or white space are the same. Numbers may differ: salaries do.

    Raises:
        InvalidInput: naming both rows.
    """
    _check_labels(examples, places)
    _check_scores(examples, places)


def _check_labels(examples: Sequence[Example], places: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for at, example in enumerate(examples):
        if not isinstance(example.target, str):
            return
        seen = first.setdefault(example.texts[0].casefold(), at)
        if examples[seen].target != example.target:
            raise InvalidInput(
                f"{places[at]}.label",
                f"is {example.target!r:.80}, but {places[seen]} has the same text "
                f"with {examples[seen].target!r:.80}; keep one of them",
            )


def _check_scores(examples: Sequence[Example], places: Sequence[str]) -> None:
    for at, example in enumerate(examples):
        if example.scored != examples[0].scored:
            ours, first = ("has one", "none") if example.scored else ("is missing", "one")
            raise InvalidInput(
                f"{places[at]}.score",
                f"{ours}, but {places[0]} has {first}; give all pairs a score, or none",
            )
