"""The light app with a quick pulse: ``-A quick_beat_app``.

With ``STUCK_UNTIL=FILE`` its main thread stands still from its first connection on, until the file
is there.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from celery import signals
from light_app import app

from jobsentinel_workers import pulse

__all__ = ["app"]

pulse.BEAT_S = 0.2  # type: ignore[misc]  # a test's process; in life it is a constant
pulse.LOOP_SILENCE_S = 1.0  # type: ignore[misc]  # likewise


def _stand_still(**_: Any) -> None:
    while not Path(os.environ["STUCK_UNTIL"]).exists():
        time.sleep(0.05)


if "STUCK_UNTIL" in os.environ:
    signals.worker_ready.connect(_stand_still, weak=False)
