"""How texts of different lengths are cut into batches that waste little on padding."""

from __future__ import annotations

from collections.abc import Sequence


def plan_batches(
    lengths: Sequence[int], *, max_tokens_a_batch: int, max_rows: int
) -> list[list[int]]:
    """Return batches of positions in ``lengths``, shortest texts first.

    A batch is padded to its longest text, so what it costs is ``rows x longest``; it is cut before
    that passes ``max_tokens_a_batch``. A text longer than the budget gets a batch of its own.
    Equal lengths keep their order, so the plan is the same for the same lengths.
    """
    batches: list[list[int]] = []
    current: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Ascending order makes the newest text the longest one of its batch.
        padded = (len(current) + 1) * lengths[position]
        if current and (padded > max_tokens_a_batch or len(current) >= max_rows):
            batches.append(current)
            current = []
        current.append(position)
    if current:
        batches.append(current)
    return batches
