"""Reading a file of judgements: every row is checked, and every fault is told by its line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from jobsentinel.bounded_lines import decoded_json, numbered_lines
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.reranking.judgements import JudgementRow, Judgements, collect

MOST_FAULTS = 20


def read_judgements(path: Path) -> Judgements:
    """Return the judgements of a JSON Lines file, or of stdin for ``-``.

    Raises:
        InvalidInput: rows are wrong, and each is named by its line up to `MOST_FAULTS` of them; two
            rows contradict each other; or there are none.
    """
    name = "stdin" if str(path) == "-" else path.name
    rows: list[tuple[str, JudgementRow]] = []
    faults: list[str] = []
    for number, line in _lines(path):
        place = f"{name}:{number}"
        try:
            rows.append((place, JudgementRow.parse(decoded_json(line))))
        except InvalidInput as fault:
            faults.append(f"{place}: {fault}")
    if faults:
        raise InvalidInput("judgements", _listed(faults))
    if not rows:
        raise InvalidInput("judgements", f"{name} holds no row")
    return collect(rows)


def _listed(faults: list[str]) -> str:
    more = len(faults) - MOST_FAULTS
    shown = faults[:MOST_FAULTS] + ([f"and {more:,} more"] if more > 0 else [])
    if len(faults) == 1:
        return shown[0]
    return "\n  ".join([f"{len(faults):,} rows are wrong", *shown])


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line that is not blank."""
    if str(path) == "-":
        yield from ((n, line) for n, line in numbered_lines(sys.stdin.buffer) if line.strip())
        return
    with path.open("rb") as stream:
        yield from ((n, line) for n, line in numbered_lines(stream) if line.strip())
