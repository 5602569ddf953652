"""Files that labelling tools take and give, by the name of their format."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final, Literal, get_args

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.csv_files import read_csv, write_csv
from jobsentinel_workers.labelling.label_studio import as_tasks, labelling_config
from jobsentinel_workers.labelling.label_studio_reading import read_label_studio
from jobsentinel_workers.labelling.prodigy import as_lines, read_prodigy
from jobsentinel_workers.labelling.questions import Question
from jobsentinel_workers.labelling.read_labels import Expected, Reading
from jobsentinel_workers.labelling.tasks import LabellingTask
from jobsentinel_workers.registry.durable_files import replace_file

Format = Literal["label-studio", "prodigy", "csv"]

FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MAX_FILE_BYTES: Final = 1024**3

_BY_SUFFIX: Final[dict[str, Format]] = {
    ".json": "label-studio",
    ".jsonl": "prodigy",
    ".ndjson": "prodigy",
    ".csv": "csv",
    ".tsv": "csv",
}


def format_of(path: Path) -> Format:
    """Return the format that a file's name says.

    Raises:
        InvalidInput: it says none.
    """
    found = _BY_SUFFIX.get(path.suffix.lower())
    if found is None:
        known = ", ".join(_BY_SUFFIX)
        raise InvalidInput("--format", f"is missing, and {path.name!r} ends in none of {known}")
    return found


def write_file(
    path: Path, format_name: Format, tasks: Sequence[LabellingTask], question: Question
) -> list[Path]:
    """Write tasks to ``path``, and what else the tool needs beside it; return what was written.

    A file appears under its name when it is complete.
    """
    written = [path]
    if format_name == "label-studio":
        config = path.with_suffix(".config.xml")
        replace_file(config, labelling_config(question).encode("utf-8"))
        written.append(config)
    replace_file(path, _content(format_name, tasks, question))
    return written


def _content(format_name: Format, tasks: Sequence[LabellingTask], question: Question) -> bytes:
    if format_name == "label-studio":
        return (_json(list(as_tasks(tasks, question)), indent=2) + "\n").encode("utf-8")
    if format_name == "prodigy":
        return "".join(f"{_json(row)}\n" for row in as_lines(tasks, question)).encode("utf-8")
    stream = io.StringIO(newline="")
    write_csv(stream, tasks, question)
    return stream.getvalue().encode("utf-8")


def _json(value: object, indent: int | None = None) -> str:
    # Line separators of Unicode stay escaped: some readers of JSON Lines break at them.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def read_file(stream: IO[bytes], format_name: Format, name: str, expected: Expected) -> Reading:
    """Read a tool's file; what is wrong in it stands among the reading's faults.

    Raises:
        InvalidInput: nothing of it can be read: no JSON, no UTF-8, no columns, or above a gigabyte.
    """
    reading = Reading(name)
    if format_name == "prodigy":
        read_prodigy(stream, reading, expected)
        return reading
    content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInput(name, f"is longer than {MAX_FILE_BYTES:,} bytes; cut it")
    read = read_csv if format_name == "csv" else read_label_studio
    read(content, reading, expected)
    return reading
