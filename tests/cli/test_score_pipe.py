"""`score` and `index` over files of other kinds, other names of fields, and in shell pipes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from jobsentinel import Producer, Settings
from jobsentinel.contract import requests, results, wire
from jobsentinel.contract.base import Message
from jobsentinel.contract.tasks import BULK

Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[bytes]]


def scores(request: Message) -> Message:
    assert isinstance(request, requests.ScoreRequest)
    return results.ScoreResult(
        scores=tuple(results.PostingScore(posting_id=item.id) for item in request.postings)
    )


def lines(*numbers: int) -> bytes:
    rows = ({"id": f"job-{number}", "title": f"Nurse {number}"} for number in numbers)
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def printed(result: Result) -> list[str]:
    return [json.loads(line)["posting_id"] for line in result.stdout.splitlines()]


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Start ``jobsentinel score -`` in a process of its own, between pipes."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "JOBSENTINEL_REDIS_URL": str(settings.redis_url),
        "JOBSENTINEL_NAMESPACE": settings.namespace,
        "JOBSENTINEL_DATA_DIR": str(settings.data_dir),
    }
    # A shell that runs these tests in the background has its children ignore Ctrl-C.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from jobsentinel.cli import main; code = main(); "
        "sys.stderr.write(open('/proc/self/status').read()); sys.exit(code)"
    )

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", program, "score", "-", *arguments],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


def test_in_a_pipe_it_prints_a_row_a_posting_and_nothing_else(run: Run, worker: Any) -> None:
    worker.answer(score=scores)

    result = run("score", "-", stdin=lines(1, 2))

    assert result.exit_code == 0
    assert printed(result) == ["job-1", "job-2"]
    assert "2 postings scored" in result.stderr


def test_fields_may_have_other_names_and_what_is_left_out_is_told(run: Run, worker: Any) -> None:
    # Given rows of somebody else's scraper
    worker.answer(score=scores)
    row = {"key": "a", "job": {"name": "Nurse"}, "text": "<p>Nights<p>Days", "spider": "x"}
    options = ("--map", "id=key", "--map", "title=job.name", "--map", "description=text")

    # When their names are said
    result = run("score", "-", *options, "--html", stdin=json.dumps(row))

    # Then they are postings, and the rest is told once
    assert printed(result) == ["a"]
    (sent,) = worker.requests[0].postings
    assert (sent.title, sent.description) == ("Nurse", "Nights\nDays")
    assert result.stderr.count("left out, for a posting has no such field: spider\n") == 1


def test_a_field_that_no_posting_has_is_refused_with_the_way_out(run: Run, worker: Any) -> None:
    worker.answer(score=scores)
    row = '{"id": "a", "title": "Nurse", "spider": "x"}'

    refused = run("score", "-", stdin=row)
    taken = run("score", "-", "--ignore-unknown", stdin=row)

    assert refused.exit_code == 2
    assert "stdin:1: spider: is not a field" in refused.stderr
    assert "--ignore-unknown leaves it out" in refused.stderr
    assert printed(taken) == ["a"]


def test_tables_are_told_by_their_names_and_checked_whole(
    run: Run, worker: Any, tmp_path: Path
) -> None:
    # Given a table with semicolons, and one with a bad last row
    worker.answer(score=scores, index=lambda _: results.IndexResult(indexed=1, unchanged=0))
    (tmp_path / "a.csv").write_text("id;title\n1;Nurse\n")
    (tmp_path / "b.csv").write_text("id,title,remote\n1,Nurse,yes\n2,Cook,perhaps\n")

    # When they are sent
    wrong = run("score", tmp_path / "a.csv")
    right = run("score", tmp_path / "a.csv", "--separator", ";", "--json")
    bad = run("score", tmp_path / "b.csv")
    indexed = run("index", tmp_path / "a.csv", "--separator", ";")
    piped = run("score", "-", "--format", "csv", stdin="id,title\n7,Cook\n")

    # Then each fault says where it is and what to do, and nothing of a bad file was sent
    assert "has ';' between its columns, not ','; say so (--separator ';')" in wrong.stderr
    assert printed(right) == ["1"]
    assert bad.exit_code == 2
    assert "b.csv:3: remote: must be true or false, not 'perhaps'" in bad.stderr
    assert indexed.exit_code == 0
    assert printed(piped) == ["7"]
    assert len(worker.requests) == 3


def test_without_waiting_it_only_sends(run: Run, producer: Producer) -> None:
    result = run("score", "-", "--no-wait", "--chunk", 2, "--json", stdin=lines(1, 2, 3))

    jobs = [json.loads(line)["job_id"] for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [producer.ledger.state(job) for job in jobs] == ["queued", "queued"]
    assert "3 postings sent in 2 jobs" in result.stderr


def waiting_postings(producer: Producer, settings: Settings) -> Counter[str]:
    """Return how often each posting waits in the queue."""
    found: Counter[str] = Counter()
    for job_id in producer.ledger.waiting(["score"]):
        payload = producer.ledger._field(job_id, "payload")
        assert payload is not None
        _, request = wire.decode_request(payload)
        assert isinstance(request, requests.ScoreRequest)
        found.update(posting.id for posting in request.postings)
    return found


@pytest.mark.parametrize("options", [["--no-wait"], []])
def test_ctrl_c_says_what_was_sent_and_a_rerun_sends_only_the_rest(
    start: Start, producer: Producer, settings: Settings, options: list[str]
) -> None:
    # Given a pipe that has given five rows so far, of which two chunks were sent
    process = start("--chunk", "2", *options)
    assert process.stdin is not None
    process.stdin.write(lines(1, 2, 3, 4, 5))
    process.stdin.flush()
    while producer.depths()[BULK] < 2:
        assert process.poll() is None

    # When Ctrl-C is pressed
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    # Then it says so, and the same command leaves each posting in the queue once
    assert process.returncode == 130
    # A job counts as sent once Redis has said so, which may come a moment after the job is there.
    assert re.search(rb"broken off: 5 postings read, [12] jobs? sent, 0 scored", told)
    again = start("--chunk", "2", "--no-wait")
    again.communicate(lines(*range(1, 8)), timeout=60)
    assert again.returncode == 0
    assert waiting_postings(producer, settings) == Counter(f"job-{n}" for n in range(1, 8))


def test_a_reader_that_leaves_is_told_how_to_go_on(start: Start, worker: Any) -> None:
    # Given a reader that wants one row only
    worker.answer(score=scores)
    process = start("--chunk", "1")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(lines(1))
    process.stdin.flush()
    # A reader's end is closed before anything is written
    process.stdout.close()
    process.stdin.write(lines(*range(2, 200)))
    process.stdin.close()

    # Then the command ends by itself
    assert process.wait(timeout=60) == 1
    assert process.stderr is not None
    assert b"the same command again sends only what is left" in process.stderr.read()


def test_a_line_of_200_mb_is_refused_without_being_held(start: Start) -> None:
    # Given a line without an end
    process = start("--no-wait")
    assert process.stdin is not None
    piece = b"x" * 2**20
    process.stdin.write(lines(1) + b'{"id": "')
    for _ in range(200):
        process.stdin.write(piece)
    process.stdin.write(b"\n")
    process.stdin.close()

    # Then what came before it was sent, the line is named, and memory stayed small
    assert process.stderr is not None
    told = process.stderr.read().decode()
    assert process.wait(timeout=60) == 2
    assert "stdin:2: line: is longer than" in told
    (peak_kb,) = re.findall(r"VmHWM:\s+(\d+) kB", told)
    assert int(peak_kb) < 150_000
