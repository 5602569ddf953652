"""Time in the store: always UTC, always the same width, so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime

from jobsentinel.contract.errors import InvalidInput


def utc_now() -> str:
    """Return the present moment such as ``2026-11-22T14:13:18.123456Z``."""
    return utc_text(datetime.now(UTC))


def utc_text(moment: datetime) -> str:
    """Return an aware datetime as the store writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def checked_timestamp(field: str, value: datetime | str | None) -> str:
    """Return ``value`` in the store's form; ``None`` means now.

    Raises:
        InvalidInput: not ISO 8601, or without an offset: the store never guesses a zone.
    """
    if value is None:
        return utc_now()
    moment = value if isinstance(value, datetime) else _parsed(field, value)
    if moment.tzinfo is None:
        raise InvalidInput(field, "has no UTC offset; write it as 2026-11-22T14:13:18Z")
    return utc_text(moment)


def _parsed(field: str, value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(field, "is not an ISO 8601 timestamp") from error
