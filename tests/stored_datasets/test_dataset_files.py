"""Files of rows: what is read from each kind, and how a fault is told."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest
from dataset_stores import CLASSES, NUMBERS, ROWS, SEVERAL, Sender, digest_of_rows, lines

from jobsentinel.contract.errors import ConfigurationError, InvalidInput
from jobsentinel_workers.datasets import load
from jobsentinel_workers.store import Database

Write = Callable[[str, Any], Path]

CSV = "text,label\n" + "".join(f'"{row["text"]}",{row["label"]}\n' for row in CLASSES)


def refusal(sender: Sender, source: Any, task: Any = "classification") -> str:
    """Send what must be refused, see that nothing was sent, and return what was said."""
    with pytest.raises(InvalidInput) as caught:
        sender.send(source, task)
    assert sender.requests == []
    return str(caught.value)


def save_folder(folder: Path, table: pyarrow.Table, **info: Any) -> Path:
    """Write a folder as ``save_to_disk`` does, in two files."""
    folder.mkdir()
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    half = table.num_rows // 2
    for name, part in zip(names, (table.slice(0, half), table.slice(half)), strict=True):
        with (
            pyarrow.OSFile(str(folder / name), "wb") as sink,
            pyarrow.ipc.new_stream(sink, table.schema) as stream,
        ):
            stream.write_table(part, max_chunksize=3)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": info}))
    return folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", lines(CLASSES).encode()),
        ("rows.JSONL.GZ", gzip.compress(lines(CLASSES).encode())),
        ("windows.ndjson", b"\xef\xbb\xbf" + lines(CLASSES).replace("\n", "\r\n\r\n").encode()),
        ("with-ids.jsonl", lines([{"id": 7, **row} for row in CLASSES]).encode()),
        ("rows.csv", CSV.encode()),
        ("windows.csv", b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode()),
        ("rows.csv.gz", gzip.compress(CSV.encode())),
    ],
)
def test_lines_of_every_kind_give_the_same_dataset(
    sender: Sender, write: Write, name: str, content: bytes
) -> None:
    assert sender.send(write(name, content)).sha256 == digest_of_rows(CLASSES)


def test_parquet_and_saved_folders_give_the_same_dataset(sender: Sender, tmp_path: Path) -> None:
    # Given the rows in Parquet, with the index that pandas adds, and in a folder of two files
    table = pyarrow.Table.from_pylist([{**row, "__index_level_0__": 3} for row in CLASSES])
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=6)
    folder = save_folder(tmp_path / "saved", pyarrow.Table.from_pylist(CLASSES))

    # When they are sent; then it is one dataset
    assert sender.send(tmp_path / "rows.parquet").sha256 == digest_of_rows(CLASSES)
    assert sender.send(str(folder)).was_stored


def test_classes_that_are_kept_as_numbers_get_their_names(sender: Sender, tmp_path: Path) -> None:
    # Given a folder and a file as Hugging Face's library writes them
    label = {"names": ["no", "yes"], "_type": "ClassLabel"}
    rows = [{**row, "label": label["names"].index(row["label"])} for row in CLASSES]
    folder = save_folder(tmp_path / "saved", pyarrow.Table.from_pylist(rows), label=label)
    said = {"huggingface": json.dumps({"info": {"features": {"label": label}}})}
    table = pyarrow.Table.from_pylist(rows).replace_schema_metadata(said)
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")

    # When they are sent; then their labels are the classes' names
    assert sender.send(folder).sha256 == digest_of_rows(CLASSES)
    assert sender.send(tmp_path / "rows.parquet").was_stored


def test_several_answers_a_row_in_parquet(sender: Sender, tmp_path: Path) -> None:
    # Given a column for each label, which for most rows holds nothing
    columns = ("text", "category", "salary_year_usd", "scam", "labels")
    rows = [{column: row.get(column) for column in columns} for row in SEVERAL]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")

    sent = sender.send(tmp_path / "rows.parquet", "multi-task").sha256

    assert sent == digest_of_rows(SEVERAL, "multi-task")


def test_cells_of_csv_become_what_the_row_needs(
    sender: Sender, write: Write, sqlite: Database
) -> None:
    # Given numbers, truth values, empty cells, and a text over two lines
    cells = 'text,salary_year_usd,scam\n"two\nlines",52000,\nb,,TRUE\nc,6e4,no\n'
    more = "".join(f"more {n},,1\n" for n in range(5))

    sent = sender.send(write("rows.csv", cells + more), "multi-task")

    with sqlite.connect() as connection:
        rows = load(connection, sent.sha256).rows
    assert [row | {"labels": None} for row in rows[:3]] == [
        {"text": "two\nlines", "salary_year_usd": 52_000.0, "labels": None},
        {"text": "b", "scam": True, "labels": None},
        {"text": "c", "salary_year_usd": 60_000.0, "scam": False, "labels": None},
    ]


@pytest.mark.parametrize("task", ["regression", "similarity", "reranker"])
def test_numbers_of_csv_are_those_of_json(sender: Sender, write: Write, task: Any) -> None:
    rows = ROWS[task]
    header = ",".join(rows[0])
    cells = "".join(",".join(str(value) for value in row.values()) + "\n" for row in rows)

    sent = sender.send(write("rows.csv", f"{header}\n{cells}"), task).sha256

    assert sent == digest_of_rows(rows, task)


GOOD = lines(CLASSES[:3])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bad.jsonl", GOOD + '{"text": "x", "label": 4}\n' + GOOD, "bad.jsonl:4: label: .*int 4"),
        ("bad.jsonl", GOOD + '{"text": "x"}\n', "bad.jsonl:4: label: is missing"),
        ("bad.jsonl", GOOD + "\n\n{text: 1}\n", "bad.jsonl:6: line: is not JSON"),
        ("bad.jsonl", GOOD + "7\n", "bad.jsonl:4: .*is a int, not a mapping"),
        ("bad.jsonl", "[" + GOOD + "]", "bad.jsonl:1: line: is not JSON"),
        ("bad.jsonl", json.dumps(CLASSES), "bad.jsonl:1: line: is a list; write one object"),
        ("bad.jsonl", GOOD + '{"text": "a", "text": "b", "label": "c"}', "4: text: is given twice"),
        ("bad.jsonl", GOOD.encode() + b'{"text": "caf\xe9"}', "bad.jsonl:4: line: is not UTF-8"),
        ("bad.jsonl", lines(CLASSES).encode("utf-16"), "bad.jsonl:1: line: is not UTF-8"),
        ("bad.jsonl", "", "bad.jsonl: rows: are 0; a training needs 8"),
        ("bad.jsonl", GOOD, "bad.jsonl: rows: are 3"),
        ("bad.jsonl", lines([CLASSES[0]] * 9), "bad.jsonl: rows.label: must not be the same"),
        (
            "bad.jsonl",
            GOOD + lines([{**CLASSES[1], "text": "NURSE 1,  nights", "label": "no"}]),
            "bad.jsonl:4: label: is 'no', but row 2 has the same text with 'yes'",
        ),
        ("bad.csv", "", "bad.csv: is empty"),
        ("bad.csv", CSV.replace(",", ";"), "bad.csv: has ';' between its columns; commas"),
        ("bad.csv", CSV.replace("label", "lable", 1), "bad.csv: label: is missing.*'lable'"),
        ("bad.csv", CSV.replace("text", " Text", 1), "text: is missing.* nearest is ' Text'"),
        ("bad.csv", "text,label,note\na,b,c\n", "bad.csv: note: is not a column"),
        ("bad.csv", "text,text,label\na,b,c\n", "bad.csv: text: is the name of two columns"),
        ("bad.csv", CSV + "Nurse, nights, yes\n", "bad.csv:22: line: has 3 cells, and the header"),
        ("bad.csv", CSV + 'Nurse,"yes', "bad.csv:22: line: is not CSV"),
        ("bad.csv", CSV + "Nurse,\n", "bad.csv:22: label: is missing"),
        ("bad.csv", '"a\nb",x\n', "bad.csv: text: is missing"),
        # Python's own limit of a cell, which other libraries raise, or the label's.
        (
            "bad.csv",
            CSV + 'ok,"' + "x" * 200_000 + '"\n',
            "bad.csv:22: (line: .*limit|label: .*1000)",
        ),
        ("bad.csv", CSV.encode("cp1252") + b"caf\xe9,no\n", "bad.csv:22: line: is not UTF-8"),
        ("bad.jsonl.gz", gzip.compress(lines(CLASSES).encode())[:-9], "is not a whole gzip file"),
        ("bad.jsonl.gz", lines(CLASSES), "bad.jsonl.gz: is not a whole gzip file"),
        ("bad.txt", GOOD, "bad.txt is of no kind that is known"),
        ("bad.parquet", GOOD, "bad.parquet: cannot be read"),
    ],
)
def test_a_fault_is_told_by_file_line_and_field(
    sender: Sender, write: Write, name: str, content: Any, says: str
) -> None:
    assert re.search(says, refusal(sender, write(name, content)))


def test_what_is_no_number_or_truth_value_is_told_by_line(sender: Sender, write: Write) -> None:
    numbers = write("n.csv", "text,value\na,1.5\nb,12k\n")
    truth = write("t.csv", "text,scam\na,true\nb,perhaps\n")
    nothing = write("x.csv", "text,value\na,nan\n")

    assert "n.csv:3: value: must be a number" in refusal(sender, numbers, "regression")
    assert "t.csv:3: scam: must be true or false" in refusal(sender, truth, "multi-task")
    assert "x.csv:2: value: " in refusal(sender, nothing, "regression")


@pytest.mark.parametrize("name", ["endless.jsonl", "endless.csv"])
def test_a_line_without_an_end_is_refused_by_its_limit_and_not_read_whole(
    sender: Sender, tmp_path: Path, name: str
) -> None:
    # Given a sparse file whose second line is longer than memory
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.write(b"text,label\n" if name.endswith("csv") else lines(CLASSES[:1]).encode())
        stream.truncate(1 << 40)

    # When it is sent; then its limit is named
    assert f"{name}:2: line: is longer than 8,388,608 bytes" in refusal(sender, path)


def test_more_rows_than_a_training_takes_are_refused_where_they_begin(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an endless iterator
    drawn = 0

    def endless() -> Any:
        nonlocal drawn
        while True:
            drawn += 1
            yield {"text": f"t {drawn}", "label": str(drawn % 2)}

    monkeypatch.setattr("jobsentinel.contract.limits.MAX_TRAINING_ROWS", 100)

    # When it is sent; then it is left alone at the limit
    assert "rows.100.row: is beyond the 100 rows" in refusal(sender, endless())
    assert drawn == 101


def test_a_parquet_column_of_lists_where_text_is_due_is_told_by_row(
    sender: Sender, tmp_path: Path
) -> None:
    rows = [{"text": ["a", "b"], "label": "x"}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")

    said = refusal(sender, tmp_path / "rows.parquet")

    assert (
        said == "rows.parquet, row 1: text: Input should be a valid string (found list of length 2)"
    )


def test_a_parquet_file_without_a_column_names_the_nearest(sender: Sender, tmp_path: Path) -> None:
    rows = [{"text": "a", "labels": "x"}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")

    assert "rows.parquet: label: is missing" in refusal(sender, tmp_path / "rows.parquet")


def test_folders_that_are_no_single_dataset_say_what_to_do(sender: Sender, tmp_path: Path) -> None:
    splits = tmp_path / "splits"
    splits.mkdir()
    (splits / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "state.json").write_text('{"_data_files": [], "_indices_data_files": [{}]}')
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "state.json").write_text('{"_data_files": [{"filename": "../rows.arrow"}]}')

    assert "holds the datasets train, test; name the folder" in refusal(sender, splits)
    assert "flatten_indices()" in refusal(sender, chosen)
    assert "outside/state.json: lists no data files" in refusal(sender, outside)
    assert "state.json: is missing" in refusal(sender, tmp_path)


def test_a_broken_arrow_file_is_told(sender: Sender, tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "saved", pyarrow.Table.from_pylist(CLASSES))
    whole = (folder / "data-00001-of-00002.arrow").read_bytes()
    (folder / "data-00001-of-00002.arrow").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(InvalidInput, match=r"data-00001-of-00002\.arrow: cannot be read"):
        sender.send(folder)


def test_without_pyarrow_the_extra_is_named(
    sender: Sender, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'jobsentinel-ml\[datasets\]'"):
        sender.send(write("rows.parquet", b""))


@pytest.mark.parametrize("source", [b"rows", {"text": "a"}, 7, None, "nowhere.jsonl"])
def test_what_is_no_source_is_refused(sender: Sender, source: Any) -> None:
    assert "source: " in refusal(sender, source)


def test_iterables_are_told_by_row(sender: Sender) -> None:
    bad = [*NUMBERS, {"text": "x", "value": "1"}]

    assert "rows.10.value: Input should be a valid number" in refusal(sender, bad, "regression")
    assert "rows.10.value" in refusal(sender, iter(bad), "regression")
