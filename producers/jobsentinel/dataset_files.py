"""Where the rows of a dataset come from: a file or folder, or any iterable of mappings.

Rows come one after the other, each with its place, and a source can be read again from its start:
once to check and hash all of it, once more to send what the store lacks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Protocol

import msgpack

from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.datasets import ROW_OF_DATASET, DatasetTask
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.dataset_lines import Csv, JsonLines

ENDINGS: Final = ".jsonl, .jsonl.gz, .csv, .csv.gz, .parquet, or a folder that save_to_disk made"

Placed = tuple[str, object]
"""What goes before the field in an error, such as ``train.csv:7: ``, and a row as it was found."""


class Source(Protocol):
    """Rows that can be read again; ``name`` is that of the file, or empty."""

    name: str

    def placed(self, task: DatasetTask) -> Iterator[Placed]:
        """Yield the rows from the first."""
        ...


def source_of(given: Any) -> Source:
    """Return the source for a path or an iterable of mappings.

    Raises:
        InvalidInput: it is neither, or nothing is known to read such a file.
    """
    if isinstance(given, str | Path):
        return _file_source(Path(given))
    if isinstance(given, bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput("source", "must be a path or an iterable of mappings")
    # What is its own iterator can be read only once.
    return _Kept(given) if iter(given) is given else _Items(given)


def _file_source(path: Path) -> Source:
    if path.is_dir():
        from jobsentinel.dataset_arrow import SavedFolder

        return SavedFolder(path)
    if not path.is_file():
        raise InvalidInput("source", f"there is no file or folder {path}")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    ending = "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    if ending == ".parquet":
        from jobsentinel.dataset_arrow import ParquetFile

        return ParquetFile(path)
    if ending.removesuffix(".gz") in {".jsonl", ".ndjson"}:
        return JsonLines(path)
    if ending.removesuffix(".gz") == ".csv":
        return Csv(path)
    raise InvalidInput("source", f"{path.name} is of no kind that is known: {ENDINGS}")


def rows_of(
    source: Source, task: DatasetTask, *, take: Callable[[Message], None] = lambda row: None
) -> Iterator[Message]:
    """Yield the rows of a source, checked and then given to ``take``, which may refuse one.

    Raises:
        InvalidInput: names file, line and field of the first bad one.
    """
    kind = ROW_OF_DATASET[task]
    for place, found in source.placed(task):
        try:
            row = kind.parse(found)
            take(row)
        except InvalidInput as error:
            raise InvalidInput(f"{place}{error.field}", error.problem) from None
        yield row


class _Items:
    """Mappings in memory."""

    name = ""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items

    def placed(self, task: DatasetTask) -> Iterator[Placed]:
        del task
        for position, item in enumerate(self._items):
            yield f"rows.{position}.", item


class _Kept:
    """What an iterator gives, kept on disk as it is read for the first time."""

    name = ""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self._file: IO[bytes] | None = None

    def placed(self, task: DatasetTask) -> Iterator[Placed]:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this source
            return self._keep(self._file, task)
        self._file.seek(0)
        unpacker = msgpack.Unpacker(self._file, raw=False)
        return ((f"rows.{position}.", row) for position, row in enumerate(unpacker))

    def _keep(self, file: IO[bytes], task: DatasetTask) -> Iterator[Placed]:
        for place, found in _Items(self._items).placed(task):
            yield place, found
            # Whoever reads has checked the row now; a bad one never comes to this line.
            file.write(msgpack.packb(dump(ROW_OF_DATASET[task].parse(found))))
