"""What goes out to a labelling tool and comes back is what it was."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelling_tasks import read, tasks, texts_in

from jobsentinel_workers.labelling.files import FORMATS, Format, write_file
from jobsentinel_workers.labelling.questions import BUILT_IN, Question, built_in_question
from jobsentinel_workers.labelling.tasks import LabellingTask

OWN = Question("remote-policy", "choice", {"on site": "on site", "=hybrid": "=hybrid"})
QUESTIONS = [built_in_question(kind) for kind in BUILT_IN]


def rows_of(made: list[LabellingTask], question: Question, source: str) -> list[dict[str, Any]]:
    """Return the labels of tasks as the store is to get them."""
    return [
        {
            "posting_id": task.posting_id,
            "kind": question.kind,
            "value": answer.value,
            "annotator": answer.annotator,
            "created_at": answer.created_at,
            "seconds_spent": answer.seconds_spent,
            "strategy": task.strategy,
            "chosen_by": task.chosen_by,
            "model_version": task.model_version,
            "source": source,
        }
        for task in made
        for answer in task.answers
    ]


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("question", [*QUESTIONS, OWN], ids=lambda question: question.kind)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_labels_and_texts_of_any_characters_survive_a_file(
    format_name: Format, question: Question, data: st.DataObject
) -> None:
    # Given labelled postings
    made = data.draw(tasks(question))

    # When they are written for a tool and read again
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tasks.out"
        write_file(path, format_name, made, question)
        reading = read(path.read_bytes(), format_name, question)
        texts = texts_in(path, format_name)

    # Then every label is there with all that is known of it, and every text
    assert reading.faults == []
    found = [{**dict.fromkeys(("seconds_spent",)), **label.row} for label in reading.labels]
    assert found == rows_of(made, question, format_name)
    copies = [1 if format_name == "label-studio" else len(task.answers) for task in made]
    wanted = [task.text for task, count in zip(made, copies, strict=True) for _ in range(count)]
    assert texts == wanted


@pytest.mark.parametrize("format_name", FORMATS)
@settings(max_examples=25, deadline=None)
@given(made=tasks(built_in_question("category"), labelled=False))
def test_a_file_that_nobody_labelled_holds_no_labels_and_no_faults(
    format_name: Format, made: list[LabellingTask]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tasks.out"
        write_file(path, format_name, made, built_in_question("category"))
        reading = read(path.read_bytes(), format_name)

    assert (reading.labels, reading.faults) == ([], [])
    assert sum(reading.unanswered.values()) == len(made)
