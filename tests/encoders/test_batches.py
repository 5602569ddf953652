"""Batches waste little on padding and lose nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobsentinel_workers.encoders import plan_batches

lengths = st.lists(st.integers(1, 600), max_size=200)


@given(lengths, st.integers(1, 5_000), st.integers(1, 70))
def test_every_text_is_in_exactly_one_batch(
    lengths: list[int], max_tokens_a_batch: int, max_rows: int
) -> None:
    plan = plan_batches(lengths, max_tokens_a_batch=max_tokens_a_batch, max_rows=max_rows)

    assert sorted(position for batch in plan for position in batch) == list(range(len(lengths)))


@given(lengths, st.integers(1, 5_000), st.integers(1, 70))
def test_no_batch_passes_its_budget_unless_a_single_text_does(
    lengths: list[int], max_tokens_a_batch: int, max_rows: int
) -> None:
    plan = plan_batches(lengths, max_tokens_a_batch=max_tokens_a_batch, max_rows=max_rows)

    for batch in plan:
        longest = max(lengths[position] for position in batch)
        assert len(batch) <= max_rows
        assert len(batch) == 1 or longest * len(batch) <= max_tokens_a_batch


def test_shorter_texts_come_first_and_equal_ones_keep_their_order() -> None:
    plan = plan_batches([5, 2, 5, 2], max_tokens_a_batch=10, max_rows=9)

    assert plan == [[1, 3], [0, 2]]
