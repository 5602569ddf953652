"""Mapping, splits, copies and metrics that the starter weights rest on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel_workers.starter.category_mapping import (
    FUNCTION_CATEGORIES,
    ISCO_CATEGORIES,
    SOC_CATEGORIES,
    category_of_functions,
    category_of_isco,
    category_of_soc,
)
from jobsentinel_workers.starter.near_duplicates import duplicate_groups
from jobsentinel_workers.starter.splits import split, split_by_group


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("15-1252.00", "software_it"),
        ("15-2051.00", "data_analytics"),
        ("11-3031.00", "finance_accounting"),
        ("11-1011.00", "management_operations"),
        ("43-4051.00", "customer_service"),
        ("43-6014.00", "administration_office"),
        ("29-1141.00", "healthcare"),
        ("41-2011.00", "retail_hospitality_food"),
        ("99-0000.00", None),
    ],
)
def test_an_occupation_code_has_the_category_of_its_longest_prefix(
    code: str, category: str | None
) -> None:
    assert category_of_soc(code) == category


@pytest.mark.parametrize(
    ("group", "category"),
    [
        ("2221", "healthcare"),
        ("2512", "software_it"),
        ("4311", "finance_accounting"),
        ("1221", None),
    ],
)
def test_an_isco_group_has_a_category(group: str, category: str | None) -> None:
    assert category_of_isco(group) == category


def test_both_codes_reach_all_categories_and_no_other() -> None:
    assert set(SOC_CATEGORIES.values()) == set(ISCO_CATEGORIES.values()) == set(JOB_CATEGORIES)
    assert set(FUNCTION_CATEGORIES.values()) <= set(JOB_CATEGORIES)


def test_functions_that_mean_nothing_have_no_category() -> None:
    assert category_of_functions(("Management", "Manufacturing")) is None
    assert category_of_functions(("Finance", "Sales")) is None
    assert category_of_functions(("Finance", "Accounting/Auditing")) == "finance_accounting"


@given(st.lists(st.integers(), max_size=50), st.floats(0, 1), st.integers(0, 99))
def test_a_split_loses_nothing_and_is_fixed_by_seed(
    items: list[int], share: float, seed: int
) -> None:
    kept, held_out = split(items, share, seed)

    assert sorted(kept + held_out) == sorted(items)
    assert (kept, held_out) == split(items, share, seed)


@given(st.lists(st.integers(0, 9), max_size=50), st.integers(0, 99))
def test_no_group_is_on_both_sides(groups: list[int], seed: int) -> None:
    kept, held_out = split_by_group(groups, groups, 0.5, seed)

    assert not set(kept) & set(held_out)
    assert sorted(kept + held_out) == sorted(groups)


def test_chains_of_copies_are_one_group() -> None:
    angles = np.array([0.0, 0.1, 0.2, 1.5])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    groups = duplicate_groups(vectors, threshold=np.cos(0.11))

    assert groups[0] == groups[1] == groups[2] != groups[3]
