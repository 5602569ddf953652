"""Starter weights: what a fresh install answers with, and how they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jobsentinel.contract.errors import ModelUnavailable

_FOLDERS: Final = {"multi-task": "multi_task", "reranker": "reranker"}


def starter_path(name: str) -> Path:
    """Return the folder of the starter weights ``name``: multi-task or reranker.

    Raises:
        ModelUnavailable: there is no such starter model, or its files are missing.
    """
    if name not in _FOLDERS:
        raise ModelUnavailable(f"no starter model {name!r}; there are {', '.join(_FOLDERS)}")
    folder = Path(__file__).parent / _FOLDERS[name]
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"the starter model {name!r} is missing from {folder}")
    return folder


__all__ = ["starter_path"]
