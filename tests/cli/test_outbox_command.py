"""`jobsentinel outbox`, and what other commands say about jobs that wait on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from jobsentinel import Producer, Settings
from jobsentinel.cli.exit_codes import ExitCode
from jobsentinel.flushing import outbox_of

Run = Callable[..., Result]
AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture
def left(settings: Settings) -> list[str]:
    """Three jobs that a scraper has left on disk; return their ids."""
    with Producer(settings=settings.changed(redis_url=AWAY)) as producer:
        return [producer.rerank(f"query {n}", []).job_id for n in range(3)]


def waiting(settings: Settings) -> int:
    outbox = outbox_of(settings)
    held = outbox.contents()
    outbox.close()
    return held.waiting


def test_status_counts_what_waits(run: Run, settings: Settings, left: list[str]) -> None:
    shown, printed = run("outbox", "status"), run("outbox", "status", "--json")

    assert (shown.exit_code, printed.exit_code) == (ExitCode.DONE, ExitCode.DONE)
    assert "waiting" in shown.stdout
    facts = json.loads(printed.stdout)
    assert (facts["waiting"], facts["kept"]) == (3, 0)
    assert facts["file"] == str(settings.outbox_file)
    assert 0 < facts["bytes"] < facts["max_bytes"] == 1024**3
    assert facts["oldest_s"] >= 0


def test_status_of_an_outbox_that_was_never_used(run: Run, settings: Settings) -> None:
    result = run("outbox", "status", "--json")

    assert result.exit_code == ExitCode.DONE
    assert json.loads(result.stdout)["waiting"] == 0
    assert not settings.outbox_file.exists()


def test_flush_sends_everything(
    run: Run, settings: Settings, producer: Producer, left: list[str]
) -> None:
    result = run("outbox", "flush", "--json")

    assert result.exit_code == ExitCode.DONE
    assert json.loads(result.stdout) == {"sent": 3, "waiting": 0, "kept": 0}
    assert producer.ledger.states(left) == ["queued"] * 3
    assert waiting(settings) == 0


def test_flush_without_redis_ends_in_4_and_says_how_many_wait(
    run: Run, settings: Settings, left: list[str]
) -> None:
    result = run("--redis-url", AWAY, "outbox", "flush", "--json")

    assert result.exit_code == ExitCode.NO_REDIS
    assert json.loads(result.stdout) == {"sent": 0, "waiting": 3, "kept": 0}
    assert f"3 jobs left in {settings.outbox_file}" in result.stderr
    assert waiting(settings) == 3


def test_flush_without_any_address_of_redis_says_how_many_wait(run: Run, left: list[str]) -> None:
    result = run("outbox", "flush", JOBSENTINEL_REDIS_URL=None)

    assert result.exit_code == ExitCode.NO_REDIS
    assert "3 jobs left" in result.stderr


def test_flush_of_nothing_needs_no_redis(run: Run) -> None:
    result = run("--redis-url", AWAY, "outbox", "flush")

    assert (result.exit_code, result.stderr) == (ExitCode.DONE, "0 jobs sent\n")


def test_flush_into_a_full_queue_tells_what_is_left(
    run: Run, settings: Settings, left: list[str]
) -> None:
    limit = {"JOBSENTINEL_MAX_QUEUED_INTERACTIVE": "2"}

    result = run("outbox", "flush", "--wait", "0.05", **limit)

    assert result.exit_code == ExitCode.FAILED
    assert "2 jobs sent" in result.stderr
    assert "the queue is full; 1 job left" in result.stderr


def test_flush_goes_on_as_the_rate_allows(run: Run, settings: Settings, left: list[str]) -> None:
    rate = {"JOBSENTINEL_PRODUCER_NAME": "scraper", "JOBSENTINEL_RATE_LIMIT_PER_S": "1"}

    once = run("outbox", "flush", **rate)
    rest = run("outbox", "flush", "--wait", "120", **rate)

    assert (once.exit_code, rest.exit_code) == (ExitCode.FAILED, ExitCode.DONE)
    assert "the rate is used up" in once.stderr
    assert waiting(settings) == 0


def test_an_outbox_that_cannot_be_read_is_told(run: Run, settings: Settings) -> None:
    settings.outbox_file.parent.mkdir(parents=True)
    settings.outbox_file.write_bytes(b"no database at all" * 100)

    for command in ("status", "flush"):
        result = run("outbox", command)
        assert result.exit_code == ExitCode.FAILED
        assert str(settings.outbox_file) in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("address", [AWAY, None])
def test_the_status_of_the_fleet_mentions_it(
    run: Run, settings: Settings, left: list[str], address: str | None
) -> None:
    result = run("--redis-url", address or settings.redis_url, "status", "--json")

    assert f"3 jobs left in the outbox {settings.outbox_file}" in result.stderr
    if address is None:
        assert json.loads(result.stdout)["outbox"] == {"waiting": 3, "kept": 0}


def test_commands_that_wait_for_answers_do_not_use_it(
    run: Run, settings: Settings, write_lines: Callable[..., Any]
) -> None:
    # Given settings of a scraper, and no Redis
    scraper = {"JOBSENTINEL_WHEN_FULL": "outbox", "JOBSENTINEL_KEEP_UNTIL_DONE": "1"}
    file = write_lines({"id": "a", "title": "Nurse"})

    # When somebody scores a file
    result = run("--redis-url", AWAY, "score", file, **scraper)

    # Then it ends at once, and nothing is left behind
    assert result.exit_code == ExitCode.NO_REDIS
    assert not settings.outbox_file.exists()
