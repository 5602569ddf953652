"""Label Studio: tasks and a project's labelling configuration out, its JSON and JSON_MIN in.

Tasks are in the form of https://labelstud.io/guide/tasks and predictions in that of
https://labelstud.io/guide/predictions. Its uncertainty sampling hands out the lowest prediction
score first, so the score holds the acquisition order, from 0 to 1; a prediction's own probability
stands with its region. Tasks are in that order too, for sequential sampling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from xml.etree import ElementTree

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.questions import Question, Value
from jobsentinel_workers.labelling.tasks import Answer, LabellingTask, Prediction

TEXT: Final = "text"
"""Name of the tag that shows the posting."""
REF: Final = "ref_id"
"""Key of a task's data that names the posting."""


def labelling_config(question: Question) -> str:
    """Return the XML that a project needs to ask ``question`` about such tasks.

    Raises:
        InvalidInput: the kind's name is taken by the posting's text.
    """
    if question.kind == TEXT:
        raise InvalidInput("kind", f"{TEXT!r} is the name of the posting itself in Label Studio")
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", value=question.text)
    ElementTree.SubElement(view, "Text", name=TEXT, value=f"${TEXT}")
    asked = {"name": question.kind, "toName": TEXT, "required": "true"}
    if question.form == "number":
        ElementTree.SubElement(view, "Number", asked | _bounds(question))
    else:
        choices = ElementTree.SubElement(view, "Choices", asked | {"choice": "single"})
        for key, name in _choices(question).items():
            shown = {"value": name} if key == name else {"value": name, "alias": key}
            ElementTree.SubElement(choices, "Choice", shown)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def as_tasks(tasks: Sequence[LabellingTask], question: Question) -> Iterator[dict[str, Any]]:
    """Yield a task of Label Studio for each posting, or for each way in which one was chosen."""
    count = len(tasks)
    by_posting = groupby(
        enumerate(tasks, start=1), lambda each: (each[1].posting_id, each[1].origin)
    )
    for number, (_, same) in enumerate(by_posting, start=1):
        group = [(order, task) for order, task in same]
        order, first = group[0]
        answers = [answer for _, task in group for answer in task.answers]
        task: dict[str, Any] = {
            "id": number,
            "data": _data(first, question),
            "predictions": [_prediction(first, question, order / (count + 1))],
        }
        if answers:
            task["annotations"] = [
                _annotation(answer, question, first.posting_id) for answer in answers
            ]
        yield task


def _bounds(question: Question) -> dict[str, str]:
    step = {"step": "1" if question.kind == "salary" else "0.01"}
    if question.limits is None:
        return step
    low, high = question.limits
    return {"min": f"{low:.10g}", "max": f"{high:.10g}", **step}


def _choices(question: Question) -> Mapping[str, str]:
    return question.classes if question.form == "choice" else {"yes": "yes", "no": "no"}


def _data(task: LabellingTask, question: Question) -> dict[str, Any]:
    chosen = {"position": task.position, "score": task.score, "reason": task.reason}
    return {
        TEXT: task.text,
        REF: task.posting_id,
        "title": task.title,
        "kind": question.kind,
        **{name: value for name, value in chosen.items() if value is not None},
        **task.origin,
    }


def _prediction(task: LabellingTask, question: Question, score: float) -> dict[str, Any]:
    made: Prediction | None = task.prediction
    result = []
    if made is not None and (question.form != "choice" or made.value in question.classes):
        region = _region(made.value, question, task.posting_id)
        # The order is in the prediction's score, so the model's own certainty stands here.
        result = [region if made.probability is None else {**region, "score": made.probability}]
    version = made.model_version if made is not None else task.model_version
    return {"model_version": version or "none", "score": round(score, 9), "result": result}


def _annotation(answer: Answer, question: Question, posting_id: str) -> dict[str, Any]:
    return {
        "result": [_region(answer.value, question, posting_id)],
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": answer.seconds_spent,
        "completed_by": {"email": answer.annotator},
        "created_at": answer.created_at,
        "updated_at": answer.created_at,
    }


def _region(value: Value, question: Question, posting_id: str) -> dict[str, Any]:
    kind, held = "number", dict[str, object](number=value)
    if question.form != "number":
        chosen = ("yes" if value else "no") if question.form == "yes_no" else value
        kind, held = "choices", {"choices": [chosen]}
    made_from = f"{question.kind}\n{posting_id}".encode()
    return {
        "id": hashlib.sha256(made_from).hexdigest()[:10],
        "from_name": question.kind,
        "to_name": TEXT,
        "type": kind,
        "value": held,
    }
