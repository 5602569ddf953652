"""Run the chaos suite: ``python -m tests.chaos [--scenario NAME ...] [--seed N] [--quick]``.

Prints a table of our fleet and, beside it, stock Celery on the same machine with the same seed.
The exit code is 1 when our fleet has lost a job or stored one twice, or could not be run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from . import report
from .disk import NotPossible
from .scenario import OURS, Scenario, run
from .scenarios import SCENARIOS
from .tally import Tally


class Session:
    """The runs of one call and what came of them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self.tallies: list[Tally] = []
        self.skipped: dict[str, str] = {}
        self.failed = False

    def run(self, scenario: Scenario) -> None:
        """Run a scenario for each side that is wanted."""
        for side in scenario.sides:
            if side == OURS or self._arguments.peer:
                self._run(scenario, side)

    def _run(self, scenario: Scenario, side: str) -> None:
        size = scenario.quick if self._arguments.quick else scenario.long
        if size is None:
            return
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{scenario.name}-{side}-"))
        _say(f"{scenario.title}, {side}: {size.jobs:,} jobs ...")
        try:
            tally = run(scenario, side, size, seed=self._arguments.seed, folder=folder / "run")
        except NotPossible as error:
            self._skip(scenario, side, str(error), folder)
        except RuntimeError as error:  # no figures, then; the other scenarios have theirs
            self.failed = self.failed or side == OURS
            self._skip(scenario, side, f"{error} (everything is in {folder})", None)
        else:
            self._note(scenario, tally, side, folder)

    def _note(self, scenario: Scenario, tally: Tally, side: str, folder: Path) -> None:
        self.tallies.append(tally)
        unfelt = [figure for figure in scenario.shows if not getattr(tally, figure)]
        if side == OURS and unfelt:
            _say(f"  the damage was not felt: {', '.join(unfelt)} 0")
        _say(
            f"  {tally.seconds:.0f} s: {tally.stored:,} of {tally.sent:,} stored, "
            f"{tally.lost} lost, {tally.stored_twice} stored twice, {tally.faults} faults"
        )
        if side == OURS and not tally.is_sound():
            self.failed = True
            _say(f"  lost {tally.lost_ids} twice {tally.twice_ids}; everything is in {folder}")
            return
        shutil.rmtree(folder, ignore_errors=True)

    def _skip(self, scenario: Scenario, side: str, reason: str, folder: Path | None) -> None:
        self.skipped[f"{scenario.name}, {side}"] = reason
        _say(f"  not run: {reason}")
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run what was asked for, show it and save it."""
    arguments = _arguments()
    session = Session(arguments)
    for scenario in SCENARIOS:
        if not arguments.scenario or scenario.name in arguments.scenario:
            session.run(scenario)
    print(" · ".join(f"{name} {value}" for name, value in report.machine().items()))
    print(report.as_text(session.tallies))
    for name, reason in session.skipped.items():
        print(f"not run: {name}: {reason}")
    if arguments.output:
        report.save(session.tallies, session.skipped, arguments.seed, arguments.output)
    if arguments.markdown:
        arguments.markdown.write_text(report.as_markdown(session.tallies), encoding="utf-8")
    return 1 if session.failed else 0


def _arguments() -> argparse.Namespace:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument(
        "--scenario", nargs="+", choices=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="small numbers, as in the tests")
    parser.add_argument(
        "--peer", action=argparse.BooleanOptionalAction, default=True, help="stock Celery as well"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    parser.add_argument("--markdown", type=Path, metavar="FILE.md")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
