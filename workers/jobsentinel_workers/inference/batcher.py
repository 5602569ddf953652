"""Dynamic batching: texts of many jobs share one forward pass, urgent ones first.

Callers tokenise in their own threads; one thread computes. No timer is involved: while a batch is
computed, the next one fills. A batch holds texts of one lane and one model, of like length, and of
bulk texts as many tokens as the machine does in about `TARGET_BATCH_S`, so that an urgent text
never waits long behind a full batch. Packing until the padded size reaches a token budget follows
Hugging Face's text-embeddings-inference
(https://github.com/huggingface/text-embeddings-inference).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice

import numpy as np
import torch

from jobsentinel_workers.encoders import (
    EncodedText,
    FloatArray,
    Runner,
    SequenceModel,
    TextInput,
    plan_batches,
)

TARGET_BATCH_S = 0.1
"""How long a batch of bulk texts may keep the first interactive one waiting."""
SHORT_BATCH_S = 0.05
"""The same while interactive texts come: short batches cost some throughput."""
INTERACTIVE_FOR_S = 10.0
"""So long after an interactive text the next one is expected."""
INTERACTIVE_BATCH_S = 0.4
"""Interactive batches may be larger: nobody more urgent waits, and they waste less."""
MIN_BATCH_TOKENS = 256
MAX_BATCH_TOKENS = 8_192
MAX_BATCH_ROWS = 64
WINDOW = 256
"""So many waiting texts are looked at when a batch of like lengths is cut."""
LOOK_UP_S = 0.25
"""How often a waiting caller checks whether its job was cancelled or lost."""


class Lane(IntEnum):
    """Who goes first; lower is sooner."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller's texts and the rows of its answer that are still missing."""

    model: SequenceModel
    texts: list[EncodedText]
    output: FloatArray
    missing: int
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    abandoned: bool = False

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.abandoned = True
        self.done.set()


_Row = tuple[_Ticket, int]


