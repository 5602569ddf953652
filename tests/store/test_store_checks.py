"""What may enter the database, and how times are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store.checks import (
    checked_id,
    checked_json,
    checked_text,
    chunks,
    storable_text,
)
from jobsentinel_workers.store.timestamps import checked_timestamp, utc_now, utc_text

storable = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=30)


@given(storable)
def test_text_that_can_be_encoded_and_has_no_nul_is_kept(text: str) -> None:
    assert checked_text("title", text) is text


@given(storable, st.sampled_from(["\x00", "\ud800", "\udfff"]), storable)
def test_unstorable_text_is_refused_with_its_position(before: str, bad: str, after: str) -> None:
    with pytest.raises(InvalidInput, match=f"^title: holds a .* at position {len(before)}$"):
        checked_text("title", before + bad + after)


@given(st.text(st.characters(codec=None), max_size=20))
def test_error_texts_are_always_made_storable(text: str) -> None:
    stored = storable_text(text)
    assert checked_text("error", stored) == stored
    assert stored == text or "\\u" in stored


@pytest.mark.parametrize("value", [None, 3, b"bytes"])
def test_what_is_not_text_is_refused_by_its_type(value: object) -> None:
    with pytest.raises(InvalidInput, match=f"must be text, not {type(value).__name__}"):
        checked_text("title", value)


@pytest.mark.parametrize("value", ["", "x" * 201])
def test_a_key_has_1_to_200_characters(value: str) -> None:
    with pytest.raises(InvalidInput, match="must have 1 to 200 characters"):
        checked_id("id", value)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (float("nan"), "payload.a.0"),
        (float("inf"), "payload.a.0"),
        ("\x00", "payload.a.0"),
        (np.float32(1), "payload.a.0"),
        ({1: 2}, r"payload.a.0 \(a key\)"),
        ({"\ud800": 2}, r"payload.a.0 \(a key\)"),
        ({1, 2}, "payload.a.0"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_its_path(value: Any, field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}: "):
        checked_json("payload", {"a": [value]})


def test_bottomless_json_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(InvalidInput, match="nested deeper than 64 levels"):
        checked_json("payload", value)


@given(st.integers(0, 1_600))
def test_chunks_hold_everything_in_order(count: int) -> None:
    items = list(range(count))
    parts = list(chunks(items))
    assert [item for part in parts for item in part] == items
    assert all(0 < len(part) <= 500 for part in parts)


zones = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))


@given(
    st.datetimes(datetime(1900, 1, 2), timezones=zones),
    st.datetimes(datetime(1900, 1, 2), datetime(9999, 12, 30), timezones=zones),
)
def test_the_order_of_texts_is_the_order_of_times(a: datetime, b: datetime) -> None:
    if a.year < 9999:
        assert (checked_timestamp("t", a) < checked_timestamp("t", b)) == (a < b)
        assert datetime.fromisoformat(utc_text(a)) == a
        assert checked_timestamp("t", a.isoformat()) == utc_text(a)


def test_no_time_means_now() -> None:
    before = utc_now()
    assert before <= checked_timestamp("t", None) <= utc_text(datetime.now(UTC))


@pytest.mark.parametrize("value", ["2026-11-22T14:13:18", datetime(2026, 11, 22), "soon", 17])
def test_a_time_without_offset_or_sense_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^created_at: (has no UTC offset|is not an ISO 8601)"):
        checked_timestamp("created_at", value)
