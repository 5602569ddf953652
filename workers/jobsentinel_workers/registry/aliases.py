"""Which version serves (``champion``), which one did before it (``previous``), and which one is
tried beside it (the ``challenger`` of a split).

One small file for each model, replaced in one step, so readers need no lock.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from jobsentinel.contract.errors import JobSentinelError, ModelCorrupted
from jobsentinel_workers.registry.durable_files import encode_json, replace_file
from jobsentinel_workers.registry.split import Split

ALIASES_NAME: Final = "aliases.json"
FORMAT: Final = 1


class ChampionChanged(JobSentinelError):
    """Another version serves than the one that was to be replaced; it stays."""

    def __init__(self, name: str, *, expected: object, found: int | None) -> None:
        super().__init__(f"{name!r} is served by version {found}, not by {expected}")


@dataclass(frozen=True, slots=True)
class Aliases:
    """Version numbers by alias, and a counter that grows with every change."""

    generation: int = 0
    champion: int | None = None
    previous: int | None = None
    split: Split | None = None

    @property
    def challenger(self) -> int | None:
        """The version tried beside the champion, while there is one."""
        return None if self.split is None else self.split.challenger

    def with_champion(self, version: int, *, previous: int | None) -> Aliases:
        """Return the aliases after ``version`` has taken over from ``previous``.

        A split ends with it: what it compared is no longer what serves.
        """
        return Aliases(self.generation + 1, version, previous)

    def with_split(self, split: Split | None) -> Aliases:
        """Return the aliases with another split, or with none."""
        return replace(self, generation=self.generation + 1, split=split)

    def by_name(self) -> dict[str, int]:
        """Return the aliases that mean a version."""
        named = {
            "champion": self.champion,
            "previous": self.previous,
            "challenger": self.challenger,
        }
        return {alias: number for alias, number in named.items() if number is not None}

    def names_of(self, version: int) -> tuple[str, ...]:
        """Return the aliases that mean ``version``."""
        return tuple(alias for alias, number in self.by_name().items() if number == version)


def read_aliases(folder: Path) -> Aliases:
    """Read the aliases of a model; a model without any has generation 0.

    Raises:
        ModelCorrupted: the file is there and makes no sense.
    """
    path = folder / ALIASES_NAME
    try:
        body = json.loads(path.read_bytes())
        if body.pop("format") != FORMAT:
            raise ModelCorrupted(f"{path} has a format that this release cannot read; upgrade")
        split = body.pop("split", None)
        return Aliases(**body, split=None if split is None else Split(**split))
    except FileNotFoundError:
        return Aliases()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupted(f"{path} cannot be read ({error}); restore it") from error


def write_aliases(folder: Path, aliases: Aliases) -> None:
    """Swap the aliases of a model; the caller holds the model's lock."""
    body: dict[str, Any] = asdict(aliases) | {"format": FORMAT}
    if aliases.split is None:
        # Earlier releases know no split; they read the file as long as there is none.
        del body["split"]
    replace_file(folder / ALIASES_NAME, encode_json(body))
