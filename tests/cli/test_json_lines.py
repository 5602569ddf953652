"""What the command reads: streamed JSON Lines, with every fault told by line and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobsentinel.cli import json_lines
from jobsentinel.cli.exit_codes import ExitCode
from jobsentinel.cli.json_lines import MAX_LINE_BYTES, Rows, all_rows
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting

GOOD = '{"id": "a", "title": "Nurse"}'


def rows_of(tmp_path: Path, content: bytes, *, skip_invalid: bool = False) -> Rows[Posting]:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    return Rows(path, Posting.parse, skip_invalid=skip_invalid)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": 1, "title": "Nurse"}', "rows.jsonl:2: id: Input should be a valid string"),
        ('{"id": "a"}', "rows.jsonl:2: description: and title are both empty"),
        ('{"id": "a", "title": "x", "salry": 1}', "salry: is not a field of contract version 1"),
        ('{"id": "a", "title": "%s"}' % ("x" * 1001), "title: String should have at most 1000"),
        ('{"id": "a", "title": NaN}', "line: holds NaN, which is not JSON"),
        ('{"id": "a", "title": -Infinity}', "line: holds -Infinity"),
        ('{"id": "a", "id": "b", "title": "x"}', "id: is given twice"),
        ('{"id": "a",', "line: is not JSON: "),
        ("[1, 2]", "line: is a list; write one object a line"),
        ('"text"', "Posting: is a text, not a mapping"),
        ("null", "Posting: is a null, not a mapping"),
        ("[" * 200_000, "line: is not JSON that can be read: too deep"),
        ("9" * 5_000, "line: is not JSON that can be read"),
    ],
)
def test_a_bad_line_is_named_with_its_field_and_its_fault(
    tmp_path: Path, line: str, told: str
) -> None:
    # Given a good line, then a bad one
    rows = rows_of(tmp_path, f"{GOOD}\n{line}\n".encode())

    # When they are read
    read = list(rows)

    # Then the good one was given, and the fault says where and what
    assert [posting.id for posting in read] == ["a"]
    with pytest.raises(InvalidInput) as fault:
        rows.settle()
    assert told in str(fault.value)
    assert str(fault.value).startswith("rows.jsonl:2: ")


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'{"id": "a", "title": "\xff"}\n')

    with pytest.raises(InvalidInput, match=r"rows\.jsonl:1: line: is not UTF-8 \(byte 23\)"):
        rows.check()


def test_a_mark_at_the_start_blank_lines_and_windows_line_ends_are_let_pass(tmp_path: Path) -> None:
    # Given what editors and spreadsheets leave behind
    rows = rows_of(tmp_path, b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\r\n  \n" + GOOD.encode())

    # Then both rows are read
    assert len(list(rows)) == 2
    assert rows.settle() is ExitCode.DONE


def test_an_endless_line_is_refused_without_being_held_and_reading_goes_on_behind_it(
    tmp_path: Path,
) -> None:
    # Given a line far over the limit between two good ones
    endless = b'{"id": "' + b"x" * (2 * MAX_LINE_BYTES + 5)
    rows = rows_of(
        tmp_path, GOOD.encode() + b"\n" + endless + b"\n" + GOOD.encode(), skip_invalid=True
    )

    # When bad lines are skipped
    read = list(rows)

    # Then both good ones are read, and the count is right
    assert len(read) == 2
    assert rows.skipped == 1
    assert rows.settle() is ExitCode.PARTLY_DONE


def test_skipped_lines_are_listed_up_to_a_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given more bad lines than anybody reads
    count = json_lines.MAX_FAULTS_LISTED + 7
    rows = rows_of(tmp_path, b"{}\n" * count, skip_invalid=True)

    # When they are read
    with rows:
        assert list(rows) == []

    # Then the first are told one by one, and the others as a number
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "skipped: rows.jsonl:1: id: is missing"
    assert told[-1] == "skipped: 7 more"
    assert len(told) == json_lines.MAX_FAULTS_LISTED + 1


def test_a_file_is_checked_whole_and_counted_before_its_rows_are_used(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{GOOD}\n\n{GOOD}\n".encode())

    assert rows.check() == 2
    assert len(list(rows)) == 2


def test_more_rows_than_a_message_may_hold_are_refused(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{GOOD}\n".encode() * 4)

    with pytest.raises(InvalidInput, match=r"candidates: rows\.jsonl has more than 3 rows"):
        all_rows(rows, "candidates", 3)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_it_was_written(tmp_path: Path, titles: list[str]) -> None:
    # Given rows with any text, escaped or not
    lines = [json.dumps({"t": title}, ensure_ascii=len(title) % 2 == 0) for title in titles]
    path = tmp_path / "any.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8", newline="")

    # Then reading gives the same text
    assert [row["t"] for row in Rows(path, lambda row: row)] == titles  # type: ignore[index]  # rows are dicts here
