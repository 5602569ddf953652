"""For how long nothing has moved: how the suite tells that nothing more will come."""

from __future__ import annotations

import time


class Stillness:
    """Measures for how long a value has not changed."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = time.monotonic()

    def seconds(self, value: object) -> float:
        """Return for how long it has been as it is now."""
        if value != self._seen:
            self._seen, self._since = value, time.monotonic()
        return time.monotonic() - self._since
