"""What a run's checkpoints belong to, so that no other run goes on from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task.examples import Targets
from jobsentinel_workers.multi_task.schedule import Schedule
from jobsentinel_workers.multi_task.tasks import Task


def run_identity(
    settings: Mapping[str, str],
    schedule: Schedule,
    encoder: TextEncoder,
    tasks: Sequence[Task],
    texts: Sequence[str],
    *targets: Targets,
) -> dict[str, Any]:
    """Return all that decides a run's weights, as JSON values; texts and targets as a hash."""
    digest = sha256("\x1f".join(texts).encode())
    for part in targets:
        for task in tasks:
            digest.update(part[task.name].tobytes())
    return {
        **settings,
        "schedule": asdict(schedule),
        "encoder": encoder.model_id,
        "tasks": [task.to_json() for task in tasks],
        "data_sha256": digest.hexdigest(),
    }
