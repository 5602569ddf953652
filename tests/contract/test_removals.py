"""A request to remove postings says which in exactly one way."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel import InvalidInput
from jobsentinel.contract.removals import MAX_IDS, RemovePostingsRequest


@pytest.mark.parametrize(
    "data",
    [
        {"ids": ["a"]},
        {"ids": [f"p-{n}" for n in range(MAX_IDS)]},
        {"posted_before": "2026-11-01"},
        {"not_seen_for_days": 1.5},
    ],
)
def test_one_way_to_say_which_is_enough(data: dict[str, Any]) -> None:
    assert RemovePostingsRequest.parse(data).model_dump(exclude_none=True).keys() == data.keys()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "ids"),
        ({"ids": ["a"], "posted_before": "2026-11-01"}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": [f"p-{n}" for n in range(MAX_IDS + 1)]}, "ids"),
        ({"ids": ["a", ""]}, "ids.1"),
        ({"ids": ["a", 7]}, "ids.1"),
        ({"posted_before": "2026-02-30"}, "posted_before"),
        ({"posted_before": "2026-11-01T00:00:00Z"}, "posted_before"),
        ({"posted_before": 20261101}, "posted_before"),
        ({"not_seen_for_days": 0.5}, "not_seen_for_days"),
        ({"not_seen_for_days": float("nan")}, "not_seen_for_days"),
        ({"older": 3}, "older"),
    ],
)
def test_anything_else_is_refused_by_its_name(data: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        RemovePostingsRequest.parse(data)

    assert refused.value.field == field
