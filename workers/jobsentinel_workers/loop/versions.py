"""What the versions of a model learnt from labels, as their lineage says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from jobsentinel_workers.registry import ModelRegistry, ModelVersion
from jobsentinel_workers.store.schema import datasets


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions of one model whose manifest can be read, and the one in service."""

    known: dict[int, ModelVersion]
    champion: ModelVersion | None

    @classmethod
    def of(cls, registry: ModelRegistry, model: str) -> Versions:
        """Read them; no weights are looked at."""
        known = {each.version: each for each in registry.list(model) if each.problem is None}
        number = registry.aliases(model).champion
        return cls(known, None if number is None else known.get(number))

    def learnt(self) -> dict[int, int]:
        """Return the change number up to which each version learnt labels, 0 where it did not."""
        return {number: learnt_up_to(version) for number, version in self.known.items()}

    def is_champion(self, version: int) -> bool:
        """Return whether ``version`` is in service."""
        return self.champion is not None and self.champion.version == version

    def newest_on(self, connection: Connection, kind: str, after: int) -> ModelVersion | None:
        """Return the version that learnt the newest labels of ``kind``, if any after a number."""
        newer = [version for version in self.known.values() if learnt_up_to(version) > after]
        for version in sorted(newer, key=learnt_up_to, reverse=True):
            if kind in _kinds_of(connection, version.lineage.get("dataset")):
                return version
        return None


def learnt_up_to(version: ModelVersion) -> int:
    """Return the change number of the snapshot of labels that a version was trained on, or 0."""
    return int(version.lineage.get("last_label_seq") or 0)


def _kinds_of(connection: Connection, dataset: Any) -> list[str]:
    """Return the kinds of label in a snapshot; none if it was deleted since."""
    if not isinstance(dataset, str):
        return []
    chosen = select(datasets.c.origin).where(datasets.c.sha256 == dataset)
    origin = connection.execute(chosen).scalar_one_or_none() or {}
    return list(origin.get("labels", []))
