"""The ledger in Redis, called from Python: each method is one atomic step of its Lua script.

Producers enqueue, cancel and look; workers claim, renew and close. `ledger.lua` names every key.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any

import msgpack
import redis

from jobsentinel.ledger_entries import (
    CLOSED_STATES,
    Admission,
    Claim,
    DeadJob,
    Entry,
    JobState,
    Reconciled,
    Refusal,
    Refused,
    Verdict,
    digest_of,
)
from jobsentinel.redis_client import connect, unavailable

__all__ = [
    "CLOSED_STATES",
    "Admission",
    "Claim",
    "DeadJob",
    "Entry",
    "JobState",
    "Ledger",
    "Reconciled",
    "Refusal",
    "Refused",
    "Verdict",
    "connect",
    "digest_of",
]


class Ledger:
    """All that the fleet remembers about jobs under one ``namespace`` of a Redis server.

    Raises:
        QueueUnavailable: from any method, when Redis cannot be reached or refuses to write.
    """

    def __init__(self, client: redis.Redis, namespace: str = "jobsentinel") -> None:
        self._redis = client
        self.prefix = f"{namespace}:"
        self._script = client.register_script(_script_source())

    def _call(self, operation: str, *arguments: str | bytes | float) -> Any:
        with unavailable():
            return self._script(keys=[self.prefix], args=[operation, *arguments])

    # What producers call.

    def enqueue(
        self,
        job_id: str,
        *,
        task: str,
        queue: str,
        payload: bytes,
        message: str,
        within_s: float | None = None,
        submission: str = "",
        admission: Admission | None = None,
    ) -> str | Refusal:
        """Write a job and send its message; return ``new`` or the state it was in before.

        A job that is not done ``within_s`` seconds is given up as expired. The same
        ``submission`` of a job a second time changes nothing, even if the job has failed since.
        A new job that the ``admission`` does not let in is not written.
        """
        within = "" if within_s is None else max(1, int(within_s * 1000))
        answer: bytes = self._call(
            "enqueue",
            job_id,
            task,
            queue,
            payload,
            digest_of(payload),
            message,
            within,
            submission,
            *_conditions(admission),
        )
        return _refusal(answer) or answer.decode()

    def cancel(self, job_id: str, *, ttl_s: int) -> JobState:
        """Ask that a job be dropped; return the state in which that found it."""
        before: bytes | None = self._call("cancel", job_id, ttl_s * 1000)
        return _state(before)

    def state(self, job_id: str) -> JobState:
        """Return a job's state; ``unknown`` when the ledger has no such job (any more)."""
        return _state(self._field(job_id, "state"))

    def states(self, job_ids: Sequence[str]) -> list[JobState]:
        """Return the states of several jobs, asked in one round trip."""
        with unavailable():
            pipe = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipe.hget(self._job(job_id), "state")
            return [_state(raw) for raw in pipe.execute()]

    def failure(self, job_id: str) -> tuple[str, str]:
        """Return the kind and the text of a failed job's error."""
        reason, error = self._field(job_id, "reason"), self._field(job_id, "error")
        return (reason or b"unknown").decode(), (error or b"").decode("utf-8", "replace")

    def outcome(self, job_id: str) -> tuple[JobState, bytes | None]:
        """Return a job's state together with its packed answer, if it is done."""
        with unavailable():
            fields: Any = self._redis.hmget(self._job(job_id), "state", "result")
        state, result = fields
        return _state(state), result

    def entry(self, job_id: str) -> Entry:
        """Return what there is of a job; of an unknown one, empty fields."""
        names = ("state", "task", "queue", "owner", "attempts", "closed", "traceback", "result")
        with unavailable():
            fields: Any = self._redis.hmget(self._job(job_id), names)
        state, task, queue, owner, attempts, closed, traceback, result = fields
        return Entry(
            state=_state(state),
            task=_text(task),
            queue=_text(queue),
            owner=_text(owner),
            attempts=_number(attempts),
            closed_ms=int(closed) if closed else None,
            traceback=_text(traceback),
            result=result,
        )

    @contextmanager
    def watch(self, job_id: str) -> Iterator[redis.client.PubSub]:
        """Listen for the closing of a job; what was closed before is not told again."""
        open_channel: Any = self._redis.pubsub  # untyped in redis-py
        with unavailable(), open_channel(ignore_subscribe_messages=True) as channel:
            channel.subscribe(f"{self.prefix}closed:{job_id}")
            yield channel

    def progress(self, job_id: str) -> dict[str, Any] | None:
        """Return the last progress report of a running job, or None."""
        packed = self._field(job_id, "progress")
        return None if packed is None else msgpack.unpackb(packed)

    def models_generation(self) -> str:
        """Return a text that changes when a model in service changes."""
        with unavailable():
            value: Any = self._redis.get(f"{self.prefix}models")
        return (value or b"").decode()

    def depths(self, queues: Sequence[str]) -> dict[str, int]:
        """Return how many messages wait in each queue, and how many jobs are running or dead."""
        with unavailable():
            pipe = self._redis.pipeline(transaction=False)
            for queue in queues:
                pipe.llen(f"{self.prefix}{queue}")
            pipe.zcard(f"{self.prefix}leases")
            pipe.zcard(f"{self.prefix}delayed")
            pipe.zcard(f"{self.prefix}dead")
            counts = pipe.execute()
        return dict(zip([*queues, "running", "delayed", "dead"], counts, strict=True))

    def waiting(self, tasks: Sequence[str], *, among: int = 5_000) -> list[str]:
        """Return the ids of jobs of these tasks that wait, out of the newest so many that do.

        They wait until they are claimed, also those whose message a worker has popped already.
        """
        with unavailable():
            ids: Any = self._redis.zrevrange(f"{self.prefix}queued", 0, among - 1)
        names = tuple(f"{task}-" for task in tasks)  # how producers begin an id
        return [job_id for job_id in map(bytes.decode, ids) if job_id.startswith(names)]

    def _field(self, job_id: str, field: str) -> bytes | None:
        with unavailable():
            value: Any = self._redis.hget(self._job(job_id), field)
        return value  # type: ignore[no-any-return]  # bytes or None: responses are not decoded

    def _job(self, job_id: str) -> str:
        return f"{self.prefix}job:{job_id}"

    # What workers call.

    def claim(
        self, job_id: str, *, owner: str, lease_s: float, max_attempts: int
    ) -> Claim | Refused:
        """Take a queued job; the lease must be renewed before ``lease_s`` seconds are over."""
        verdict, *rest = self._call("claim", job_id, owner, int(lease_s * 1000), max_attempts)
        if verdict != b"claimed":
            return Refused(verdict.decode())
        token, payload, digest, attempt, task, left, revived = rest
        return Claim(
            job_id,
            task.decode(),
            payload,
            digest.decode(),
            int(token),
            int(attempt),
            None if left == b"" else int(left) / 1000,
            revived=revived == b"1",
        )

    def renew(self, held: Sequence[tuple[str, int]], *, lease_s: float) -> list[Verdict]:
        """Prolong leases given as (job id, token); say for each whether it is still held."""
        if not held:
            return []
        flat = [part for job_id, token in held for part in (job_id, token)]
        verdicts = self._call("renew", int(lease_s * 1000), *flat)
        return [verdict.decode() for verdict in verdicts]

    def complete(self, job_id: str, token: int, *, ttl_s: int, result: bytes) -> bool:
        """Close a finished job with its answer; False when the lease had passed on."""
        return bool(self._call("complete", job_id, token, ttl_s * 1000, result))

    def release(self, job_id: str, token: int, *, delay_s: float = 0.0) -> bool:
        """Give a job back, to be worked on in ``delay_s``; the attempt does not count."""
        return bool(self._call("release", job_id, token, int(delay_s * 1000)))

    def advanced(self, job_id: str, token: int) -> bool:
        """Let this be the first attempt: the job got further than before, so it is not to blame."""
        return bool(self._call("advanced", job_id, token))

    def retry(
        self,
        job_id: str,
        token: int,
        *,
        delay_s: float,
        max_attempts: int,
        error: str,
        traceback: str = "",
        versions: Mapping[str, str] | None = None,
    ) -> str:
        """Queue another attempt: ``queued``, or ``failed`` at the cap, or ``lost``."""
        outcome: bytes = self._call(
            "retry",
            job_id,
            token,
            int(delay_s * 1000),
            max_attempts,
            _cut(error),
            _cut(traceback, 20_000),
            json.dumps(dict(versions or {})),
        )
        return outcome.decode()

    def fail(
        self,
        job_id: str,
        token: int,
        *,
        reason: str,
        error: str,
        versions: Mapping[str, str] | None = None,
    ) -> bool:
        """Give a job up at once, because no attempt can succeed."""
        said = json.dumps(dict(versions or {}))
        return bool(self._call("fail", job_id, token, reason, _cut(error), said))

    def refuse(self, job_id: str, *, error: str, ttl_s: int) -> None:
        """Tell whoever waits for a job that the ledger has none of that id."""
        self._call("refuse", job_id, _cut(error), ttl_s * 1000)

    def mark_cancelled(self, job_id: str, token: int, *, ttl_s: int) -> bool:
        """Close a running job that was cancelled."""
        return bool(self._call("cancelled", job_id, token, ttl_s * 1000))

    def report_progress(self, job_id: str, token: int, report: dict[str, Any]) -> bool:
        """Publish how far a running job is; False when the lease is gone."""
        return bool(self._call("progress", job_id, token, msgpack.packb(report)))

    def hold(self, role: str, owner: str, *, lease_s: float) -> bool:
        """Take or renew a role that one of the fleet has at a time; say whether ``owner`` has it.

        All who ask for a role name the same ``lease_s``; one that is held for longer is taken over,
        for the server's clock was set back.
        """
        return bool(self._call("hold", role, owner, int(lease_s * 1000)))

    def let_go(self, role: str, owner: str) -> None:
        """Let others have a role at once, if it is this owner's."""
        self._call("let_go", role, owner)

    def reconcile(
        self, owner: str, *, leader_s: float, max_attempts: int, grace_s: float, limit: int = 500
    ) -> Reconciled | None:
        """Put lost and overdue jobs back, if this worker is the leader for now; else None."""
        counts = self._call(
            "reconcile", owner, int(leader_s * 1000), limit, max_attempts, int(grace_s * 1000)
        )
        return Reconciled(*map(int, counts)) if counts else None

    def epoch(self) -> tuple[str, bool]:
        """Return the name of this ledger, and whether it was made by this very call.

        A server that lost its data has a ledger of another name.
        """
        name, made = self._call("epoch", uuid.uuid4().hex)
        return name.decode(), bool(made)

    def dead_jobs(self, limit: int = 100) -> Iterator[DeadJob]:
        """Yield failed jobs that are not in the store yet, oldest first."""
        with unavailable():
            ids: Any = self._redis.zrange(f"{self.prefix}dead", 0, limit - 1)
        for raw in ids:
            job_id = raw.decode()
            with unavailable():
                fields: Any = self._redis.hgetall(self._job(job_id))
            text = {k.decode(): v for k, v in fields.items()}
            if text.get("state") != b"failed":
                continue  # it was sent again meanwhile
            yield DeadJob(
                job_id=job_id,
                task=text.get("task", b"").decode(),
                queue=text.get("queue", b"").decode(),
                payload=text.get("payload", b""),
                reason=text.get("reason", b"unknown").decode(),
                error=text.get("error", b"").decode("utf-8", "replace"),
                traceback=text.get("traceback", b"").decode("utf-8", "replace"),
                attempts=_number(text.get("attempts")),
                closed=text.get("closed", b"").decode(),
                versions=json.loads(text.get("versions") or b"{}"),
            )

    def mark_buried(self, job: DeadJob, *, ttl_s: int) -> None:
        """Record that the store has this dead letter; its payload leaves Redis."""
        self._call("buried", job.job_id, job.closed, ttl_s * 1000)

    def publish_models_generation(self, generation: str) -> None:
        """Tell producers which models are in service, so that equal requests are new work."""
        with unavailable():
            self._redis.set(f"{self.prefix}models", generation)


def _state(raw: bytes | None) -> JobState:
    return "unknown" if raw is None else raw.decode()  # type: ignore[return-value]  # the Lua file writes these states only


def _script_source() -> str:
    folder = resources.files("jobsentinel")
    parts = ("ledger.lua", "reconciling.lua")
    return "".join(folder.joinpath(name).read_text("utf-8") for name in parts)


def _conditions(admission: Admission | None) -> list[str | float]:
    if admission is None:
        return []
    most = "" if admission.max_queued is None else admission.max_queued
    return [most, admission.rate_name or "", admission.rate_per_s, admission.items]


def _refusal(answer: bytes) -> Refusal | None:
    if answer == b"full":
        return Refusal()
    if answer.startswith(b"wait:"):
        return Refusal(int(answer[5:]) / 1000)
    return None


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")


def _number(raw: bytes | None) -> int:
    """Return a count of an entry that may be corrupted."""
    return int(raw) if raw and raw.isdigit() else 0


def _cut(error: str, chars: int = 4_000) -> str:
    return error if len(error) <= chars else error[:chars] + " …"
