"""What a worker says of itself when `jobsentinel status` asks: the models that it serves.

The question goes to all workers as one of Celery's control commands, so that who answers is there,
and nothing stays behind of a worker that is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from celery.worker.control import inspect_command

COMMAND: Final = "jobsentinel_status"

_models: list[Callable[[], dict[str, Any]]] = []
"""At most one: of this process, as the control commands are."""
_index: list[Callable[[], dict[str, Any]]] = []
"""Likewise."""


def tell_models(report: Callable[[], dict[str, Any]]) -> None:
    """Let ``report`` answer for the models of this process."""
    _models[:] = [report]


def tell_index(report: Callable[[], dict[str, Any]]) -> None:
    """Let ``report`` answer for the index of stored postings."""
    _index[:] = [report]


def answer_status() -> None:
    """Register the control command with Celery."""
    inspect_command(name=COMMAND)(_answer)


def _answer(state: Any, **_: Any) -> dict[str, Any]:
    del state
    return {
        "models": _models[0]() if _models else {},
        "index": _index[0]() if _index else {},
    }
