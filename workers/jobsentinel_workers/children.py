"""Child processes that do not outlive their parent, even if it is killed."""

from __future__ import annotations

import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent() -> None:
    """Let the kernel send SIGTERM to this process when its parent dies; for ``preexec_fn``.

    Only Linux can; elsewhere a child whose parent was killed goes on.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
