"""A model's version as the rest of the house sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jobsentinel_workers.registry.manifest import Manifest

BUILTIN_VERSION: Final = 0
"""The weights that come with the package; registered versions count from 1."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One immutable version of a model and the folder to load it from.

    Attributes:
        created_at: in UTC; None for built-in weights without a manifest.
        label: the user's own name for it, such as ``v1.2``.
        aliases: ``champion``, ``previous`` and ``challenger`` where they mean this version.
        problem: why a listed version cannot be used; None when its manifest reads well.
    """

    name: str
    version: int
    path: Path
    kind: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    label: str | None = None
    run_id: str | None = None
    aliases: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def is_builtin(self) -> bool:
        """Whether this is the weights that came with the package."""
        return self.version == BUILTIN_VERSION

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "kind": self.kind,
            "metrics": dict(self.metrics),
            "lineage": dict(self.lineage),
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "label": self.label,
            "run_id": self.run_id,
            "aliases": list(self.aliases),
            "problem": self.problem,
        }


def version_of(manifest: Manifest, path: Path, aliases: tuple[str, ...]) -> ModelVersion:
    """Return the version that ``manifest`` describes."""
    return ModelVersion(
        name=manifest.name,
        version=manifest.version,
        path=path,
        kind=manifest.kind,
        metrics=manifest.metrics,
        lineage=manifest.lineage,
        created_at=manifest.created_at,
        label=manifest.label,
        run_id=manifest.run_id,
        aliases=aliases,
    )
