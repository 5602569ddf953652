"""The same questions learnt together and each by itself: what sharing an encoder does to each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskTrainer,
    Task,
    job_matching_tasks,
)
from jobsentinel_workers.multi_task.evaluated_training import (
    EvaluatedTraining,
    train_and_evaluate,
)
from jobsentinel_workers.multi_task.run_control import OnProgress
from jobsentinel_workers.starter import category_data, function_data, salary_data, scam_data
from jobsentinel_workers.starter.open_data import read_emscad, read_linkedin_titles

ROWS_A_TASK = 1_200
EPOCHS = 3


def learn_together(
    data: Path, seed: int, log: Callable[[str], None], date: str
) -> EvaluatedTraining:
    """Return the evaluation of a model of four tasks beside one model for each of them.

    All train the top two layers over rows of the open data, `ROWS_A_TASK` at most for a task, and
    are judged on the same rows set apart. Each task keeps its word model, which shares nothing.
    """
    rows = rows_of_tasks(data, seed)
    log(f"together: {len(rows)} rows of four tasks, method top2, {EPOCHS} epochs")

    def make_model() -> MultiTaskBERT:
        return MultiTaskBERT(TextEncoder.load(precision="fp32"), tasks())

    def make_trainer(
        model: MultiTaskBERT, folder: Path | None, on_progress: OnProgress
    ) -> MultiTaskTrainer:
        return MultiTaskTrainer(
            model, "top2", epochs=EPOCHS, seed=seed, run_directory=folder, on_progress=on_progress
        )

    return train_and_evaluate(
        make_model,
        make_trainer,
        rows,
        name="together",
        date=date,
        seed=seed,
        on_progress=lambda progress: log(f"together: {progress['fraction']:.0%}"),
    )


def tasks() -> list[Task]:
    """Return the job tasks and the functions, as the starter model has them."""
    return [*job_matching_tasks(), function_data.functions_task()]


def rows_of_tasks(data: Path, seed: int) -> list[MultiTaskExample]:
    """Return rows of the open data for functions, salary, scam and category."""
    rng = np.random.default_rng(seed)
    titles = read_linkedin_titles(data)
    occupations = category_data.labelled_occupations(data)
    sets = (
        function_data.title_rows(titles),
        salary_data.to_examples(salary_data.salary_postings(data)),
        scam_data.to_examples(read_emscad(data)),
        category_data.occupation_rows(occupations, ["New York, NY"], int(rng.integers(2**31))),
    )
    return [
        rows[position]
        for rows in sets
        for position in rng.permutation(len(rows))[:ROWS_A_TASK].tolist()
    ]
