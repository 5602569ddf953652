"""A row that judged once judges always, with its near-duplicates, whatever else there is."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.gate import FrozenSplit, split_frozen
from jobsentinel_workers.gate.frozen_rows import MAX_WORDINGS
from jobsentinel_workers.multi_task.near_duplicates import near_duplicate_groups

SHARE = 0.2
VOCABULARY = [first + second for first in ("bar", "lor", "mit", "sen") for second in "aeiouxyz"]
words = st.text("abcdefghijklmnopqrstuvwxyz ", min_size=1, max_size=12)
# Each text with the group it belongs to.
rows = st.lists(st.tuples(words, st.integers(0, 12)), max_size=40)
Rows = list[tuple[str, int]]


def spell(number: int) -> str:
    """Return a number as letters, since digits do not tell wordings apart."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def split(
    given_rows: Rows, salt: str = "jobs", before: frozenset[str] = frozenset()
) -> FrozenSplit:
    texts, groups = [text for text, _ in given_rows], [group for _, group in given_rows]
    return split_frozen(texts, groups, SHARE, salt, judged_before=before)


def frozen_rows(given_rows: Rows, found: FrozenSplit) -> set[tuple[str, int]]:
    return {given_rows[position] for position in found.frozen}


def is_template(given_rows: Rows, group: int) -> bool:
    return len({text for text, own in given_rows if own == group}) > MAX_WORDINGS


@given(given_rows=rows, seed=st.integers())
def test_the_order_of_the_rows_changes_nothing(given_rows: Rows, seed: int) -> None:
    turned = random.Random(seed).sample(given_rows, len(given_rows))

    assert frozen_rows(turned, split(turned)) == frozen_rows(given_rows, split(given_rows))


@given(given_rows=rows)
def test_every_row_is_on_one_side_and_groups_stay_together(given_rows: Rows) -> None:
    found = split(given_rows)

    assert sorted(found.training + found.frozen) == list(range(len(given_rows)))
    for group in {own for _, own in given_rows}:
        if not is_template(given_rows, group):
            sides = [at in found.frozen for at, (_, own) in enumerate(given_rows) if own == group]
            assert len(set(sides)) == 1


@settings(max_examples=200)
@given(given_rows=rows, more=rows)
def test_more_rows_never_send_one_that_judged_to_training(given_rows: Rows, more: Rows) -> None:
    together = given_rows + more
    grown_out = {group for _, group in together if is_template(together, group)}

    before = frozen_rows(given_rows, split(given_rows))
    after = frozen_rows(together, split(together))

    assert {row for row in before if row[1] not in grown_out} <= after


@given(given_rows=rows, more=rows, gone=st.sets(st.integers(0, 39)))
def test_with_its_key_kept_a_row_judges_whatever_becomes_of_its_group(
    given_rows: Rows, more: Rows, gone: set[int]
) -> None:
    first = split(given_rows)
    left = [row for at, row in enumerate(given_rows) if at not in gone]
    regrouped = [(text, group % 3) for text, group in left + more]

    later = split(regrouped, before=first.keys)

    judged = {given_rows[at][0] for at in first.frozen}
    assert not judged & {regrouped[at][0] for at in later.training}


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_is_near_the_one_asked_for(share: float) -> None:
    count = 4_000
    texts = [f"posting {spell(number)}" for number in range(count)]

    frozen = len(split_frozen(texts, list(range(count)), share, "jobs").frozen)

    assert abs(frozen / count - share) < 4 * math.sqrt(share * (1 - share) / count)


def test_reposts_that_differ_in_digits_and_case_do_not_raise_the_share() -> None:
    texts = [f"Posting {spell(n // 5)}, {n % 5}0,000 USD" for n in range(4_000)]
    groups = [number // 5 for number in range(4_000)]

    found = split_frozen([*texts, texts[0].upper()], [*groups, 0], SHARE, "jobs")

    assert len(found.frozen) / 4_001 == pytest.approx(SHARE, abs=0.06)


def test_rows_of_a_template_are_not_frozen_all_at_once() -> None:
    texts = [f"we look for a {spell(number)} to join our team" for number in range(500)]

    found = split_frozen(texts, [0] * 500, SHARE, "jobs")

    assert len(found.frozen) / 500 == pytest.approx(SHARE, abs=0.07)


def test_another_model_freezes_other_rows() -> None:
    given_rows = [(f"posting {spell(number)}", number) for number in range(200)]

    ours, others = split(given_rows, "jobs").frozen, split(given_rows, "shifts").frozen

    assert set(ours) != set(others)


def test_near_duplicates_found_in_texts_are_frozen_together() -> None:
    draw = random.Random(0)
    texts = [
        f"{body} in {town}"
        for body in (" ".join(draw.choices(VOCABULARY, k=40)) for _ in range(60))
        for town in ("ulm", "bonn")
    ]
    groups = near_duplicate_groups(texts)

    found = split_frozen(texts, groups, SHARE, "jobs")

    assert len(set(groups)) == 60
    assert found.frozen
    assert not {groups[at] for at in found.frozen} & {groups[at] for at in found.training}


def test_texts_without_words_and_empty_input_are_split_too() -> None:
    assert split_frozen([], [], SHARE, "jobs") == FrozenSplit((), (), frozenset())
    found = split_frozen(["12", "34", "\ud800"], [0, 1, 2], SHARE, "jobs")
    assert len(found.training) + len(found.frozen) == 3


def test_a_share_or_groups_beyond_their_limits_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"share: must be above 0 and at most 0\.5, not 0\.9"):
        split_frozen(["a"], [0], 0.9, "jobs")
    with pytest.raises(InvalidInput, match="share: must be above 0"):
        split_frozen(["a"], [0], float("nan"), "jobs")
    with pytest.raises(InvalidInput, match="groups: must be 1, one a text, not 2"):
        split_frozen(["a"], [0, 1], SHARE, "jobs")
