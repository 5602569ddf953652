"""Currencies as they are written beside a figure: symbols, ISO 4217 codes, and a few words.

A bare ``$`` is the US dollar, ``¥`` the yen, and an ``R`` right before a number the rand. A mark
of a currency that is not read here, such as ``HK$``, gives `UNREAD`, so that its figure is not
taken for another currency's.
"""

from __future__ import annotations

import re
from typing import Final

UNREAD: Final = "?"

_CODE: Final = r"(?i:USD|GBP|EUR|CAD|AUD|NZD|INR|SGD|JPY|PLN|SEK|NOK|DKK|BRL|ZAR|CHF)(?![A-Za-z])"
_UNREAD_CODE: Final = (
    r"(?:AED|ARS|BGN|CLP|CNY|COP|CZK|EGP|HKD|HUF|IDR|ILS|KES|KRW|MXN|MYR|NGN|PHP|PKR|QAR|RMB|RON"
    r"|RUB|SAR|THB|TRY|TWD|UAH|VND|KSh|RM)"
)
_DOLLARS: Final = r"(?:US|CA|C|AU|A|NZ|S|R)\$"
_SYMBOLS: Final = {
    "$": "USD",
    "US$": "USD",
    "CA$": "CAD",
    "C$": "CAD",
    "AU$": "AUD",
    "A$": "AUD",
    "NZ$": "NZD",
    "S$": "SGD",
    "R$": "BRL",
    "£": "GBP",
    "€": "EUR",
    "₹": "INR",
    "¥": "JPY",
    "zł": "PLN",
    "euro": "EUR",
    "euros": "EUR",
    "dollars": "USD",
}
_BEFORE: Final = re.compile(
    rf"(?:(?<![A-Za-z])(?P<code>{_CODE})\s?[$£€₹¥]?"
    rf"|(?P<symbol>(?<![A-Za-z]){_DOLLARS}|(?<![A-Z])\$|[£€₹¥])\s?(?P<second>{_CODE})?"
    rf"|(?P<rand>(?<![A-Za-z])R(?!\s))"
    rf"|(?P<unread>(?<![A-Za-z]){_UNREAD_CODE}\s?\$?|[A-Z]\$|Mex\$))\s?$"
)
_AFTER: Final = re.compile(
    rf"\s?(?:(?P<unread>{_UNREAD_CODE}\b)"
    rf"|(?P<symbol>(?:{_DOLLARS}|[$£€₹¥])(?!\s?\d)|zł|(?i:euros?|dollars)\b)"
    rf"(?:\s?\(?(?P<second>{_CODE})\)?)?"
    rf"|\(?(?P<code>{_CODE})(?!\s?[$£€₹¥]?\d)\)?)"
)
_LONGEST: Final = 10
"""Characters of a mark with its blanks."""


def currency_before(text: str, position: int) -> tuple[str | None, int]:
    """Return the currency written up to ``position``, if any, and where its mark begins."""
    near = text[max(0, position - 2) : position].strip()
    if not near or not (near[-1].isalpha() or near[-1] in "$£€₹¥"):
        return None, position
    for start in range(max(0, position - _LONGEST), position):
        # From the longest mark to the shortest, so that "CA$" is not read as "$".
        if found := _BEFORE.match(text, start, position):
            return _named(found), start
    return None, position


def currency_after(text: str, position: int) -> tuple[str | None, int]:
    """Return the currency written from ``position`` on, if any, and where its mark ends."""
    found = _AFTER.match(text, position)
    return (None, position) if found is None else (_named(found), found.end())


def agreed(before: str | None, after: str | None) -> str | None:
    """Return the currency of a figure with marks on both sides, as in ``$80,000 CAD``."""
    if before is None or after is None or before == after:
        return before or after
    return after if before == "USD" and after in {"CAD", "AUD", "NZD", "SGD"} else UNREAD


def _named(found: re.Match[str]) -> str:
    marks = found.groupdict()
    if marks["unread"]:
        return UNREAD
    if marks.get("rand"):
        return "ZAR"
    if code := marks["code"] or marks["second"]:
        return code.upper()
    symbol = marks["symbol"]
    return _SYMBOLS.get(symbol) or _SYMBOLS[symbol.lower()]
