"""Groups out of pairs: what is tied to the same thing belongs together (union-find)."""

from __future__ import annotations

from collections.abc import Iterable


def groups_of_pairs(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return for each of ``count`` positions its group, the position of one of its members.

    A pair puts the group of its first position under the one of its second.
    """
    parents = list(range(count))

    def root(position: int) -> int:
        while parents[position] != position:
            parents[position] = parents[parents[position]]
            position = parents[position]
        return position

    for first, second in pairs:
        parents[root(first)] = root(second)
    return [root(position) for position in range(count)]
