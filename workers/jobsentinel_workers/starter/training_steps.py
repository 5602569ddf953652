"""The steps of a training: texts of like length run together, weights move, lines tell how far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from torch import nn

from jobsentinel_workers.encoders import EncodedText, PaddedBatch, pad_batch

STEPS_A_LINE: Final = 25
MAX_GRADIENT_NORM: Final = 1.0


def take_steps(
    steps: int,
    draw_loss: Callable[[], torch.Tensor],
    *,
    weights: Sequence[nn.Parameter],
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    log: Callable[[str], None],
) -> None:
    """Move ``weights`` down the loss of ``draw_loss``, ``steps`` times; ``log`` hears its mean."""
    recent: list[float] = []
    started = time.monotonic()
    for step in range(1, steps + 1):
        loss = draw_loss()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        recent.append(float(loss.detach()))
        if step % STEPS_A_LINE == 0:
            seconds = time.monotonic() - started
            log(f"step {step}/{steps} loss {np.mean(recent):.4f} {seconds:.0f} s")
            recent.clear()


def run_by_length(
    encoded: Sequence[EncodedText],
    parts: int,
    run: Callable[[PaddedBatch], torch.Tensor],
    pad_id: int = 0,
) -> torch.Tensor:
    """Return what ``run`` makes of the texts, in their order, open to gradients.

    The shortest run together, then the next, in so many ``parts``: that saves most of the padding.
    """
    order = np.argsort([len(text) for text in encoded], kind="stable")
    made = [
        run(pad_batch([encoded[row] for row in part], pad_id=pad_id))
        for part in np.array_split(order, parts)
        if len(part)
    ]
    return torch.cat(made)[torch.from_numpy(np.argsort(order, kind="stable"))]
