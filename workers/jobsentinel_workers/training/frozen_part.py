"""The rows of a training that only judge, and what they say of old rows and new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from jobsentinel_workers.gate import Contender, GatePolicy, Verdict, split_frozen
from jobsentinel_workers.gate.forgetting import write_changes
from jobsentinel_workers.multi_task.near_duplicates import near_duplicate_groups

FROZEN_SHARE = 0.15

JudgePart = Callable[[Sequence[int]], tuple[Contender, Contender]]
"""From places among the frozen rows to challenger and champion, as they answer these."""


@dataclass(frozen=True, slots=True)
class FrozenPart:
    """Which rows judge.

    Attributes:
        positions: of the rows.
        groups: of near-duplicates, one for each.
        is_new: of each, whether it came since the last training, where others are replayed.
        keys: by which they are known again.
    """

    positions: tuple[int, ...]
    groups: list[int]
    is_new: list[bool]
    keys: frozenset[str]

    def with_changes(self, verdict: Verdict, judge: JudgePart, policy: GatePolicy) -> Verdict:
        """Return the verdict with what the training brought on new rows, and cost on old ones."""
        found: list[str] = []
        for is_new, name in ((False, "rows known before"), (True, "new rows")):
            places = [place for place, its in enumerate(self.is_new) if its is is_new]
            found += write_changes(*judge(places), name, policy)
        return replace(verdict, reasons=(*verdict.reasons, *found))


def freeze(
    texts: Sequence[str], name: str, judged_before: frozenset[str], new: int | None
) -> tuple[tuple[int, ...], FrozenPart]:
    """Return the positions of the rows that train, and the rows that judge.

    Args:
        texts: of all rows.
        name: of the model.
        judged_before: keys of rows that must never train.
        new: so many of the first rows are new; None where nothing is replayed.
    """
    groups = near_duplicate_groups(texts)
    split = split_frozen(texts, groups, FROZEN_SHARE, name, judged_before=judged_before)
    return split.training, FrozenPart(
        split.frozen,
        [groups[n] for n in split.frozen],
        [new is not None and n < new for n in split.frozen],
        split.keys,
    )


def today() -> str:
    """Return the date in UTC, ISO 8601."""
    return datetime.now(UTC).date().isoformat()
