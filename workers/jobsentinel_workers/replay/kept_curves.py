"""The curves that are done, in a file that only grows: what was stopped goes on from there.

The first line says of which labels, model and settings the curves are; each further line is one
curve, written when it is done. A line that a crash cut off is dropped and computed again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.replay.circle import Curve

CURVES_FILE: Final = "curves.jsonl"
_FORMAT: Final = 1


class KeptCurves:
    """The curves in ``folder`` by strategy and seed.

    Args:
        folder: made if it is missing.
        identity: what the curves depend on beside strategy and seed.

    Raises:
        InvalidInput: the folder holds curves of something else, or cannot be written.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.file = folder / CURVES_FILE
        self.curves: dict[tuple[str, int], Curve] = {}
        head = {"format": _FORMAT, "identity": identity}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not self._take_up(head):
                self._append(head)
        except OSError as error:
            raise InvalidInput("out", f"{self.file}: {error.strerror}") from None

    def add(self, curve: Curve) -> None:
        """Keep ``curve``: once this returns, no crash takes it away."""
        self._append(asdict(curve))
        self.curves[curve.strategy, curve.seed] = curve

    def _take_up(self, head: dict[str, Any]) -> bool:
        """Read what is there and cut off what a crash left; return whether there was anything."""
        raw = self.file.read_bytes() if self.file.exists() else b""
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            os.truncate(self.file, len(whole))
        lines = whole.splitlines()
        if not lines:
            return False
        self._check(lines[0], head)
        for number, line in enumerate(lines[1:], start=2):
            curve = self._parsed(number, line)
            self.curves[curve.strategy, curve.seed] = curve
        return True

    def _check(self, line: bytes, head: dict[str, Any]) -> None:
        try:
            there = json.loads(line)
        except ValueError:
            there = None
        if there != head:
            problem = (
                f"{self.file} holds curves of other labels, settings or another model; "
                "give another folder, or remove the file"
            )
            raise InvalidInput("out", problem)

    def _parsed(self, number: int, line: bytes) -> Curve:
        try:
            fields = json.loads(line)
            measures = {name: tuple(values) for name, values in fields.pop("measures").items()}
            counts = tuple(fields.pop("label_counts"))
            return Curve(**fields, label_counts=counts, measures=measures)
        except (ValueError, TypeError, KeyError, AttributeError):
            problem = f"{self.file}:{number} is no curve; remove the file to begin anew"
            raise InvalidInput("out", problem) from None

    def _append(self, fields: dict[str, Any]) -> None:
        with self.file.open("ab") as stream:
            stream.write(json.dumps(fields, allow_nan=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
