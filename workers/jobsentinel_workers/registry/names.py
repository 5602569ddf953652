"""What models, kinds, labels and runs may be called; names become folders, so they are strict."""

from __future__ import annotations

import re
from typing import Final

from jobsentinel.contract.errors import InvalidInput

MAX_NAME_CHARS: Final = 64
MAX_RUN_ID_CHARS: Final = 200
CHAMPION: Final = "champion"
PREVIOUS: Final = "previous"
CHALLENGER: Final = "challenger"
ALIASES: Final = frozenset({CHAMPION, PREVIOUS, CHALLENGER})
RESERVED_LABELS: Final = ALIASES | {"builtin", "latest"}

_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{MAX_NAME_CHARS - 1}}}")
_LABEL = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._+-]{{0,{MAX_NAME_CHARS - 1}}}")


def check_name(name: str, field: str = "name") -> str:
    """Return ``name`` if it is lower-case letters, digits and hyphens, at most 64 of them."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput(
            field,
            f"must be 1 to {MAX_NAME_CHARS} of a-z, 0-9 and '-', starting with a letter or digit",
        )
    return name


def check_label(label: str, field: str = "label") -> str:
    """Return ``label`` if it can stand for a version without being taken for anything else."""
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise InvalidInput(
            field,
            f"must be 1 to {MAX_NAME_CHARS} letters, digits, '.', '_', '+' or '-', "
            "starting with a letter or digit",
        )
    if label.isdigit() or label in RESERVED_LABELS:
        raise InvalidInput(field, f"{label!r} already means a version number or an alias")
    return label


def check_run_id(run_id: str) -> str:
    """Return ``run_id`` if it is printable and short enough."""
    if not isinstance(run_id, str) or not 0 < len(run_id) <= MAX_RUN_ID_CHARS:
        raise InvalidInput("run_id", f"must be text of 1 to {MAX_RUN_ID_CHARS} characters")
    if not run_id.isprintable():
        raise InvalidInput("run_id", "must not hold control characters")
    return run_id
