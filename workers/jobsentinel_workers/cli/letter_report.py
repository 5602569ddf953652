"""What people and programs are told about dead letters: the table, a line a letter, the sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import plural, print_json, print_table, printable
from jobsentinel_workers.cli.showing import last_line, minute

if TYPE_CHECKING:
    from jobsentinel_workers.store.dead_letters import DeadLetter

MAX_LISTED: Final = 20
"""Letters that a dry run shows, and lines about refused ones."""
MAX_ERROR_CHARS: Final = 90
"""Of an error in the table, so that a letter takes some four lines of a terminal at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter, or would: it was dealt with, needs nothing, or is refused."""

    job_id: str
    kind: Literal["done", "unneeded", "refused"]
    detail: str | None = None
    letter: DeadLetter | None = None


class Report:
    """Tells each outcome as JSON at once, or the first of them and their sum at the end.

    The end is that of a ``with`` block, whatever ended it: what was done before a failure is told.

    Args:
        verb: what was done, such as ``replayed``.
        unneeded: why that can be needless.
    """

    def __init__(self, verb: str, unneeded: str, *, as_json: bool, dry_run: bool) -> None:
        self._verb = verb
        self._unneeded = unneeded
        self.as_json = as_json
        self._dry_run = dry_run
        self._counts: Counter[str] = Counter()
        self._refused: list[str] = []
        self._letters: list[DeadLetter] = []

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        if self._letters:
            print_letters(self._letters)
        for line in self._refused:
            complain(f"refused: {line}")
        if self._counts["refused"] > len(self._refused):
            complain(f"refused: {self._counts['refused'] - len(self._refused):,} more")
        if self._counts:
            complain(self._sum())

    def note(self, outcome: Outcome) -> None:
        """Count an outcome, and tell it if programs listen."""
        self._counts[outcome.kind] += 1
        if self.as_json:
            print_json(self._row(outcome))
        elif outcome.letter is not None and len(self._letters) < MAX_LISTED:
            self._letters.append(outcome.letter)
        if outcome.kind == "refused" and len(self._refused) < MAX_LISTED:
            self._refused.append(printable(f"{outcome.job_id}: {outcome.detail}"))

    @property
    def code(self) -> ExitCode:
        """The exit code for all of it."""
        return ExitCode.PARTLY_DONE if self._counts["refused"] else ExitCode.DONE

    def _row(self, outcome: Outcome) -> dict[str, object]:
        return {
            "job_id": outcome.job_id,
            "outcome": self._verb if outcome.kind == "done" else outcome.kind,
            "detail": outcome.detail,
            "dry_run": self._dry_run,
        }

    def _sum(self) -> str:
        unneeded, refused = self._counts["unneeded"], self._counts["refused"]
        would = "would be " if self._dry_run else ""
        parts = [f"{plural(self._counts['done'], 'dead letter')} {would}{self._verb}"]
        if len(self._letters) < self._counts["done"] and self._letters:
            parts[0] += f" (shown: {len(self._letters)})"
        if unneeded:
            parts.append(f"{unneeded:,} not needed ({self._unneeded})")
        if refused:
            parts.append(f"{refused:,} refused")
        return ", ".join(parts)


def print_letters(letters: Sequence[DeadLetter]) -> None:
    """Print letters as a table."""
    print_table(
        ["job", "reason", "when", "~~error"],
        [
            [letter.job_id, letter.reason, minute(letter.created_at), _shortened(letter.error)]
            for letter in letters
        ],
    )


def _shortened(error: str) -> str:
    line = printable(last_line(error))
    return line if len(line) <= MAX_ERROR_CHARS else line[: MAX_ERROR_CHARS - 2].rstrip() + " …"