class Batcher:
    """One compute thread for all models of a process.

    With ``compute_threads`` that thread alone computes in parallel, with so many threads, and all
    other threads of the process compute by themselves. Each thread that calls torch in parallel
    has a team of workers of its own; two teams on the same cores made a forward pass a third
    slower (measured on 2 cores).
    """

    def __init__(self, compute_threads: int | None = None) -> None:
        self._compute_threads = compute_threads
        self._started = threading.Event()
        self._lanes: dict[Lane, deque[_Row]] = {lane: deque() for lane in Lane}
        self._changed = threading.Condition()
        self._stopped = False
        # Tokens a second, measured for each model as it works; a guess until then.
        self._rates: dict[str, float] = {}
        self._interactive_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()
        self._started.wait()
        if compute_threads is not None:
            # The compute thread has its own number by now; this is that of all other threads.
            torch.set_num_threads(1)

    def runner(self, lane: Lane, check: Callable[[], None] = lambda: None) -> Runner:
        """Return a Runner for one job; ``check`` raises when the job is no longer wanted."""

        def run(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
            return self._compute(model, inputs, lane, check)

        return run

    def stop(self) -> None:
        """End the thread; callers still waiting get a RuntimeError."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _compute(
        self,
        model: SequenceModel,
        inputs: Sequence[TextInput],
        lane: Lane,
        check: Callable[[], None],
    ) -> FloatArray:
        texts = model.prepare(inputs)
        output = np.zeros((len(texts), model.output_dim), dtype=np.float32)
        if not texts:
            return output
        ticket = _Ticket(model, texts, output, missing=len(texts))
        with self._changed:
            if self._stopped:
                raise RuntimeError("the batcher has stopped")
            if lane is Lane.INTERACTIVE:
                self._interactive_at = time.monotonic()
            self._lanes[lane].extend((ticket, row) for row in range(len(texts)))
            self._changed.notify()
        self._wait(ticket, check)
        return output

    @staticmethod
    def _wait(ticket: _Ticket, check: Callable[[], None]) -> None:
        while not ticket.done.wait(LOOK_UP_S):
            try:
                check()
            except BaseException:
                ticket.abandoned = True
                raise
        if ticket.error is not None:
            raise ticket.error

    def _run(self) -> None:
        if self._compute_threads is not None:
            torch.set_num_threads(self._compute_threads)
            torch.get_num_threads()  # makes the number this thread's own
        self._started.set()
        while batch := self._next_batch():
            try:
                self._compute_batch(batch)
            except Exception as error:  # a thread's edge: the callers get it, the batcher goes on
                for ticket in {id(ticket): ticket for ticket, _ in batch}.values():
                    ticket.fail(error)
        self._fail_waiting()

    def _next_batch(self) -> list[_Row]:
        with self._changed:
            while not self._stopped:
                for lane in Lane:
                    batch = self._cut(self._lanes[lane], lane)
                    if batch:
                        return batch
                self._changed.wait()
        return []

    def _cut(self, waiting: deque[_Row], lane: Lane) -> list[_Row]:
        """Take the oldest text and those near it in length that fit into one batch."""
        while waiting and waiting[0][0].abandoned:
            waiting.popleft()
        if not waiting:
            return []
        model = waiting[0][0].model
        window = [
            row for row in islice(waiting, WINDOW) if row[0].model is model and not row[0].abandoned
        ]
        plan = plan_batches(
            [len(ticket.texts[position]) for ticket, position in window],
            max_tokens_a_batch=self._budget(model, lane),
            max_rows=MAX_BATCH_ROWS,
        )
        chosen = next(positions for positions in plan if 0 in positions)
        batch = [window[position] for position in chosen]
        taken = set(map(_key, batch))
        # Only the window is rebuilt; a flood behind it is not walked over.
        looked_at = [waiting.popleft() for _ in range(min(WINDOW, len(waiting)))]
        waiting.extendleft(
            row for row in reversed(looked_at) if _key(row) not in taken and not row[0].abandoned
        )
        return batch

    def _budget(self, model: SequenceModel, lane: Lane) -> int:
        rate = self._rates.get(model.model_id, MIN_BATCH_TOKENS / TARGET_BATCH_S)
        tokens = rate * self._target_s(lane)
        return int(min(MAX_BATCH_TOKENS, max(MIN_BATCH_TOKENS, tokens)))

    def _target_s(self, lane: Lane) -> float:
        if lane is Lane.INTERACTIVE:
            return INTERACTIVE_BATCH_S
        silent_s = time.monotonic() - self._interactive_at
        return TARGET_BATCH_S if silent_s > INTERACTIVE_FOR_S else SHORT_BATCH_S

    def _compute_batch(self, batch: list[_Row]) -> None:
        model = batch[0][0].model
        texts = [ticket.texts[position] for ticket, position in batch]
        started = time.perf_counter()
        output = model.compute(texts)
        tokens = max(map(len, texts)) * len(texts)
        self._measure(model, tokens, time.perf_counter() - started)
        for (ticket, position), row in zip(batch, output, strict=True):
            ticket.output[position] = row
            ticket.missing -= 1
            if ticket.missing == 0:
                ticket.done.set()

    def _measure(self, model: SequenceModel, tokens: int, seconds: float) -> None:
        if tokens < MIN_BATCH_TOKENS // 4:
            return  # dispatch, not arithmetic, is what a small batch measures
        rate = tokens / max(seconds, 1e-6)
        known = self._rates.get(model.model_id, rate)
        self._rates[model.model_id] = 0.8 * known + 0.2 * rate

    def _fail_waiting(self) -> None:
        for waiting in self._lanes.values():
            for ticket, _ in waiting:
                ticket.fail(RuntimeError("the worker is shutting down"))


def _key(row: _Row) -> tuple[int, int]:
    return id(row[0]), row[1]
