"""Models that change under load: no request fails, memory is bounded, a refusal is told."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobsentinel import Settings
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.inference import refusals
from jobsentinel_workers.inference.following import ModelFollower
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskPredictor,
    create_job_matching_model,
)

NAME = "multi-task"
TEXTS = ["Registered nurse, night shift", "Data engineer, remote"]


def count_in_memory() -> int:
    """Return how many scoring models there are, whoever holds them."""
    gc.collect()
    return sum(type(each) is MultiTaskBERT for each in gc.get_objects())


@pytest.fixture
def models(tmp_path: Path, tiny_encoder_path: Path) -> ServingModels:
    """Models over a small encoder; nothing was promoted yet."""
    changes = {"encoder_path": tiny_encoder_path, "precision": "fp32"}
    settings = Settings.load(data_dir=tmp_path, redis_url="redis://127.0.0.1:1", **changes)
    return ServingModels(settings)


@pytest.fixture
def register(models: ServingModels, tmp_path: Path) -> Callable[[], int]:
    """Register another sound version."""
    encoder: TextEncoder = models.base
    folder = create_job_matching_model(encoder, pretrained=False).save(tmp_path / "new")
    return lambda: models.registry.register(NAME, folder, kind=NAME).version


def damage(models: ServingModels, version: int) -> None:
    weights = models.registry.get(NAME, version, verify=False).path / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")


def test_a_refused_version_is_reported_until_a_sound_one_serves(
    models: ServingModels, register: Callable[[], int]
) -> None:
    # Given a model in service
    sound, damaged, better = register(), register(), register()
    models.registry.promote(NAME, sound)
    models.scoring()
    assert models.report()[NAME]["refused"] is None

    # When another is promoted, and damaged before it is loaded
    models.registry.promote(NAME, damaged)
    damage(models, damaged)
    models.refresh()

    # Then the old one answers, and the report names the new one and its damage
    assert models.scoring().stamp.version == sound
    told = models.report()[NAME]
    assert told["version"] == sound
    assert (told["refused"]["version"], told["refused"]["as"]) == (damaged, "champion")
    assert "model.safetensors" in told["refused"]["error"]
    assert told["since"] <= told["refused"]["since"]

    # When a sound one follows
    models.registry.promote(NAME, better)
    models.refresh()

    # Then nothing is left of it
    assert (models.report()[NAME]["version"], models.report()[NAME]["refused"]) == (better, None)


def test_a_version_whose_files_come_late_is_taken_up_without_a_new_promotion(
    models: ServingModels, register: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a champion that misses a file, as while a folder is copied to this machine
    monkeypatch.setattr(refusals, "AGAIN_AFTER_S", 0.0)
    models.scoring()
    version = register()
    weights = models.registry.get(NAME, version).path / "model.safetensors"
    late = weights.read_bytes()
    models.registry.promote(NAME, version)
    weights.unlink()
    models.refresh()
    since = models.report()[NAME]["refused"]["since"]
    models.refresh()
    assert models.report()[NAME]["refused"]["since"] == since

    # When it is there
    weights.write_bytes(late)
    models.refresh()

    assert (models.report()[NAME]["version"], models.report()[NAME]["refused"]) == (version, None)


def test_a_challenger_that_cannot_be_loaded_is_reported_beside_the_champion(
    models: ServingModels, register: Callable[[], int]
) -> None:
    champion, challenger = register(), register()
    models.registry.promote(NAME, champion)
    models.registry.begin_split(NAME, challenger, 0.5)
    damage(models, challenger)

    models.scoring()

    told = models.report()[NAME]
    assert (told["version"], told["challenger"]) == (champion, None)
    assert (told["refused"]["version"], told["refused"]["as"]) == (challenger, "challenger")
    models.registry.end_split(NAME)
    models.refresh()
    assert models.report()[NAME]["refused"] is None


def test_an_idle_worker_takes_up_what_is_promoted_and_what_is_rolled_back(
    models: ServingModels, register: Callable[[], int]
) -> None:
    first, second = register(), register()
    models.registry.promote(NAME, first)
    models.scoring()
    follower = ModelFollower(models, period_s=0.01)
    follower.start()
    try:
        models.registry.promote(NAME, second)
        while models.report()[NAME]["version"] != second:
            pass
        models.registry.rollback(NAME)
        while models.report()[NAME]["version"] != first:
            pass
    finally:
        follower.stop()


def test_a_third_copy_waits_until_a_request_has_ended(
    models: ServingModels, register: Callable[[], int]
) -> None:
    # Given a request that still uses the model before the last
    first, second, third = register(), register(), register()
    before = count_in_memory()
    models.registry.promote(NAME, first)
    in_flight = models.scoring()
    models.registry.promote(NAME, second)
    assert models.scoring().stamp.version == second

    # When a third is promoted, then the second goes on
    models.registry.promote(NAME, third)
    assert models.scoring().stamp.version == second
    assert count_in_memory() - before == 2

    # When the request has ended, then the third serves
    del in_flight
    assert models.scoring().stamp.version == third
    assert count_in_memory() - before == 1


def test_a_rollback_to_a_model_that_a_request_still_uses_loads_nothing(
    models: ServingModels, register: Callable[[], int]
) -> None:
    first, second = register(), register()
    models.registry.promote(NAME, first)
    in_flight = models.scoring()
    models.registry.promote(NAME, second)
    models.scoring()

    models.registry.rollback(NAME)

    assert models.scoring().model is in_flight.model


def test_requests_in_flight_during_many_promotions_all_succeed_with_two_copies_at_most(
    models: ServingModels, register: Callable[[], int]
) -> None:
    # Given threads that answer all the time
    versions = [register() for _ in range(3)]
    before = count_in_memory()
    models.registry.promote(NAME, versions[0])
    models.scoring()
    answered: list[int] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                served = models.scoring()
                assert len(MultiTaskPredictor(served.model).predict_batch(TEXTS)) == len(TEXTS)
                answered.append(served.stamp.version)
                del served
        except BaseException as error:  # a thread's edge: the test tells what it was
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()

    # When one version after another is promoted
    most = 0
    try:
        for turn in range(6):
            models.registry.promote(NAME, versions[turn % len(versions)])
            models.refresh()
            most = max(most, count_in_memory() - before)
    finally:
        done.set()
        for thread in threads:
            thread.join()

    # Then no request failed, there were never more than two copies, and one is left
    assert failed == []
    assert len(set(answered)) > 1
    assert most <= 2
    models.refresh()
    assert count_in_memory() - before == 1
