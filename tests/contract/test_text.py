"""Copies of a posting from different scrapers become one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel.contract.text import compose_posting_text, content_hash, normalise


@pytest.mark.parametrize(
    "raw",
    [
        "Chef &amp; baker\n\n\n Full time",
        "Chef & baker \n\tFull\u00a0time",
        "Chef \uff06 baker\r\nFull  time\x00",
    ],
)
def test_entities_unicode_forms_and_blanks_make_no_difference(raw: str) -> None:
    assert normalise(raw) == "Chef & baker\nFull time"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_normalised_has_no_control_characters_and_no_outer_blanks(text: str) -> None:
    normal = normalise(text)

    assert normal == normal.strip()
    assert not any(ord(c) < 32 and c != "\n" for c in normal)


def test_absent_facts_leave_no_trace() -> None:
    assert compose_posting_text(title="Cook", location=" ") == "Cook"
    assert (
        compose_posting_text(title="Cook", location="Rome", remote=True, description="Pasta.")
        == "Cook\nRome · Remote\nPasta."
    )


def test_the_hash_is_of_the_content() -> None:
    assert content_hash("a") == content_hash("a") != content_hash("b")
    assert len(content_hash("")) == 32
