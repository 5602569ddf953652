"""Models in service: a new champion takes over by itself, a damaged one never does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from jobsentinel import ModelCorrupted, ModelUnavailable, Settings
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import models_generation
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.starter import starter_path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ServingModels:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("serving")
    return ServingModels(Settings.load(data_dir=folder, redis_url="redis://127.0.0.1:1"))


@pytest.fixture
def starter_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(starter_path("multi-task"), tmp_path / "copy"))


def register(registry: ModelRegistry, folder: Path) -> int:
    version = registry.register("multi-task", folder, kind="multi-task").version
    registry.promote("multi-task", version)
    return version


def test_a_promoted_version_serves_the_next_request_and_shares_the_network(
    models: ServingModels, starter_copy: Path
) -> None:
    before, generation = models.scoring(), models_generation(models.registry)

    version = register(models.registry, starter_copy)
    after = models.scoring()

    assert after.stamp.version == version > before.stamp.version
    assert after.model is not before.model
    assert after.model.encoder.network is models.base.network
    assert models_generation(models.registry) != generation
    assert models.scoring() is after


def test_a_damaged_champion_does_not_replace_the_model_that_works(
    models: ServingModels, starter_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register(models.registry, starter_copy)
    serving = models.scoring()
    damaged = register(models.registry, starter_copy)
    weights = models.registry.get("multi-task", verify=False).path / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")

    kept = models.scoring()

    assert kept.model is serving.model
    assert kept.stamp == serving.stamp
    assert "model.kept_old" in caplog.text
    with pytest.raises(ModelCorrupted):
        models.registry.get("multi-task", damaged)
    models.registry.rollback("multi-task")
    assert models.scoring().stamp.version == serving.stamp.version


def test_a_worker_that_starts_on_a_damaged_champion_serves_the_one_before_and_says_so(
    models: ServingModels, starter_copy: Path
) -> None:
    # Given a sound version, and a damaged one in service after it
    sound = register(models.registry, starter_copy)
    damaged = register(models.registry, starter_copy)
    weights = models.registry.get("multi-task", verify=False).path / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")

    # When a process starts
    started = ServingModels(models.loading.settings)
    serving = started.scoring()

    # Then it serves what workers that were there before keep, and reports what it refused
    assert serving.stamp.version == sound
    refused = started.report()["multi-task"]["refused"]
    assert (refused["version"], refused["as"]) == (damaged, "champion")
    models.registry.rollback("multi-task")
    assert started.scoring().stamp.version == sound


def test_a_worker_starts_on_nothing_when_the_one_before_is_damaged_too(
    tmp_path: Path, models: ServingModels, starter_copy: Path
) -> None:
    # Given two versions, and both damaged
    settings = models.loading.settings.changed(data_dir=tmp_path)
    registry = ServingModels(settings).registry
    for number in (register(registry, starter_copy), register(registry, starter_copy)):
        weights = registry.get("multi-task", number, verify=False).path / "model.safetensors"
        weights.chmod(0o644)
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")

    # When a process starts, it says which file is wrong, and serves nothing
    with pytest.raises(ModelCorrupted, match=r"model\.safetensors"):
        ServingModels(settings).scoring()


def test_a_model_that_was_never_trained_is_named(models: ServingModels) -> None:
    with pytest.raises(ModelUnavailable, match="nowhere"):
        models.fine_tuned("nowhere")
