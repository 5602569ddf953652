"""What goes wrong around a registry: clear errors, and what serves stays as it is."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from jobsentinel.contract.errors import InvalidInput, ModelCorrupted, ModelUnavailable
from jobsentinel_workers.registry import ModelRegistry

PROMOTE = """
import sys
from jobsentinel_workers.registry import ModelRegistry

sys.stdin.readline()
registry = ModelRegistry(sys.argv[1])
for _ in range(10):
    for version in map(int, sys.argv[2:]):
        registry.promote("scam", version)
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(save({"weights": np.zeros(4)}))
    return folder


@pytest.fixture
def registry(tmp_path: Path, checkpoint: Path) -> ModelRegistry:
    """Three versions of ``scam``, the first of them in service."""
    registry = ModelRegistry(tmp_path / "models")
    for _ in range(3):
        registry.register("scam", checkpoint, kind="classification")
    registry.promote("scam", 1)
    return registry


def test_processes_that_promote_at_once_make_one_unbroken_line_of_champions(
    registry: ModelRegistry,
) -> None:
    # Given two processes that promote, each two versions in turn
    promoting = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTE, str(registry.root), *versions], stdin=subprocess.PIPE
        )
        for versions in (("2", "1"), ("3", "1"))
    ]

    # When both start at once
    try:
        for process in promoting:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        codes = [process.wait() for process in promoting]
    finally:
        for process in promoting:
            process.kill()
            process.communicate()

    # Then each change followed the one before it, and none was lost
    assert codes == [0, 0]
    told = [event for event in registry.history("scam") if event["event"] == "promoted"]
    assert [event["generation"] for event in told] == list(range(1, len(told) + 1))
    for earlier, later in pairwise(told):
        assert later["previous"] == earlier["version"]
    assert registry.get("scam").version == told[-1]["version"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pickle.dumps({"weights": [0.0] * 400}), id="pickle"),
        pytest.param(b"PK\x03\x04" + bytes(600), id="zip"),
        pytest.param(b"", id="empty"),
        pytest.param((2**60).to_bytes(8, "little") + b"{}", id="header past the end"),
        pytest.param((2).to_bytes(8, "little") + b"[]", id="header without tensors"),
    ],
)
def test_what_is_only_named_like_safetensors_is_refused(
    registry: ModelRegistry, checkpoint: Path, content: bytes
) -> None:
    (checkpoint / "model.safetensors").write_bytes(content)

    with pytest.raises(InvalidInput, match=r"model\.safetensors is named like safetensors"):
        registry.register("scam", checkpoint, kind="classification")
    assert [each.version for each in registry.list("scam")] == [1, 2, 3]
    assert registry.get("scam").version == 1


def test_a_manifest_of_another_version_is_not_taken(registry: ModelRegistry) -> None:
    shutil.copy(registry.get("scam", 2).path / "MANIFEST.json", registry.get("scam", 3).path)

    with pytest.raises(ModelCorrupted, match="another version"):
        registry.promote("scam", 3)
    assert registry.get("scam").version == 1


def test_a_champion_that_was_removed_is_named_and_can_be_rolled_back(
    registry: ModelRegistry,
) -> None:
    registry.promote("scam", 2)
    shutil.rmtree(registry.get("scam", 2).path)

    with pytest.raises(ModelUnavailable, match="no version 2"):
        registry.get("scam")
    [gone] = [each for each in registry.verify("scam") if each.problem]
    assert (gone.version, gone.aliases) == (2, ("champion",))
    assert registry.rollback("scam").version == 1


def test_a_number_is_never_given_twice(registry: ModelRegistry, checkpoint: Path) -> None:
    shutil.rmtree(registry.get("scam", 3).path)

    assert registry.register("scam", checkpoint, kind="classification").version == 4


def test_verifying_reads_every_file_of_every_version(registry: ModelRegistry) -> None:
    weights = registry.get("scam", 2).path / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")

    verified = registry.verify("scam")

    assert [each.version for each in verified if each.problem] == [2]
    assert "model.safetensors differs" in str(registry.verify("scam", 2)[0].problem)
    with pytest.raises(ModelUnavailable, match="nobody"):
        registry.verify("nobody")
