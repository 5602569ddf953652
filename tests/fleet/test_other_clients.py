"""What other clients may put into Redis: it is refused with a reason, and the worker goes on."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import msgpack
import pytest
import redis
from celery.result import AsyncResult

from jobsentinel import JobFailed, Producer
from jobsentinel.contract.base import CONTRACT_VERSION
from jobsentinel.contract.tasks import INTERACTIVE, TASKS
from jobsentinel.envelope import task_message
from jobsentinel.handles import JobHandle
from jobsentinel_workers.app import create_app
from jobsentinel_workers.fleet import Fleet
from jobsentinel_workers.store import Database, dead_letters


def send(client: Producer, job_id: str, payload: bytes, task: str = "score") -> JobHandle[Any]:
    message = task_message(TASKS[task], job_id, INTERACTIVE, "by another client")
    client.ledger.enqueue(job_id, task=task, queue=INTERACTIVE, payload=payload, message=message)
    return client.handle(job_id, task)


def score_payload(**changes: object) -> bytes:
    request = {"postings": [{"id": "a", "title": "Cook"}]} | changes
    packed: bytes = msgpack.packb({"v": CONTRACT_VERSION, "task": "score", "request": request})
    return packed


def still_works(client: Producer, name: str) -> bool:
    return len(client.score([{"id": name, "title": f"Cook {name}"}]).result(60)) == 1


@pytest.mark.parametrize(
    ("name", "payload", "says"),
    [
        ("not-msgpack", b"\xc1\xc1 <pickle>", "not msgpack"),
        ("no-map", msgpack.packb([1, 2]), "not a map"),
        ("future", msgpack.packb({"v": 99, "task": "score", "request": {}}), "is 99"),
        ("unknown-field", score_payload(colour="red"), "colour"),
        ("wrong-type", score_payload(postings=[{"id": "a", "title": 5}]), r"postings\.0\.title"),
        ("too-long", score_payload(profile="x" * 200_000), "profile"),
        ("not-a-number", score_payload(postings=[{"id": "a", "title": float("nan")}]), "nan"),
        ("other-task", msgpack.packb({"v": 1, "task": "fly", "request": {}}), "'fly'"),
    ],
)
def test_a_payload_that_breaks_the_contract_is_a_dead_letter(
    client: Producer, fleet: Fleet, name: str, payload: bytes, says: str
) -> None:
    job = send(client, name, payload)

    with pytest.raises(JobFailed, match=says):
        job.result(timeout_s=60)

    database = Database.open(fleet.settings.store_url)
    deadline = time.monotonic() + 30
    letter = None
    while letter is None and time.monotonic() < deadline:
        with database.connect() as connection:
            letter = dead_letters.get(connection, name)
        time.sleep(0.1)
    assert letter is not None
    assert (letter.payload, letter.reason) == (payload, "invalid")
    assert still_works(client, name)


def test_a_payload_changed_in_redis_is_noticed(client: Producer, fleet: Fleet) -> None:
    job_id = "tampered"
    task = TASKS["score"]
    with redis.Redis.from_url(fleet.redis_url) as server:
        prefix = client.ledger.prefix
        # The message is held back until the payload has been changed.
        message = task_message(task, job_id, INTERACTIVE, "")
        client.ledger.enqueue(
            job_id, task="score", queue="held", payload=score_payload(), message=message
        )
        server.hset(f"{prefix}job:{job_id}", "payload", score_payload(profile="changed"))
        held = server.rpop(f"{prefix}held")
        server.lpush(f"{prefix}{INTERACTIVE}", held)  # type: ignore[arg-type]  # bytes

    with pytest.raises(JobFailed, match="digest"):
        client.handle(job_id, "score").result(timeout_s=60)


def test_a_message_that_names_no_job_is_a_failure_that_celery_shows(
    client: Producer, fleet: Fleet
) -> None:
    app = create_app(fleet.settings.model_copy(update={"redis_url": fleet.redis_url}))

    sent = app.send_task("jobsentinel.score", args=["no-such-job"], queue=INTERACTIVE)

    with pytest.raises(JobFailed, match="does not know"):
        AsyncResult(sent.id, app=app).get(timeout=30)
    assert still_works(client, "after-no-such-job")


@pytest.mark.parametrize("content_type", ["application/x-python-serialize", "application/json"])
def test_a_message_that_is_not_msgpack_is_not_even_decoded(
    client: Producer, fleet: Fleet, content_type: str
) -> None:
    message = json.loads(task_message(TASKS["score"], "strange", INTERACTIVE, ""))
    message["content-type"] = content_type
    message["body"] = base64.b64encode(b"cos\nsystem\n(S'exit'\ntR.").decode()
    message["properties"]["delivery_tag"] = f"strange-{content_type}"
    with redis.Redis.from_url(fleet.redis_url) as server:
        server.lpush(f"{client.ledger.prefix}{INTERACTIVE}", json.dumps(message))

    assert still_works(client, f"after-{content_type}")


def test_a_message_that_comes_twice_is_worked_on_once(client: Producer, fleet: Fleet) -> None:
    job = client.rerank("cook", [{"id": "a", "text": "Cook"}], idempotency_key="twice")
    first = job.result(timeout_s=60)
    copy = task_message(TASKS["rerank"], job.job_id, INTERACTIVE, "").replace("@TAG@", "copy")
    with redis.Redis.from_url(fleet.redis_url) as server:
        server.lpush(f"{client.ledger.prefix}{INTERACTIVE}", copy)

    assert still_works(client, "after-a-copy")

    assert job.result(timeout_s=5) == first
    app = create_app(fleet.settings.model_copy(update={"redis_url": fleet.redis_url}))
    assert AsyncResult(job.job_id, app=app).state == "SUCCESS"
