"""JSON Patch (RFC 6902), as far as our overlays use it: add, replace and remove."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any


class PatchError(Exception):
    """An operation that cannot be done; the message has its path."""


def patched(document: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``document`` with the operations done to it; the one given stays as it is.

    Raises:
        PatchError: a path is not there, or the operation is none of the three.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for each in operations:
        try:
            _apply(changed, each)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise PatchError(f"{each.get('op')} {each.get('path')}: {error!r}") from None
    return changed


def _apply(document: Any, operation: Mapping[str, Any]) -> None:
    *parents, last = _steps(operation["path"])
    owner = document
    for step in parents:
        owner = owner[int(step)] if isinstance(owner, list) else owner[step]
    change = {"add": _add, "replace": _replace, "remove": _remove}[operation["op"]]
    change(owner, last, operation)


def _steps(path: str) -> list[str]:
    if not path.startswith("/"):
        raise ValueError("a path starts with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _add(owner: Any, at: str, operation: Mapping[str, Any]) -> None:
    value = copy.deepcopy(operation["value"])
    if isinstance(owner, list):
        owner.insert(len(owner) if at == "-" else int(at), value)
    else:
        owner[at] = value


def _replace(owner: Any, at: str, operation: Mapping[str, Any]) -> None:
    key: Any = int(at) if isinstance(owner, list) else at
    owner[key]  # what is not there cannot be replaced
    owner[key] = copy.deepcopy(operation["value"])


def _remove(owner: Any, at: str, _: Mapping[str, Any]) -> None:
    del owner[int(at) if isinstance(owner, list) else at]
