"""What a producer gets for its request: a handle on one job, wherever that is by now."""

from __future__ import annotations

import math
import time
from typing import Any, Final, Generic, Literal, TypeVar

import msgpack

from jobsentinel.backpressure import GrowingPause
from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import JobCancelled, JobFailed, QueueUnavailable, ResultTimeout
from jobsentinel.ledger import JobState, Ledger
from jobsentinel.outbox import Outbox

R = TypeVar("R", bound=Message)

HandleState = Literal[JobState, "outbox"]

_OPEN_STATES: Final = frozenset({"queued", "running", "outbox"})
_PROGRESS_FIELDS: Final = ("step", "total_steps", "loss", "eta_s", "fraction")
_LOOK_AGAIN_S = 5.0
"""Between two looks at the ledger, should the news of a job's end have been missed."""
_LONGEST_ABSENCE_S = 60.0
"""For how long Redis may be away while somebody waits for an answer."""
_LONGEST_PAUSE_S = 0.5


class JobHandle(Generic[R]):
    """One job in the fleet; it stays valid in another process, made from the same ``job_id``."""

    def __init__(
        self,
        ledger: Ledger,
        job_id: str,
        result_type: type[R],
        *,
        outbox: Outbox,
        cancel_ttl_s: int,
    ) -> None:
        self.job_id = job_id
        self._ledger = ledger
        self._result_type = result_type
        self._outbox = outbox
        self._cancel_ttl_s = cancel_ttl_s
        self._withdrawn = False

    def __repr__(self) -> str:
        return f"JobHandle({self.job_id!r})"

    def state(self) -> HandleState:
        """Return queued, running, done, failed or cancelled; unknown after it was forgotten.

        ``outbox`` says that it waits on disk until it can be sent, or sent again.
        """
        if self._outbox.has_waiting(self.job_id):
            return "outbox"
        return "cancelled" if self._withdrawn else self._seen_as(self._ledger.state(self.job_id))

    def _seen_as(self, state: JobState) -> HandleState:
        if state != "unknown":
            return state
        # A server that was emptied: the job is kept on disk, and soon sent again.
        return "outbox" if self._outbox.holds(self.job_id) else "unknown"

    def progress(self) -> dict[str, Any] | None:
        """Return where a training run stands, or None before its first report.

        ``state`` is queued, running, checkpointing, done, failed or cancelled; ``step``,
        ``total_steps``, ``loss``, ``eta_s`` and ``fraction`` (of the whole run, from 0 to 1) are
        None where they are not known.
        """
        report = self._ledger.progress(self.job_id)
        if report is None:
            return None
        state: str = self.state()
        if state == "running":
            state = report.get("state", state)
        return {**dict.fromkeys(_PROGRESS_FIELDS), **report, "state": state}

    def cancel(self) -> HandleState:
        """Ask that the job be dropped; return the state in which that found it."""
        if self._outbox.withdraw(self.job_id):
            self._withdrawn = True
            return "outbox"
        before = self._ledger.cancel(self.job_id, ttl_s=self._cancel_ttl_s)
        if before == "unknown" and self._outbox.withdraw(self.job_id, even_sent=True):
            self._withdrawn = True
            return "outbox"
        return before

    def result(self, timeout_s: float | None = None) -> R:
        """Wait for the answer, through the outbox and while Redis is away for a minute at most.

        Raises:
            ResultTimeout: it did not come within ``timeout_s`` seconds; the job goes on.
            QueueUnavailable: Redis was away for a minute, or for ``timeout_s`` seconds.
            JobFailed: the fleet gave the job up, or forgot it.
            JobCancelled: somebody cancelled it.
        """
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        absence = _Absence(deadline)
        while True:
            self._wait_in_outbox(deadline)
            if self._withdrawn:
                raise JobCancelled(f"job {self.job_id} was cancelled before it was sent")
            try:
                state, packed = self._outcome(deadline, absence)
                return self._open(state, packed)
            except QueueUnavailable as error:
                absence.bear(error)

    def _wait_in_outbox(self, deadline: float) -> None:
        pauses = GrowingPause(_LONGEST_PAUSE_S)
        while self._outbox.has_waiting(self.job_id):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise ResultTimeout(
                    f"job {self.job_id} still waits in the outbox {self._outbox.path}; "
                    "ask again later"
                )
            time.sleep(min(left_s, pauses.next_s()))

    def _outcome(self, deadline: float, absence: _Absence) -> tuple[HandleState, bytes | None]:
        state, packed = self._look(absence)
        if state in _OPEN_STATES:
            with self._ledger.watch(self.job_id) as channel:
                while (found := self._look(absence))[0] in _OPEN_STATES:
                    left_s = deadline - time.monotonic()
                    if left_s <= 0:
                        raise ResultTimeout(
                            f"job {self.job_id} is still {found[0]}; ask again later"
                        )
                    channel.get_message(timeout=min(left_s, _LOOK_AGAIN_S))
            return found
        return state, packed

    def _look(self, absence: _Absence) -> tuple[HandleState, bytes | None]:
        state, packed = self._ledger.outcome(self.job_id)
        absence.end()
        return self._seen_as(state), packed

    def _open(self, state: HandleState, packed: bytes | None) -> R:
        if state == "cancelled":
            raise JobCancelled(f"job {self.job_id} was cancelled")
        if state == "failed":
            reason, error = self._ledger.failure(self.job_id)
            raise JobFailed(self.job_id, f"{error} ({reason})")
        if packed is None:
            raise JobFailed(self.job_id, "the fleet does not know it (any more)")
        return self._result_type.parse(msgpack.unpackb(packed))


class _Absence:
    """For how long Redis has been away while somebody waits until ``deadline``."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._pauses = GrowingPause(_LONGEST_PAUSE_S)
        self._since: float | None = None

    def end(self) -> None:
        """Redis answered."""
        self._since = None
        self._pauses.reset()

    def bear(self, error: QueueUnavailable) -> None:
        """Wait a little, or raise the error when it has lasted too long."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now >= min(self._deadline, self._since + _LONGEST_ABSENCE_S):
            raise error
        time.sleep(min(self._pauses.next_s(), max(0.0, self._deadline - now)))
