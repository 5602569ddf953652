"""Whatever the order of calls, the outbox behaves like a list of jobs."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jobsentinel.new_jobs import NewJob
from jobsentinel.outbox import Outbox

IDS = st.sampled_from(["a", "b", "c"])
QUEUES = st.sampled_from(["inference.bulk", "training"])


@dataclass
class Row:
    """One job in the model."""

    seq: int
    job: NewJob
    keep: bool
    sent: bool = False


class OutboxMachine(RuleBasedStateMachine):
    """Appends, settles, withdraws, forgets and opens the file anew, beside a list."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.outbox = self.opened()
        self.rows: list[Row] = []
        self.last_seq = 0

    def opened(self) -> Outbox:
        return Outbox(self.folder / "outbox.db", max_bytes=1 << 30, fsync=False)

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)

    def waiting(self) -> list[Row]:
        return [row for row in self.rows if not row.sent]

    @rule(job_id=IDS, queue=QUEUES, payload=st.binary(max_size=9_000), keep=st.booleans())
    def append(self, job_id: str, queue: str, payload: bytes, keep: bool) -> None:
        job = NewJob(job_id, "score", queue, payload, "{}", "s", 1.5, None, 3)
        seq = self.outbox.append(job, keep=keep)
        assert seq > self.last_seq  # also when the last one has left
        self.last_seq = seq
        self.rows.append(Row(seq, job, keep))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(self.waiting()))
        assert self.outbox.settle(row.seq)
        if row.keep:
            row.sent = True
        else:
            self.rows.remove(row)
            assert not self.outbox.settle(row.seq)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        seq = data.draw(st.integers(1, self.last_seq + 1))
        found = [row for row in self.waiting() if row.seq == seq]
        assert self.outbox.remove(seq) == bool(found)
        self.rows = [row for row in self.rows if row not in found]

    @rule(job_id=IDS, even_sent=st.booleans())
    def withdraw(self, job_id: str, even_sent: bool) -> None:
        found = [
            row for row in self.rows if row.job.job_id == job_id and (even_sent or not row.sent)
        ]
        assert self.outbox.withdraw(job_id, even_sent=even_sent) == bool(found)
        self.rows = [row for row in self.rows if row not in found]

    @rule(data=st.data())
    def some_of_the_kept_are_done_or_lost(self, data: st.DataObject) -> None:
        kept = [row for row in self.rows if row.sent]
        done = [row for row in kept if data.draw(st.booleans())]
        lost = [row for row in kept if row not in done and data.draw(st.booleans())]
        self.outbox.forget([row.seq for row in done])
        self.outbox.send_again([row.seq for row in lost])
        self.rows = [
            replace(row, sent=False) if row in lost else row for row in self.rows if row not in done
        ]

    @rule()
    def shrink(self) -> None:
        self.outbox.shrink()

    @rule()
    def open_anew(self) -> None:
        self.outbox.close()
        self.outbox = self.opened()

    @rule()
    def open_anew_without_having_closed(self) -> None:
        self.outbox = self.opened()

    @invariant()
    def the_file_holds_what_the_list_holds(self) -> None:
        found, place = [], 0
        while row := self.outbox.next_waiting(after=place):
            found.append((row.seq, row.job))
            place = row.seq
        assert found == [(row.seq, row.job) for row in self.waiting()]
        kept = [(row.seq, row.job.job_id) for row in self.rows if row.sent]
        assert self.outbox.kept() == kept
        contents = self.outbox.contents()
        assert (contents.waiting, contents.kept) == (len(found), len(kept))
        assert self.outbox.has_waiting() == bool(found)
        assert self.outbox.is_empty() == (not self.rows)
        for job_id in ("a", "b", "c"):
            states = {row.sent for row in self.rows if row.job.job_id == job_id}
            assert self.outbox.holds(job_id) == bool(states)
            assert self.outbox.has_waiting(job_id) == (False in states)

    @invariant()
    def a_full_queue_is_passed_over(self) -> None:
        row = self.outbox.next_waiting(without=["inference.bulk"])
        others = [row.seq for row in self.waiting() if row.job.queue == "training"]
        assert (row.seq if row else None) == (others[0] if others else None)


OutboxMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestOutboxSequences = OutboxMachine.TestCase
