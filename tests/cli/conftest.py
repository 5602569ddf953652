"""The command in this process over a real Redis, with a worker whose answers the test chooses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import redis
from click.testing import CliRunner, Result

from jobsentinel import Settings
from jobsentinel.cli.program import program
from jobsentinel.contract import wire
from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.tasks import QUEUES
from jobsentinel.ledger import Claim, Ledger
from jobsentinel_workers.models_in_service import open_registry
from jobsentinel_workers.registry import ModelRegistry

Answer = Callable[[Message], Message]
Run = Callable[..., Result]


class ChosenWorker:
    """Works on the ledger as a fleet does, one job after the other, by the functions given.

    A function that raises `InvalidInput` fails its job.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.redis_url is not None
        self._client = redis.Redis.from_url(settings.redis_url)
        self._ledger = Ledger(self._client, settings.namespace)
        self._answers: dict[str, Answer] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.requests: list[Any] = []

    def answer(self, **answers: Answer) -> None:
        """Begin to answer these tasks."""
        self._answers.update(answers)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.close()

    def _work(self) -> None:
        queues = [f"{self._ledger.prefix}{queue}" for queue in QUEUES]
        while not self._stop.is_set():
            popped: Any = self._client.brpop(queues, timeout=1)
            if popped:
                self._do(json.loads(popped[1])["headers"]["id"])

    def _do(self, job_id: str) -> None:
        claim = self._ledger.claim(job_id, owner="test", lease_s=30, max_attempts=3)
        if not isinstance(claim, Claim):
            return
        task, request = wire.decode_request(claim.payload)
        self.requests.append(request)
        try:
            answer = msgpack.packb(dump(self._answers[task.name](request)))
        except InvalidInput as error:
            self._ledger.fail(job_id, claim.token, reason="invalid", error=str(error))
            return
        self._ledger.complete(job_id, claim.token, ttl_s=60, result=answer)


@pytest.fixture
def worker(settings: Settings) -> Iterator[ChosenWorker]:
    """A worker of the test's own Redis namespace; it begins with `answer`."""
    made = ChosenWorker(settings)
    yield made
    made.stop()


@pytest.fixture
def run(settings: Settings) -> Run:
    """Run the command with arguments in this process: its exit code, stdout and stderr."""
    assert settings.redis_url is not None
    environment = {
        "JOBSENTINEL_REDIS_URL": settings.redis_url,
        "JOBSENTINEL_NAMESPACE": settings.namespace,
        "JOBSENTINEL_DATA_DIR": str(settings.data_dir),
        "COLUMNS": "80",
    }

    def run(*arguments: object, stdin: str | bytes | None = None, **changes: str) -> Result:
        return CliRunner().invoke(
            program,
            [str(argument) for argument in arguments],
            input=stdin,
            env={**environment, **changes},
        )

    return run


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Write values as JSON Lines, or text as it is, and return the file."""

    def write(*rows: object, name: str = "rows.jsonl") -> Path:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def registry(settings: Settings, tmp_path: Path) -> ModelRegistry:
    """A registry with two versions of ``mine``, the first of them in service."""
    made = open_registry(settings)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    for accuracy, label in ((0.5, "v1.0"), (0.75, "v1.1")):
        metrics = {"validation": {"accuracy": accuracy}}
        made.register("mine", folder, kind="classification", metrics=metrics, label=label)
    made.promote("mine", 1)
    return made
