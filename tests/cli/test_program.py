"""The program itself: help without loading anything, exit codes, errors in one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from jobsentinel import Settings
from jobsentinel.cli import program as program_module
from jobsentinel.cli.exit_codes import ExitCode, code_of, told_shortly
from jobsentinel.cli.program import HEAVY, LIGHT, ORDER
from jobsentinel.cli.status import without_password
from jobsentinel.contract.errors import (
    ConfigurationError,
    InvalidInput,
    JobFailed,
    ModelUnavailable,
    QueueUnavailable,
    ResultTimeout,
)

Run = Callable[..., Result]
COMMAND = (sys.executable, "-c", "from jobsentinel.cli import main; raise SystemExit(main())")


def in_process_of_its_own(settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "JOBSENTINEL_REDIS_URL": str(settings.redis_url),
        "JOBSENTINEL_NAMESPACE": settings.namespace,
        "JOBSENTINEL_DATA_DIR": str(settings.data_dir),
    }
    # A shell that runs these tests in the background has its children ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("arguments", ["--help", "runs --help", "up --help", "doctor --help"])
def test_help_loads_no_heavy_package(arguments: str) -> None:
    # Given a fresh interpreter
    source = (
        f"import sys; sys.argv = ['jobsentinel', *{arguments.split()!r}]\n"
        "from jobsentinel.cli import main\n"
        "main()\n"
        "heavy = ('torch', 'numpy', 'sqlalchemy', 'celery', 'transformers')\n"
        "print('loaded', [name for name in heavy if name in sys.modules])"
    )

    # When help is printed
    shown = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    ).stdout

    # Then none of them was imported
    assert shown.endswith("loaded []\n")


def test_help_lists_every_command_and_every_exit_code(run: Run) -> None:
    shown = run("--help").stdout

    assert set(ORDER) == set(LIGHT) | set(HEAVY)
    for name, summary in [*((n, s) for n, (_, s) in LIGHT.items()), *HEAVY.items()]:
        assert f"  {name} " in shown
        assert summary in " ".join(shown.split())
    for code in ExitCode:
        assert f"{int(code):>5}  " in shown


@pytest.mark.parametrize("name", ORDER)
def test_every_command_loads_and_explains_itself(run: Run, name: str) -> None:
    result = run(name, "--help")

    assert result.exit_code == 0
    assert f"Usage: program {name}" in result.stdout or name in result.stdout


def test_the_version_is_that_of_the_distribution(run: Run) -> None:
    assert run("--version").stdout == "jobsentinel 0.1.0\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["score"], ["score", "no-such-file"], []])
def test_bad_usage_ends_in_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == ExitCode.BAD_INPUT


def test_without_any_address_of_redis_it_says_what_to_do(run: Run, tmp_path: Path) -> None:
    result = run("--data-dir", tmp_path, "status", JOBSENTINEL_REDIS_URL=None)

    assert result.exit_code == ExitCode.NO_REDIS
    assert "`jobsentinel up`" in result.stderr


def test_a_redis_that_does_not_answer_ends_in_4_and_one_line(run: Run) -> None:
    result = run("--redis-url", "redis://127.0.0.1:1/0", "status")

    assert result.exit_code == ExitCode.NO_REDIS
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: Redis cannot be reached")


def test_a_wrong_address_is_told_without_a_traceback(run: Run) -> None:
    result = run("--redis-url", "http://example.org", "status")

    assert result.exit_code == ExitCode.FAILED
    assert "redis_url must start with redis://" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_command_of_a_missing_package_names_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given an installation without SQLAlchemy
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)

    # When a command needs it
    result = run("--data-dir", tmp_path, "runs", "list")

    # Then it says which extra brings it
    assert result.exit_code == ExitCode.FAILED
    assert 'pip install "jobsentinel-ml[workers]"' in result.stderr
    assert "Traceback" not in result.stderr


def test_an_installation_without_the_workers_commands_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_module, "entry_points", lambda **_: ())

    result = run("up")

    assert result.exit_code == ExitCode.FAILED
    assert 'pip install "jobsentinel-ml[workers]"' in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("title", "is empty"), ExitCode.BAD_INPUT),
        (QueueUnavailable("away"), ExitCode.NO_REDIS),
        (JobFailed("j", "x"), ExitCode.FAILED),
        (ConfigurationError("x"), ExitCode.FAILED),
        (ModelUnavailable("x"), ExitCode.FAILED),
        (ResultTimeout("x"), ExitCode.FAILED),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: ExitCode) -> None:
    assert code_of(error) is code  # type: ignore[arg-type]  # all of them are JobSentinelErrors


def test_of_a_workers_traceback_only_the_error_is_told() -> None:
    # Given a job whose worker left a traceback
    text = (
        'Traceback (most recent call last):\n  File "x.py", line 1\n    boom()\nValueError: boom\n'
    )

    # When it is told
    told = told_shortly(JobFailed("score-1", f"{text} (attempts)"))

    # Then it is one line, with the way to the rest
    assert told == (
        "job score-1 failed: ValueError: boom; "
        "`jobsentinel dead-letters show score-1` has the details"
    )


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://:secret@host:1/0", "redis://:***@host:1/0"),
        ("rediss://me:se%40cret@host/1", "rediss://me:***@host/1"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_addresses_are_shown_without_their_password(address: str, shown: str) -> None:
    assert without_password(address) == shown


def test_ctrl_c_drops_what_waits_and_ends_in_130(settings: Settings, producer: object) -> None:
    # Given a command that waits for a worker which is not there
    command = in_process_of_its_own(settings, "score", "-", "--chunk", "1")
    assert command.stdin is not None
    command.stdin.write('{"id": "a", "title": "Nurse"}\n{"id": "b", "title": "Cook"}\n')
    command.stdin.close()
    depths = producer.depths  # type: ignore[attr-defined]  # a Producer
    while depths()["inference.bulk"] < 2:
        assert command.poll() is None

    # When Ctrl-C is pressed
    command.send_signal(signal.SIGINT)
    assert command.stderr is not None
    told = command.stderr.read()

    # Then it ends by that, without a traceback, and says how far it was
    assert command.wait(timeout=30) == ExitCode.INTERRUPTED
    # A job counts as sent once Redis has said so, which may come a moment after the job is there.
    assert re.search("broken off: 2 postings read, [12] jobs? sent, 0 scored", told)
    assert told.startswith("dropped what was not answered yet\n")
    assert told.endswith("\n\nstopped\n")


def test_a_reader_that_leaves_is_no_crash(settings: Settings) -> None:
    # Given an output that nobody reads
    command = in_process_of_its_own(settings, "status", "--json")
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()

    # Then the command ends without a traceback
    assert "Traceback" not in command.stderr.read()
    assert command.wait(timeout=30) == ExitCode.FAILED
