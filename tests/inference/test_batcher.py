"""The batcher: shared forwards, urgent work first, errors and cancellations reach their callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobsentinel import JobCancelled
from jobsentinel_workers.encoders import EncodedText
from jobsentinel_workers.inference.batcher import WINDOW, Batcher, Lane


class LengthModel:
    """A model whose answer is the length of a text; it records its batches and can be held up."""

    model_id = "length"
    precision = "fp32"
    output_dim = 1
    max_tokens = 64

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()

    def prepare(self, inputs: Sequence[Any]) -> list[EncodedText]:
        return [EncodedText(np.zeros(len(text), dtype=np.int32)) for text in inputs]

    def compute(self, batch: Sequence[EncodedText]) -> np.ndarray:
        self.entered.set()
        self.open.wait(10)
        lengths = [len(text) for text in batch]
        self.batches.append(lengths)
        if 13 in lengths:
            raise ArithmeticError("thirteen")
        return np.array(lengths, dtype=np.float32)[:, None]


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    batcher = Batcher()
    yield batcher
    batcher.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(1, 12).map("x".__mul__), min_size=0, max_size=20),
        min_size=1,
        max_size=6,
    )
)
def test_every_caller_gets_its_own_rows_in_order(requests: list[list[str]]) -> None:
    batcher, model = Batcher(), LengthModel()
    run = batcher.runner(Lane.BULK)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda texts: run(model, texts), requests))
    finally:
        batcher.stop()

    for texts, answer in zip(requests, answers, strict=True):
        assert answer[:, 0].tolist() == [float(len(text)) for text in texts]


def test_what_waits_while_the_model_is_busy_shares_one_forward(batcher: Batcher) -> None:
    model = LengthModel()
    run = batcher.runner(Lane.BULK)
    model.open.clear()

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(run, model, ["x"])
        assert model.entered.wait(5)
        others = [pool.submit(run, model, ["y" * n]) for n in (3, 2, 4)]
        wait_for(lambda: len(batcher._lanes[Lane.BULK]) == 3)
        model.open.set()
        assert [other.result(5)[0, 0] for other in others] == [3, 2, 4]
        first.result(5)

    assert model.batches == [[1], [2, 3, 4]]


def test_urgent_texts_go_before_a_flood_that_waits(batcher: Batcher) -> None:
    model = LengthModel()
    model.open.clear()

    with ThreadPoolExecutor(3) as pool:
        flood = pool.submit(batcher.runner(Lane.BULK), model, ["xx"] * 4 * WINDOW)
        assert model.entered.wait(5)
        urgent = pool.submit(batcher.runner(Lane.INTERACTIVE), model, ["u" * 7])
        wait_for(lambda: len(batcher._lanes[Lane.INTERACTIVE]) == 1)
        model.open.set()
        urgent.result(5)
        flood.result(30)

    assert model.batches[1] == [7]
    assert sum(map(len, model.batches)) == 4 * WINDOW + 1


def test_an_error_reaches_those_in_its_batch_and_the_batcher_goes_on(batcher: Batcher) -> None:
    model = LengthModel()
    run = batcher.runner(Lane.BULK)

    with pytest.raises(ArithmeticError, match="thirteen"):
        run(model, ["x" * 13])

    assert run(model, ["ab"]).tolist() == [[2.0]]


def test_a_cancelled_job_leaves_and_its_texts_are_not_computed(batcher: Batcher) -> None:
    model = LengthModel()
    model.open.clear()
    cancelled = threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise JobCancelled("enough")

    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(batcher.runner(Lane.BULK), model, ["x"])
        assert model.entered.wait(5)
        doomed = pool.submit(batcher.runner(Lane.BULK, check), model, ["doomed"] * 3)
        wait_for(lambda: len(batcher._lanes[Lane.BULK]) == 3)
        cancelled.set()
        with pytest.raises(JobCancelled):
            doomed.result(5)
        model.open.set()
        running.result(5)
        assert batcher.runner(Lane.BULK)(model, ["after"]).tolist() == [[5.0]]

    assert model.batches == [[1], [5]]


def test_who_waits_when_the_worker_stops_is_told() -> None:
    batcher, model = Batcher(), LengthModel()
    model.open.clear()
    with ThreadPoolExecutor(3) as pool:
        running = pool.submit(batcher.runner(Lane.BULK), model, ["x"])
        assert model.entered.wait(5)
        waiting = pool.submit(batcher.runner(Lane.BULK), model, ["y"])
        wait_for(lambda: len(batcher._lanes[Lane.BULK]) == 1)
        stopping = pool.submit(batcher.stop)
        wait_for(lambda: batcher._stopped)
        model.open.set()
        stopping.result(5)

        assert running.result(5).tolist() == [[1.0]]
        with pytest.raises(RuntimeError, match="shutting down"):
            waiting.result(5)
    with pytest.raises(RuntimeError, match="stopped"):
        batcher.runner(Lane.BULK)(model, ["z"])
