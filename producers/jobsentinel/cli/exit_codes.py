"""What the command's exit codes mean, and which error ends in which."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import IntEnum

import click

from jobsentinel.contract.errors import (
    InvalidInput,
    JobFailed,
    JobSentinelError,
    QueueUnavailable,
    ResultTimeout,
)


class ExitCode(IntEnum):
    """Every code that the command ends with."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    PARTLY_DONE = 3
    NO_REDIS = 4
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "a job failed, or something else went wrong",
    ExitCode.BAD_INPUT: "bad usage or bad input",
    ExitCode.PARTLY_DONE: "partly done: bad lines were skipped, or dead letters refused",
    ExitCode.NO_REDIS: "Redis cannot be reached",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
}


def guarded(work: Callable[[], object]) -> int:
    """Do ``work``, tell its error in a line on stderr, and return the exit code."""
    try:
        code = work()
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("stopped")
        return ExitCode.INTERRUPTED
    except JobSentinelError as error:
        complain(f"error: {told_shortly(error)}")
        return code_of(error)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("jobsentinel"):
            raise
        complain(
            f"error: this command needs the package {error.name!r}, which comes with the workers: "
            'pip install "jobsentinel-ml[workers]"'
        )
        return ExitCode.FAILED
    except BrokenPipeError:
        # Whoever read our output has left. Python would fail once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    return code if isinstance(code, int) else ExitCode.DONE


def code_of(error: JobSentinelError) -> ExitCode:
    """Return the exit code for an error of the contract."""
    if isinstance(error, InvalidInput):
        return ExitCode.BAD_INPUT
    return ExitCode.NO_REDIS if isinstance(error, QueueUnavailable) else ExitCode.FAILED


def told_shortly(error: JobSentinelError) -> str:
    """Return an error as one line; of a worker's traceback, only what it ends with."""
    text = str(error)
    if isinstance(error, ResultTimeout):
        text = text.removesuffix("; ask again later")
        return f"{text}; the same command gets its answer later"
    if not isinstance(error, JobFailed):
        return text
    before, marker, traceback = text.partition("Traceback (most recent call last):")
    if marker:
        unindented = [line for line in traceback.splitlines() if line and not line[0].isspace()]
        text = before + (unindented[-1] if unindented else "it raised an error")
    text = " ".join(text.split())
    return f"{text}; `jobsentinel dead-letters show {error.job_id}` has the details"


def complain(text: str) -> None:
    """Print a message for people, on stderr."""
    click.echo(text, err=True)
