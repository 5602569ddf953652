"""Random filters, as hypothesis strategies."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from jobsentinel.contract.filter_fields import FIELDS, OPERATORS, TEXT_FIELDS, Kind, folded
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

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
DAYS = st.one_of(st.dates(date(2026, 11, 14), date(2026, 11, 24)), st.integers(0, 9).map(DaysAgo))
PROBABILITIES = st.one_of(st.sampled_from([0.0, 0.25, 0.3, 1.0]), st.floats(0, 1))


def filters(
    texts: st.SearchStrategy[str], salaries: st.SearchStrategy[float]
) -> st.SearchStrategy[Filter]:
    """Trees with values that are likely to match, out of ``texts`` and ``salaries``."""
    kinds: dict[Kind, st.SearchStrategy[Value]] = {
        "text": texts,
        "boolean": st.booleans(),
        "date": DAYS,
        "salary": salaries,
        "probability": PROBABILITIES,
    }

    def comparisons(field: str) -> st.SearchStrategy[Filter]:
        kind = FIELDS[field]
        signs = [sign for sign in OPERATORS[kind] if sign not in {"in", "contains"}]
        values = kinds[kind]
        if kind == "text":
            values = texts.filter(lambda text: bool(folded(field, text)))
        return st.builds(Comparison, st.just(field), st.sampled_from(signs), values)

    def text_conditions(field: str) -> st.SearchStrategy[Filter]:
        filled = texts.filter(lambda text: bool(folded(field, text)))
        several = st.lists(filled, min_size=1, max_size=3).map(tuple)
        return st.one_of(
            st.builds(OneOf, st.just(field), several), st.builds(Contains, st.just(field), filled)
        )

    # By kind first, or nearly all conditions would be about texts.
    by_kind = [[name for name in sorted(FIELDS) if FIELDS[name] == kind] for kind in kinds]
    fields = st.one_of(*map(st.sampled_from, by_kind))
    conditions: st.SearchStrategy[Filter] = st.one_of(
        fields.flatmap(comparisons),
        st.sampled_from(TEXT_FIELDS).flatmap(text_conditions),
        st.builds(IsKnown, fields, st.booleans()),
    )
    return st.recursive(conditions, _joined, max_leaves=8)


def _joined(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, parts), st.builds(AllOf, several), st.builds(AnyOf, several))
