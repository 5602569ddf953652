"""`jobsentinel loop` over a real store and Redis, with checks done as a worker does them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from jobsentinel import Settings
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.loops import CheckLoopsRequest
from jobsentinel_workers.loop.turn import Turns
from jobsentinel_workers.models_in_service import open_registry
from jobsentinel_workers.process import connect_ledger
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.store import Database, labels, loops, postings, results

Run = Callable[..., Result]


@pytest.fixture
def checks(worker: Any, settings: Settings, database: Database) -> Any:
    """A worker that answers checks as the fleet's do."""
    turns = Turns(settings, database, connect_ledger(settings), open_registry(settings))

    def answer(request: CheckLoopsRequest) -> Any:
        return turns.check(request.kinds)

    def refuse(request: object) -> Any:
        raise InvalidInput("rows", "are not learnt here")

    worker.answer(check_loops=answer, fine_tune=refuse)
    return worker


def add_labels(database: Database, numbers: range, **columns: Any) -> None:
    rows = [
        {
            "id": f"p{n}",
            "title": f"t{n}",
            "description": "",
            "text": f"t{n}",
            "content_hash": f"{n}",
        }
        for n in numbers
    ]
    with database.begin() as connection:
        postings.upsert(connection, rows)
        said = [
            {"posting_id": f"p{n}", "kind": "remote", "value": "ab"[n % 2], **columns}
            for n in numbers
        ]
        labels.add(connection, said)


def facts(run: Run, *arguments: str) -> dict[str, Any]:
    done = run("loop", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_circle_is_started_checked_told_and_stopped(
    run: Run, checks: Any, database: Database
) -> None:
    # Given labels, and a loop over them
    add_labels(database, range(30))
    start = ("start", "remote", "--model", "own", "--max-days", "none", "--option", "epochs=2")
    started = facts(run, *start)
    assert started == {"kind": "remote", "model": "own", "active": True, "check_sent": True}

    # When it is checked by hand before and after enough labels came
    few = facts(run, "check", "--timeout", "60")
    add_labels(database, range(30, 60))
    enough = facts(run, "check", "remote", "--timeout", "60")

    # Then the second check starts a training
    assert (few["action"], few["reason"]) == ("none", "30 of 50 new labels")
    assert (enough["action"], enough["due"]) == ("started", True)

    # And the status tells it in words
    status = facts(run, "status")
    assert status["labels"] == {"total": 60, "new": 60, "classes": 2}
    assert status["run_id"] == enough["run_id"]
    assert status["words"]["next"] == (
        f"training {enough['run_id']} waits for a worker; a check notes how it ends"
    )
    text = run("loop", "status").stdout
    assert "labels of remote teach own" in text
    assert "60, 60 of them new that no training has seen; 2 different" in text

    # When it is stopped
    assert facts(run, "stop", "remote") == {"kind": "remote", "stopped": True}
    assert facts(run, "stop", "remote")["stopped"] is False
    assert facts(run, "status", "remote")["active"] is False


def test_the_status_tells_accuracy_drift_and_the_last_training(
    run: Run, database: Database, registry: ModelRegistry
) -> None:
    # Given a loop with a past, whose model answered for random labels
    with database.begin() as connection:
        loop = loops.start(connection, "remote", "mine", trigger={}, training={"task": "fine_tune"})
        attempt = {
            "run_id": "r1",
            "outcome": "refused",
            "version": 2,
            "at": "2026-11-23T08:15:00.000000Z",
            "label_seq": 0,
            "says": ["classification: main metric is not above 0"],
        }
        baseline = {"attempt": attempt, "accuracy": {"hits": 45, "labels": 50, "until_seq": 0}}
        drift = {"effect": 0.004, "p_value": 0.2, "reference": 300, "recent": 80}
        decision = {"due": False, "reason": "20 of 50 new labels", "numbers": {"drift": drift}}
        loops.note_check(connection, loop, decision, baseline)
        stamp = {"name": "mine", "version": 1}
        scores = [
            (f"p{n}", {"custom": {"mine": {"label": "a", "model": stamp}}}) for n in range(40)
        ]
        results.save(connection, "job", "score", scores, fencing_token=1)
    add_labels(database, range(40), chosen_by="random")

    words = facts(run, "status")["words"]

    assert words["in service"] == "version 1"
    assert words["accuracy"] == (
        "50% of 40 random labels (35% to 65%) of what this version had scored before; at the last "
        "training 90% of 50 random labels (79% to 96%): a real drop"
    )
    assert words["drift"] == (
        "0.004 between 300 postings before and 80 since (alarm from 0.01, p 0.200)"
    )
    assert words["last training"] == (
        "2026-11-23 08:15 UTC: the gate refused version 2: classification: main metric is not "
        "above 0"
    )
    assert words["next"].startswith("training is due: accuracy on random labels fell from 90%")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("start", "Remote!", "--model", "own"), "kind: must be a lower-case letter"),
        (("start", "remote", "--model", "Own"), "name"),
        (("start", "relevance", "--model", "own"), "must be 'reranker' for labels of relevance"),
        (("start", "remote", "--model", "own", "--option", "epochs=0"), "training.epochs"),
        (("start", "remote", "--model", "own", "--option", "rows=[]"), "options.rows"),
        (("start", "remote", "--model", "own", "--max-drop", "2"), "'2' is no number above 0"),
        (("stop", "salary"), "KIND: is 'salary', for which there is no loop"),
        (("status", "salary"), "KIND: is 'salary', for which there is no loop"),
    ],
)
def test_what_makes_no_loop_is_refused_and_nothing_is_stored(
    run: Run, database: Database, arguments: tuple[str, ...], says: str
) -> None:
    done = run("loop", *arguments)

    assert done.exit_code == 2
    assert says in done.stderr
    with database.connect() as connection:
        assert loops.find(connection) == []


def test_without_a_loop_that_is_said(run: Run, checks: Any, database: Database) -> None:
    assert "there is no loop" in run("loop", "status").stderr
    done = run("loop", "check", "--timeout", "60")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no loop is active" in done.stderr
    unknown = run("loop", "check", "salary", "--timeout", "60")
    assert "for which there is no loop" in unknown.stderr
    assert unknown.exit_code == 1


def test_a_loop_can_be_started_without_redis(run: Run, database: Database) -> None:
    done = run(
        "loop", "start", "remote", "--model", "own", JOBSENTINEL_REDIS_URL="redis://127.0.0.1:1"
    )

    assert done.exit_code == 0
    assert "no check could be sent" in done.stderr
