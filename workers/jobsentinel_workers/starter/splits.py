"""Which rows are trained on and which only judge the result, fixed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def split(items: Sequence[T], share: float, seed: int) -> tuple[list[T], list[T]]:
    """Return ``items`` in two random parts, the second of the ``share`` given; order is kept."""
    held_out = np.random.default_rng(seed).random(len(items)) < share
    return (
        [item for item, out in zip(items, held_out, strict=True) if not out],
        [item for item, out in zip(items, held_out, strict=True) if out],
    )


def folds_by_group(groups: Sequence[int], count: int, seed: int) -> list[list[int]]:
    """Return positions in ``count`` parts that share no group."""
    names = np.random.default_rng(seed).permutation(sorted(set(groups)))
    fold_of = {int(name): number % count for number, name in enumerate(names)}
    return [
        [n for n, group in enumerate(groups) if fold_of[group] == fold] for fold in range(count)
    ]


def split_by_group(
    items: Sequence[T], groups: Sequence[object], share: float, seed: int
) -> tuple[list[T], list[T]]:
    """Return ``items`` in two parts such that no group is in both."""
    names = list(dict.fromkeys(groups))
    _, held_out = split(names, share, seed)
    apart = set(held_out)
    return (
        [item for item, group in zip(items, groups, strict=True) if group not in apart],
        [item for item, group in zip(items, groups, strict=True) if group in apart],
    )
