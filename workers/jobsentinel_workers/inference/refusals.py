"""Versions that were to serve and do not: which, why, and since when."""

from __future__ import annotations

import time
from typing import Any, Final

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.store.timestamps import utc_now

AGAIN_AFTER_S: Final = 30.0
"""Files that are still being copied to this machine may be whole by then."""


class Refusals:
    """At most one for each model: the newest."""

    def __init__(self) -> None:
        self._refused: dict[str, dict[str, Any]] = {}
        self._tried_at: dict[str, float] = {}

    def add(self, name: str, alias: str, version: int, error: ModelUnavailable) -> None:
        """Note that a version cannot be loaded; the same one keeps its time."""
        new = {"version": version, "as": alias, "error": str(error)}
        since = utc_now()
        old = self._refused.get(name)
        if old is not None and {**old, "since": None} == {**new, "since": None}:
            since = old["since"]
        self._refused[name] = {**new, "since": since}
        self._tried_at[name] = time.monotonic()

    def forget(self, name: str, alias: str) -> None:
        """What the alias means could be loaded, or there is none any more."""
        if self._refused.get(name, {}).get("as") == alias:
            del self._refused[name]

    def of(self, name: str) -> dict[str, Any] | None:
        """Return version, alias, error and time of what was refused last, if it still is."""
        return self._refused.get(name)

    def is_due(self, name: str) -> bool:
        """Whether a refused version should be tried again."""
        tried_at = self._tried_at.get(name, 0.0)
        return name in self._refused and time.monotonic() - tried_at >= AGAIN_AFTER_S
