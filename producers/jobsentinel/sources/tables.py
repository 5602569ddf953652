"""Postings in tables: Parquet files, and frames of pandas and polars, a row at a time.

Frames are told by what they can do, so neither library is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.extras import optional_module
from jobsentinel.sources.fields import FieldMapping
from jobsentinel.sources.placed import PlacedRows, given

_ROWS_AT_ONCE: Final = 1_000

CheckColumns = Callable[[list[str]], None]


def parquet_rows(path: Path, *, check_columns: CheckColumns) -> PlacedRows:
    """Yield the rows of a Parquet file, some hundred in memory.

    Raises:
        ConfigurationError: the extra ``tables`` is not installed.
        InvalidInput: it cannot be read, or ``check_columns`` refuses its columns.
    """
    arrow = optional_module("pyarrow", "Parquet")
    parquet = optional_module("pyarrow.parquet", "Parquet")
    try:
        with parquet.ParquetFile(path) as file:
            check_columns(list(file.schema_arrow.names))
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path.name}, row {number}", given(row)
    except (arrow.ArrowException, OSError) as error:
        raise InvalidInput(path.name, f"cannot be read as Parquet: {error}") from error


def is_frame(value: object) -> bool:
    """Return whether this is a frame of pandas or polars, or a table of Arrow."""
    return hasattr(value, "columns") and any(
        hasattr(value, name) for name in ("iter_rows", "to_dict", "to_pylist")
    )


def frame_mappings(frame: Any, mapping: FieldMapping) -> Iterator[dict[str, Any]]:
    """Yield the rows of a frame as they are, once its columns were looked at.

    Raises:
        InvalidInput: names a column that is missing.
    """
    names = getattr(frame, "column_names", None) or frame.columns
    mapping.check_columns([str(name) for name in names], "frame")
    return _mappings(frame)


def _mappings(frame: Any) -> Iterator[dict[str, Any]]:
    if hasattr(frame, "iter_rows"):  # polars
        yield from frame.iter_rows(named=True)
        return
    if hasattr(frame, "to_pylist"):  # Arrow
        for batch in frame.to_batches(max_chunksize=_ROWS_AT_ONCE):
            yield from batch.to_pylist()
        return
    for start in range(0, len(frame), _ROWS_AT_ONCE):  # pandas
        part = frame.iloc[start : start + _ROWS_AT_ONCE].astype(object)
        # Its several signs of absence (NaN, NaT, NA) become one.
        yield from part.where(part.notna(), None).to_dict("records")
