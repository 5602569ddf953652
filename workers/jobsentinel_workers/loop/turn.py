"""One turn of each circle: note how the last training ended, decide, start the next one.

What must happen once is claimed in the store: a training is sent by the one check that entered its
id there. Should that check be killed before it sends, the next one sends the very same job.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from jobsentinel.backpressure import Gate
from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel.contract.loops import CheckLoopsResult, LoopCheck
from jobsentinel.contract.tasks import TASKS
from jobsentinel.ledger import Ledger
from jobsentinel.new_jobs import make_job
from jobsentinel.settings import Settings
from jobsentinel_workers.loop.attempts import in_words
from jobsentinel_workers.loop.baselines import Circle
from jobsentinel_workers.loop.label_counts import newest_label
from jobsentinel_workers.loop.outcomes import SERVES, Ended, describe, look_at_run
from jobsentinel_workers.loop.outlook import look, tried_up_to
from jobsentinel_workers.loop.trainings import request_for
from jobsentinel_workers.loop.versions import Versions, learnt_up_to
from jobsentinel_workers.registry import ModelRegistry, ModelVersion
from jobsentinel_workers.store import Database, changes, loops
from jobsentinel_workers.store.loops import Loop
from jobsentinel_workers.store.stored_vectors import CorruptVector
from jobsentinel_workers.store.timestamps import utc_now, utc_text

logger = logging.getLogger(__name__)

_ONE_LOOPS_OWN: Final = (InvalidInput, ModelUnavailable, CorruptVector)
"""What is wrong with one loop must not keep the others from their turn."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Checks loops; may be shared by threads and run in several processes at once.

    Attributes:
        settings: of this process.
        database: with the loops.
        ledger: where trainings are sent.
        registry: of the models.
        encoder_id: by whose embeddings postings are compared; None leaves drift out.
    """

    settings: Settings
    database: Database
    ledger: Ledger
    registry: ModelRegistry
    encoder_id: str | None = None

    def check(self, kinds: Collection[str] | None = None) -> CheckLoopsResult:
        """Give the loops of these kinds, or all, their turn; those that were stopped only end.

        Raises:
            InvalidInput: there is no loop for one of the kinds.
            QueueUnavailable: Redis cannot be reached.
            StoreUnavailable: the store cannot.
        """
        with self.database.connect() as connection:
            found = loops.find(connection)
        if unknown := sorted(set(kinds or ()) - {loop.kind for loop in found}):
            raise InvalidInput("kinds", f"has {unknown[0]!r}, for which there is no loop")
        asked = [loop for loop in found if kinds is None or loop.kind in kinds]
        return CheckLoopsResult(
            loops=tuple(self._guarded(loop) for loop in asked if loop.active or loop.run_id)
        )

    def _guarded(self, loop: Loop) -> LoopCheck:
        try:
            checked = self._turn(loop)
        except _ONE_LOOPS_OWN as error:
            reason = f"cannot be checked: {error}"
            logger.warning("loop.unchecked kind=%s %s", loop.kind, error)
            checked = self._noted(loop, "blocked", {"due": False, "reason": reason, "numbers": {}})
        logger.info("loop.checked kind=%s action=%s %s", loop.kind, checked.action, checked.reason)
        return checked

    def _turn(self, loop: Loop) -> LoopCheck:
        circle = Circle(loop, Versions.of(self.registry, loop.model), self.encoder_id)
        if loop.run_id is not None:
            return self._follow(circle)
        with self.database.connect() as connection:
            newer = circle.versions.newest_on(connection, loop.kind, loop.last_label_seq)
        if newer is not None:
            return self._note_other(circle, newer)
        return self._decide(circle)

    def _follow(self, circle: Circle) -> LoopCheck:
        """Look at the training under way."""
        loop = circle.loop
        with self.database.connect() as connection:
            found = look_at_run(connection, self.ledger, loop, circle.versions)
        if isinstance(found, Ended):
            sent = loop.decision.get("run", {})
            return self._end(circle, found, loop.run_id, int(sent.get("label_seq", 0)))
        if found == "unsent":
            return self._send(loop)
        return _told(loop, "running", f"training {loop.run_id} is under way")

    def _note_other(self, circle: Circle, version: ModelVersion) -> LoopCheck:
        """Note a training that somebody else started on the same labels."""
        at = utc_now() if version.created_at is None else utc_text(version.created_at)
        ended = describe(version, circle.versions, at)
        return self._end(circle, ended, version.run_id, learnt_up_to(version))

    def _end(self, circle: Circle, ended: Ended, run_id: str | None, tried: int) -> LoopCheck:
        """Note how a training ended, and from where labels and postings count now."""
        loop, version = circle.loop, ended.version
        learnt = None if version is None else learnt_up_to(version)
        attempt = ended.attempt(run_id, tried if learnt is None else learnt)
        with self.database.connect() as connection:
            kept = {k: v for k, v in loop.baseline.items() if k != "attempt"}
            if ended.end == SERVES:
                kept = circle.renewed(connection, learnt or changes.current(connection))
        attempts = int(loop.baseline.get("attempts", 0)) + 1
        with self.database.begin() as connection:
            first = loops.note_trained(
                connection,
                loop,
                baseline={**kept, "attempt": attempt, "attempts": attempts},
                last_label_seq=learnt,
                trained_at=None if version is None else ended.at,
            )
        return _told(loop, "noted" if first else "running", in_words(attempt), run_id)

    def _decide(self, circle: Circle) -> LoopCheck:
        loop = circle.loop
        with self.database.connect() as connection:
            circle = replace(circle, loop=replace(loop, baseline=circle.completed(connection)))
            outlook = look(connection, circle)
            run = self._next_run(connection, circle) if outlook.decision.due else None
        decision = outlook.decision.to_json()
        if run is None:
            return self._noted(loop, "none", decision, circle.loop.baseline)
        if not self._claim(loop, circle, {**decision, "run": run}):
            reason = f"{outlook.decision.reason}; waits for another training of {loop.model}"
            return _told(loop, "waiting", reason, due=True)
        return self._send(replace(loop, run_id=run["job_id"], decision={**decision, "run": run}))

    def _claim(self, loop: Loop, circle: Circle, decision: dict[str, Any]) -> bool:
        with self.database.begin() as connection:
            claimed = loops.note_run(connection, loop, decision["run"]["job_id"], decision)
            if claimed:
                taken = loops.require(connection, loop.kind)
                loops.note_check(connection, taken, decision, circle.loop.baseline)
            return claimed

    def _next_run(self, connection: Any, circle: Circle) -> dict[str, Any]:
        """Return all that is needed to send the next training, now or after a crash."""
        loop = circle.loop
        task, request = request_for(connection, loop, circle.versions.champion)
        newest = max(newest_label(connection, loop.kind), tried_up_to(loop))
        attempts = int(loop.baseline.get("attempts", 0))
        key = f"loop:{loop.kind}:{loop.model}:{loop.created_at}:{attempts}:{newest}"
        job = make_job(task, TASKS[task].request.parse(request), generation=lambda: "", key=key)
        label_seq = changes.current(connection)
        return {
            "job_id": job.job_id,
            "task": task,
            "request": request,
            "key": key,
            "label_seq": label_seq,
        }

    def _send(self, loop: Loop) -> LoopCheck:
        """Send the training that this loop has claimed; sent twice, it is one job."""
        run = loop.decision["run"]
        request = TASKS[run["task"]].request.parse(run["request"])
        job = make_job(run["task"], request, generation=lambda: "", key=run["key"])
        refusal = Gate(self.ledger, self.settings).offer(job)
        reason = str(loop.decision["reason"])
        if refusal is not None:
            reason += "; the training queue is full, so the next check sends it"
            return _told(loop, "waiting", reason, due=True)
        return _told(loop, "started", reason, due=True)

    def _noted(
        self,
        loop: Loop,
        action: Any,
        decision: dict[str, Any],
        baseline: dict[str, Any] | None = None,
    ) -> LoopCheck:
        run = {"run": loop.decision["run"]} if loop.run_id is not None else {}
        with self.database.begin() as connection:
            loops.note_check(connection, loop, {**decision, **run}, baseline)
        return _told(loop, action, decision["reason"])


def _told(
    loop: Loop, action: Any, reason: str, run_id: str | None = None, *, due: bool = False
) -> LoopCheck:
    return LoopCheck(
        kind=loop.kind,
        model=loop.model,
        action=action,
        due=due,
        reason=reason,
        run_id=run_id or loop.run_id,
    )
