"""Names that others give to the fields of a posting.

They are those of the columns that python-jobspy returns (its README, "JobPost Schema"); a
posting's own names come before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

KNOWN_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "source": "site",
        "url": "job_url",
        "posted_at": "date_posted",
        "employment_type": "job_type",
        "experience_level": "job_level",
        "remote": "is_remote",
    }
)
"""By field of a posting."""

PAY_COLUMNS: Final = ("min_amount", "max_amount", "currency", "interval")

_PERIODS: Final = MappingProxyType(
    {"yearly": "year", "monthly": "month", "weekly": "week", "daily": "day", "hourly": "hour"}
)


def pay_text(row: Mapping[str, Any]) -> str | None:
    """Return the pay in jobspy's four columns as people write it: ``USD 50000 - 60000 per year``.

    None where they do not hold any figure.
    """
    low, high = _figure(row.get("min_amount")), _figure(row.get("max_amount"))
    if low is None and high is None:
        return None
    if low is not None and high is not None and low != high:
        figures = f"{low} - {high}"
    else:
        figures = low or high or ""
    interval = row.get("interval")
    period = _PERIODS.get(interval.casefold()) if isinstance(interval, str) else None
    currency = row.get("currency")
    parts = (
        currency.strip() if isinstance(currency, str) else "",
        figures,
        f"per {period}" if period else "",
    )
    return " ".join(filter(None, parts))


def _figure(value: object) -> str | None:
    """Return an amount without needless decimals, or None where there is none above zero."""
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever a table holds
    except (TypeError, ValueError, OverflowError):
        return None
    # Not a number compares false with everything, and infinity is no pay.
    return f"{number:.10g}" if 0 < number < 1e12 else None
