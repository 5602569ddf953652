"""Rows set apart for validation hold nothing that was learnt, and something of every task."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task import MultiTaskExample
from jobsentinel_workers.multi_task.splitting import hold_out, near_duplicate_groups

WORDS = [f"{first}{last}" for first in "bcdfglmnprst" for last in "aeiouy"]


def make_text(seed: int, words: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def reposted(text: str, *, town: str, salary: int) -> str:
    return f"{town}. {text} We pay {salary:,} a year. Apply within {salary % 90} days."


def make_rows(count: int, **labels: Sequence[Any]) -> list[MultiTaskExample]:
    """Return unlike texts; label ``name`` of row n is ``labels[name][n]``, missing beyond."""
    return [
        MultiTaskExample(
            make_text(n), {name: values[n] for name, values in labels.items() if n < len(values)}
        )
        for n in range(count)
    ]


def test_reposts_with_other_towns_and_salaries_are_one_group() -> None:
    texts = [
        reposted(make_text(seed), town=town, salary=salary)
        for seed in range(20)
        for town, salary in (("Leeds", 52_000), ("New York", 143_500), ("Wien", 61_250))
    ]

    groups = near_duplicate_groups(texts)

    assert [groups[n] == groups[n - n % 3] for n in range(60)] == [True] * 60
    assert len(set(groups)) == 20


def test_unlike_texts_are_groups_of_their_own() -> None:
    texts = [make_text(seed) for seed in range(200)]

    assert near_duplicate_groups(texts) == list(range(200))


def test_texts_that_share_a_closing_paragraph_stay_apart() -> None:
    closing = make_text(999, words=60)

    groups = near_duplicate_groups([f"{make_text(seed)} {closing}" for seed in range(50)])

    assert len(set(groups)) == 50


@given(st.lists(st.text(max_size=40), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_text_has_a_group_and_equal_texts_the_same(texts: list[str]) -> None:
    groups = near_duplicate_groups([*texts, *texts])

    assert groups[: len(texts)] == groups[len(texts) :]


def test_groups_do_not_depend_on_the_order_of_the_texts() -> None:
    texts = [reposted(make_text(n // 2), town="Leeds", salary=50_000 + n) for n in range(40)]
    order = random.Random(1).sample(range(40), 40)

    groups = near_duplicate_groups(texts)
    shuffled = near_duplicate_groups([texts[n] for n in order])

    together = {(a, b) for a in range(40) for b in range(40) if groups[a] == groups[b]}
    assert together == {
        (order[a], order[b]) for a in range(40) for b in range(40) if shuffled[a] == shuffled[b]
    }


def test_near_duplicates_are_on_one_side() -> None:
    texts = [reposted(make_text(n // 4), town=f"town{n}", salary=40_000 + n) for n in range(200)]
    rows = [MultiTaskExample(text, {"a": n % 2}) for n, text in enumerate(texts)]

    train, validation = hold_out(rows, 0.15, seed=0)

    group = dict(zip(texts, near_duplicate_groups(texts), strict=True))
    assert {group[row.text] for row in train}.isdisjoint(group[row.text] for row in validation)
    assert 24 <= len(validation) <= 36
    assert len(train) + len(validation) == 200


def labels_of(rows: Sequence[MultiTaskExample], name: str) -> list[Any]:
    return [row.labels[name] for row in rows if row.labels.get(name) is not None]


def test_every_task_has_labels_on_both_sides_also_a_rare_one() -> None:
    common, rare = [n % 3 for n in range(600)], [float(n) for n in range(30)]
    rows = make_rows(600, common=common, rare=rare)

    for seed in range(5):
        train, validation = hold_out(rows, 0.15, seed)

        assert len(labels_of(validation, "rare")) >= 4
        assert len(labels_of(train, "rare")) >= 20
        assert 72 <= len(validation) <= 108


def test_every_class_can_be_learnt_and_common_ones_are_judged() -> None:
    classes = ["often"] * 150 + ["seldom"] * 20 + ["once"]
    rows = make_rows(171, kind=classes)

    for seed in range(20):
        train, validation = hold_out(rows, 0.2, seed)

        assert set(labels_of(train, "kind")) == {"often", "seldom", "once"}
        assert labels_of(validation, "kind").count("seldom") == 4
        assert labels_of(validation, "kind").count("often") == 30


def test_a_task_that_can_spare_no_label_keeps_all() -> None:
    rows = make_rows(100, common=[n % 2 for n in range(100)], tiny=[float(n) for n in range(8)])

    train, validation = hold_out(rows, 0.15, seed=0)

    assert len(labels_of(train, "tiny")) == 8
    assert len(validation) >= 14


def test_texts_of_one_template_are_split_by_text() -> None:
    rows = [MultiTaskExample(f"nurse in ward number {n}", {"a": n % 2}) for n in range(40)]

    train, validation = hold_out([*rows, *rows], 0.2, seed=0)

    assert 10 <= len(validation) <= 20
    assert {row.text for row in train}.isdisjoint(row.text for row in validation)


def test_the_callers_groups_stay_together() -> None:
    rows = make_rows(120, a=[n % 2 for n in range(120)])
    employers = [f"employer {n % 17}" for n in range(120)]

    train, validation = hold_out(rows, 0.2, seed=0, groups=employers)

    group = dict(zip((row.text for row in rows), employers, strict=True))
    assert {group[row.text] for row in train}.isdisjoint(group[row.text] for row in validation)
    assert validation


def test_the_seed_fixes_the_split() -> None:
    rows = make_rows(100, a=[n % 2 for n in range(100)])

    assert hold_out(rows, 0.2, seed=1) == hold_out(rows, 0.2, seed=1)
    assert hold_out(rows, 0.2, seed=1) != hold_out(rows, 0.2, seed=2)


def test_groups_must_be_as_many_as_rows() -> None:
    with pytest.raises(InvalidInput, match="groups: are 2 for 3 rows"):
        hold_out(make_rows(3, a=[0, 1, 0]), 0.2, seed=0, groups=["x", "y"])
