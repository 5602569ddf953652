"""Pay periods: how they are written beside a figure, and how many of them make a year.

A year of work is 2,080 hours, 260 days, 52 weeks or 12 months: forty hours in five days a week,
the full-time year by which US federal statistics turn hourly wages into yearly ones (Bureau of
Labor Statistics, Occupational Employment and Wage Statistics). Holidays count as paid; part time
is not known and not guessed.
"""

from __future__ import annotations

import re
from typing import Final, Literal, cast

Period = Literal["hour", "day", "week", "month", "year"]

PER_YEAR: Final[dict[Period, int]] = {
    "hour": 2080,
    "day": 260,
    "week": 52,
    "month": 12,
    "year": 1,
}

_LEAD: Final = r"(?:/|per|an?|each|every|every single|pro|par|im|por|al)\s?(?:one\s)?"
_UNITS: Final[dict[Period, tuple[str, str]]] = {
    "hour": (
        r"(?:hours?|hrs?|h|stunde|std|heure|hora|uur|godz)",
        r"hourly|stündlich|p\.?\s?/?h\.?",
    ),
    "day": (r"(?:days?|tag|jour|día|dag)", r"daily|täglich|p\.?\s?/?d\.?"),
    "week": (r"(?:weeks?|wks?|woche|semaine|semana)", r"weekly|wöchentlich|p\.?\s?/?w\.?"),
    "month": (
        r"(?:months?|mon|mos?|mths?|calendar month|monat|mois|mes|mês|maand)",
        r"monthly|monatlich|mensuel(?:le)?|mensual(?:es)?|mensa(?:l|is)|miesięcznie|pcm|p\.?\s?/?m\.?",
    ),
    "year": (
        r"(?:years?|yrs?|annum|jahr|an|año|ano|jaar)",
        r"yearly|annual(?:ly|ized|ised)?|jährlich|annuel(?:le)?|anual(?:es)?|rocznie|p\.?\s?/?a\.?",
    ),
}
# What may stand between a figure and its period.
_FILLER: Final = (
    r"(?:\s?\(?(?:gross|net|brutto|netto|brutos?|brut|base|basic|salary|pay|range|rate|OTE|CTC|DOE"
    r"|plus (?:bonus(?:es)?|commissions?|tips)|\+ ?(?:bonus(?:es)?|commissions?|tips))\b\)?){0,2}"
)
_AFTER: Final = re.compile(
    rf"{_FILLER}\s{{0,3}}[(-]?\s?(?:"
    + "|".join(
        rf"(?P<{name}>{_LEAD}{unit}|/?(?:{adverb}))" for name, (unit, adverb) in _UNITS.items()
    )
    + r")(?-i:(?![a-zäöü]))\)?",
    re.IGNORECASE,
)
_ALONE: Final = re.compile(
    r"\s?[/,(]?\s?(?:"
    + "|".join(rf"(?P<{name}>{unit}(?<!s))" for name, (unit, _) in _UNITS.items())
    + r")(?-i:(?![a-z]))(?!\s(?:\d|one|two))\)?",
    re.IGNORECASE,
)
_ADVERB_BEFORE: Final = (
    ("hour", r"hourly|stündlich|Stundenlohn"),
    ("day", r"daily|day(?=\srate)|Tagessatz"),
    ("week", r"weekly"),
    ("month", r"monthly|monatlich|Monatsgehalt"),
    ("year", r"annual(?:ly|ized|ised)?|yearly|jährlich|Jahresgehalt|p\.a\.?"),
)
_BEFORE: Final = re.compile(
    "|".join(rf"(?P<{name}>{words})(?-i:(?![a-zäöü]))" for name, words in _ADVERB_BEFORE),
    re.IGNORECASE,
)
_UNIT_BEFORE: Final = re.compile(
    "|".join(rf"(?P<{name}>{_LEAD}{unit})(?-i:(?![a-z]))" for name, (unit, _) in _UNITS.items()),
    re.IGNORECASE,
)


def period_after(text: str, position: int, *, alone: bool = False) -> tuple[Period | None, int]:
    """Return the period written right after ``position``, if any, and where it ends.

    Args:
        text: The text.
        position: The end of a figure.
        alone: Whether a unit will do without "per" or "a", such as ``YEAR``.
    """
    found = _AFTER.match(text, position) or (_ALONE.match(text, position) if alone else None)
    if found is None:
        return None, position
    return cast("Period", found.lastgroup), found.end()


def period_before(words: str, lead: str) -> Period | None:
    """Return the period named before a figure, the last if there are several.

    Args:
        words: What stands before the figure; an adverb such as "hourly" counts in all of it.
        lead: The end of it from the pay word on; "per hour" counts there only, since it belongs
            to another figure elsewhere.
    """
    named = [*_BEFORE.finditer(words), *_UNIT_BEFORE.finditer(lead)]
    return cast("Period", named[-1].lastgroup) if named else None
