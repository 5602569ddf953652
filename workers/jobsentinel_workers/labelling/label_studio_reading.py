"""Reading what Label Studio exports: JSON with annotations, or JSON_MIN with one row an annotation.

Annotations that were cancelled hold no label. The last change of an annotation is the label's time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from jobsentinel.contract.base import kind_of
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.label_studio import REF
from jobsentinel_workers.labelling.questions import BUILT_IN, Question
from jobsentinel_workers.labelling.read_labels import Expected, Reading, seconds
from jobsentinel_workers.labelling.tasks import ORIGIN_FIELDS

SOURCE: Final = "label-studio"


def read_label_studio(content: bytes, reading: Reading, expected: Expected) -> None:
    """Read an export into ``reading``.

    Raises:
        InvalidInput: the file is no JSON, or not a list of tasks: then nothing can be read.
    """
    for number, task in enumerate(_tasks(content, reading.name), start=1):
        place = f"task {number}"
        if not isinstance(task, dict):
            reading.fault(place, f"is a {kind_of(task)}, not an object")
            continue
        if isinstance(task.get("id"), int | str):
            place += f" (id {task['id']})"
        read = _read_task if "data" in task or "annotations" in task else _read_flat
        with reading.at(place):
            read(task, place, reading, expected)


def _tasks(content: bytes, name: str) -> list[Any]:
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, character {error.colno}"
        raise InvalidInput(name, f"is not JSON: {error.msg} at {where}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(name, f"is not UTF-8 (byte {error.start + 1})") from None
    except (RecursionError, ValueError) as error:
        raise InvalidInput(name, f"is not JSON that can be read: {error}") from None
    if not isinstance(found, list):
        raise InvalidInput(name, f"is a {kind_of(found)}, not a list of Label Studio's tasks")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}")


def _read_task(task: Mapping[str, Any], place: str, reading: Reading, expected: Expected) -> None:
    data = _mapping(task.get("data"), "data")
    annotations = task.get("annotations") or []
    if not isinstance(annotations, list):
        raise InvalidInput("annotations", f"is a {kind_of(annotations)}, not a list")
    if not annotations:
        reading.unanswered["not labelled"] += 1
    for number, annotation in enumerate(annotations, start=1):
        where = place if len(annotations) == 1 else f"{place}, annotation {number}"
        with reading.at(where):
            _read_annotation(_mapping(annotation, "annotations"), data, where, reading, expected)


def _read_annotation(
    annotation: Mapping[str, Any],
    data: Mapping[str, Any],
    place: str,
    reading: Reading,
    expected: Expected,
) -> None:
    if annotation.get("was_cancelled"):
        reading.unanswered["skipped"] += 1
        return
    regions = annotation.get("result") or []
    if not isinstance(regions, list):
        raise InvalidInput("result", f"is a {kind_of(regions)}, not a list")
    if not regions:
        reading.unanswered["not answered"] += 1
    common = _common(data, expected) | {
        "annotator": _annotator(annotation.get("completed_by")) or expected.annotator,
        "seconds_spent": seconds(annotation.get("lead_time")),
        "created_at": _time(annotation, expected),
    }
    for region in regions:
        with reading.at(place):
            _read_region(_mapping(region, "result"), common, place, reading, expected)


def _read_region(
    region: Mapping[str, Any],
    common: Mapping[str, Any],
    place: str,
    reading: Reading,
    expected: Expected,
) -> None:
    question = expected.question(region.get("from_name"), "from_name")
    if question is None:
        reading.unanswered["of another kind"] += 1
        return
    value = question.value_of(_said(region, question))
    reading.add(place, {**common, "kind": question.kind, "value": value})


def _said(region: Mapping[str, Any], question: Question) -> object:
    wanted = "number" if question.form == "number" else "choices"
    held = _mapping(region.get("value"), "value")
    if wanted not in held:
        raise InvalidInput("type", f"is {region.get('type')!r:.40}; {wanted!r} answers this kind")
    said = held[wanted]
    if wanted == "number":
        return said
    if not isinstance(said, list) or len(said) != 1:
        count = len(said) if isinstance(said, list) else 0
        raise InvalidInput("choices", f"must be one, and there are {count}")
    return said[0]


def _read_flat(row: Mapping[str, Any], place: str, reading: Reading, expected: Expected) -> None:
    """Read a row of JSON_MIN, where answers stand under their names beside the task's data."""
    common = _common(row, expected) | {
        "annotator": _annotator(row.get("annotator")) or expected.annotator,
        "seconds_spent": seconds(row.get("lead_time")),
        "created_at": _time(row, expected),
    }
    answered = False
    for kind in _kinds_in(row, expected):
        answered = True
        if question := expected.question(kind, kind):
            value = question.value_of(_flat_answer(row[kind]))
            reading.add(place, {**common, "kind": kind, "value": value})
    if not answered:
        reading.unanswered["not answered"] += 1


def _kinds_in(row: Mapping[str, Any], expected: Expected) -> Iterator[str]:
    named = [expected.only.kind] if expected.only else [*BUILT_IN, row.get("kind")]
    yield from (kind for kind in dict.fromkeys(named) if isinstance(kind, str) and kind in row)


def _flat_answer(said: object) -> object:
    """Return a number out of the list of objects in which JSON_MIN wraps it."""
    if isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict):
        return said[0].get("number")
    return said


def _common(data: Mapping[str, Any], expected: Expected) -> dict[str, Any]:
    if REF not in data:
        raise InvalidInput(f"data.{REF}", "is missing; it names the posting. Another project?")
    origin = {name: data[name] for name in ORIGIN_FIELDS if data.get(name) is not None}
    return {"posting_id": data[REF], "source": SOURCE, **origin}


def _annotator(completed_by: object) -> str | None:
    """Return the e-mail address of whoever labelled, or the number, as Label Studio's tools do."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    if isinstance(completed_by, bool) or not isinstance(completed_by, int | str | None):
        raise InvalidInput("completed_by", f"is a {kind_of(completed_by)}, no number or address")
    return None if completed_by in {None, ""} else str(completed_by)


def _time(held: Mapping[str, Any], expected: Expected) -> Any:
    return held.get("updated_at") or held.get("created_at") or expected.made_at


def _mapping(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(field, f"is a {kind_of(value)}, not an object")
    return value
