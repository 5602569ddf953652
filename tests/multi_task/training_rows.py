"""Rows that a tiny encoder can learn, and one training run over them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from jobsentinel_workers.encoders import PoolingChoice, TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskTrainer,
    Task,
    create_job_matching_model,
)

KINDS = {
    "healthcare": ("registered nurse in a hospital ward", 70_000.0),
    "legal": ("attorney for contract law", 130_000.0),
    "software_it": ("python developer for web services", 110_000.0),
}


def make_rows(count: int = 60) -> list[MultiTaskExample]:
    """Return rows with all labels but every other salary."""
    rows = []
    for n in range(count):
        category = list(KINDS)[n % 3]
        text, salary = KINDS[category]
        labels = {
            "job_category": category,
            "salary_prediction": salary * (0.9 + 0.05 * (n % 5)) if n % 2 else None,
            "scam_detection": category == "legal",
        }
        rows.append(MultiTaskExample(f"{text}, vacancy {n}", labels))
    return rows


def own_copy(encoder: TextEncoder) -> TextEncoder:
    """Return an encoder with the same weights in another network."""
    return TextEncoder(
        copy.deepcopy(encoder.backbone), precision="fp32", max_tokens=encoder.max_tokens
    )


def trained_model(
    encoder: TextEncoder,
    method: str,
    *,
    folder: Path | None = None,
    should_stop: Callable[[], bool] | None = None,
    rows: Sequence[MultiTaskExample] | None = None,
    tasks: Sequence[Task] | None = None,
    pooling: PoolingChoice = "encoder",
    **options: Any,
) -> MultiTaskBERT:
    """Return a model trained for three epochs of three steps, the same at each call."""
    torch.manual_seed(3)
    encoder = own_copy(encoder)
    model = (
        MultiTaskBERT(encoder, tasks, pooling)
        if tasks
        else create_job_matching_model(encoder, pretrained=False, pooling=pooling)
    )
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "patience": 3} | options
    MultiTaskTrainer(
        model,
        method,  # type: ignore[arg-type]  # parametrised
        run_directory=folder,
        should_stop=should_stop,
        **settings,
    ).train(rows or make_rows(24))
    return model
