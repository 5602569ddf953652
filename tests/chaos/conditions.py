"""What a worker under test is told by its environment: where to write, and where to die."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

_PREFIX = "CHAOS_"


@dataclass(frozen=True, slots=True)
class Conditions:
    """One run's folder, and how its workers behave.

    Every ``pop_trap``-th job kills its worker between being popped and being recorded, every
    ``claim_trap``-th one between being received and being claimed; 0 is never.
    """

    folder: Path
    redis_url: str
    seed: int = 0
    work_ms: float = 5.0
    pop_trap: int = 0
    claim_trap: int = 0

    @property
    def data_dir(self) -> Path:
        """The folder that holds the store, and nothing else that the suite needs."""
        return self.folder / "data"

    @property
    def producer_dir(self) -> Path:
        """The data folder of our producer, with its outbox."""
        return self.folder / "producer"

    @property
    def store(self) -> Path:
        """The SQLite file with results and effects."""
        return self.data_dir / "jobsentinel.db"

    def environment(self) -> dict[str, str]:
        """Return the variables that `from_environment` reads."""
        return {f"{_PREFIX}{name.upper()}": str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_environment(cls) -> Conditions:
        """Return the conditions of this process."""
        given = {name: os.environ[f"{_PREFIX}{name.upper()}"] for name in cls.__slots__}
        return cls(
            folder=Path(given["folder"]),
            redis_url=given["redis_url"],
            seed=int(given["seed"]),
            work_ms=float(given["work_ms"]),
            pop_trap=int(given["pop_trap"]),
            claim_trap=int(given["claim_trap"]),
        )
