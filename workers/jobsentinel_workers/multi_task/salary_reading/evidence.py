"""What the words around a figure say: that it is pay, that it is not, or nothing.

Only the same sentence counts, and of it a few words. The word that stands nearest before a figure
decides, so "salary plus a bonus of $5,000" is no salary.
"""

from __future__ import annotations

import re
from typing import Final

from jobsentinel_workers.multi_task.salary_patterns import COUNTED

# Scraped texts lose their line breaks: "Full-timePay: $20" begins a word within a word.
_BEGIN: Final = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
_PAY: Final = (
    r"(?i:salary|salaries|pay|pays|paying|paid|wages?|compensat(?:ion|ed)|remuneration"
    r"|earn(?:ings?|s)?|mak(?:e|ing)|OTE|base|rates?|ctc|package|gehalt|jahresgehalt|monatsgehalt"
    r"|vergütung|lohn|stundenlohn|salaire|rémunération|salario|(?:per|an) hour|hourly)"
)
_NOT_PAY: Final = (
    r"(?i:bonus(?:es)?|sign[- ]?on|signing|referrals?|retention|relocation|tuition"
    r"|reimburse\w*|reimbursement|40[13]\W?[kb]\W?|457\W?b|equity|stocks?|shares|RSUs?|stipends?"
    r"|allowance|per diem|vouchers?|gift|budgets?|revenues?|ARR|funding|raised|raising|series [A-E]"
    r"|valuation|valued|worth|AUM|portfolios?|grants?|donat\w+|loans?|savings|discounts?"
    r"|deductibles?|insurance|life|coverage|contribut\w+|HSA|FSA|fees?|fine|costs?|price[ds]?|prizes?"
    r"|fundrais\w*|quota|scholarships?|debt|invest\w*|turnover|purchases?|spend|spending"
    r"|differentials?|mileage|awards?|charge[ds]?|claims?|call|phone|tel|fax|zip|accounts?|deals?"
    r"|projects?|additional|extra|overtime|up-?front)"
)
_WORD: Final = re.compile(rf"{_BEGIN}(?:(?P<pay>{_PAY})|(?P<other>{_NOT_PAY}))(?![a-z])")
_SENTENCE: Final = re.compile(r"[\n!?;•·|]|\.\s")
_CLAUSE: Final = re.compile(r"[\n!?;•·|(]|[.,]\s|\s-\s")
_AFTER_PAY: Final = re.compile(
    r"[\s(]{0,2}(?i:(?:annual|yearly|gross)\s)?"
    r"(?i:base|salary|OTE|on[- ]target|DOE|D\.O\.E|depending|wages?|gross|brutto|brut|netto|pay\b"
    r"|ctc|compensation)(?![a-z])"
)
_LINK: Final = (
    r"(?:(?!(?i:plus|and|with|or|base|salary|pay|compensation|OTE|DOE|depending|based)\b)"
    r"[\w'-]+[^\S\n]{1,2}){0,3}"
)
_AFTER_OTHER: Final = re.compile(
    rf"(?:[^\S\n]{{1,2}}-?|[-)])[^\S\n]?{_LINK}"
    r"(?i:bonus(?:es)?|sign[- ]?on|sign[- ]?in|signing|referrals?|retention|relocation|tuition"
    r"|reimbursement|in tips|commissions?|equity|stock|stipends?|allowance|per diem|vouchers?"
    r"|gift|budgets?|revenues?|ARR|in sales|sales|funding|valuation|AUM|portfolios?|grants?"
    r"|donations?|loans?|savings|discounts?|deductibles?|insurance|coverage|contributions?|HSA|FSA"
    r"|fees?|prizes?|quota|scholarships?|debt|turnover|differentials?|awards?|deals?|accounts?"
    r"|projects?|off|match|life|policy|purchases?|spend|rewards?)(?![a-z])"
    r"(?!\W{0,3}(?:of|up to)?\W{0,3}[$£€\d])"
)
_OTHER_UNIT: Final = re.compile(
    r"[^\S\n]?(?:/|(?i:per|each|for each|for every|every)\b)[^\S\n]?(?i:[a-z])"
)
_ENDS_CLAUSE: Final = re.compile(
    r"\s{0,2}(?:$|[\n,.;:!?)\]|•·*/-]|(?i:plus|and|with|along|range|depending|based|DOE|OTE|to|for|per|doe|\+)\b|\+"
    r"|[A-Z])"
)
_BEGINS_CLAUSE: Final = re.compile(r"(?:^|[\n(\[|•·:*,;]|-)\s{0,3}$")
_COUNTING: Final = re.compile(
    r"\b(?:of|for|with|by|over|than|has|have|serv(?:es?|ing)|reach(?:es|ing)?)\s$", re.IGNORECASE
)
_COUNTED: Final = re.compile(COUNTED, re.IGNORECASE)
_REACH: Final = 80


def pay_word_before(text: str, position: int) -> str | None:
    """Return the words from the deciding pay word to ``position``, or None if there is none.

    The empty text says that another word, such as "bonus", claims the figure.
    """
    begin = max(0, position - _REACH)
    for stop in (_CLAUSE, _SENTENCE):
        words = text[_last_end(stop, text, begin, position) : position]
        if last := _last(words):
            return words[last.start() :] if last["pay"] else ""
    return None


def is_other_money(text: str, stop: int) -> bool:
    """Return whether what follows a figure says that it is no pay."""
    after = text[stop : stop + _REACH]
    return bool(_AFTER_OTHER.match(after) or _OTHER_UNIT.match(after))


def is_followed_by_pay(text: str, stop: int) -> bool:
    """Return whether a pay word follows a figure."""
    return _AFTER_PAY.match(text, stop, stop + _REACH) is not None


def stands_alone(text: str, start: int, stop: int) -> bool:
    """Return whether a figure is all of its clause, as in "Cook, $50,000"."""
    lead = text[max(0, start - 10) : start]
    return bool(_BEGINS_CLAUSE.search(lead)) and ends_clause(text, stop)


def ends_clause(text: str, stop: int) -> bool:
    """Return whether no noun follows that a figure could count."""
    return bool(_ENDS_CLAUSE.match(text, stop)) and bool(_COUNTED.match(text, stop))


def counts_something(text: str, start: int) -> bool:
    """Return whether the word before thousands without a currency makes them a count."""
    return _COUNTING.search(text, max(0, start - 10), start) is not None


def _last_end(pattern: re.Pattern[str], text: str, begin: int, end: int) -> int:
    return max((found.end() for found in pattern.finditer(text, begin, end)), default=begin)


def _last(words: str) -> re.Match[str] | None:
    found = list(_WORD.finditer(words))
    return found[-1] if found else None
