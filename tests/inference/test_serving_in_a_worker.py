"""A real worker whose models change: what `jobsentinel status` says, and when a rollback serves.

It takes seconds: the worker is a real one, and every look at it waits for all that may answer.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.training.real_worker import real_worker

from jobsentinel import Producer, Settings
from jobsentinel.cli.program import program
from jobsentinel.contract.tasks import BULK
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.models_in_service import open_registry
from jobsentinel_workers.multi_task import create_job_matching_model

NAME = "multi-task"
POSTINGS = [{"id": f"p{n}", "title": f"Shop manager {n}"} for n in range(8)]


def jobsentinel(settings: Settings, *arguments: str) -> Any:
    """Run a command over the fleet of the test."""
    values = {"REDIS_URL": settings.redis_url, "NAMESPACE": settings.namespace}
    values |= {"DATA_DIR": str(settings.data_dir), "ENCODER_PATH": str(settings.encoder_path)}
    environment = {f"JOBSENTINEL_{name}": str(value) for name, value in values.items()}
    result = CliRunner().invoke(program, arguments, env={**environment, "COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result


def wait_for(settings: Settings, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Ask for the status until the scoring model of the one worker is as wanted."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        serving = json.loads(jobsentinel(settings, "status", "--json").stdout)["serving"]
        for models in serving.values():
            if holds(models[NAME]):
                return dict(models[NAME])
    raise AssertionError("waited in vain")


def answers(producer: Producer, text: str) -> int:
    """Return how many postings are answered."""
    postings = [{**posting, "description": text} for posting in POSTINGS]
    return len(producer.score(postings).result(timeout_s=60))


@pytest.mark.timeout(180)
def test_a_refused_version_is_named_by_the_status_and_a_rollback_takes_effect(
    settings: Settings, producer: Producer, tiny_encoder_path: Path, tmp_path: Path
) -> None:
    # Given a worker that serves version 1
    settings = settings.model_copy(update={"encoder_path": tiny_encoder_path})
    encoder = TextEncoder.load(tiny_encoder_path, precision="fp32")
    folder = create_job_matching_model(encoder, pretrained=False).save(tmp_path / "new")
    registry = open_registry(settings)
    for _ in range(3):
        registry.register(NAME, folder, kind=NAME)
    registry.promote(NAME, 1)
    with real_worker(settings, BULK) as worker:
        wait_for(settings, lambda model: model["version"] == 1)

        # When version 2 is promoted, and damaged before the worker looks
        weights = registry.get(NAME, 2).path / "model.safetensors"
        weights.chmod(0o644)
        sound = weights.read_bytes()
        worker.send_signal(signal.SIGSTOP)
        registry.promote(NAME, 2)
        weights.write_bytes(sound[:-1] + b"!")
        worker.send_signal(signal.SIGCONT)
        wait_for(settings, lambda model: model["refused"])

        # Then the status names it, requests go on, and a sound one ends the report
        told = jobsentinel(settings, "status")
        assert "version 1 since" in told.stdout
        assert "REFUSED: version 2" in told.stdout
        assert "keeps multi-task 1: champion 2 cannot be loaded" in told.stderr
        assert answers(producer, "while it is refused") == len(POSTINGS)
        jobsentinel(settings, "models", "promote", NAME, "3")
        wait_for(settings, lambda model: (model["version"], model["refused"]) == (3, None))

        # When it is rolled back to what is sound again, then the worker follows by itself
        weights.write_bytes(sound)
        jobsentinel(settings, "models", "rollback", NAME)
        wait_for(settings, lambda model: model["version"] == 2)
        assert answers(producer, "after the rollback") == len(POSTINGS)
