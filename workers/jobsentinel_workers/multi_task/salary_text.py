"""Takes salary figures out of a text, so that a model cannot read the answer it shall predict.

Only figures that are marked as pay go: by a currency, by a pay period, by a word such as "salary",
or by standing in a range of thousands. Years, telephone numbers, head-counts, pension plans
("401k") and company money ("$5 million") stay.
"""

from __future__ import annotations

import re

from jobsentinel_workers.multi_task.salary_patterns import COUNTED, YEAR

_CURRENCY = (
    r"(?:(?:US|CA|AU|NZ|HK|MX|C|A|S|R)?\$|[£€₹¥₩]|zł|\bRs\b\.?|\bkr\b\.?"
    r"|\b(?:USD|GBP|EUR|CAD|AUD|NZD|INR|CHF|SGD|HKD|SEK|NOK|DKK|PLN|CZK|JPY|CNY|KRW|BRL|MXN|ZAR"
    r"|AED)\b)"
)
_NUMBER = (
    r"(?<![\d.,])(?:\d{1,2}(?:,\d{2})+,\d{3}|\d{1,3}(?:[,.' ]\d{3})+|\d{1,9})"
    r"(?:[.,]\d{1,2})?(?![\d])"
)
_THOUSANDS = r"(?:\s?[kK]\b)"
_LAKHS = r"(?:\s?(?:lakhs?|lacs?|lpa|crores?)\b)"
_NOT_BIG_MONEY = r"(?!\s?(?:million|billion|mn?\b|bn?\b|M\b|B\b))"
_TO = r"\s*(?:-{1,2}|–|—|to|and|bis|à)\s*"
_UNIT = r"(?:hour|hr|day|week|wk|month|mo|year|yr|annum)s?"
_PERIOD = (
    rf"(?:\s*(?:(?:/|per|an?|each|every)\s*{_UNIT}|hourly|daily|weekly|monthly|yearly|annually"
    r"|p\.?\s?a\.?|p\.?\s?h\.?|/\s?h)(?![a-z]))"
)
_HOURLY = r"(?:\s*(?:(?:/|per|an)\s*(?:hour|hr)|hourly|p\.?\s?h\.?)(?![a-z]))"
_LARGE = rf"(?!{YEAR})(?<![\d.,])(?:\d{{1,3}}(?:[,.' ]\d{{3}})+|\d{{4,7}})(?:[.,]\d{{1,2}})?(?!\d)"
_SHORT_THOUSANDS = r"(?<![\d.,])(?!401)\d{2,3}(?:\.\d)?"
_PAY_WORD = (
    r"\b(?:salary|salaries|pay|wages?|compensation|remuneration|earn(?:ings?)?|OTE|base|stipend"
    r"|rate)\b"
)

_MARKED = rf"(?:{_CURRENCY}\s?{_NUMBER}{_THOUSANDS}?|{_NUMBER}{_THOUSANDS}?\s?{_CURRENCY})"
_END = rf"{_TO}{_CURRENCY}?\s?{_NUMBER}{_THOUSANDS}?(?:\s?{_CURRENCY})?"

_BY_CURRENCY = re.compile(
    rf"(?:{_NUMBER}{_THOUSANDS}?{_TO})?{_MARKED}{_NOT_BIG_MONEY}"
    rf"(?:{_END}{_NOT_BIG_MONEY})?\+?{_PERIOD}?",
    re.IGNORECASE,
)
_BY_THOUSANDS = re.compile(
    rf"{_SHORT_THOUSANDS}{_THOUSANDS}?{_TO}{_SHORT_THOUSANDS}{_THOUSANDS}{COUNTED}{_PERIOD}?"
    rf"|{_SHORT_THOUSANDS}{_THOUSANDS}\+?(?:{_PERIOD}|(?=\s+(?:base|OTE|DOE|salary|package)\b))",
    re.IGNORECASE,
)
_BY_LAKHS = re.compile(
    rf"(?:{_NUMBER}{_LAKHS}?{_TO})?{_NUMBER}{_LAKHS}{COUNTED}{_PERIOD}?", re.IGNORECASE
)
_BY_PERIOD = re.compile(
    rf"(?:{_LARGE}{_TO})?{_LARGE}{_PERIOD}|(?:{_NUMBER}{_TO})?{_NUMBER}{_HOURLY}", re.IGNORECASE
)
_BY_WORD = re.compile(
    rf"({_PAY_WORD}[^\d\n.]{{0,25}})(?:{_LARGE}|{_SHORT_THOUSANDS}{_THOUSANDS})"
    rf"(?:{_TO}(?:{_LARGE}|{_SHORT_THOUSANDS}{_THOUSANDS}))?{COUNTED}",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_REACH = 80
"""A figure's marks stand within so many characters of it, on either side."""
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]")
_BLANKS = re.compile(r"[^\S\n]{2,}")
_SPACE_BEFORE_STOP = re.compile(r"[^\S\n]+(?=[.,;)\n])")


def strip_salary(text: str) -> str:
    """Return ``text`` without salary figures; a text without any comes back as it is.

    Example:
        >>> strip_salary("Nurse, $30 - $35 an hour, 401k, since 1998")
        'Nurse, 401k, since 1998'
    """
    pieces: list[str] = []
    end = 0
    for start, stop in _near_digits(text):
        pieces += [text[end:start], _strip(text[start:stop])]
        end = stop
    stripped = "".join([*pieces, text[end:]])
    return text if stripped == text else _tidy(stripped)


def _near_digits(text: str) -> list[tuple[int, int]]:
    """Return the spans of ``text`` near a digit; the patterns are slow, and most text has none."""
    spans: list[tuple[int, int]] = []
    for found in _DIGITS.finditer(text):
        start, stop = max(0, found.start() - _REACH), min(len(text), found.end() + _REACH)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], stop)
        else:
            spans.append((start, stop))
    return spans


def _strip(text: str) -> str:
    stripped = text
    for pattern in (_BY_CURRENCY, _BY_LAKHS, _BY_THOUSANDS, _BY_PERIOD):
        stripped = pattern.sub(" ", stripped)
    return _BY_WORD.sub(r"\1 ", stripped)


def _tidy(text: str) -> str:
    text = _BLANKS.sub(" ", _EMPTY_BRACKETS.sub(" ", text))
    text = _SPACE_BEFORE_STOP.sub("", text)
    return re.sub(r"([,;])[,;]+", r"\1", text).strip()
