"""Texts without salary figures, remembered within bounds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from jobsentinel_workers.inference.scored_texts import ScoredTexts
from jobsentinel_workers.multi_task import scored_text

PLAIN = "Night nurse, since 1998"
PAID = "Night nurse, $30 an hour"


def test_texts_are_those_that_the_heads_read_the_second_time_too() -> None:
    memo = ScoredTexts()
    for _ in range(2):
        assert memo.read([PLAIN, PAID, "$ 40,000", PLAIN]) == [
            PLAIN,
            scored_text(PAID),
            scored_text("$ 40,000"),
            PLAIN,
        ]
    assert len(memo) == 3


def test_what_was_not_read_for_longest_is_forgotten_first() -> None:
    memo = ScoredTexts(max_texts=2)
    memo.read(["a", "b", "a", "c"])
    assert len(memo) == 2
    assert memo.read(["a", "b", "c"]) == ["a", "b", "c"]


def test_long_texts_do_not_fill_the_memory() -> None:
    # Given room for the characters of one changed text
    memo = ScoredTexts(max_kept_chars=len(scored_text(PAID)))

    memo.read([PAID, PLAIN])
    assert len(memo) == 2

    # When a second one comes, the first goes; one beyond the bound is not kept at all
    memo.read([f"{PAID}!"])
    assert len(memo) <= 2
    assert memo.read([f"{PAID} {'x' * 100}"]) == [scored_text(f"{PAID} {'x' * 100}")]
    assert len(memo) == 0


def test_threads_may_read_at_once() -> None:
    memo = ScoredTexts(max_texts=20)
    texts = [f"{PAID} {number}" for number in range(40)]
    expected = [scored_text(text) for text in texts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(memo.read, [texts] * 8)) == [expected] * 8
    assert len(memo) == 20
