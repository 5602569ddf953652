"""CSV for spreadsheets: a posting a row with an empty ``value`` to fill in, and filled rows back.

Texts of postings come from anywhere, and a spreadsheet takes a cell that begins with ``=`` for a
formula: such a cell gets an apostrophe in front, which reading takes away again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.questions import Question
from jobsentinel_workers.labelling.read_labels import Expected, Reading, seconds
from jobsentinel_workers.labelling.tasks import ORIGIN_FIELDS, Answer, LabellingTask

SOURCE: Final = "csv"

COLUMNS: Final = (
    "posting_id",
    "kind",
    "title",
    "text",
    "value",
    "annotator",
    "seconds_spent",
    "created_at",
    "prediction",
    "probability",
    "position",
    "score",
    "reason",
    *ORIGIN_FIELDS,
)
_REQUIRED: Final = ("posting_id", "value")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
_BOM: Final = "\ufeff"
"""Without it, spreadsheets do not take a file for UTF-8."""


def write_csv(stream: IO[str], tasks: Sequence[LabellingTask], question: Question) -> None:
    """Write a row for each posting, or for each label that it has.

    ``stream`` is opened with ``newline=""``.
    """
    stream.write(_BOM)
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for task in tasks:
        for answer in task.answers or (None,):
            writer.writerow(_row(task, answer, question))


def _row(task: LabellingTask, answer: Answer | None, question: Question) -> dict[str, Any]:
    made = task.prediction
    said: dict[str, Any] = {}
    if answer is not None:
        said = {
            "value": _cell(answer.value),
            "annotator": _cell(answer.annotator),
            "seconds_spent": _cell(answer.seconds_spent),
            "created_at": answer.created_at,
        }
    return {
        "posting_id": _cell(task.posting_id),
        "kind": question.kind,
        "title": _cell(task.title),
        "text": _cell(task.text),
        **said,
        "prediction": "" if made is None else _cell(made.value),
        "probability": "" if made is None else _cell(made.probability),
        "position": task.position,
        "score": _cell(task.score),
        "reason": _cell(task.reason),
        **{name: _cell(getattr(task, name)) for name in ORIGIN_FIELDS},
    }


def _cell(value: object) -> str:
    """Return a value as a cell; a number keeps all its digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value)


def text_in(cell: str) -> str:
    """Return the text of a cell, without the apostrophe that keeps it from being a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def read_csv(content: bytes, reading: Reading, expected: Expected) -> None:
    """Read filled rows into ``reading``; columns may stand in any order, others are let pass.

    Raises:
        InvalidInput: it is not UTF-8, or has no columns ``posting_id`` and ``value``.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(reading.name, f"is not UTF-8 (byte {error.start + 1})") from None
    rows = _rows(text, reading)
    _, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    if missing := [name for name in _REQUIRED if name not in names]:
        raise InvalidInput(reading.name, f"has no column {missing[0]!r} in its first line")
    for number, cells in rows:
        place = str(number)
        with reading.at(place):
            if len(cells) != len(names):
                problem = f"has {len(cells)} cells, the first line {len(names)}"
                raise InvalidInput("line", problem)
            row = {name: text_in(cell) for name, cell in zip(names, cells, strict=True)}
            _read_row(row, place, reading, expected)


def _rows(text: str, reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line's number and the cells of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    number = 1
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reading.fault(str(number), f"line: is not CSV: {error}")
            continue
        if cells:
            yield number, cells


def _delimiter(text: str) -> str:
    """Return what the first line is cut by: spreadsheets use ``;`` where a comma is decimal."""
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _read_row(row: Mapping[str, str], place: str, reading: Reading, expected: Expected) -> None:
    if not row["value"].strip():
        reading.unanswered["not answered"] += 1
        return
    kind = row.get("kind") or (expected.only.kind if expected.only else None)
    if kind is None:
        raise InvalidInput("kind", "is missing, and --kind does not say it")
    question = expected.question(kind, "kind")
    if question is None:
        reading.unanswered["of another kind"] += 1
        return
    origin = {name: row[name] for name in ORIGIN_FIELDS if row.get(name)}
    label = {
        "posting_id": row["posting_id"],
        "kind": question.kind,
        "value": question.value_of(row["value"]),
        "annotator": row.get("annotator") or expected.annotator,
        "seconds_spent": seconds(row.get("seconds_spent")),
        "created_at": row.get("created_at") or expected.made_at,
        "source": SOURCE,
    }
    reading.add(place, label | origin)
