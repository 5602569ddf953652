"""What became of the training that a loop started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection

from jobsentinel.ledger import Ledger
from jobsentinel_workers.gate import read_verdict
from jobsentinel_workers.loop.versions import Versions
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.store import runs
from jobsentinel_workers.store.loops import Loop

End = Literal["promoted", "refused", "passed", "failed", "cancelled"]
Now = Literal["running", "unsent"]
SERVES: Final = "promoted"
MAX_ERROR_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Ended:
    """A training that is over.

    Attributes:
        end: ``promoted`` serves now; the gate ``refused`` it; it ``passed`` the gate, but nobody
            wanted it to serve, or another version came into service meanwhile; or none was made.
        at: when.
        says: why, in sentences.
        version: that was made, if one was.
    """

    end: End
    at: str
    says: tuple[str, ...]
    version: ModelVersion | None = None

    def attempt(self, run_id: str | None, label_seq: int) -> dict[str, Any]:
        """Return what the loop remembers of it.

        Args:
            run_id: of the training.
            label_seq: the change number up to which labels are not tried again by themselves.
        """
        number = None if self.version is None else self.version.version
        about = {"run_id": run_id, "outcome": self.end, "version": number, "at": self.at}
        return {**about, "label_seq": label_seq, "says": list(self.says)}


def look_at_run(
    connection: Connection, ledger: Ledger, loop: Loop, versions: Versions
) -> Ended | Now:
    """Return how a loop's training ended, or that it is under way, or that nobody has it.

    The last is so when the process that claimed it was killed before it sent it, or when the
    server was emptied: then the same job is to be sent again.

    Raises:
        QueueUnavailable: Redis cannot be reached.
    """
    assert loop.run_id is not None
    run = runs.get(connection, loop.run_id)
    if run is not None and run.state == "done" and run.finished_at and run.model_version:
        version = versions.known.get(run.model_version)
        if version is not None:
            return describe(version, versions, run.finished_at)
        says = f"version {run.model_version}, which it made, cannot be read"
        return Ended("failed", run.finished_at, (says,))
    if run is not None and run.state in {"failed", "cancelled"} and run.finished_at:
        end: End = "failed" if run.state == "failed" else "cancelled"
        return Ended(end, run.finished_at, ((run.error or end)[:MAX_ERROR_CHARS],))
    state = ledger.state(loop.run_id)
    if state == "cancelled" and run is None:
        return Ended("cancelled", str(loop.checked_at), ("cancelled before it began",))
    return "unsent" if state == "unknown" else "running"


def describe(version: ModelVersion, versions: Versions, at: str) -> Ended:
    """Return what the gate said of a version, and whether it serves."""
    verdict = read_verdict(version.path)
    says = () if verdict is None else verdict.reasons
    if versions.is_champion(version.version):
        return Ended(SERVES, at, says, version)
    passed = verdict is not None and verdict.promote
    return Ended("passed" if passed else "refused", at, says, version)
