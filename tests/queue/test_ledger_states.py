"""Whatever happens in whatever order, no job is lost, none is committed twice, tokens only grow."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from jobsentinel.contract.errors import LeaseLost
from jobsentinel.contract.tasks import BULK, TASKS
from jobsentinel.envelope import task_message
from jobsentinel.ledger import Claim, Ledger
from jobsentinel_workers.embedded import EmbeddedServer
from jobsentinel_workers.store import Database, results

JOBS = st.sampled_from(["a", "b", "c"])
MAX_ATTEMPTS = 3
LONG_S, SHORT_S = 60.0, 0.001


class LedgerMachine(RuleBasedStateMachine):
    """A model of the ledger in plain Python beside the real one."""

    url = ""
    database: Database

    @initialize()
    def start(self) -> None:
        self.client = redis.Redis.from_url(self.url)
        self.ledger = Ledger(self.client, f"m{uuid.uuid4().hex[:12]}")
        self.state: dict[str, str] = {}
        self.claims: list[Claim] = []
        self.newest: dict[str, int] = {}
        self.submitted: dict[str, str] = {}
        self.finished: dict[str, int] = {}
        self.last_token = 0
        self.committed: dict[str, int] = {}
        self.run = uuid.uuid4().hex

    def teardown(self) -> None:
        self.client.close()

    @rule(job=JOBS, submission=st.sampled_from(["", "first", "second"]))
    def enqueue(self, job: str, submission: str) -> None:
        message = task_message(TASKS["score"], job, BULK, "")
        before = self.ledger.enqueue(
            job,
            task="score",
            queue=BULK,
            payload=job.encode(),
            message=message,
            submission=submission,
        )
        assert before == self.state.get(job, "new")
        known = bool(submission) and self.submitted.get(job) == submission
        if before == "new" or (before in {"failed", "cancelled"} and not known):
            self.state[job] = "queued"
            self.submitted[job] = submission
            self.finished[job] = 0

    @rule(job=JOBS, lease_s=st.sampled_from([LONG_S, SHORT_S]))
    def claim(self, job: str, lease_s: float) -> None:
        owner = uuid.uuid4().hex
        got = self.ledger.claim(job, owner=owner, lease_s=lease_s, max_attempts=MAX_ATTEMPTS)
        if isinstance(got, Claim):
            again = self.ledger.claim(job, owner=owner, lease_s=lease_s, max_attempts=MAX_ATTEMPTS)
            assert again == got  # the answer was lost on its way, and the call repeated
            assert self.state[job] == "queued"
            assert got.token > self.last_token
            assert got.payload_is_intact()
            self.last_token = self.newest[job] = got.token
            self.state[job] = "running"
            self.claims.append(got)
        else:
            assert got.state == self.state.get(job, "missing")

    def _any_claim(self, data: st.DataObject) -> Claim | None:
        return data.draw(st.sampled_from(self.claims)) if self.claims else None

    def _holds(self, claim: Claim) -> bool:
        return self.state[claim.job_id] == "running" and self.newest[claim.job_id] == claim.token

    @rule(
        data=st.data(), end=st.sampled_from(["complete", "release", "retry", "fail", "cancelled"])
    )
    def end_a_claim(self, data: st.DataObject, end: str) -> None:
        claim = self._any_claim(data)
        if claim is None:
            return
        job, held = claim.job_id, self._holds(claim)
        if end == "complete":
            # Asked again because the answer was lost on the way, it is as true as before.
            again = self.state[job] == "done" and self.newest[job] == claim.token
            done = self.ledger.complete(job, claim.token, ttl_s=60, result=b"x")
            assert done is (held or again)
            if held:
                self.state[job] = "done"
                self.finished[job] += 1
        elif end == "release":
            assert self.ledger.release(job, claim.token) is held
            self.state[job] = "queued" if held else self.state[job]
        elif end == "fail":
            assert self.ledger.fail(job, claim.token, reason="invalid", error="") is held
            self.state[job] = "failed" if held else self.state[job]
        elif end == "cancelled":
            assert self.ledger.mark_cancelled(job, claim.token, ttl_s=60) is held
            self.state[job] = "cancelled" if held else self.state[job]
        else:
            then = self.ledger.retry(
                job, claim.token, delay_s=0, max_attempts=MAX_ATTEMPTS, error=""
            )
            assert (then == "lost") is not held
            self.state[job] = then if held else self.state[job]

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        """Whoever holds a claim, however old, tries to write the job's results."""
        claim = self._any_claim(data)
        if claim is None:
            return
        job, highest = claim.job_id, self.committed.get(claim.job_id)
        with self.database.begin() as connection:
            if highest is not None and claim.token < highest:
                with pytest.raises(LeaseLost):
                    results.commit_job(connection, f"{self.run}-{job}", claim.token)
                return
            first = results.commit_job(connection, f"{self.run}-{job}", claim.token)
        assert first is (highest is None)
        self.committed[job] = claim.token

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """A worker is gone with what it knew; its lease is still in the ledger."""
        claim = self._any_claim(data)
        if claim is not None:
            self.claims.remove(claim)

    @rule(job=JOBS)
    def duplicate_a_message(self, job: str) -> None:
        copy = task_message(TASKS["score"], job, BULK, "").replace("@TAG@", uuid.uuid4().hex)
        self.client.lpush(f"{self.ledger.prefix}{BULK}", copy)

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        claim = self._any_claim(data)
        if claim is not None:
            (verdict,) = self.ledger.renew([(claim.job_id, claim.token)], lease_s=LONG_S)
            assert (verdict == "lost") is not self._holds(claim)

    @rule(job=JOBS)
    def cancel(self, job: str) -> None:
        assert self.ledger.cancel(job, ttl_s=60) == self.state.get(job, "unknown")
        if self.state.get(job) == "queued":
            self.state[job] = "cancelled"

    @rule()
    def lose_a_message(self) -> None:
        self.client.rpop(f"{self.ledger.prefix}{BULK}")

    @rule()
    def reconcile(self) -> None:
        time.sleep(0.004)
        self.ledger.reconcile("r", leader_s=60, max_attempts=MAX_ATTEMPTS, grace_s=0)
        for job, state in self.state.items():
            now = self.ledger.state(job)
            if state == "running":  # its lease may have run out
                assert now in {"running", "queued", "failed", "cancelled"}
                self.state[job] = now
            else:
                assert now == state

    @invariant()
    def every_job_is_somewhere(self) -> None:
        for job, state in getattr(self, "state", {}).items():
            assert self.ledger.state(job) == state
            assert self.finished[job] <= 1
            key = self.ledger.prefix
            if state == "running":
                assert self.client.zscore(f"{key}leases", job) is not None
            if state == "queued":
                listed = self.client.zscore(f"{key}queued", job)
                delayed = self.client.zscore(f"{key}delayed", job)
                assert listed is not None or delayed is not None
            if state == "failed":
                assert self.client.zscore(f"{key}dead", job) is not None


@pytest.mark.timeout(180)
def test_the_ledger_keeps_its_promises_in_any_order(
    redis_server: EmbeddedServer, tmp_path: Path
) -> None:
    LedgerMachine.url = redis_server.url
    LedgerMachine.database = Database.open(f"sqlite:///{tmp_path / 'store.db'}")

    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
