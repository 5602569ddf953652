"""Child processes of the suite: none of them outlives it, stopped and frozen ones included."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobsentinel_workers.children import end_with_parent

REPOSITORY = Path(__file__).resolve().parents[2]


def start(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program from the repository's root with its output in ``log``.

    The thread that calls this must live as long as the child does: the kernel takes its end for
    the parent's.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
            start_new_session=True,
        )


def kill(child: subprocess.Popen[bytes]) -> None:
    """End a child at once, also one that is frozen, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGKILL)
    child.wait()
