"""The registry under its users' names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from jobsentinel.contract.errors import InvalidInput, ModelCorrupted, ModelUnavailable
from jobsentinel_workers.registry import ModelManager


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    return ModelManager(tmp_path / "models")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(save({"weights": np.zeros(4)}))
    return folder


def test_the_first_model_becomes_current_and_later_ones_wait(
    manager: ModelManager, checkpoint: Path
) -> None:
    assert manager.get_current_model() is None
    manager.register_model(version="v1.0", checkpoint_path=checkpoint, metrics={"f1": 0.5})
    manager.register_model(version="v1.1", checkpoint_path=checkpoint, metrics={"f1": 0.6})

    current = manager.get_current_model()
    assert current is not None
    assert current.label == "v1.0"
    listed = [(each["label"], each["is_current"]) for each in manager.list_models()]
    assert listed == [("v1.1", False), ("v1.0", True)]


def test_setting_and_rolling_back_the_current_model(
    manager: ModelManager, checkpoint: Path
) -> None:
    for label in ("v1.0", "v1.1"):
        manager.register_model(version=label, checkpoint_path=str(checkpoint), metrics={})
    assert manager.set_current_model("v1.1").label == "v1.1"
    assert manager.rollback().label == "v1.0"
    with pytest.raises(ModelUnavailable, match=r"v9"):
        manager.set_current_model("v9")


def test_a_label_is_used_once(manager: ModelManager, checkpoint: Path) -> None:
    manager.register_model(version="v1", checkpoint_path=checkpoint, description="first try")
    with pytest.raises(InvalidInput):
        manager.register_model(version="v1", checkpoint_path=checkpoint)
    [listed] = manager.list_models()
    assert listed["lineage"] == {"description": "first try"}


def test_without_a_folder_the_workers_registry_is_used(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBSENTINEL_DATA_DIR", str(tmp_path / "data"))
    version = ModelManager().register_model(version="v1", checkpoint_path=checkpoint)
    assert version.path == tmp_path / "data" / "models" / "fine-tuned" / "versions" / "1"


def test_a_damaged_current_model_is_reported(manager: ModelManager, checkpoint: Path) -> None:
    version = manager.register_model(version="v1", checkpoint_path=checkpoint)
    (version.path / "MANIFEST.json").write_text("{}")
    with pytest.raises(ModelCorrupted):
        manager.get_current_model()
