"""Whether a worker lives and is ready, for probes: ``python -m jobsentinel_workers.health live``.

The worker writes its beat into a file (`pulse`), and this reads it: no Redis, no Celery and no
torch, so that a probe costs no more than a start of Python and never waits for anybody. Beats are
stamped with the kernel's monotonic clock, which all processes share and nobody sets.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

HEALTH_FILE_VARIABLE: Final = "JOBSENTINEL_HEALTH_FILE"
BEAT_S: Final = 5.0
"""Between two beats."""
STALE_AFTER_S: Final = 30.0
"""A worker whose last beat is older does not live any more."""
QUESTIONS: Final = ("live", "ready")


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker says of itself: when, what it does, and whether it takes work."""

    at_s: float
    doing: str
    ready: bool

    def write(self, file: Path) -> None:
        """Put this beat in the place of the one before, in one step.

        Raises:
            OSError: the folder is not there, or cannot be written.
        """
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(asdict(self)), encoding="utf-8")
        fresh.replace(file)

    @classmethod
    def read(cls, file: Path) -> Beat:
        """Return the last beat.

        Raises:
            OSError: there is none that can be read.
            ValueError: the file holds something else.
        """
        told = json.loads(file.read_text("utf-8"))
        try:
            return cls(float(told["at_s"]), str(told["doing"]), ready=told["ready"] is True)
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a beat: {error!r}") from None


def problem(question: str, file: Path) -> str | None:
    """Return why a worker is not ``live`` or not ``ready``, or None if it is."""
    try:
        beat = Beat.read(file)
    except FileNotFoundError:
        return f"no beat yet: {file} is not there"
    except (OSError, ValueError) as error:
        return f"no beat can be read: {error}"
    age_s = time.monotonic() - beat.at_s
    # Below zero it is of a time before the machine's last start.
    if not 0 <= age_s <= STALE_AFTER_S:
        return f"the last beat is {age_s:.0f} s old, of at most {STALE_AFTER_S:.0f} s: {beat.doing}"
    return None if question == "live" or beat.ready else f"not ready: {beat.doing}"


def main() -> int:
    """Answer a probe: 0 is yes; 1 is no, with the reason in a line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m jobsentinel_workers.health")
    parser.add_argument("question", choices=QUESTIONS)
    question: str = parser.parse_args().question
    name = os.environ.get(HEALTH_FILE_VARIABLE)
    if not name:
        parser.error(f"set {HEALTH_FILE_VARIABLE} to the file that the worker was given")
    found = problem(question, Path(name))
    if found is not None:
        print(f"{question}: {found}", file=sys.stderr)
    return int(found is not None)


if __name__ == "__main__":
    sys.exit(main())
