"""A process may die between any two steps: what it leaves is the old state or the new one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.registry import ModelRegistry

DIE_AT = """
import os, sys
from jobsentinel_workers.registry import ModelRegistry, {module}

def die(*args, **kwargs):
    os._exit(9)

{module}.{function} = die
registry = ModelRegistry(sys.argv[1])
{action}
os._exit(0)
"""


def run_and_die(root: Path, module: str, function: str, action: str) -> None:
    script = DIE_AT.format(module=module, function=function, action=action)
    done = subprocess.run([sys.executable, "-c", script, str(root)], check=False)
    assert done.returncode == 9


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    registry = ModelRegistry(tmp_path / "models")
    registry.register("scam", checkpoint_in(tmp_path), kind="classification")
    registry.promote("scam", 1)
    return registry


def checkpoint_in(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(save({"weights": np.zeros(4)}))
    return folder


def registering(tmp_path: Path) -> str:
    path = str(checkpoint_in(tmp_path))
    return f"registry.register('scam', {path!r}, kind='classification', run_id='run-2')"


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("staging", "_copy_file"),
        ("registration", "record_files"),
        ("model_folder", "publish_folder"),
        ("durable_files", "flush"),
    ],
)
def test_a_registration_killed_before_its_rename_leaves_no_version(
    registry: ModelRegistry, tmp_path: Path, module: str, function: str
) -> None:
    run_and_die(registry.root, module, function, registering(tmp_path))

    assert [each.version for each in registry.list("scam")] == [1]
    assert registry.get("scam").version == 1
    again = registry.register(
        "scam", checkpoint_in(tmp_path), kind="classification", run_id="run-2"
    )
    assert again.version == 2


def test_a_registration_killed_after_its_rename_is_found_and_told(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    run_and_die(registry.root, "model_folder", "append_event", registering(tmp_path))

    again = registry.register(
        "scam", checkpoint_in(tmp_path), kind="classification", run_id="run-2"
    )
    assert again.version == 2
    registry.promote("scam", 2)
    told = [event for event in registry.history("scam") if event["event"] == "registered"]
    assert [event["version"] for event in told] == [1, 2]
    assert told[1]["recovered"] is True


@pytest.mark.parametrize("function", ["write_aliases", "append_event"])
def test_a_promotion_killed_midway_leaves_the_old_champion_or_the_new(
    registry: ModelRegistry, tmp_path: Path, function: str
) -> None:
    registry.register("scam", checkpoint_in(tmp_path), kind="classification")
    run_and_die(registry.root, "model_folder", function, "registry.promote('scam', 2)")

    assert registry.get("scam").version == (1 if function == "write_aliases" else 2)
    registry.register("scam", checkpoint_in(tmp_path), kind="classification")
    told = [event.get("generation") for event in registry.history("scam")]
    assert (2 in told) == (function == "append_event")


@pytest.mark.parametrize("function", ["write_aliases", "append_event"])
def test_a_split_begun_and_killed_midway_is_on_or_off_and_told(
    registry: ModelRegistry, tmp_path: Path, function: str
) -> None:
    registry.register("scam", checkpoint_in(tmp_path), kind="classification")
    run_and_die(registry.root, "model_folder", function, "registry.begin_split('scam', 2, 0.25)")

    on = function == "append_event"
    assert registry.aliases("scam").challenger == (2 if on else None)
    registry.register("scam", checkpoint_in(tmp_path), kind="classification")
    told = [(each.get("challenger"), each.get("share")) for each in registry.history("scam")]
    assert ((2, 0.25) in told) == on


def test_a_dead_writer_holds_no_lock(registry: ModelRegistry, tmp_path: Path) -> None:
    run_and_die(registry.root, "model_folder", "publish_folder", registering(tmp_path))
    registry.register("scam", checkpoint_in(tmp_path), kind="classification")
    assert registry.promote("scam", 2).version == 2


def test_a_living_writer_is_waited_for_and_then_reported(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobsentinel_workers.registry import model_folder
    from jobsentinel_workers.registry.locking import exclusive_lock

    monkeypatch.setattr(model_folder, "LOCK_TIMEOUT_S", 0.05)
    with (
        exclusive_lock(registry.root / "scam" / ".lock", timeout_s=1),
        pytest.raises(ModelUnavailable, match="locked"),
    ):
        registry.register("scam", checkpoint_in(tmp_path), kind="classification")
    assert [each.version for each in registry.list("scam")] == [1]
