"""Which version serves (``champion``) and which one served before it (``previous``).

One small file for each model, replaced in one step, so readers need no lock.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from jobsentinel.contract.errors import ModelCorrupted
from jobsentinel_workers.registry.durable_files import encode_json, replace_file

ALIASES_NAME: Final = "aliases.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Aliases:
    """Version numbers by alias, and a counter that grows with every change."""

    generation: int = 0
    champion: int | None = None
    previous: int | None = None

    def with_champion(self, version: int, *, previous: int | None) -> Aliases:
        """Return the aliases after ``version`` has taken over from ``previous``."""
        return Aliases(self.generation + 1, version, previous)

    def names_of(self, version: int) -> tuple[str, ...]:
        """Return the aliases that mean ``version``."""
        pairs = (("champion", self.champion), ("previous", self.previous))
        return tuple(alias for alias, number in pairs if number == version)


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
        return Aliases(**body)
    except FileNotFoundError:
        return Aliases()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupted(f"{path} cannot be read ({error}); restore it") from error


def write_aliases(folder: Path, aliases: Aliases) -> None:
    """Swap the aliases of a model; the caller holds the model's lock."""
    replace_file(folder / ALIASES_NAME, encode_json(asdict(aliases) | {"format": FORMAT}))
