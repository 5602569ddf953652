"""A disk of a few megabytes that can be filled: a tmpfs over one folder."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_BLOCK_BYTES = 4096


class NotPossible(Exception):
    """This machine does not allow what the scenario needs; the message says what that is."""


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a disk of so many megabytes over ``folder`` for the length of the block.

    Raises:
        NotPossible: this process may not mount.
    """
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPossible(f"mounting a tmpfs needs root: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: a connection that is still open must not keep the mount for ever.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no room on the disk of ``folder`` for the length of the block."""
    ballast = folder / "ballast"
    _fill(ballast)
    try:
        yield
    finally:
        ballast.unlink()


def _fill(ballast: Path) -> None:
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while os.write(descriptor, b"\0" * _BLOCK_BYTES):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(descriptor)
