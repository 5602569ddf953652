"""Where the parts of one model lie on disk.

    versions/<n>/     immutable: the model's files and MANIFEST.json
    aliases.json      champion, previous and split, replaced in one step
    history.jsonl     every change, append-only
    .lock             one writer at a time
    .staging/         copies on their way in

Writers hold the lock; readers need none, because whatever has a public name is complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jobsentinel.contract.errors import ModelCorrupted, ModelUnavailable
from jobsentinel.durable import flush
from jobsentinel_workers.registry.aliases import Aliases, read_aliases, write_aliases
from jobsentinel_workers.registry.durable_files import publish_folder
from jobsentinel_workers.registry.history import (
    alias_facts,
    append_event,
    catch_up,
    read_events,
)
from jobsentinel_workers.registry.locking import exclusive_lock
from jobsentinel_workers.registry.manifest import MANIFEST_NAME, Manifest, read_manifest

LOCK_TIMEOUT_S: Final = 60.0
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The folder of one model; nothing is created until something is written."""

    name: str
    path: Path

    @property
    def versions_path(self) -> Path:
        """The folder that holds one folder for each version."""
        return self.path / "versions"

    def version_path(self, number: int) -> Path:
        """Return where version ``number`` lies or would lie."""
        return self.versions_path / str(number)

    def numbers(self) -> list[int]:
        """Return the version numbers on disk, ascending."""
        if not self.versions_path.is_dir():
            return []
        names = (path.name for path in self.versions_path.iterdir())
        return sorted(int(name) for name in names if _NUMBER.fullmatch(name))

    def manifest(self, number: int) -> Manifest:
        """Read the manifest of a version and make sure that it belongs there.

        Raises:
            ModelUnavailable: there is no such version.
            ModelCorrupted: its manifest is damaged or that of another version.
        """
        path = self.version_path(number)
        if not path.is_dir():
            raise ModelUnavailable(f"model {self.name!r} has no version {number}")
        manifest = read_manifest(path)
        if (manifest.name, manifest.version) != (self.name, number):
            raise ModelCorrupted(f"{path / MANIFEST_NAME} belongs to another version; restore it")
        return manifest

    def readable_manifests(self) -> Iterator[Manifest]:
        """Yield the manifest of every version whose manifest is sound."""
        for number in self.numbers():
            try:
                yield self.manifest(number)
            except ModelCorrupted:
                # A damaged version has no label or run to find; ``get`` and ``list`` report it.
                continue

    def number_of_run(self, run_id: str | None) -> int | None:
        """Return the version that a training run registered, if there is one."""
        if run_id is None:
            return None
        found = (each.version for each in self.readable_manifests() if each.run_id == run_id)
        return next(found, None)

    def number_of_label(self, label: str) -> int | None:
        """Return the version of that label, if there is one."""
        found = (each.version for each in self.readable_manifests() if each.label == label)
        return next(found, None)

    def next_number(self) -> int:
        """Return a number that no version ever had, not even one that was removed by hand."""
        events = (each for each in read_events(self.path) if each["event"] == "registered")
        recorded: list[int] = [each["version"] for each in events]
        return max([0, *self.numbers(), *recorded]) + 1

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the model's lock, with the history of killed writers completed first."""
        self._create()
        with exclusive_lock(self.path / ".lock", timeout_s=LOCK_TIMEOUT_S):
            catch_up(self.path, self.numbers(), read_aliases(self.path))
            yield

    def _create(self) -> None:
        if not self.versions_path.is_dir():
            self.versions_path.mkdir(parents=True, exist_ok=True)
            for folder in (self.path, self.path.parent, self.path.parent.parent):
                flush(folder)

    def publish(self, staged: Path, manifest: Manifest) -> None:
        """Complete ``staged`` with its manifest and give it its version number."""
        (staged / MANIFEST_NAME).write_bytes(manifest.encode())
        publish_folder(staged, self.version_path(manifest.version))
        append_event(
            self.path,
            "registered",
            version=manifest.version,
            label=manifest.label,
            run_id=manifest.run_id,
        )

    def change_aliases(self, event: str, aliases: Aliases) -> None:
        """Swap the aliases and write down why."""
        write_aliases(self.path, aliases)
        append_event(self.path, event, **alias_facts(aliases))
