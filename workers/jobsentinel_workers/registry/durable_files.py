"""Files that are either there completely or not at all, also after a power cut.

The order is always the same: write under a temporary name, flush the content to the disk, rename,
flush the folder. A rename that is on the disk before its content would leave an empty file.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from jobsentinel.durable import flush


def encode_json(document: Any) -> bytes:
    """Return ``document`` as JSON of one fixed form; NaN and infinities raise ValueError."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    return (text + "\n").encode("utf-8")


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that readers see the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        temporary.write_bytes(content)
        flush(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(path.parent)


def publish_folder(staged: Path, destination: Path) -> None:
    """Give a finished folder its public name; ``destination`` must not exist yet.

    Both must lie on one file system. Every file is flushed before the rename.
    """
    for path in walk(staged):
        flush(path)
    flush(staged)
    staged.rename(destination)
    flush(destination.parent)


def discard_folder(folder: Path) -> None:
    """Remove ``folder`` so that it vanishes under its public name in one step."""
    doomed = folder.with_name(f".{folder.name}.{uuid4().hex}.removed")
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed)


def walk(folder: Path) -> Iterator[Path]:
    """Yield everything below ``folder``, never following a symbolic link."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from walk(path)
        yield path
