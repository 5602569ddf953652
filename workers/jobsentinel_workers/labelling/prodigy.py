"""Prodigy: tasks as JSON Lines, in the order in which to label, and its annotations back.

A choice is asked by the interface ``choice``, yes or no by ``classification`` with one label, a
number by ``text_input``; see https://prodi.gy/docs/api-interfaces. The posting stands in ``meta``,
which Prodigy keeps. Rejecting the only label is a no; rejecting one class of many says too little
to be a label, and is named. What is ignored holds no label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Final

from jobsentinel.bounded_lines import MAX_LINE_BYTES, decoded_json
from jobsentinel.contract.base import kind_of
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.questions import Question, Value
from jobsentinel_workers.labelling.read_labels import Expected, Reading, seconds
from jobsentinel_workers.labelling.tasks import ORIGIN_FIELDS, Answer, LabellingTask
from jobsentinel_workers.store.timestamps import utc_text

SOURCE: Final = "prodigy"

_VIEWS: Final = {"choice": "choice", "yes_no": "classification", "number": "text_input"}


def as_lines(tasks: Sequence[LabellingTask], question: Question) -> Iterator[dict[str, Any]]:
    """Yield a task of Prodigy for each posting, or for each label that it has."""
    for task in tasks:
        row = _task(task, question)
        if not task.answers:
            yield row
        for answer in task.answers:
            yield {**row, **_answered(answer, question)}


def _task(task: LabellingTask, question: Question) -> dict[str, Any]:
    made = task.prediction
    meta = {
        "posting_id": task.posting_id,
        "title": task.title,
        "kind": question.kind,
        "position": task.position,
        "acquisition_score": task.score,
        "reason": task.reason,
        **task.origin,
        "prediction": None if made is None else question.told(made.value),
    }
    row: dict[str, Any] = {"text": task.text, **_asked(question)}
    if made is not None and made.probability is not None:
        yes_no = question.form == "yes_no"
        row["score"] = 1.0 - made.probability if yes_no and not made.value else made.probability
    row["meta"] = {name: value for name, value in meta.items() if value is not None}
    row["_input_hash"] = _hash(task.text)
    row["_task_hash"] = _hash(task.text, task.posting_id, question.kind, *question.classes)
    row["_view_id"] = _VIEWS[question.form]
    return row


def _asked(question: Question) -> dict[str, Any]:
    if question.form == "choice":
        return {"options": [{"id": key, "text": name} for key, name in question.classes.items()]}
    if question.form == "yes_no":
        return {"label": question.kind.upper()}
    return {"field_id": question.kind, "field_label": question.text}


def _answered(answer: Answer, question: Question) -> dict[str, Any]:
    said: dict[str, Any] = {"answer": "accept"}
    if question.form == "choice":
        said["accept"] = [answer.value]
    elif question.form == "number":
        said[question.kind] = answer.value
    elif not answer.value:
        said["answer"] = "reject"
    if answer.seconds_spent is not None:
        said["seconds_spent"] = answer.seconds_spent
    by = {"_annotator_id": answer.annotator, "_session_id": answer.annotator}
    return {**said, **by, "_timestamp": datetime.fromisoformat(answer.created_at).timestamp()}


def _hash(*parts: str) -> int:
    """Return 32 bits with a sign, as Prodigy's hashes are; it keeps those that are there."""
    joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(joined).digest()[:4], "big", signed=True)


def read_prodigy(stream: IO[bytes], reading: Reading, expected: Expected) -> None:
    """Read annotations into ``reading``, a line each; a broken line is a fault like any other."""
    for number, line in _lines(stream):
        with reading.at(str(number)):
            row = decoded_json(line)
            if not isinstance(row, dict):
                raise InvalidInput("line", f"is a {kind_of(row)}, not an object")
            _read_row(row, str(number), reading, expected)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line that is not blank; of an endless one, just too much."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        piece = line if len(line) > MAX_LINE_BYTES else b"\n"
        while piece and not piece.endswith(b"\n"):
            piece = stream.readline(MAX_LINE_BYTES)
        if line := (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip():
            yield number, line


def _read_row(row: Mapping[str, Any], place: str, reading: Reading, expected: Expected) -> None:
    meta = row.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    answer = row.get("answer")
    if answer is None or answer == "ignore":
        reading.unanswered["ignored" if answer else "not answered"] += 1
        return
    if answer not in {"accept", "reject"}:
        raise InvalidInput("answer", f"must be accept, reject or ignore, not {answer!r:.40}")
    question = expected.question(*_kind(row, meta, expected))
    if question is None:
        reading.unanswered["of another kind"] += 1
        return
    posting_id = meta.get("posting_id", row.get("posting_id"))
    if posting_id is None:
        raise InvalidInput("meta.posting_id", "is missing; it names the posting")
    label = {
        "posting_id": posting_id,
        "kind": question.kind,
        "value": _value(row, answer == "accept", question),
        "annotator": row.get("_annotator_id") or row.get("_session_id") or expected.annotator,
        "seconds_spent": seconds(row.get("seconds_spent")),
        "created_at": _time(row.get("_timestamp"), expected),
        "source": SOURCE,
    }
    reading.add(place, label | {name: meta[name] for name in ORIGIN_FIELDS if name in meta})


def _kind(
    row: Mapping[str, Any], meta: Mapping[str, Any], expected: Expected
) -> tuple[object, str]:
    """Return the kind of a row, and the field that says so; other tools' rows have a label only."""
    if "kind" in meta:
        return meta["kind"], "meta.kind"
    if expected.only is not None:
        return expected.only.kind, "kind"
    label = row.get("label")
    if not isinstance(label, str):
        raise InvalidInput("meta.kind", "is missing, and --kind does not say it")
    return label.casefold(), "label"


def _value(row: Mapping[str, Any], accepted: bool, question: Question) -> Value:
    if question.form == "number":
        if not accepted:
            raise InvalidInput("answer", "is 'reject', which says no number")
        return question.value_of(row.get(question.kind, row.get("user_input")))
    said = _chosen(row, question)
    if accepted:
        return said
    if isinstance(said, bool):
        return not said
    others = [each for each in question.classes if each != said]
    if len(others) == 1:
        return others[0]
    raise InvalidInput(
        "answer", f"is 'reject': it is not {said!r}, which of {len(others)} others is not said"
    )


def _chosen(row: Mapping[str, Any], question: Question) -> Value:
    """Return the class at stake: the one chosen, or the one that was asked about."""
    if "options" in row or "accept" in row:
        chosen = row.get("accept")
        if not isinstance(chosen, list) or len(chosen) != 1:
            count = len(chosen) if isinstance(chosen, list) else 0
            raise InvalidInput("accept", f"must hold one answer, and holds {count}")
        return question.value_of(chosen[0])
    label = row.get("label")
    if question.form == "yes_no" and str(label).casefold() == question.kind:
        return True
    return question.value_of(label)


def _time(timestamp: object, expected: Expected) -> str:
    if timestamp is None:
        return expected.made_at
    if isinstance(timestamp, int | float) and not isinstance(timestamp, bool):
        try:
            return utc_text(datetime.fromtimestamp(round(timestamp, 6), UTC))
        except (OverflowError, OSError, ValueError):
            pass
    raise InvalidInput("_timestamp", f"must be seconds since 1970, not {timestamp!r:.40}")
