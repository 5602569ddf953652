"""Rows out of Parquet files and of folders that Hugging Face's ``save_to_disk`` made.

Formats: https://parquet.apache.org and, of the folders, Arrow's IPC stream in the files that
``state.json`` lists, with the classes' names in ``dataset_info.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobsentinel.contract.datasets import ROW_OF_DATASET, DatasetTask
from jobsentinel.contract.errors import ConfigurationError, InvalidInput
from jobsentinel.dataset_columns import IGNORED, check_columns

if TYPE_CHECKING:
    from jobsentinel.dataset_files import Placed

_ROWS_AT_ONCE: Final = 256


class ParquetFile:
    """The rows of one Parquet file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name

    def placed(self, task: DatasetTask) -> Iterator[Placed]:
        """Yield the rows from the first, some hundred in memory."""
        arrow = _arrow()
        name = self.name
        with _readable(arrow, name), arrow.parquet.ParquetFile(self._path) as file:
            check_columns(file.schema_arrow.names, ROW_OF_DATASET[task], name)
            classes = _class_names(_written_features(file.schema_arrow.metadata or {}))
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{name}, row {number}: ", _plain(row, classes)


class SavedFolder:
    """The rows of a dataset in a folder with Arrow files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = folder.name

    def placed(self, task: DatasetTask) -> Iterator[Placed]:
        """Yield the rows from the first, some hundred in memory."""
        arrow = _arrow()
        files, classes = self._files(), self._classes()
        number = 0
        for path in files:
            for row in self._rows(arrow, path, task):
                number += 1
                yield f"{self.name}, row {number}: ", _plain(row, classes)

    def _rows(self, arrow: Any, path: Path, task: DatasetTask) -> Iterator[dict[str, Any]]:
        name = f"{self.name}/{path.name}"
        with _readable(arrow, name), arrow.memory_map(str(path)) as mapped:
            stream = arrow.ipc.open_stream(mapped)
            check_columns(stream.schema.names, ROW_OF_DATASET[task], name)
            for batch in stream:
                for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                    yield from batch.slice(start, _ROWS_AT_ONCE).to_pylist()

    def _files(self) -> list[Path]:
        if (self._folder / "dataset_dict.json").is_file():
            splits = self._json("dataset_dict.json").get("splits", [])
            problem = f"holds the datasets {', '.join(map(str, splits))}; name the folder of one"
            raise InvalidInput(self.name, problem)
        state = self._json("state.json")
        if state.get("_indices_data_files"):
            problem = "has its rows chosen by an index; save it again after flatten_indices()"
            raise InvalidInput(self.name, problem)
        listed = state.get("_data_files")
        names = [_file_name(each) for each in listed] if isinstance(listed, list) else []
        if not names or None in names:
            raise InvalidInput(f"{self.name}/state.json", "lists no data files")
        return [self._folder / name for name in names if name]

    def _classes(self) -> dict[str, list[str]]:
        if not (self._folder / "dataset_info.json").is_file():
            return {}
        return _class_names(self._json("dataset_info.json").get("features"))

    def _json(self, name: str) -> dict[str, Any]:
        where = f"{self.name}/{name}"
        try:
            found = json.loads((self._folder / name).read_text("utf-8"))
        except FileNotFoundError:
            problem = "is missing, so the folder is none that save_to_disk made"
            raise InvalidInput(where, problem) from None
        except (OSError, ValueError) as error:
            raise InvalidInput(where, f"cannot be read as JSON ({error})") from None
        if not isinstance(found, dict):
            raise InvalidInput(where, "is no JSON object")
        return found


def _file_name(listed: object) -> str | None:
    """Return the name in an entry of ``state.json``, if it stays within the folder."""
    name = listed.get("filename") if isinstance(listed, dict) else None
    return name if isinstance(name, str) and name and Path(name).name == name else None


def _written_features(metadata: Mapping[bytes, bytes]) -> Any:
    """Return what Hugging Face's writer says of the columns in a Parquet file, if it wrote it."""
    try:
        return json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return None


def _class_names(features: Any) -> dict[str, list[str]]:
    """Return the names of the classes that a column holds as numbers, by column."""
    return {
        column: list(about["names"])
        for column, about in (features.items() if isinstance(features, dict) else ())
        if isinstance(about, dict) and about.get("_type") == "ClassLabel" and "names" in about
    }


def _plain(row: Mapping[str, Any], classes: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return a row without what is absent, its class numbers as names."""
    plain = {
        name: _without_absent(value)
        for name, value in row.items()
        if value is not None and name not in IGNORED
    }
    for name, names in classes.items():
        number = plain.get(name)
        if isinstance(number, int) and 0 <= number < len(names):
            plain[name] = names[number]
    return plain


def _without_absent(value: Any) -> Any:
    """Arrow gives a struct with all its fields, those without a value as None."""
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if part is not None}
    return value


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("pyarrow"):
            raise
        raise ConfigurationError(
            "Parquet files and Hugging Face's folders are read with pyarrow: "
            "pip install 'jobsentinel-ml[datasets]'"
        ) from None
    return pyarrow


@contextmanager
def _readable(arrow: Any, name: str) -> Iterator[None]:
    try:
        yield
    except InvalidInput:
        raise
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(name, f"cannot be read: {error}") from error
