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
        clusters: of rows that were set apart together, one for each: near-duplicates, or all rows
            of one query.
        is_new: of each, whether it came since the last training, where others are replayed.
        keys: by which they are known again.
    """

    positions: tuple[int, ...]
    groups: list[int]
    clusters: list[int]
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
    texts: Sequence[str],
    name: str,
    judged_before: frozenset[str],
    new: int | None,
    *,
    queries: Sequence[str] | None = None,
) -> tuple[tuple[int, ...], FrozenPart]:
    """Return the positions of the rows that train, and the rows that judge.

    Args:
        texts: of all rows.
        name: of the model.
        judged_before: keys of rows that must never train.
        new: so many of the first rows are new; None where nothing is replayed.
        queries: of the rows, where all rows of a query judge or none does: what a ranking is worth
            shows at queries that were not learnt.
    """
    groups = _near_duplicates(texts)
    units, clusters = texts, groups
    if queries is not None:
        units, clusters = queries, _near_duplicates(queries)
        groups = _pairs_of(clusters, groups)
    split = split_frozen(units, clusters, FROZEN_SHARE, name, judged_before=judged_before)
    return split.training, FrozenPart(
        split.frozen,
        [groups[n] for n in split.frozen],
        [clusters[n] for n in split.frozen],
        [new is not None and n < new for n in split.frozen],
        split.keys,
    )


def _near_duplicates(texts: Sequence[str]) -> list[int]:
    """Return a group for each text; of those that come often, such as a query, one is looked at."""
    different = list(dict.fromkeys(texts))
    group_of = dict(zip(different, near_duplicate_groups(different), strict=True))
    return [group_of[text] for text in texts]


def _pairs_of(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return a number for each position, the same where both groups are."""
    numbers: dict[tuple[int, int], int] = {}
    return [numbers.setdefault(pair, len(numbers)) for pair in zip(one, other, strict=True)]


def today() -> str:
    """Return the date in UTC, ISO 8601."""
    return datetime.now(UTC).date().isoformat()
