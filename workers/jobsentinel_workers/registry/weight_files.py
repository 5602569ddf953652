"""Telling a safetensors file from one that only has its name, such as a renamed pickle.

Nothing is loaded: the format opens with the length of a JSON header, and that is looked at.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Final

from jobsentinel.contract.errors import InvalidInput

SUFFIX: Final = ".safetensors"
MAX_HEADER_BYTES: Final = 100_000_000
"""The format's own limit."""
_LENGTH = struct.Struct("<Q")


def check_safetensors(path: Path, field: str) -> None:
    """Read the header of a weights file.

    Raises:
        InvalidInput: the file is of another format, whatever its name says.
    """
    try:
        _read_header(path)
    except (ValueError, struct.error, RecursionError) as error:
        raise InvalidInput(
            field,
            f"{path.name} is named like safetensors and is not ({error}); "
            "save the weights with safetensors, never as a pickle",
        ) from error


def _read_header(path: Path) -> None:
    with path.open("rb") as stream:
        (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
        if length > min(MAX_HEADER_BYTES, path.stat().st_size - _LENGTH.size):
            raise ValueError("its header is longer than the file")
        if not isinstance(json.loads(stream.read(length)), dict):
            raise ValueError("its header names no tensors")
