"""The circle through real workers: labels are sent, and a better model serves, by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from jobsentinel import Producer
from jobsentinel_workers.fleet import Fleet
from jobsentinel_workers.loop.trainings import check_training
from jobsentinel_workers.models_in_service import open_registry
from jobsentinel_workers.store import Database, loops, runs
from jobsentinel_workers.store.loops import Loop

KIND, MODEL = "setting", "setting-of-work"
NURSE = "nurse ward patients hospital clinic medicine shifts surgery"
WELDER = "welder steel workshop torch metal factory pipes assembly"
QUICK = {"epochs": 3, "max_tokens": 24, "gate": {"min_rows": 8, "max_latency_ratio": 1_000.0}}


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.2)


# Real encoder, real training: some 20 s.
def test_labels_that_are_sent_lead_to_a_model_that_serves(fleet: Fleet, client: Producer) -> None:
    # Given a running fleet with Celery's beat, and a loop
    assert fleet.pid_of("beat") is not None
    database = Database.open(fleet.settings.store_url)
    with database.begin() as connection:
        training = check_training(KIND, MODEL, {"options": QUICK}).model_dump()
        trigger = {"min_new_labels": 100}
        loops.start(connection, KIND, MODEL, trigger=trigger, training=training)

    # When postings and, by two messages, their labels are sent
    names = {0: NURSE.split(), 1: WELDER.split()}
    postings = [
        {"id": f"{KIND}-{n}", "title": " ".join(random.Random(n).sample(names[n % 2], 6))}
        for n in range(140)
    ]
    client.index(postings).result(timeout_s=90)
    said = [
        {"posting_id": posting["id"], "kind": KIND, "value": ("ward", "workshop")[n % 2]}
        for n, posting in enumerate(postings)
    ]
    for part in (said[:70], said[70:]):
        client.add_labels(part).result(timeout_s=60)

    # Then a training begins without another word, and ends
    def loop() -> Loop:
        with database.connect() as connection:
            return loops.require(connection, KIND)

    until(lambda: loop().run_id is not None)
    run_id = str(loop().run_id)

    def is_over() -> bool:
        with database.connect() as connection:
            run = runs.get(connection, run_id)
        assert run is None or run.state != "failed", run.error
        return run is not None and run.state == "done"

    until(is_over)

    # And a check notes that it serves; another one has nothing to do
    (noted,) = client.check_loops([KIND]).result(timeout_s=60).loops
    (after,) = client.check_loops([KIND]).result(timeout_s=60).loops
    assert noted.reason in {"version 1 passed the gate and serves", "0 of 100 new labels"}
    assert (after.action, after.reason) == ("none", "0 of 100 new labels")
    assert loop().baseline["attempt"]["outcome"] == "promoted"
    assert "reference" in loop().baseline
    (score,) = client.score([{"id": "new", "title": NURSE}], models=[MODEL]).result(timeout_s=60)
    assert score.custom[MODEL].label == "ward"
    assert open_registry(fleet.settings).get(MODEL).run_id == run_id
    with database.begin() as connection:
        loops.stop(connection, KIND)
    database.close()
