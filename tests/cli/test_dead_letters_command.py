"""dead-letters over a real store and a real Redis: list, show, replay, drop."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from jobsentinel import AddLabelsResult, Producer, Settings
from jobsentinel.contract import wire
from jobsentinel.contract.requests import ScoreRequest
from jobsentinel.contract.tasks import BULK, INTERACTIVE, TASKS
from jobsentinel.ledger import Claim
from jobsentinel_workers.store import Database, dead_letters

Run = Callable[..., Result]
COMMAND = (sys.executable, "-c", "from jobsentinel.cli import main; raise SystemExit(main())")

REQUEST = ScoreRequest.parse({"postings": [{"id": "job-1", "title": "Nurse"}]})
PAYLOAD = wire.encode_request(TASKS["score"], REQUEST)
TRACEBACK = "Traceback (most recent call last):\n  File ...\nRuntimeError: out of memory\n"


@pytest.fixture
def keep(database: Database) -> Callable[..., None]:
    """Put dead letters into the store, each an hour after the one before."""
    hours = iter(range(24))

    def keep(*job_ids: str, **changes: Any) -> None:
        for job_id in job_ids:
            given = {
                "task": "score",
                "queue": BULK,
                "payload": PAYLOAD,
                "reason": "attempts",
                "error": "RuntimeError: out of memory",
                "attempts": 3,
                "created_at": f"2026-11-22T{next(hours):02}:00:00Z",
            }
            with database.begin() as connection:
                dead_letters.add(connection, job_id=job_id, **{**given, **changes})

    return keep


def json_rows(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def kept(database: Database) -> list[str]:
    """Return the jobs that have a letter, oldest first."""
    with database.connect() as connection:
        return [key.job_id for key in dead_letters.keys(connection)]


def test_letters_show_their_error_and_their_request(run: Run, keep: Any) -> None:
    # Given a job given up with a traceback, and one whose payload is no message
    keep("score-1", traceback=TRACEBACK)
    keep("score-2", payload=b"\xc1", error=TRACEBACK)

    # When they are looked at
    table = run("dead-letters", "list", COLUMNS="120").stdout
    shown = run("dead-letters", "show", "score-1")
    (good,) = json_rows(run("dead-letters", "show", "score-1", "--json"))
    (odd,) = json_rows(run("dead-letters", "show", "score-2", "--json"))

    # Then the list is short, the letter is whole, and JSON has the request
    assert table.count("RuntimeError: out of memory") == 2
    assert "Traceback" not in table
    assert shown.stdout.endswith(f"\n\n{TRACEBACK}")
    assert good["request"]["postings"] == [{"id": "job-1", "title": "Nurse", "description": ""}]
    assert odd["payload_base64"] == "wQ=="


def test_a_long_error_takes_few_lines_of_a_list_and_is_whole_when_shown(
    run: Run, keep: Any
) -> None:
    keep("score-0123456789abcdef01234567", error="the disk is full " * 20)

    lines = run("dead-letters", "list").stdout.splitlines()
    shown = run("dead-letters", "show", "score-0123456789abcdef01234567").stdout

    assert len(lines) <= 7
    assert max(map(len, lines)) <= 80
    assert " ".join(shown.split()).count("the disk is full") == 20


def test_what_an_error_quotes_does_not_command_the_terminal(run: Run, keep: Any) -> None:
    keep("score-1", error="\x1b[2J\u202e", traceback="Traceback ...\n\x1b]0;owned\x07 ä")

    listed = run("dead-letters", "list")
    shown = run("dead-letters", "show", "score-1")

    assert "\\x1b[2J\\u202e" in listed.stdout
    assert "\\x1b[2J\\u202e" in shown.stdout
    assert shown.stdout.endswith("\n\\x1b]0;owned\\x07 ä\n")
    assert "\x1b" not in listed.stdout + shown.stdout


def test_a_list_keeps_what_its_filters_name_and_says_what_it_left_out(run: Run, keep: Any) -> None:
    # Given letters of three kinds
    keep("old", reason="expired", error="its deadline passed", created_at="2026-11-01T00:00:00Z")
    keep("score-1", "score-2")
    keep("rerank-1", task="rerank")

    def listed(*options: str) -> list[str]:
        return [row["job_id"] for row in json_rows(run("dead-letters", "list", "--json", *options))]

    # When they are listed, then each filter keeps what it names
    assert listed() == ["rerank-1", "score-2", "score-1", "old"]
    assert listed("--task", "score", "--reason", "attempts") == ["score-2", "score-1"]
    assert listed("--contains", "DEADLINE") == ["old"]
    assert listed("--since", "2026-11-22T02:00:00Z") == ["rerank-1", "score-2"]
    assert listed("--since", "2026-11-22T03:00:00+01:00") == ["rerank-1", "score-2"]
    assert listed("--since", "1s") == []
    short = run("dead-letters", "list", "--limit", 1)
    assert short.stderr == "1 of 4 shown; --limit shows more\n"
    assert run("dead-letters", "list", "--reason", "x").stderr == "no dead letters\n"


@pytest.mark.parametrize(
    "since", ["", "2", "2y", "-2h", "yesterday", "2026-11-22", "0001-01-01T00:00:00+14:00"]
)
def test_a_since_that_is_no_time_is_refused_with_examples(run: Run, keep: Any, since: str) -> None:
    result = run("dead-letters", "list", "--since", since)

    assert result.exit_code == 2
    assert "2h, 3d" in result.stderr
    assert "2026-11-22T14:00:00Z" in result.stderr


def test_a_replayed_job_is_worked_on_and_answers_those_who_wait(
    run: Run, keep: Any, database: Database, producer: Producer, worker: Any
) -> None:
    # Given a job that a worker gave up
    label = {"posting_id": "job-1", "kind": "scam", "value": True}
    handle = producer.add_labels([label])
    claim = producer.ledger.claim(handle.job_id, owner="w", lease_s=30, max_attempts=3)
    assert isinstance(claim, Claim)
    producer.ledger.fail(handle.job_id, claim.token, reason="invalid", error="no model")
    keep(handle.job_id, task="add_labels", queue=INTERACTIVE, payload=claim.payload)

    # When it is replayed, and a worker is there that can do it
    result = run("dead-letters", "replay", handle.job_id)
    worker.answer(add_labels=lambda request: AddLabelsResult(stored=1, unchanged=0))

    # Then it is done under the same id, once, and its letter is gone
    assert (result.exit_code, result.stderr) == (0, "1 dead letter replayed\n")
    assert handle.result(30).stored == 1
    assert len(worker.requests) == 1
    assert kept(database) == []


def test_a_replay_sends_what_it_can_and_refuses_the_rest(
    run: Run, keep: Any, database: Database, producer: Producer
) -> None:
    # Given letters of which some cannot be sent
    keep("score-1")
    keep("odd-payload", payload=b"\xc1")
    keep("odd-task", task="fly")
    keep("score-2")

    # When all are replayed
    result = run("dead-letters", "replay", "--all", "--yes", "--json")
    again = run("dead-letters", "replay", "--all", "--yes")

    # Then the good ones are sent, and the others stay with the reason told
    assert result.exit_code == again.exit_code == 3
    assert [(row["job_id"], row["outcome"]) for row in json_rows(result)] == [
        ("score-1", "replayed"),
        ("odd-payload", "refused"),
        ("odd-task", "refused"),
        ("score-2", "replayed"),
    ]
    assert "refused: odd-task: task: is 'fly'" in result.stderr
    assert result.stderr.endswith("\n2 dead letters replayed, 2 refused\n")
    assert again.stderr.endswith("\n0 dead letters replayed, 2 refused\n")
    assert kept(database) == ["odd-payload", "odd-task"]
    assert producer.depths()[BULK] == 2


def test_a_job_on_its_way_already_is_not_sent_twice(
    run: Run, keep: Any, database: Database, producer: Producer
) -> None:
    keep("score-1")
    run("dead-letters", "replay", "score-1")
    keep("score-1")

    result = run("dead-letters", "replay", "score-1")

    assert result.exit_code == 0
    assert "1 not needed (queued, running or done already)" in result.stderr
    assert producer.depths()[BULK] == 1
    assert kept(database) == []


def test_the_queue_can_be_changed_within_the_pool(run: Run, keep: Any, producer: Producer) -> None:
    keep("score-1", "score-2")

    wrong = run("dead-letters", "replay", "score-1", "--queue", "training")
    moved = run("dead-letters", "replay", "score-1", "--queue", INTERACTIVE)

    assert wrong.exit_code == 3
    assert "only in inference.interactive or inference.bulk" in wrong.stderr
    assert moved.exit_code == 0
    assert producer.depths()[INTERACTIVE] == 1


@pytest.mark.parametrize("command", ["replay", "drop"])
def test_filters_and_a_limit_choose_the_oldest_that_match(
    run: Run, keep: Any, database: Database, command: str
) -> None:
    keep("score-1", "score-2")
    keep("rerank-1", reason="expired")
    keep("score-3")

    run("dead-letters", command, "--reason", "attempts", "--limit", 2, "--yes")

    assert kept(database) == ["rerank-1", "score-3"]


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize(
    "chosen", ["", "--yes", "score-1 --all", "score-1 --task score", "--all --since 2h"]
)
def test_a_choice_that_is_none_or_two_changes_nothing(
    run: Run, keep: Any, database: Database, command: str, chosen: str
) -> None:
    keep("score-1")

    result = run("dead-letters", command, *chosen.split())

    assert result.exit_code == 2
    assert "ID" in result.stderr.splitlines()[-1]
    assert "--all" in result.stderr.splitlines()[-1]
    assert kept(database) == ["score-1"]


def test_an_empty_text_is_not_taken_for_every_error(
    run: Run, keep: Any, database: Database
) -> None:
    keep("score-1")

    assert run("dead-letters", "drop", "--contains", "", "--yes").exit_code == 2
    assert kept(database) == ["score-1"]


@pytest.mark.parametrize("command", ["replay", "drop"])
def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    run: Run, keep: Any, database: Database, producer: Producer, command: str
) -> None:
    # Given more letters than a dry run shows, and one that is not there
    jobs = [f"score-{number}" for number in range(22)]
    keep(*jobs)

    # When both are tried out, where Redis is away
    nowhere = {"JOBSENTINEL_REDIS_URL": "redis://127.0.0.1:1/0"}
    many = run("dead-letters", command, "--all", "--dry-run", **nowhere)
    few = run("dead-letters", command, "score-1", "no-such", "--dry-run", "--json", **nowhere)

    # Then it shows the first and their number, and nothing changed
    done = {"replay": "replayed", "drop": "dropped"}[command]
    assert (many.exit_code, few.exit_code) == (0, 3)
    assert many.stderr == f"22 dead letters would be {done} (shown: 20)\n"
    assert [line.split()[0] for line in many.stdout.splitlines()[2:]] == jobs[:20]
    assert [(row["outcome"], row["dry_run"]) for row in json_rows(few)] == [
        (done, True),
        ("refused", True),
    ]
    assert kept(database) == jobs
    assert producer.depths()[BULK] == 0


def test_drop_deletes_what_is_named_and_nothing_else(
    run: Run, keep: Any, database: Database, producer: Producer
) -> None:
    keep("score-1", "score-2", "score-3")

    result = run("dead-letters", "drop", "score-1", "score-3", "score-1", "no-such", "--yes")

    assert result.exit_code == 3
    assert result.stderr == (
        "refused: no-such: dead letter: there is none\n2 dead letters dropped, 1 refused\n"
    )
    assert kept(database) == ["score-2"]
    assert producer.depths()[BULK] == 0


@pytest.mark.parametrize("command", ["replay", "drop"])
def test_where_nothing_matches_nothing_is_asked(run: Run, database: Database, command: str) -> None:
    result = run("dead-letters", command, "--all")

    assert (result.exit_code, result.stderr) == (0, "no dead letters match\n")


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("replay --all", "replay 2 dead letters"),
        ("drop --all", "drop 2 dead letters"),
        ("drop score-1", "drop 1 dead letter"),
    ],
)
def test_without_a_terminal_only_yes_is_an_answer(
    run: Run, keep: Any, database: Database, command: str, what: str
) -> None:
    keep("score-1", "score-2")

    result = run("dead-letters", *command.split(), stdin="y\n")

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: --yes: is needed to {what} ")
    assert kept(database) == ["score-1", "score-2"]


@pytest.mark.parametrize(("answer", "left"), [("y", []), ("n", ["score-1", "score-2"])])
def test_on_a_terminal_a_person_is_asked(
    keep: Any, database: Database, settings: Settings, answer: str, left: list[str]
) -> None:
    # Given two letters and somebody at a terminal
    keep("score-1", "score-2")
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    environment = {**os.environ, "JOBSENTINEL_DATA_DIR": str(settings.data_dir)}

    # When all are to be dropped
    try:
        done = subprocess.run(
            [*COMMAND, "dead-letters", "drop", "--all", "--json"],
            stdin=terminal,
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            check=False,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)

    # Then it is asked, apart from the rows, and the answer counts
    assert done.stderr.startswith("Drop 2 dead letters? [y/N] ")
    assert kept(database) == left
    assert [json.loads(line)["job_id"] for line in done.stdout.splitlines()] == (
        ["score-1", "score-2"] if answer == "y" else []
    )
    assert done.returncode == (0 if answer == "y" else 130)


def test_while_redis_is_away_letters_stay_and_the_command_ends_in_4(
    run: Run, keep: Any, database: Database
) -> None:
    keep("odd", payload=b"\xc1")
    keep("score-1", "score-2")

    result = run("--redis-url", "redis://127.0.0.1:1/0", "dead-letters", "replay", "--all", "--yes")

    assert result.exit_code == 4
    assert "0 dead letters replayed, 1 refused\nerror: Redis cannot be reached" in result.stderr
    assert kept(database) == ["odd", "score-1", "score-2"]


def test_more_letters_than_a_page_are_dropped_as_well(run: Run, database: Database) -> None:
    with database.begin() as connection:
        for number in range(501):
            dead_letters.add(
                connection,
                job_id=f"job-{number}",
                task="score",
                queue=BULK,
                payload=PAYLOAD,
                reason="attempts",
            )

    result = run("dead-letters", "drop", "--task", "score", "--yes")

    assert (result.exit_code, result.stderr) == (0, "501 dead letters dropped\n")
    assert kept(database) == []
