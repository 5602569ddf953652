"""Filters: conditions on stored postings, such as ``remote = true and salary >= 80000``.

`parse_filter` turns text into a tree of frozen values and refuses what it does not understand,
with the place and the reason; ``str`` turns a tree into text that parses to the same tree. What
the conditions mean, field by field, stands in docs/ranking.md::

    filter    = any
    any       = all { "or" all }
    all       = not { "and" not }
    not       = "not" not | "(" any ")" | condition
    condition = field ( = | != | < | <= | > | >= ) value
              | field [ "not" ] "in" "(" text { "," text } ")"
              | field [ "not" ] "contains" text
              | field "is" ( "known" | "unknown" )
    value     = text | true | false | number | date
    text      = "..." or '...', where a backslash stands before a quote or a backslash
    number    = 80000, 80_000, 80,000, 80k or 0.3
    date      = 2026-11-23 | today | 14 days ago | 2 weeks ago
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from jobsentinel.contract.base import fault
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.filter_parsing import MAX_FILTER_CHARS, MAX_FILTER_DEPTH, parse
from jobsentinel.contract.filter_tree import (
    AllOf,
    AnyOf,
    Comparison,
    Contains,
    DaysAgo,
    Filter,
    IsKnown,
    Not,
    OneOf,
    Value,
)

__all__ = [
    "MAX_FILTER_CHARS",
    "MAX_FILTER_DEPTH",
    "AllOf",
    "AnyOf",
    "Comparison",
    "Contains",
    "DaysAgo",
    "Filter",
    "FilterText",
    "IsKnown",
    "Not",
    "OneOf",
    "Value",
    "parse_filter",
]


def parse_filter(text: str) -> Filter:
    """Return the filter that ``text`` describes.

    Args:
        text: at most `MAX_FILTER_CHARS` characters.

    Raises:
        InvalidInput: of the field ``where``; the problem names the character, counted from 1.

    Example:
        >>> print(parse_filter("remote = TRUE AND salary >= 80k"))
        remote = true and salary >= 80000
    """
    return parse(text)


def _checked(text: str) -> str:
    try:
        parse_filter(text)
    except InvalidInput as refused:
        raise fault("", refused.problem) from None
    return text


FilterText = Annotated[str, AfterValidator(_checked)]
"""The text of a filter in a message, checked by parsing it."""
