"""Wall time by stage."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Clock:
    """Laps from the moment it is made, in milliseconds."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, *stages: str) -> None:
        """Add the time since the last lap to each of ``stages``."""
        now = time.perf_counter()
        self._add(dict.fromkeys(stages, 1000 * (now - self._last)))
        self._last = now

    def add(self, timings_ms: Mapping[str, float]) -> None:
        """Take over the laps of another clock that ran since the last lap of this one."""
        self._add({stage: ms for stage, ms in timings_ms.items() if stage != "total"})
        self._last = time.perf_counter()

    def timings_ms(self) -> dict[str, float]:
        """Return the laps, and all until the last of them as ``total``."""
        return self._laps | {"total": 1000 * (self._last - self._started)}

    def _add(self, laps: Mapping[str, float]) -> None:
        for stage, ms in laps.items():
            self._laps[stage] = self._laps.get(stage, 0.0) + ms
