"""Circles of labelling and training: asking the fleet to look at them, and what it found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jobsentinel.contract.base import Identifier, Items, Message
from jobsentinel.contract.results import Answer

LoopAction = Literal["none", "started", "running", "noted", "waiting", "blocked"]


class CheckLoopsRequest(Message):
    """Look at the loops of these kinds of label, or at all: is a training due, or over?"""

    kinds: Annotated[Items[Identifier], Field(min_length=1, max_length=100)] | None = None


class LoopCheck(Answer):
    """What came of looking at one loop."""

    kind: str
    model: str
    action: LoopAction
    """``started`` a training, which then is ``running``; ``noted`` how it ended; ``waiting`` for a
    queue or for another training of the model; ``blocked`` by a fault; or ``none``."""
    due: bool
    reason: str
    """In words: why or why not, or how the training ended."""
    run_id: str | None = None


class CheckLoopsResult(Answer):
    """All loops that were looked at, by kind."""

    loops: Items[LoopCheck]
