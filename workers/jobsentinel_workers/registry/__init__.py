"""Versions of models on disk: immutable folders, aliases that are swapped in one step.

Nothing half-written is ever visible, nothing is loaded that differs from its manifest, and several
processes may register, promote and roll back at once.
"""

from __future__ import annotations

from jobsentinel_workers.registry.aliases import ChampionChanged
from jobsentinel_workers.registry.comparison import MetricChange
from jobsentinel_workers.registry.model_manager import ModelManager
from jobsentinel_workers.registry.model_registry import ModelRegistry
from jobsentinel_workers.registry.split import Arm, Split
from jobsentinel_workers.registry.versions import ModelVersion

__all__ = [
    "Arm",
    "ChampionChanged",
    "MetricChange",
    "ModelManager",
    "ModelRegistry",
    "ModelVersion",
    "Split",
]
