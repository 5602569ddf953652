"""What is computed once for many texts, kept in chunks that a stopped run finds again.

A chunk's name is a hash over all it depends on, so what belongs to another model or other texts is
never taken for it. A chunk is there completely or not at all; a damaged one is computed anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jobsentinel_workers.registry.durable_files import replace_file

ROWS_A_CHUNK = 256
ARRAY = "rows"
Array = npt.NDArray[Any]

logger = logging.getLogger(__name__)


def chunk_bounds(rows: int) -> Iterator[tuple[int, int]]:
    """Yield where each chunk of ``rows`` rows starts and ends."""
    for start in range(0, rows, ROWS_A_CHUNK):
        yield start, min(rows, start + ROWS_A_CHUNK)


def keep_chunk(path: Path, shape: tuple[int, ...], compute: Callable[[], Array]) -> None:
    """See that ``path`` holds an array of ``shape``: computed and written if it does not."""
    if not _holds(path, shape):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, save({ARRAY: np.ascontiguousarray(compute())}))


def _holds(path: Path, shape: tuple[int, ...]) -> bool:
    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="numpy") as file:
            return tuple(file.get_slice(ARRAY).get_shape()) == shape
    except (OSError, SafetensorError) as error:
        logger.warning("chunk_damaged file=%s problem=%s", path, error)
        return False


def read_chunk(path: Path) -> Array:
    """Return the whole array in ``path``."""
    with safe_open(path, framework="numpy") as file:
        array: Array = file.get_tensor(ARRAY)
        return array
