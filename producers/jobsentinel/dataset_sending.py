"""How a dataset gets into the store: read and checked whole, then sent in chunks that lack.

The first reading finds every fault and the dataset's id, so nothing of a bad source is sent. Then
the store says which rows it lacks: after an upload that was torn off these are few, and none if
the dataset is stored already, under whatever name.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jobsentinel.contract import limits
from jobsentinel.contract.base import Message
from jobsentinel.contract.datasets import (
    ROW_OF_DATASET,
    DatasetDigest,
    DatasetTask,
    StoreDatasetRequest,
)
from jobsentinel.contract.errors import InvalidInput, JobFailed
from jobsentinel.contract.results import StoreDatasetResult
from jobsentinel.dataset_files import Source, rows_of
from jobsentinel.handles import JobHandle

logger = logging.getLogger(__name__)

DEFAULT_CHUNK_ROWS: Final = 1_000
MAX_CHUNK_CHARS: Final = limits.MAX_CHUNK_BYTES // 4
"""A chunk is cut earlier than its count says: a character may take four bytes."""

_WINDOW: Final = 8
"""Chunks under way at once: Redis holds them until they are stored."""
_ROUNDS: Final = 3

Handle = JobHandle[StoreDatasetResult]
OnProgress = Callable[[int, int], None]
"""Called with how many rows are stored, and of how many."""


@dataclass(frozen=True, slots=True)
class DatasetReceipt:
    """A dataset that is in the store, whole.

    Attributes:
        sha256: its id, by which a training names it.
        rows: how many it has.
        name: the name under which it is stored, that of whoever sent it first.
        sent_rows: how many of them were sent now; the store had the others.
    """

    sha256: str
    task: DatasetTask
    rows: int
    name: str | None
    sent_rows: int

    @property
    def was_stored(self) -> bool:
        """Whether the whole of it was in the store already."""
        return self.sent_rows == 0


@dataclass(frozen=True, slots=True)
class Upload:
    """One dataset on its way.

    Attributes:
        send: hands a request to the fleet.
        wait: waits for its answer.
    """

    source: Source
    task: DatasetTask
    name: str | None
    chunk_rows: int
    send: Callable[[StoreDatasetRequest], Handle]
    wait: Callable[[Handle], StoreDatasetResult]
    on_progress: OnProgress = lambda stored, total: None

    def run(self) -> DatasetReceipt:
        """Bring the dataset into the store and return once it is sealed there.

        Raises:
            InvalidInput: names what is wrong, and where; nothing was sent.
            JobFailed: the store refused it; what it says tells whether another try can help.
        """
        self._check()
        digest = self._read_whole()
        about = self._about(digest)
        sent = 0
        for _ in range(_ROUNDS):
            handle = self.send(about())
            answer = self.wait(handle)
            if answer.state == "sealed":
                self.on_progress(digest.rows, digest.rows)
                return DatasetReceipt(answer.sha256, self.task, digest.rows, answer.name, sent)
            sent += self._send_missing(about, answer.missing, digest.rows)
        raise JobFailed(handle.job_id, f"rows are missing after {_ROUNDS} rounds of sending them")

    def _check(self) -> None:
        if self.task not in ROW_OF_DATASET:
            known = ", ".join(ROW_OF_DATASET)
            raise InvalidInput("task", f"is {self.task!r}, not one of {known}")
        if not 1 <= self.chunk_rows <= limits.MAX_TRAINING_ROWS:
            problem = f"is {self.chunk_rows}; it must be 1 to {limits.MAX_TRAINING_ROWS:,}"
            raise InvalidInput("chunk_rows", problem)

    def _read_whole(self) -> DatasetDigest:
        digest = DatasetDigest(self.task)
        try:
            for _ in rows_of(self.source, self.task, take=digest.add):
                pass  # only the hash and the faults are wanted of this reading
            digest.check()
        except InvalidInput as error:
            if self.source.name and not error.field.startswith(self.source.name):
                where = f"{self.source.name}: {error.field}"
                raise InvalidInput(where, error.problem) from None
            raise
        return digest

    def _about(self, digest: DatasetDigest) -> Callable[..., StoreDatasetRequest]:
        same = {
            "sha256": digest.hexdigest(),
            "task": self.task,
            "total_rows": digest.rows,
            "name": self.name,
        }
        return lambda **more: StoreDatasetRequest.parse({**same, **more})

    def _send_missing(
        self,
        about: Callable[..., StoreDatasetRequest],
        missing: Iterable[tuple[int, int]],
        total: int,
    ) -> int:
        """Send the rows of these places, a few chunks ahead of the answers; return how many."""
        gaps = list(missing)
        there = total - sum(stop - start for start, stop in gaps)
        sent = 0
        waiting: deque[tuple[Handle, int]] = deque()
        for first, rows in chunks(rows_of(self.source, self.task), gaps, self.chunk_rows):
            if len(waiting) == _WINDOW:
                there += self._stored(waiting)
                self.on_progress(there, total)
            waiting.append((self.send(about(first_row=first, rows=rows)), len(rows)))
            sent += len(rows)
        while waiting:
            there += self._stored(waiting)
            self.on_progress(there, total)
        return sent

    def _stored(self, waiting: deque[tuple[Handle, int]]) -> int:
        handle, rows = waiting.popleft()
        self.wait(handle)
        return rows


def chunks(
    rows: Iterable[Message], gaps: Iterable[tuple[int, int]], size: int
) -> Iterator[tuple[int, list[Message]]]:
    """Yield the rows of the gaps, cut by count and by characters, each chunk with its place."""
    left = iter(gaps)
    start, stop = next(left, (0, 0))
    chunk: list[Message] = []
    first = chars = 0
    for position, row in enumerate(rows):
        if position >= stop:
            if chunk:
                yield first, chunk
                chunk, chars = [], 0
            start, stop = next(left, (0, 0))
            if stop == 0:
                return
        if position < start:
            continue
        length = _chars(row)
        if chunk and (len(chunk) >= size or chars + length > MAX_CHUNK_CHARS):
            yield first, chunk
            chunk, chars = [], 0
        if not chunk:
            first = position
        chunk.append(row)
        chars += length
    if chunk:
        yield first, chunk


def _chars(row: Message) -> int:
    fields: dict[str, Any] = dict(row)
    return sum(len(value) for value in fields.values() if isinstance(value, str))
