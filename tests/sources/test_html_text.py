"""HTML becomes the text that a reader sees, however broken it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel.sources.html_text import html_to_text, looks_like_html


def test_blocks_are_lines_and_words_within_a_line_stay_together() -> None:
    markup = (
        "<h2>Senior <b>Nur</b>se</h2>\n<p>Ward &amp;\n clinic<br>Nights</p><ul><li>one<li>two</ul>"
        "<table><tr><td>Pay<td>30</table><script>track()</script><style>p{}</style>"
    )

    assert html_to_text(markup).split("\n") == [
        "Senior Nurse",
        "Ward & clinic",
        "Nights",
        "one",
        "two",
        "Pay 30",
    ]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>open <b>bold", "open bold"),
        ("</div></p>closed twice", "closed twice"),
        ("<div>" * 3_000 + "deep", "deep"),
        ("<p class='x>quote", ""),
        ("plain < 3 years", "plain < 3 years"),
        ("", ""),
    ],
)
def test_broken_markup_is_read_as_browsers_read_it(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


def test_only_elements_make_a_text_html() -> None:
    assert looks_like_html("<p>a")
    assert looks_like_html("a<br/>b")
    assert looks_like_html('<a href="x">b')
    assert not looks_like_html("<3 years, pay > 5 < 6, a<b")


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_read(text: str) -> None:
    assert "<script>" not in html_to_text(f"<script>{text}")
