"""Labelling over a real store, by the command in this process or at a real terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from click.testing import CliRunner, Result
from terminal import Terminal

from jobsentinel import Settings
from jobsentinel.cli.program import program

Run = Callable[..., Result]
Sit = Callable[..., Terminal]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The environment of the test's own store; no Redis is needed."""
    return {
        "JOBSENTINEL_REDIS_URL": str(settings.redis_url),
        "JOBSENTINEL_NAMESPACE": settings.namespace,
        "JOBSENTINEL_DATA_DIR": str(settings.data_dir),
        "COLUMNS": "100",
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run the command in this process."""

    def run(*arguments: object, **changes: str) -> Result:
        given = [str(argument) for argument in arguments]
        return CliRunner().invoke(program, given, env={**environment, **changes})

    return run


@pytest.fixture
def sit(environment: dict[str, str]) -> Sit:
    """Run `jobsentinel label start` at a terminal."""
    plain = {name: value for name, value in environment.items() if name != "COLUMNS"}
    return partial(Terminal, "label", "start", environment=plain)
