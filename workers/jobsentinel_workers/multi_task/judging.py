"""Sets the calibration of a model's tasks, and pairs its answers with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.encoders import FloatArray as Float32s
from jobsentinel_workers.encoders import Runner, run_directly
from jobsentinel_workers.multi_task.answers import to_numbers
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.calibrating import calibrate, calibrate_jointly
from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.evidence import blend_words, fit_network_share, join
from jobsentinel_workers.multi_task.examples import MultiTaskExample, to_targets
from jobsentinel_workers.multi_task.losses import TaskLoss, known_rows
from jobsentinel_workers.multi_task.predictor import MultiTaskPredictor, scored_text
from jobsentinel_workers.multi_task.tasks import Task
from jobsentinel_workers.multi_task.words import count_words

if TYPE_CHECKING:
    from jobsentinel_workers.multi_task.model import MultiTaskBERT

FloatArray = npt.NDArray[np.float64]


def set_calibration(
    model: MultiTaskBERT,
    name: str,
    loss: TaskLoss,
    *,
    raw: FloatArray,
    targets: FloatArray,
    texts: Sequence[str],
    embeddings: Float32s,
) -> Judged:
    """Calibrate task ``name`` of ``model`` on rows that were not trained on; return its answers.

    Args:
        model: whose calibration of the task is replaced.
        name: of the task.
        loss: that the head was trained by.
        raw: (n, output_dim) outputs of the head.
        targets: (n,) or (n, c) without NaN.
        texts: the rows' texts as they were encoded, for the task's word model.
        embeddings: (n, d) of them.
    """
    task = model.tasks[name]
    model.calibrations[name] = calibration = calibrate(task, loss, raw, targets)
    model.joined_calibrations.pop(name, None)
    if name not in model.word_models:
        return _judge(task, calibration, raw, targets)
    # How far the words are to be trusted is for these rows to say.
    counts = count_words(texts)
    linear, deep = model.word_opinions(name, counts, embeddings)
    share = 0.0 if deep is None else fit_network_share(task, linear, deep, targets)
    words = blend_words(linear, deep, share)
    joined = replace(calibrate_jointly(task, loss, raw, words, targets), network_share=share)
    model.joined_calibrations[name] = joined
    return _judge(task, joined.calibration, join(task, raw, words, joined), targets)


def judge_rows(
    model: MultiTaskBERT, rows: Sequence[MultiTaskExample], runner: Runner = run_directly
) -> dict[str, Judged]:
    """Return what ``model`` says of labelled rows, for each trained task that has a label there.

    Raises:
        InvalidInput: a label does not fit its task.
    """
    texts = [scored_text(row.text) for row in rows]
    outputs = MultiTaskPredictor(model, runner).calibrated(runner(model.encoder, texts), texts)
    found = {}
    for name, targets in to_targets(rows, model.tasks).items():
        known = known_rows(targets)
        if name in outputs and known.any():
            raw, calibration = outputs[name]
            found[name] = _judge(model.tasks[name], calibration, raw[known], targets[known])
    return found


def _judge(task: Task, calibration: Calibration, raw: FloatArray, targets: FloatArray) -> Judged:
    truth = task.to_value(targets) if task.has_values else targets
    return Judged(task, truth, to_numbers(task, raw, calibration), calibration.threshold)
