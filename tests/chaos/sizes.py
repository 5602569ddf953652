"""How large a run is, and with which settings our fleet runs in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONG_SETTINGS: Mapping[str, object] = {
    "lease_s": 4.0,
    "reconcile_interval_s": 0.5,
    "lost_message_grace_s": 3.0,
    "retry_base_s": 0.2,
    # Chaos kills one job many times; what is wanted here is that all are done, not given up.
    "max_attempts": 100,
}
"""Settings with which recovery is a matter of seconds."""
QUICK_SETTINGS: Mapping[str, object] = {
    **LONG_SETTINGS,
    "lease_s": 2.0,
    "reconcile_interval_s": 0.2,
    "lost_message_grace_s": 1.5,
}
"""The same for runs that are a matter of seconds themselves."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is: its jobs, its faults, its workers, and waits in seconds."""

    jobs: int
    faults: int
    workers: int = 2
    backlog: int = 200
    work_ms: float = 5.0
    outage_s: float = 2.0
    """How long each outage lasts, where faults are outages."""
    pop_trap: int = 0
    claim_trap: int = 0
    """As in `Conditions`."""
    settle_s: float = 5.0
    """How long all must stay quiet before it is counted."""
    settings: Mapping[str, object] = field(default_factory=lambda: LONG_SETTINGS)

    @classmethod
    def quick(cls, jobs: int, faults: int, **changes: Any) -> Size:
        """Return a size for a run of some ten seconds."""
        small = {"backlog": 40, "settle_s": 1.0, "settings": QUICK_SETTINGS}
        return cls(jobs, faults, **{**small, **changes})
