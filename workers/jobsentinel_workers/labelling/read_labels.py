"""What a file of labels says once it is read: labels with their places, and what is wrong.

Whatever the tool, a row becomes a label by the same checks as one that is sent to the fleet. Two
rows that contradict each other, and a label of a posting that is not stored, are faults: neither
goes in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MAX_SECONDS_SPENT
from jobsentinel.contract.postings import Label
from jobsentinel_workers.labelling.questions import Question
from jobsentinel_workers.store import postings
from jobsentinel_workers.store.timestamps import checked_timestamp


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file is read for, and what counts where it does not say.

    Attributes:
        find: gives the question of a kind, or raises InvalidInput: files name kinds themselves.
        only: the one kind that is wanted; None for all.
        annotator: who labelled, where the file does not say.
        made_at: when, where the file does not say.
    """

    find: Callable[[str], Question]
    only: Question | None
    annotator: str | None
    made_at: str

    def question(self, kind: object, field: str) -> Question | None:
        """Return the question that a file calls ``kind``, or None for a known one not wanted.

        Raises:
            InvalidInput: there is no such kind of label.
        """
        if self.only is not None and kind == self.only.kind:
            return self.only
        try:
            known = self.find(kind) if isinstance(kind, str) else None
        except InvalidInput:
            known = None
        if known is None:
            raise InvalidInput(field, f"{kind!r:.60} is no kind of label here; another project?")
        return None if self.only is not None else known


@dataclass(frozen=True, slots=True)
class ReadLabel:
    """A label, as columns of the store, and where in the file it stands."""

    place: str
    row: dict[str, Any]

    @property
    def question(self) -> tuple[str, str, str]:
        """Two labels of one file that share this contradict each other if their values differ."""
        return self.row["posting_id"], self.row["kind"], self.row.get("annotator", "")


@dataclass(slots=True)
class Reading:
    """What was read of a file.

    Attributes:
        name: of the file, for messages.
        labels: in the order of the file.
        faults: one a line or task that is left out, each with its place.
        unanswered: how many rows hold no label, by the reason: ``skipped``, ``not answered``.
    """

    name: str
    labels: list[ReadLabel] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unanswered: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Note what is refused inside the block as a fault at ``place``, and go on."""
        try:
            yield
        except InvalidInput as error:
            self.fault(place, f"{error.field}: {error.problem}")

    def fault(self, place: str, problem: str) -> None:
        """Note a fault."""
        self.faults.append(f"{self.name}:{place}: {problem}")

    def add(self, place: str, row: Mapping[str, Any]) -> None:
        """Take a label whose fields are as the contract's, with ``created_at`` and ``source``.

        Raises:
            InvalidInput: a field that a label cannot have.
        """
        given = {name: value for name, value in row.items() if value is not None}
        created_at = checked_timestamp("created_at", given.pop("created_at", None))
        source = given.pop("source", None)
        label = dump(Label.parse(given))
        self.labels.append(ReadLabel(place, {**label, "created_at": created_at, "source": source}))

    def refuse_unknown_postings(self, connection: Connection) -> None:
        """Turn labels of postings that are not stored into faults."""
        known = postings.exists(connection, {each.row["posting_id"] for each in self.labels})
        for each in self._left_out(lambda each: each.row["posting_id"] not in known):
            posting_id = each.row["posting_id"]
            self.fault(each.place, f"posting_id: {posting_id!r} is not a stored posting")

    def refuse_contradictions(self) -> None:
        """Turn labels of one annotator that differ and do not follow each other into faults."""
        said: dict[tuple[Any, ...], list[ReadLabel]] = {}
        for each in self.labels:
            said.setdefault((*each.question, each.row["created_at"]), []).append(each)
        against = {
            id(each): next(other for other in group if other.row["value"] != each.row["value"])
            for group in said.values()
            if any(other.row["value"] != group[0].row["value"] for other in group)
            for each in group
        }
        for each in self._left_out(lambda each: id(each) in against):
            other = against[id(each)]
            self.fault(
                each.place,
                f"value: {each.row['value']!r:.60} contradicts {other.row['value']!r:.60} at "
                f"{other.place} for posting {each.row['posting_id']!r}; neither is stored",
            )

    def _left_out(self, refused: Callable[[ReadLabel], bool]) -> Sequence[ReadLabel]:
        out = [each for each in self.labels if refused(each)]
        self.labels = [each for each in self.labels if not refused(each)]
        return out


def seconds(spent: object) -> float | None:
    """Return the seconds that a tool measured, at most a day: somebody who took longer had left.

    Raises:
        InvalidInput: it is no time.
    """
    if spent is None or spent == "":
        return None
    try:
        number = float(spent)  # type: ignore[arg-type]  # what it cannot take is refused below
    except (TypeError, ValueError):
        raise InvalidInput("seconds_spent", f"must be seconds, not {spent!r:.40}") from None
    if isinstance(spent, bool) or not number >= 0:
        raise InvalidInput("seconds_spent", f"must be 0 seconds or more, not {spent!r:.40}")
    return min(number, MAX_SECONDS_SPENT)
