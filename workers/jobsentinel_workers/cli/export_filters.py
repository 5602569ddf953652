"""Which stored results `jobsentinel results export` writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from jobsentinel_workers.store.results import StoredResult

DAY: Final = click.DateTime(["%Y-%m-%d"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions that all have to hold; None asks nothing.

    What is asked of a score holds for no other result, nor for a score that does not say it.
    """

    model: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    category: str | None = None
    scam: bool | None = None
    min_match: float | None = None

    def holds(self, result: StoredResult) -> bool:
        """Return whether a result is wanted."""
        day = result.created_at[:10]
        return (
            self.model in (None, result.model.get("name"))
            and (self.after is None or day >= f"{self.after:%Y-%m-%d}")
            and (self.before is None or day < f"{self.before:%Y-%m-%d}")
            and self._predicted(result.payload)
        )

    def _predicted(self, payload: dict[str, Any]) -> bool:
        match = payload.get("match_quality")
        return (
            self.category in (None, (payload.get("category") or {}).get("label"))
            and self.scam in (None, (payload.get("scam") or {}).get("is_scam"))
            and (self.min_match is None or (match is not None and match >= self.min_match))
        )
