"""Copying a trained model next to its future place, out of sight until it is complete."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from jobsentinel_workers.registry.manifest import list_plain_files

STAGING_NAME: Final = ".staging"
ABANDONED_AFTER_S: Final = 24 * 3600
"""A copy this old belongs to a process that was killed; no registration takes a day."""
_READ_ONLY = 0o444


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Yield a private path below ``parent``, not made yet; what is left there is removed."""
    staging = parent / STAGING_NAME
    staging.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(staging)
    private = staging / uuid4().hex
    try:
        yield private
    finally:
        shutil.rmtree(private, ignore_errors=True)


@contextmanager
def staged_copy(source: Path, parent: Path) -> Iterator[Path]:
    """Yield a private copy of ``source`` on the registry's file system; what is left is removed."""
    paths = list_plain_files(source)
    with staging_folder(parent) as copy:
        for path in paths:
            _copy_file(path, copy / path.relative_to(source))
        yield copy


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A link put there since the listing would be copied as a link and refused afterwards.
    shutil.copyfile(source, target, follow_symlinks=False)
    if not target.is_symlink():
        target.chmod(_READ_ONLY)


def _remove_abandoned(staging: Path) -> None:
    cutoff = time.time() - ABANDONED_AFTER_S
    for folder in staging.iterdir():
        # One that ends meanwhile takes its copy away, which is as well.
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < cutoff:
                shutil.rmtree(folder, ignore_errors=True)
