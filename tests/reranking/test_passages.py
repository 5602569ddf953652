"""Of a long posting, the head and the passages nearest to the query are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobsentinel_workers.reranking.passages import select_passages

FILLER = "We offer a friendly place to work with many benefits for all. " * 20
LONG = f"Nurse\nBerlin · Full-time\n{FILLER}\nYou run dialysis machines at night.\n{FILLER}"


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert select_passages("nurse", "Nurse\nShort text", 100) == "Nurse\nShort text"


def test_the_passage_about_the_query_is_kept_wherever_it_stands() -> None:
    kept = select_passages("dialysis at night", LONG, 600)

    assert kept.startswith("Nurse\n")
    assert "dialysis machines" in kept
    assert len(kept) < 1_000


def test_without_overlap_the_beginning_is_kept() -> None:
    kept = select_passages("плотник", LONG, 600)

    assert kept.startswith("Nurse\nBerlin · Full-time We offer")


@given(st.text(max_size=40), st.text(max_size=3_000), st.integers(50, 1_000))
def test_what_is_kept_comes_from_the_text_and_is_never_empty(
    query: str, text: str, max_chars: int
) -> None:
    kept = select_passages(query, text, max_chars)

    assert kept.strip() or not text.strip()
    assert set(kept.split()) <= set(text.split()) or len(text) > max_chars
    assert len(kept) <= max(max_chars, 50) + 500


def test_a_hundred_thousand_characters_are_no_trap() -> None:
    for piece in ("a", "word ", "end. ", "\n", "!?"):
        select_passages("word end", piece * (100_000 // len(piece)), 600)
