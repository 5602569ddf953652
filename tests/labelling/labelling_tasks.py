"""Tasks and answers that Hypothesis makes up, and how the tests read files of tools."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from jobsentinel_workers.labelling.csv_files import text_in
from jobsentinel_workers.labelling.files import Format, read_file
from jobsentinel_workers.labelling.questions import Question, Value, built_in_question
from jobsentinel_workers.labelling.read_labels import Expected, Reading
from jobsentinel_workers.labelling.tasks import Answer, LabellingTask, Prediction

MADE_AT = "2026-11-23T09:00:00.000000Z"
# What Postgres cannot hold is not in the store: lone surrogates and NUL.
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
TIMES = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1))
PLAIN = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30)


def values_of(question: Question) -> st.SearchStrategy[Value]:
    """Return answers that the question takes."""
    if question.form == "choice":
        return st.sampled_from(list(question.classes))
    if question.form == "yes_no":
        return st.booleans()
    low, high = question.limits or (-1e9, 1e9)
    return st.floats(low, high)


@st.composite
def tasks(draw: st.DrawFn, question: Question, *, labelled: bool = True) -> list[LabellingTask]:
    """Draw tasks for different postings, each with answers of different annotators."""
    made = []
    names = draw(st.lists(PLAIN, min_size=1, max_size=4, unique=True))
    for position, name in enumerate(names, start=1):
        annotators = draw(st.lists(PLAIN, min_size=1, max_size=2, unique=True))
        answers = [
            Answer(
                draw(values_of(question)),
                annotator,
                draw(TIMES).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                draw(st.none() | st.floats(0, 86_400)),
            )
            for annotator in annotators
        ]
        made.append(
            LabellingTask(
                posting_id=name,
                title=draw(ANY_TEXT),
                text=draw(ANY_TEXT),
                position=position,
                prediction=Prediction(draw(values_of(question)), "multi-task@7", 0.75),
                score=draw(st.floats(0, 10)),
                reason=draw(PLAIN),
                strategy=draw(PLAIN),
                chosen_by=draw(PLAIN),
                model_version="multi-task@7",
                answers=tuple(answers) if labelled else (),
            )
        )
    return made


def expected(only: Question | None = None, annotator: str | None = None) -> Expected:
    """Return what a file is read for, among the built-in kinds."""
    return Expected(built_in_question, only, annotator, MADE_AT)


def read(
    content: bytes | str | list[Any],
    format_name: Format,
    only: Question | None = None,
    annotator: str | None = None,
) -> Reading:
    """Read a file's content; a list is written as JSON first."""
    if isinstance(content, list):
        content = json.dumps(content)
    raw = content.encode() if isinstance(content, str) else content
    return read_file(io.BytesIO(raw), format_name, "labels", expected(only, annotator))


def texts_in(path: Path, format_name: Format) -> list[str]:
    """Return the texts that a tool finds in a file, by its own rules."""
    content = path.read_bytes().decode("utf-8-sig")
    if format_name == "label-studio":
        return [task["data"]["text"] for task in json.loads(content)]
    if format_name == "prodigy":
        return [json.loads(line)["text"] for line in content.splitlines()]
    return [text_in(row["text"]) for row in csv.DictReader(io.StringIO(content, newline=""))]
