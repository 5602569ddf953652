"""Texts and pairs become token ids, the same from every thread."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder


def test_a_long_text_is_cut_to_the_limit(tiny_encoder: TextEncoder) -> None:
    encoded = tiny_encoder.prepare(["nurse " * 500])

    assert len(encoded[0]) == tiny_encoder.max_tokens


def test_a_pair_keeps_its_query_and_marks_its_segments(tiny_encoder: TextEncoder) -> None:
    encoded = tiny_encoder.prepare([("nurse", "ward " * 500), ("driver " * 500, "truck")])

    for pair in encoded:
        assert len(pair) <= tiny_encoder.max_tokens
        assert pair.token_type_ids is not None
        assert {0, 1} == set(pair.token_type_ids.tolist())
    query = tiny_encoder.prepare(["nurse"])[0].input_ids
    assert encoded[0].input_ids[: len(query)].tolist() == query.tolist()


def test_singles_and_pairs_in_one_call_keep_their_places(tiny_encoder: TextEncoder) -> None:
    mixed = tiny_encoder.prepare(["nurse", ("nurse", "ward"), "driver"])

    assert [text.token_type_ids is None for text in mixed] == [True, False, True]


def test_scraped_variants_of_one_text_become_the_same_tokens(tiny_encoder: TextEncoder) -> None:
    plain, scraped = tiny_encoder.prepare(["Sales & Service", "Sales &amp;  Service\u200b"])

    assert plain.input_ids.tolist() == scraped.input_ids.tolist()


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07", "\u200b\ufeff", "&nbsp;"])
def test_text_that_is_empty_once_normalised_is_refused(
    tiny_encoder: TextEncoder, text: str
) -> None:
    with pytest.raises(InvalidInput, match=r"texts\.1: must not be empty"):
        tiny_encoder.prepare(["nurse", text])


@pytest.mark.parametrize("text", [7, None, b"nurse", ("a",), ("a", "b", "c"), ["a", "b"]])
def test_what_is_neither_text_nor_pair_is_refused(tiny_encoder: TextEncoder, text: object) -> None:
    with pytest.raises(InvalidInput, match=r"texts\.0"):
        tiny_encoder.prepare([text])  # type: ignore[list-item]  # wrong on purpose


def test_one_string_instead_of_a_list_is_refused(tiny_encoder: TextEncoder) -> None:
    with pytest.raises(InvalidInput, match="sequence of texts"):
        tiny_encoder.prepare("nurse")


def test_ten_megabytes_cost_no_more_than_what_is_read(tiny_encoder: TextEncoder) -> None:
    huge = tiny_encoder.prepare(["nurse on the night shift " * 400_000])[0]

    assert huge.input_ids.tolist() == (
        tiny_encoder.prepare(["nurse on the night shift " * 100])[0].input_ids.tolist()
    )


def test_threads_get_the_tokens_that_one_thread_gets(tiny_encoder: TextEncoder) -> None:
    texts = [f"senior engineer number {n} " * (n % 40 + 1) for n in range(200)]
    expected = [text.input_ids.tolist() for text in tiny_encoder.prepare(texts)]

    def encode(_: int) -> list[list[int]]:
        time.sleep(0.001)
        return [text.input_ids.tolist() for text in tiny_encoder.prepare(texts)]

    with ThreadPoolExecutor(8) as threads:
        assert all(found == expected for found in threads.map(encode, range(16)))
