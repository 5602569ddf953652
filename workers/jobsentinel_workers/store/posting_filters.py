"""Which postings a filter matches: its tree as one SQL condition over the postings' facts.

Values only ever travel as bound parameters and columns come from a fixed table, so no text of a
filter becomes SQL. A comparison with an unknown value (NULL) is neither true nor false, as SQL
has it, and neither is its negation.
"""

from __future__ import annotations

import operator as operators
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.filter_fields import FIELDS, folded
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
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.schema import posting_facts

_MAX_KEPT_IDS: Final = 500_000
"""About 40 MB of ids."""
_MAX_KEPT_FILTERS: Final = 64

_stated = func.coalesce(posting_facts.c.stated_salary_high, posting_facts.c.stated_salary_low)
_OTHER_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    "posted_at": posting_facts.c.posted_day,
    "salary": func.coalesce(_stated, posting_facts.c.estimated_salary),
    "stated_salary": _stated,
    "match": posting_facts.c.match_quality,
}
_COMPARE: Final[dict[Operator, Callable[[Any, Any], Any]]] = {
    "=": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def matching_ids(connection: Connection, where: Filter, *, today: date | None = None) -> set[str]:
    """Return the ids of all stored postings that ``where`` matches.

    Args:
        connection: for reading.
        where: a filter, as `jobsentinel.contract.filters.parse_filter` returns it.
        today: the day from which "days ago" counts; by default the present one by UTC.
    """
    return set(connection.scalars(matching(where, today=today)))


def matching(where: Filter, *, today: date | None = None) -> Select[tuple[str]]:
    """Return the query for the ids that `matching_ids` returns, to be part of another."""
    condition = _condition(where, today or _today())
    return select(posting_facts.c.posting_id).where(condition)


class FilterCache:
    """Remembers what filters matched for as long as nothing in the store changes.

    May be shared by threads. It holds half a million ids at most, those of the filters used last.
    """

    def __init__(self, max_ids: int = _MAX_KEPT_IDS) -> None:
        self._max_ids = max_ids
        self._found: OrderedDict[tuple[Filter, date], frozenset[str]] = OrderedDict()
        self._sequence = -1
        self._lock = threading.Lock()

    def matching_ids(
        self, connection: Connection, where: Filter, *, today: date | None = None
    ) -> frozenset[str]:
        """Return what `matching_ids` returns, from memory where nothing has changed since."""
        key = where, today or _today()
        sequence = changes.current(connection)
        known = self._recall(sequence, key)
        if known is not None:
            return known
        found = frozenset(matching_ids(connection, where, today=key[1]))
        self._keep(sequence, key, found)
        return found

    def _recall(self, sequence: int, key: tuple[Filter, date]) -> frozenset[str] | None:
        with self._lock:
            if sequence != self._sequence or key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key]

    def _keep(self, sequence: int, key: tuple[Filter, date], found: frozenset[str]) -> None:
        with self._lock:
            if sequence != self._sequence:
                # Another snapshot of the store; a smaller number is an older one, or a restored
                # backup. What is kept is of one state only.
                self._found.clear()
                self._sequence = sequence
            self._found[key] = found
            while len(self._found) > 1 and self._is_too_large():
                self._found.popitem(last=False)

    def _is_too_large(self) -> bool:
        ids = sum(map(len, self._found.values()))
        return len(self._found) > _MAX_KEPT_FILTERS or ids > self._max_ids


def _today() -> date:
    return datetime.now(UTC).date()


def _condition(where: Filter, today: date) -> ColumnElement[bool]:
    match where:
        case AllOf(parts):
            return and_(*(_condition(part, today) for part in parts))
        case AnyOf(parts):
            return or_(*(_condition(part, today) for part in parts))
        case Not(part):
            return not_(_condition(part, today))
    return _on_field(where, today)


def _on_field(where: Condition, today: date) -> ColumnElement[bool]:
    match where:
        case IsKnown(field, known):
            column = _column(field)
            return column.is_not(None) if known else column.is_(None)
        case OneOf(field, values):
            return _column(field).in_([folded(field, value) for value in values])
        case Contains(field, text):
            return _column(field).contains(folded(field, text), autoescape=True)
        case Comparison(field, operator, value):
            return _compared(_column(field), operator, _bound(field, value, today))


def _column(field: str) -> ColumnElement[Any]:
    if field not in FIELDS:
        raise InvalidInput("where", f"{field} is no field")
    return _OTHER_COLUMNS[field] if field in _OTHER_COLUMNS else posting_facts.c[field]


def _compared(column: ColumnElement[Any], operator: Operator, value: Any) -> ColumnElement[bool]:
    """Return the comparison, which is NULL where the column is."""
    comparison: ColumnElement[bool] = _COMPARE[operator](column, value)
    return comparison


def _bound(field: str, value: Value, today: date) -> Any:
    """Return ``value`` as the column holds it."""
    if isinstance(value, str):
        return folded(field, value)
    if isinstance(value, bool):
        return true() if value else false()
    if isinstance(value, DaysAgo):
        return today.toordinal() - value.days
    return value.toordinal() if isinstance(value, date) else value
