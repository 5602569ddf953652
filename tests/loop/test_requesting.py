"""Asking for checks: after imports, by Celery beat, and how few jobs come of many requests."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from circle_world import World

from jobsentinel import Settings
from jobsentinel.ledger import Claim
from jobsentinel_workers.app import create_app
from jobsentinel_workers.children import end_with_parent
from jobsentinel_workers.loop.beat import LedgerScheduler
from jobsentinel_workers.loop.checking import CHECK_LOOPS, ask, request_check
from jobsentinel_workers.loop.notices import Notices


def checks(world: World) -> list[str]:
    return world.producer.ledger.waiting([CHECK_LOOPS])


def take(world: World) -> None:
    """Do the check that waits, as a worker does."""
    (job_id,) = checks(world)
    ledger = world.producer.ledger
    claim = ledger.claim(job_id, owner="test", lease_s=60, max_attempts=3)
    assert isinstance(claim, Claim)
    assert ledger.complete(job_id, claim.token, ttl_s=60, result=b"\x80")


def test_an_import_asks_for_one_check_and_the_same_labels_for_no_other(world: World) -> None:
    world.start()
    world.label(range(10))

    # Given several processes that imported, before a worker came
    assert [request_check(world.settings) for _ in range(3)] == [True] * 3
    assert len(checks(world)) == 1

    # When the check was done, and somebody asks again without new labels
    take(world)
    assert request_check(world.settings)
    assert checks(world) == []

    # Then only another label makes another one
    world.label([10])
    request_check(world.settings)
    assert len(checks(world)) == 1


def test_nothing_is_asked_where_no_loop_is_or_no_redis(world: World) -> None:
    assert not request_check(world.settings)
    assert checks(world) == []

    world.start()
    assert not request_check(world.settings.changed(redis_url="redis://127.0.0.1:1"))


def test_many_notices_become_one_request(world: World) -> None:
    asked, done = [], threading.Event()

    def note() -> None:
        asked.append(time.monotonic())
        done.set()

    notices = Notices(note, quiet_s=0.1)
    for _ in range(50):
        notices.notice()
    last = time.monotonic()

    assert done.wait(10)
    assert asked[0] >= last + 0.09
    notices.stop()
    assert len(asked) == 1


def test_notices_that_never_cease_are_heard_all_the_same() -> None:
    heard = threading.Event()
    notices = Notices(heard.set, quiet_s=5.0, longest_wait_s=0.2)

    while not heard.is_set():
        notices.notice()
        time.sleep(0.02)

    notices.stop()


def test_the_schedule_has_one_entry_with_the_period_that_is_set(settings: Settings) -> None:
    conf = create_app(settings.changed(loop_check_s=42.0)).conf

    assert conf.beat_schedule == {
        "jobsentinel.check_loops": {"task": "jobsentinel.check_loops", "schedule": 42.0}
    }


@contextmanager
def beat(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run Celery's beat."""
    values = settings.model_dump(mode="json", exclude_none=True)
    environment = {f"JOBSENTINEL_{name.upper()}": str(value) for name, value in values.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "jobsentinel_workers.app", "beat"],
        env={**os.environ, **environment},
        cwd=settings.data_dir,
        preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_one_waits(world: World, process: subprocess.Popen[bytes]) -> str:
    while not (waiting := checks(world)):
        assert process.poll() is None
        time.sleep(0.05)
    (job_id,) = waiting
    return job_id


# An interpreter that loads Celery: some seconds.
def test_beat_sends_a_check_at_once_and_another_each_period(world: World) -> None:
    settings = world.settings.changed(loop_check_s=1.0)
    with beat(settings) as process:
        first = until_one_waits(world, process)
        take(world)
        assert until_one_waits(world, process) != first

    assert not list(settings.data_dir.glob("celerybeat*"))


def test_several_beats_send_one_check_a_turn(world: World) -> None:
    # Given two schedulers in the middle of one turn of the clock
    app = create_app(world.settings.changed(loop_check_s=86_400.0))
    schedulers = [LedgerScheduler(app=app) for _ in range(2)]

    # When both tick, before and after the check was done
    for scheduler in schedulers:
        scheduler.tick()
    assert len(checks(world)) == 1
    take(world)
    LedgerScheduler(app=app).tick()

    # Then there was one
    assert checks(world) == []


def test_beat_goes_on_while_redis_is_away(world: World) -> None:
    app = create_app(world.settings.changed(redis_url="redis://127.0.0.1:1", loop_check_s=1.0))
    scheduler = LedgerScheduler(app=app)

    assert scheduler.tick() == 0
    assert 0 < scheduler.tick() <= 1.0


def test_a_request_is_what_a_worker_accepts(world: World) -> None:
    ask(world.settings, world.producer.ledger, key="by hand")

    (job_id,) = checks(world)
    assert world.producer.ledger.entry(job_id).task == CHECK_LOOPS
    assert world.producer.handle(job_id, CHECK_LOOPS).state() == "queued"
