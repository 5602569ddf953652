"""How a test starts a worker by hand, and what its environment is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from jobsentinel import Settings

StartWorker = Callable[..., subprocess.Popen[bytes]]


def environment(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True)
    return {**os.environ, **{f"JOBSENTINEL_{k.upper()}": str(v) for k, v in values.items()}}
