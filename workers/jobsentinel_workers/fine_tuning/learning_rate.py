"""How the learning rate moves through a run."""

from __future__ import annotations

from typing import Final

WARMUP_SHARE: Final = 0.1


def rate_factor(step: int, total_steps: int) -> float:
    """Return the share of the learning rate at ``step`` (from 0): up, then down to zero.

    It depends on the step alone, so a resumed run goes on with the rate it would have had.
    """
    warmup = max(1, round(WARMUP_SHARE * total_steps))
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (total_steps - step) / max(1, total_steps - warmup))
