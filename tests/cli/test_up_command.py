"""up: a whole fleet in the foreground, used through the command and stopped by a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

COMMAND = (sys.executable, "-c", "from jobsentinel.cli import main; raise SystemExit(main())")
WAIT_S = 200


class Up:
    """`jobsentinel up` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "JOBSENTINEL_DATA_DIR": str(folder),
            "JOBSENTINEL_CPU_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def event(self) -> dict[str, Any]:
        """Wait for the next line of JSON."""
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command beside it."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that do not end; a child of a child may stay a zombie until init looks."""
    _, alive = psutil.wait_procs(processes, timeout=10)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A fleet that is starting; it is stopped at the end, should the test not have done so."""
    started = Up(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.terminate()
        started.process.wait(timeout=60)


def test_a_fleet_serves_the_commands_and_stops_without_leaving_anything(up: Up) -> None:
    # Given a fleet that is ready
    ready = up.event()
    assert ready["event"] == "ready"
    assert ":***@127.0.0.1:" in ready["redis"]
    children = psutil.Process(up.process.pid).children(recursive=True)
    assert set(ready["pids"].values()) <= {child.pid for child in children}

    # When it is used through other commands, and another one is started over the same folder
    posting = {"id": "job-1", "title": "Registered nurse", "description": "Night shifts, ICU."}
    scored = up.run("score", "-", "--json", "--timeout", "90", stdin=json.dumps(posting))
    listed = up.run("results", "list", "--json")
    status = json.loads(up.run("status", "--json").stdout)
    second = up.run("up")

    # Then they see its answers and its workers, and the second one is refused
    assert scored.returncode == 0, scored.stderr
    (score,) = map(json.loads, scored.stdout.splitlines())
    assert score["category"]["label"] == "healthcare"
    assert json.loads(listed.stdout)["payload"] == score
    assert [name.partition("@")[0] for name in status["workers"]] == ["inference", "training"]
    assert status["store"]["results"] == 1
    assert second.returncode == 1
    assert "runs already" in second.stderr

    # When it is told to stop
    up.process.send_signal(signal.SIGTERM)
    output, messages = up.process.communicate(timeout=60)

    # Then it says so, succeeds, and no process of it is left
    assert up.process.returncode == 0, messages
    assert json.loads(output) == {"event": "stopped"}
    assert "Traceback" not in messages
    assert still_running(children) == []


def test_a_stop_while_it_starts_leaves_nothing_either(up: Up) -> None:
    # Given a fleet whose server runs and whose workers are starting
    assert up.process.stderr is not None
    while "inference starting" not in up.process.stderr.readline():
        assert up.process.poll() is None
    children = psutil.Process(up.process.pid).children(recursive=True)
    assert children

    # When Ctrl-C comes
    up.process.send_signal(signal.SIGINT)
    output, _ = up.process.communicate(timeout=90)

    # Then it stops, and no process of it is left
    assert up.process.returncode == 0
    assert json.loads(output) == {"event": "stopped"}
    assert still_running(children) == []
