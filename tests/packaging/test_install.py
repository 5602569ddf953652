"""What a scraper's author gets from ``pip install .`` in an empty environment."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from jobsentinel import Producer, Settings

REPOSITORY = Path(__file__).resolve().parents[2]

PROGRAM = """
import importlib.util, sys
from jobsentinel import Producer, Settings
heavy = [m for m in ("torch", "numpy", "transformers", "sqlalchemy") if importlib.util.find_spec(m)]
assert not heavy, heavy
settings = Settings.load(redis_url=sys.argv[1], namespace=sys.argv[2])
with Producer(settings=settings) as producer:
    print(producer.score([{"id": "a", "title": "Cook"}]).jobs[0].job_id)
"""


@pytest.fixture(scope="module")
def light_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the light wing and nothing else."""
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    constraints = REPOSITORY / "constraints.txt"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "-c", constraints, REPOSITORY], check=True
    )
    return python


def test_the_light_wing_installs_without_models_and_enqueues(
    light_python: Path, settings: Settings, producer: Producer
) -> None:
    printed = subprocess.run(
        [light_python, "-c", PROGRAM, settings.resolve_redis_url(), settings.namespace],
        capture_output=True,
        text=True,
        check=True,
        cwd=light_python.parent,
    ).stdout

    assert producer.ledger.state(printed.strip()) == "queued"


def test_its_command_lists_the_commands_and_names_the_extra(light_python: Path) -> None:
    command = light_python.parent / "jobsentinel"

    listed = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    refused = subprocess.run([command, "up"], capture_output=True, text=True, check=False)

    assert "score" in listed.stdout
    assert refused.returncode != 0
    assert "jobsentinel-ml[workers]" in refused.stderr
