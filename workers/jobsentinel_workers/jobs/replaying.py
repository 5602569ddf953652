"""Sends jobs that were given up again, under the ids they had.

A job enters the ledger first, and its dead letter is forgotten after that. Whoever stops between
the two loses nothing: the next replay finds the job in the ledger, leaves it alone, and forgets the
letter then. A letter that was written meanwhile, because the job was given up once more, stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Final

from jobsentinel.contract import wire
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.tasks import INFERENCE_QUEUES, TASKS, TRAINING, TaskType
from jobsentinel.envelope import task_message
from jobsentinel.ledger import Ledger
from jobsentinel_workers.store import Database, dead_letters
from jobsentinel_workers.store.dead_letters import DeadLetter, LetterFilter, LetterKey

PAGE: Final = 500
SUMMARY: Final = "sent again after it was given up"
"""What Flower shows of a message; the request itself is not in it."""
LEFT_ALONE: Final = frozenset({"queued", "running", "done"})
"""The states of a job in the ledger that need no replay."""
_POOLS: Final = (INFERENCE_QUEUES, (TRAINING,))


def replay(database: Database, ledger: Ledger, job_id: str, *, queue: str | None = None) -> str:
    """Send a job that was given up again, and forget its dead letter.

    Its attempts are counted anew, and a deadline that it had is gone. A job that is on its way
    again already, or done, is not sent a second time.

    Args:
        queue: another queue of the same pool, instead of the one in which the job waited.

    Returns:
        What the ledger knew: ``new`` or the job's state. Unless it is in `LEFT_ALONE`, the job was
        sent.

    Raises:
        InvalidInput: the job has no letter, or one that cannot be sent; see `route`.
        QueueUnavailable: Redis cannot be reached; the letter is still there.
        StoreUnavailable: the letter cannot be read, or not be forgotten yet.
    """
    letter = read(database, job_id)
    was = send(ledger, letter, queue=queue)
    with database.begin() as connection:
        dead_letters.delete(connection, job_id, created_at=letter.created_at)
    return was


def read(database: Database, job_id: str) -> DeadLetter:
    """Return a job's letter with its payload.

    Raises:
        InvalidInput: it has none.
    """
    with database.connect() as connection:
        letter = dead_letters.get(connection, job_id)
    if letter is None:
        raise InvalidInput("dead letter", "there is none")
    return letter


def route(letter: DeadLetter, *, queue: str | None = None) -> tuple[TaskType, str]:
    """Return what a letter asks for and in which queue it may wait, once it has been checked.

    Raises:
        InvalidInput: the contract does not know its task, its payload is empty or cannot be
            decoded any more, or the workers for its task do not serve the queue.
    """
    if letter.task not in TASKS:
        raise InvalidInput("task", f"is {letter.task!r}, which this version does not know")
    if not letter.payload:
        raise InvalidInput("payload", "is empty: the ledger had lost it before the letter was kept")
    task, _ = wire.decode_request(letter.payload)
    if task.name != letter.task:
        raise InvalidInput("payload", f"is a request for {task.name}, not for {letter.task}")
    chosen = queue or letter.queue
    served = next(queues for queues in _POOLS if task.queue in queues)
    if chosen not in served:
        problem = f"is {chosen!r}, in which {task.name} cannot wait, only in {' or '.join(served)}"
        raise InvalidInput("queue", problem)
    return task, chosen


def send(ledger: Ledger, letter: DeadLetter, *, queue: str | None = None) -> str:
    """Put a letter's job into the ledger, and keep the letter: the first half of `replay`.

    Returns and raises as that does.
    """
    task, chosen = route(letter, queue=queue)
    # Each sending has a name of its own: what an earlier one came to must not stand in its way.
    before = ledger.enqueue(
        letter.job_id,
        task=task.name,
        queue=chosen,
        payload=letter.payload or b"",
        message=task_message(task, letter.job_id, chosen, SUMMARY),
        submission=uuid.uuid4().hex,
    )
    assert isinstance(before, str), "without conditions nothing is turned away"
    return before


def pages(
    database: Database, which: LetterFilter, *, limit: int | None = None
) -> Iterator[list[LetterKey]]:
    """Yield which letters there are, oldest first, a page at a time; at most ``limit`` of them.

    Give the filter an ``until``, or a job that is given up again meanwhile comes again.
    """
    last: LetterKey | None = None
    left = limit
    while left is None or left > 0:
        with database.connect() as connection:
            most = PAGE if left is None else min(PAGE, left)
            page = dead_letters.keys(connection, which, after=last, limit=most)
        if not page:
            return
        yield page
        last = page[-1]
        left = None if left is None else left - len(page)
