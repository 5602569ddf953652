"""From a filter's text to its tree, by recursive descent: one method a line of the grammar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, cast

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.filter_fields import FIELDS, OPERATORS, Kind, folded
from jobsentinel.contract.filter_tokens import Token, filter_fault, tokens, unquoted
from jobsentinel.contract.filter_tree import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Contains,
    DaysAgo,
    Filter,
    IsKnown,
    Not,
    OneOf,
    Operator,
    Value,
)
from jobsentinel.contract.filter_values import calendar_date, days_ago, probability, salary
from jobsentinel.contract.text import replace_control_characters

MAX_FILTER_CHARS: Final = 2_000
MAX_FILTER_DEPTH: Final = 32
"""How many parentheses and negations may stand around a condition."""

_COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_DAYS_EACH: Final = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_KIND_NAMES: Final[dict[Kind, str]] = {
    "text": "text",
    "boolean": "true or false",
    "date": "a date",
    "salary": "a number",
    "probability": "a number",
}
_MEANT: Final[dict[Kind, str]] = {
    "text": "a text in quotes",
    "boolean": "true or false",
    "date": "a date such as 2026-11-23 or 14 days ago",
    "salary": "a number such as 80000",
    "probability": "a number from 0 to 1",
}


def parse(text: str) -> Filter:
    """Return the tree of ``text``; see `parse_filter` in ``filters``."""
    if not isinstance(text, str):
        raise InvalidInput("where", f"must be text, not {type(text).__name__}")
    if len(text) > MAX_FILTER_CHARS:
        limit = f"at most {MAX_FILTER_CHARS:,} characters"
        raise InvalidInput("where", f"must have {limit}, has {len(text):,}")
    if not text.strip():
        raise InvalidInput("where", "is empty; leave it out to look at all postings")
    _refuse_surrogates(text)
    # One space for one character, so that places stay what the caller sees.
    return _Parser(tokens(replace_control_characters(text))).whole()


class _Parser:
    def __init__(self, stream: Iterable[Token]) -> None:
        self._stream = iter(stream)
        self._next = next(self._stream)
        self._depth = 0

    def whole(self) -> Filter:
        tree = self._any()
        if self._next.kind != "end":
            raise self._unexpected('"and", "or" or the end')
        return tree

    def _any(self) -> Filter:
        parts = self._joined("or", self._all)
        return parts[0] if len(parts) == 1 else AnyOf(parts)

    def _all(self) -> Filter:
        parts = self._joined("and", self._not)
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def _joined(self, word: str, part: Callable[[], Filter]) -> tuple[Filter, ...]:
        parts = [part()]
        while self._skip(word):
            parts.append(part())
        return tuple(parts)

    def _not(self) -> Filter:
        opening = self._next
        if self._skip("not"):
            return self._deeper(opening, lambda: Not(self._not()))
        if self._skip("("):
            inner = self._deeper(opening, self._any)
            self._expect(")", f"that closes the one at character {opening.place + 1}")
            return inner
        return self._condition()

    def _deeper(self, opening: Token, parse_inner: Callable[[], Filter]) -> Filter:
        self._depth += 1
        if self._depth > MAX_FILTER_DEPTH:
            raise filter_fault(opening.place, f"more than {MAX_FILTER_DEPTH} levels of nesting")
        inner = parse_inner()
        self._depth -= 1
        return inner

    def _condition(self) -> Filter:
        field = self._field()
        operator = self._take()
        if operator.word == "is":
            return IsKnown(field, self._known(field))
        if operator.word == "not":
            operator = self._take()
            if operator.word not in {"in", "contains"}:
                raise filter_fault(operator.place, f'expected "in" or "contains", found {operator}')
            return Not(self._with_operator(field, operator))
        return self._with_operator(field, operator)

    def _field(self) -> str:
        token = self._take()
        if token.kind != "word" or token.word in {"and", "or", "in", "is", "contains"}:
            raise filter_fault(token.place, f"expected a field, found {token}")
        if token.word not in FIELDS:
            raise filter_fault(token.place, _unknown_field(token))
        return token.word

    def _with_operator(self, field: str, operator: Token) -> Condition:
        self._check_operator(field, operator)
        if operator.word == "in":
            return OneOf(field, self._texts(field))
        if operator.word == "contains":
            return Contains(field, self._text(field, self._take()))
        return Comparison(field, cast(Operator, operator.word), self._value(field))

    def _check_operator(self, field: str, operator: Token) -> None:
        kind = FIELDS[field]
        suitable = OPERATORS[kind]
        if operator.word in suitable:
            return
        offered = f"{field} takes {', '.join(suitable)}, is known, is unknown"
        if operator.word in _COMPARISONS | {"in", "contains"}:
            does = f"{operator} does not suit {field}, which is {_KIND_NAMES[kind]}"
        else:
            does = f"expected an operator after {field}, found {operator}"
        raise filter_fault(operator.place, f"{does}; {offered}")

    def _known(self, field: str) -> bool:
        negated = self._skip("not")
        token = self._take()
        if token.word not in {"known", "unknown"}:
            raise filter_fault(
                token.place, f'expected "known" or "unknown" after "{field} is", found {token}'
            )
        return (token.word == "known") is not negated

    def _texts(self, field: str) -> tuple[str, ...]:
        self._expect("(", 'after "in"')
        values = [self._text(field, self._take())]
        while self._skip(","):
            values.append(self._text(field, self._take()))
        self._expect(")", 'or "," after a text of the list')
        return tuple(values)

    def _value(self, field: str) -> Value:
        token, kind = self._take(), FIELDS[field]
        if kind == "text":
            return self._text(field, token)
        if kind == "boolean" and token.word in {"true", "false"}:
            return token.word == "true"
        if kind == "date":
            return self._date(field, token)
        if kind == "boolean" or token.kind != "figure":
            raise _wrong_kind(field, token)
        return salary(token) if kind == "salary" else probability(token)

    def _text(self, field: str, token: Token) -> str:
        if token.kind != "text":
            raise _wrong_kind(field, token)
        text = unquoted(token)
        if not folded(field, text):
            raise filter_fault(
                token.place, f"the text is blank; write {field} is unknown for what has no {field}"
            )
        return text

    def _date(self, field: str, token: Token) -> Value:
        if token.word == "today":
            return DaysAgo(0)
        if token.kind == "text":
            return calendar_date(unquoted(token), token.place)
        if token.kind != "figure":
            raise _wrong_kind(field, token)
        if self._next.word not in _DAYS_EACH:
            return calendar_date(token.written, token.place)
        days = days_ago(token, _DAYS_EACH[self._take().word])
        self._expect("ago", "after a number of days or weeks")
        return DaysAgo(days)

    def _take(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._next = next(self._stream)
        return token

    def _skip(self, word: str) -> bool:
        if self._next.word != word:
            return False
        self._take()
        return True

    def _expect(self, word: str, why: str) -> None:
        if not self._skip(word):
            raise self._unexpected(f'"{word}" {why}')

    def _unexpected(self, wanted: str) -> InvalidInput:
        return filter_fault(self._next.place, f"expected {wanted}, found {self._next}")


def _wrong_kind(field: str, token: Token) -> InvalidInput:
    problem = f"{field} is compared with {_MEANT[FIELDS[field]]}, found {token}"
    if FIELDS[field] == "text" and token.kind in {"word", "figure"}:
        problem += f'; write "{token}"'
    return filter_fault(token.place, problem)


def _unknown_field(token: Token) -> str:
    import difflib  # for a fault only; producers start without it

    near = difflib.get_close_matches(token.word, FIELDS, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{token} is no field{meant} (the fields are {', '.join(FIELDS)})"


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise filter_fault(error.start, "a lone surrogate is no character") from None
