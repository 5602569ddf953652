"""What a real fleet, and people at the command line, leave in the audit log."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from jobsentinel import Producer
from jobsentinel.contract.errors import JobFailed
from jobsentinel_workers.audit import Verdict, verify
from jobsentinel_workers.audit.keys import find_key
from jobsentinel_workers.audit.reading import read_entries
from jobsentinel_workers.fleet import Fleet
from jobsentinel_workers.store import Database, runs

LABELS = [
    {"posting_id": f"p{number}", "kind": "scam", "value": True, "annotator": "bob"}
    for number in range(3)
]
ROWS = [
    {"text": f"{word} wanted, number {number}", "label": word}
    for number in range(12)
    for word in ("cook", "driver")
]


def audit_of(fleet: Fleet, subject: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a subject with their details, and require that the log is whole."""
    database = Database.open(fleet.settings.store_url)
    key = find_key(fleet.settings)
    assert key is not None
    with database.connect() as connection:
        found = [each for each in read_entries(connection) if each.subject == subject]
        verdict: Verdict = verify(connection, key)
    database.close()
    assert verdict.problem is None
    return [(each.event, json.loads(each.details)) for each in found]


def test_labels_are_recorded_once_and_without_what_they_say(fleet: Fleet, client: Producer) -> None:
    # Given labels, and the same ones again as another job
    first = client.add_labels(LABELS)
    assert first.result(timeout_s=120).stored == 3
    again = client.add_labels(LABELS, idempotency_key="the same labels again")
    assert again.result(timeout_s=120).stored == 0

    # Then the log has the change, and nothing where nothing changed
    counts = {"changed": 3, "sent": 3, "kinds": {"scam": {"bob": 3}}}
    assert audit_of(fleet, first.job_id) == [("labels_changed", counts)]
    assert audit_of(fleet, again.job_id) == []


def test_a_training_run_and_its_model_are_recorded(fleet: Fleet, client: Producer) -> None:
    # Given a training run; when it is done
    job = client.fine_tune("audited", ROWS, task="classification", epochs=1)
    result = job.result(timeout_s=200)

    # Then its begin and its end are in the log, with its data and its model
    (start, started), (end, finished) = audit_of(fleet, job.job_id)
    assert (start, end) == ("run_started", "run_finished")
    assert (started["model"], started["task"]) == ("audited", "fine_tune")
    assert len(started["request_sha256"]) == len(finished["data_sha256"]) == 64
    assert finished["version"] == result.version
    about = {"version": result.version, "run_id": job.job_id}
    registered = ("model_registered", {**about, "data_sha256": finished["data_sha256"]})
    assert audit_of(fleet, "audited") == [registered]


def test_a_run_that_fails_is_recorded_without_its_error(fleet: Fleet, client: Producer) -> None:
    # Given a run of the scoring model over a store with too few labels; when it was given up
    job = client.train_multi_task(compare=False)
    with pytest.raises(JobFailed):
        job.result(timeout_s=120)
    wait_until(fleet, job.job_id, "failed")

    # Then the log says so, and which request it was
    (start, started), (end, failed) = audit_of(fleet, job.job_id)
    assert (start, end) == ("run_started", "run_failed")
    assert failed["reason"] == "invalid"
    assert failed["request_sha256"] == started["request_sha256"]


def test_a_run_that_is_cancelled_is_recorded(fleet: Fleet, client: Producer) -> None:
    # Given a long run that has begun
    job = client.fine_tune("audited", ROWS * 20, task="classification", method="full", epochs=20)
    wait_until(fleet, job.job_id, "running")

    # When it is cancelled
    job.cancel()
    wait_until(fleet, job.job_id, "cancelled")

    # Then the log has both, and no model
    events = [event for event, _ in audit_of(fleet, job.job_id)]
    assert events == ["run_started", "run_cancelled"]


def wait_until(fleet: Fleet, run_id: str, state: str) -> None:
    """Wait until a run is in a state; the end of one that was given up comes by the reconciler."""
    database = Database.open(fleet.settings.store_url)
    while True:
        with database.connect() as connection:
            run = runs.get(connection, run_id)
        if run is not None and run.state == state:
            break
        time.sleep(0.1)
    database.close()
