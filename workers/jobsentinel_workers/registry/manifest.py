"""What a version consists of: each file with its SHA-256, its metrics and where it came from.

A manifest describes plain files of formats that cannot run code. Folders are read without following
links; a file that is changed, missing or extra makes the whole version corrupt.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput, ModelCorrupted
from jobsentinel_workers.registry.durable_files import encode_json, walk
from jobsentinel_workers.registry.weight_files import SUFFIX, check_safetensors

MANIFEST_NAME: Final = "MANIFEST.json"
FORMAT: Final = 1
PLAIN_SUFFIXES: Final = frozenset(
    {".safetensors", ".json", ".jsonl", ".txt", ".md", ".csv", ".model", ".png", ".html"}
)
"""Weights, settings, vocabularies, prose, and the report of an evaluation with its plots, which no
worker opens. Pickles (.bin, .pt, .pkl) run code when opened."""
MAX_FILES: Final = 1_000


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a version: hexadecimal SHA-256 and size in bytes."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The record that travels with a version's files; ``files`` is keyed by relative path."""

    name: str
    version: int
    kind: str
    created_at: datetime
    files: Mapping[str, FileRecord]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None
    run_id: str | None = None

    @property
    def seal(self) -> str:
        """The SHA-256 of everything that the manifest says."""
        return _digest(self._body())

    def encode(self) -> bytes:
        """Return the JSON text, sealed with the SHA-256 of its own content."""
        return encode_json(self._body() | {"sha256": self.seal})

    def _body(self) -> dict[str, Any]:
        return asdict(self) | {"created_at": self.created_at.isoformat(), "format": FORMAT}

    def verify(self, folder: Path) -> None:
        """Compare ``folder`` with the record, file by file.

        Raises:
            ModelCorrupted: naming the first file that is missing, extra, linked or changed.
        """
        difference = self.first_difference(folder)
        if difference is not None:
            raise ModelCorrupted(f"{folder / difference}; restore it or roll back")

    def first_difference(self, folder: Path) -> str | None:
        """Return the first file in which ``folder`` differs and how, or None."""
        present = {path.relative_to(folder).as_posix(): path for path in _leaves(folder)}
        present.pop(MANIFEST_NAME, None)
        for name in sorted(present.keys() ^ self.files.keys()):
            what = "is missing" if name in self.files else "is not in the manifest"
            return f"{name} {what}"
        found = (_difference(name, path, self.files[name]) for name, path in present.items())
        return next((each for each in found if each is not None), None)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of ``folder``; its files are not looked at.

    Raises:
        ModelCorrupted: it is missing, unreadable, or differs from its own seal.
    """
    path = folder / MANIFEST_NAME
    try:
        body = json.loads(path.read_bytes())
        seal = body.pop("sha256")
        if body.pop("format") != FORMAT:
            raise ModelCorrupted(f"{path} has a format that this release cannot read; upgrade")
        if seal != _digest(body | {"format": FORMAT}):
            raise ModelCorrupted(f"{path} was changed after it was written; restore it")
        files = {name: FileRecord(**record) for name, record in body.pop("files").items()}
        created_at = datetime.fromisoformat(body.pop("created_at"))
        return Manifest(files=files, created_at=created_at, **body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupted(f"{path} cannot be read ({error}); restore it") from error


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Hash every file below ``folder``, keyed by relative path; a manifest there is left out."""
    return {
        path.relative_to(folder).as_posix(): FileRecord(hash_file(path), path.stat().st_size)
        for path in list_plain_files(folder)
    }


def list_plain_files(folder: Path) -> list[Path]:
    """Return the files of a model folder, refusing whatever a version may not hold.

    Raises:
        InvalidInput: for a link, a device, a format that can run code, or an empty folder.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise InvalidInput("checkpoint_path", f"{folder} is not a folder of model files")
    paths = [path for path in _leaves(folder) if path != folder / MANIFEST_NAME]
    for path in paths:
        _check_plain(path)
    if not 0 < len(paths) <= MAX_FILES:
        raise InvalidInput("checkpoint_path", f"{folder} must hold 1 to {MAX_FILES} files")
    return paths


def hash_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _leaves(folder: Path) -> list[Path]:
    return [path for path in walk(folder) if path.is_symlink() or not path.is_dir()]


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _check_plain(path: Path) -> None:
    if not _is_regular(path):
        raise InvalidInput("checkpoint_path", f"{path} is a link or device; copy the file itself")
    check_format(path, "checkpoint_path")
    if path.suffix == SUFFIX:
        check_safetensors(path, "checkpoint_path")


def check_format(path: PurePath, field: str) -> None:
    """Refuse a file by its name alone.

    Raises:
        InvalidInput: files of that name may run code when they are opened.
    """
    if path.suffix not in PLAIN_SUFFIXES:
        raise InvalidInput(
            field,
            f"{path} is of a format that may run code when it is opened; "
            f"save the model as one of {', '.join(sorted(PLAIN_SUFFIXES))}",
        )


def _difference(name: str, path: Path, record: FileRecord) -> str | None:
    if not _is_regular(path):
        return f"{name} is a link or device"
    if path.stat().st_size != record.size_bytes or hash_file(path) != record.sha256:
        return f"{name} differs from the SHA-256 in its manifest"
    return None


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode_json(body)).hexdigest()
