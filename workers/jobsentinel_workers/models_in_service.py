"""Which models serve: the registry of a data folder, over the starter weights of the package.

Nothing here loads torch, so the command line and a training parent can ask as well.
"""

from __future__ import annotations

from typing import Final

from jobsentinel.settings import Settings
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.starter import starter_path

SCORING: Final = "multi-task"
RERANKER: Final = "reranker"
BUILTIN_MODELS: Final = (SCORING, RERANKER)


def open_registry(settings: Settings) -> ModelRegistry:
    """Return the registry of the data folder, with the starter weights as version 0.

    Raises:
        ModelUnavailable: starter weights are missing, so the package is not installed whole.
    """
    builtin = {name: starter_path(name) for name in BUILTIN_MODELS}
    return ModelRegistry(settings.models_dir, builtin=builtin)


def models_generation(registry: ModelRegistry) -> str:
    """Return a text that changes when any champion does."""
    return ",".join(f"{name}={registry.generation(name)}" for name in registry.names())
