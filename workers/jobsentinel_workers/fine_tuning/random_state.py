"""Random numbers of a run, kept apart from the process's; torch's are carried by checkpoints."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

_CPU = "cpu"
_CUDA = "cuda"


@contextmanager
def own_random_state(seed: int) -> Iterator[None]:
    """Start torch's generators at ``seed`` and give the process its own back afterwards.

    The libraries' trainers also seed Python's and numpy's; these are given back as well.
    """
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)


def get_random_state() -> dict[str, torch.Tensor]:
    """Return the generators' states as bytes."""
    state = {_CPU: torch.get_rng_state()}
    if torch.cuda.is_available():
        state[_CUDA] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Mapping[str, torch.Tensor]) -> None:
    """Set what ``get_random_state`` gave; a GPU's state is left where there is no GPU."""
    torch.set_rng_state(state[_CPU])
    if _CUDA in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state[_CUDA])
