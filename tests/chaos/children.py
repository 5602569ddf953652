"""Child processes of the suite: none of them outlives it, stopped and frozen ones included."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

REPOSITORY = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG: Final = 1


def start(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program from the repository's root with its output in ``log``.

    The kernel kills it when this process is gone. (The fleet's own children get SIGTERM then, but
    one that is frozen would never see it.) The thread that calls this must live as long as the
    child does: the kernel takes its end for the parent's.
    """
    libc = ctypes.CDLL(None)  # before the fork: other threads' locks stay taken in a child
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509  # calls one function of libc, takes no lock
            start_new_session=True,
        )


def kill(child: subprocess.Popen[bytes]) -> None:
    """End a child at once, also one that is frozen, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGKILL)
    child.wait()
