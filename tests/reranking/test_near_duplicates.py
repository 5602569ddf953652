"""The same job from several boards is one; two jobs of one company are two."""

from __future__ import annotations

from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel import InvalidInput
from jobsentinel_workers.reranking.near_duplicates import collapse
from jobsentinel_workers.reranking.posting_words import place_words, places_agree, title_words

COMPANY = (
    "Harbour Clinic cares for forty thousand people a year in three towns along the coast. We pay "
    "for your training, we plan shifts six weeks ahead, and nobody works more than two weekends a "
    "month. Our staff restaurant cooks with vegetables from its own garden. Applications are read "
    "by the head of the ward, not by a machine, and everybody gets an answer within ten days. "
)
DUTIES = (
    "You look after eight patients with heart failure, prepare them for their tests, talk to their "
    "families and train two students a year at the bedside together with the senior physician. "
)
NURSE = f"{DUTIES}\n{COMPANY}"


def _alike(count: int) -> npt.NDArray[np.float32]:
    return np.ones((count, 4), dtype=np.float32)


def _collapse(texts: list[str], places: list[str | None] | None = None) -> list[list[int]]:
    return collapse(texts, _alike(len(texts)), places)


def test_one_posting_from_three_boards_is_one_group_the_best_ranked_first() -> None:
    texts = [
        f"URGENT: Cardiac Nurse (m/f/d), $40/hr #47113\nFull-time · Clinic\n{NURSE}",
        "Baker\nYou bake bread at night and sell it in the morning.",
        f"Cardiac nurse - Full-Time\n{DUTIES}",
        f"Nurse, Cardiac\nAbout the job. {NURSE} Apply on the company's own page. Posted today.",
    ]

    assert _collapse(texts) == [[0, 2, 3], [1]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Technician II", "Technician III"),
        ("Nurse", "Senior Nurse"),
        ("Cardiac Nurse", "Cardiac Nurse - Part Time"),
        ("Registered Nurse", "Practical Nurse"),
        ("C Developer", "C++ Developer"),
    ],
)
def test_other_titles_are_other_jobs_whatever_their_texts_share(first: str, second: str) -> None:
    assert _collapse([f"{first}\n{NURSE}", f"{second}\n{NURSE}"]) == [[0], [1]]


def test_two_jobs_of_one_title_and_company_are_two_when_their_duties_differ() -> None:
    other = "You work in the emergency room, sort those who come in by how ill they are. " * 2

    assert _collapse([f"Nurse\n{DUTIES}\n{COMPANY}", f"Nurse\n{other}\n{COMPANY}"]) == [[0], [1]]


def test_one_posting_for_two_towns_is_two_where_the_places_are_known() -> None:
    texts = [f"Store Manager\n{NURSE}"] * 2

    assert _collapse(texts, ["Grayson, GA", "Avon, IN"]) == [[0], [1]]
    assert _collapse(texts, ["Austin, TX", "Austin, Texas, United States"]) == [[0, 1]]
    assert _collapse(texts, ["US, TX, Austin", "United States"]) == [[0, 1]]
    assert _collapse(texts, ["Austin, TX", None]) == [[0, 1]]
    assert _collapse(texts) == [[0, 1]]


def test_a_town_in_a_title_is_no_part_of_it() -> None:
    texts = [f"Store Manager - Austin, TX\n{NURSE}", f"Store Manager\n{NURSE}"]

    assert _collapse(texts, ["Austin, TX", "Austin, Texas"]) == [[0, 1]]


def test_titles_that_are_only_a_town_still_tell_jobs_apart() -> None:
    texts = [f"Austin\n{NURSE}", f"Manager\n{NURSE}"]

    assert _collapse(texts, ["Austin, TX", "Austin, TX"]) == [[0], [1]]


def test_chains_of_copies_are_one_group() -> None:
    words = [f"word{n}" for n in range(200)]
    texts = ["Nurse\n" + " ".join(words[start : start + 140]) for start in (0, 25, 50)]

    assert _collapse([texts[0], texts[2]]) == [[0], [1]]
    assert _collapse(texts) == [[0, 1, 2]]


def test_titles_without_descriptions_are_compared_as_they_are() -> None:
    assert _collapse(["Nurse", "Nurse", "Baker"]) == [[0, 1], [2]]
    assert _collapse(["Nurse\nHarbour Clinic", "Nurse\nHill Hospital"]) == [[0], [1]]


def test_the_copy_among_many_of_one_title_is_found_by_its_vector() -> None:
    duties = [" ".join(f"duty{n}of{job}" for n in range(40)) for job in range(300)]
    texts = [f"Nurse\n{COMPANY}{each}" for each in duties]
    vectors = np.eye(301, dtype=np.float32)[: len(texts)]
    copy = len(texts)

    groups = collapse([*texts, f"Nurse\n{duties[7]}"], np.vstack([vectors, vectors[7]]))

    assert [group for group in groups if len(group) > 1] == [[7, copy]]


def test_a_hundred_copies_with_one_vector_are_one_group() -> None:
    assert _collapse([f"Nurse\n{NURSE}"] * 100) == [list(range(100))]


def test_other_towns_do_not_hide_the_copy_of_the_same_town() -> None:
    towns: list[str | None] = [f"Town{n}" for n in range(40)]

    groups = _collapse([f"Store Manager\n{NURSE}"] * 41, [*towns, "Town39, TX"])

    assert groups[-1] == [39, 40]
    assert len(groups) == 40


def test_what_does_not_fit_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidInput, match="embeddings: must be"):
        collapse(["Nurse"], _alike(2))
    with pytest.raises(InvalidInput, match="places: must be 1"):
        collapse(["Nurse"], _alike(1), [None, None])


texts_of_few_words = st.lists(
    st.lists(st.sampled_from(["nurse", "baker", "driver", "night", "day"]), max_size=6).map(
        " ".join
    ),
    max_size=12,
).map(lambda bodies: [f"{body[:5]}\n{body}" for body in bodies])


@given(texts_of_few_words)
def test_groups_hold_every_position_once_in_the_order_of_the_ranking(texts: list[str]) -> None:
    groups = _collapse(texts)

    assert sorted(position for group in groups for position in group) == list(range(len(texts)))
    assert all(group == sorted(group) for group in groups)
    assert groups == sorted(groups)
    assert groups == _collapse(texts)


@given(texts_of_few_words, st.randoms())
def test_who_belongs_together_does_not_depend_on_the_ranking(
    texts: list[str], random: Random
) -> None:
    order = list(range(len(texts)))
    random.shuffle(order)

    shuffled = _collapse([texts[n] for n in order])

    there = {frozenset(order[n] for n in group) for group in shuffled}
    assert there == {frozenset(group) for group in _collapse(texts)}


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_title_and_a_place(first: str, second: str) -> None:
    assert title_words(first) or not any(map(str.isalnum, first))
    assert places_agree(place_words(first), place_words(first))
