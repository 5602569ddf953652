"""A challenger beside the champion: a posting's arm is always the same, and ends when it should."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from jobsentinel.contract.errors import InvalidInput, ModelCorrupted, ModelUnavailable
from jobsentinel_workers.registry import ModelManager, ModelRegistry, Split

IDS = [f"posting-{i}" for i in range(2_000)]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Three versions of ``scam``, the first of them in service."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(save({"weights": np.zeros(4)}))
    registry = ModelRegistry(tmp_path / "models")
    for _ in range(3):
        registry.register("scam", folder, kind="classification")
    registry.promote("scam", 1)
    return registry


def challenged(split: Split) -> set[str]:
    return {each for each in IDS if split.arm_of(each) == "challenger"}


def test_a_split_is_stored_and_changes_the_generation(registry: ModelRegistry) -> None:
    before = registry.generation("scam")

    split = registry.begin_split("scam", 2, 0.2)

    read = ModelRegistry(registry.root)
    assert read.aliases("scam").split == split
    assert read.get("scam", "challenger").version == 2
    assert read.get("scam").version == 1
    assert read.generation("scam") != before


def test_the_challenger_gets_about_its_share(registry: ModelRegistry) -> None:
    split = registry.begin_split("scam", 2, 0.2)

    assert 0.16 < len(challenged(split)) / len(IDS) < 0.24


@given(posting_id=st.text(), share=st.floats(0.01, 0.99))
def test_an_arm_depends_on_nothing_but_the_split_and_the_posting(
    posting_id: str, share: float
) -> None:
    split, same = Split("scam", 2, share, "ab"), Split("scam", 3, share, "ab")

    assert split.arm_of(posting_id) == same.arm_of(posting_id)


def test_another_process_gives_the_same_arms(registry: ModelRegistry) -> None:
    # Given a split, and a process whose own hashes of text differ
    split = registry.begin_split("scam", 2, 0.5)
    script = (
        "import json, sys; from jobsentinel_workers.registry import ModelRegistry;"
        "split = ModelRegistry(sys.argv[1]).aliases('scam').split;"
        "print(json.dumps([split.arm_of(each) for each in json.load(sys.stdin)]))"
    )

    # When it is asked for the arms
    done = subprocess.run(
        [sys.executable, "-c", script, str(registry.root)],
        input=json.dumps(IDS),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )

    # Then they are those that this process gives
    assert json.loads(done.stdout) == [split.arm_of(each) for each in IDS]


def test_the_arms_stay_those_that_this_release_gave() -> None:
    split = Split("multi-task", 3, 0.5, "00ff")

    arms = [split.arm_of(each) for each in ("a", "b", "c", "d", "é", "")]

    assert arms == ["challenger", "champion", "champion", "challenger", "challenger", "challenger"]


def test_a_growing_share_takes_no_posting_from_the_challenger(registry: ModelRegistry) -> None:
    few = challenged(registry.begin_split("scam", 2, 0.1))
    more = challenged(registry.begin_split("scam", 2, 0.4))

    assert few < more


def test_another_challenger_gets_other_postings(registry: ModelRegistry) -> None:
    first = challenged(registry.begin_split("scam", 2, 0.5))
    second = challenged(registry.begin_split("scam", 3, 0.5))

    assert 0.3 < len(first & second) / len(first) < 0.7


@pytest.mark.parametrize(
    "change",
    [
        lambda registry: registry.end_split("scam"),
        lambda registry: registry.promote("scam", "challenger"),
        lambda registry: registry.promote("scam", "champion"),
        lambda registry: registry.promote("scam", 1),
        lambda registry: registry.rollback("scam"),
    ],
)
def test_a_split_ends_with_its_removal_a_promotion_or_a_rollback(
    registry: ModelRegistry, change: object
) -> None:
    registry.promote("scam", 3)
    registry.begin_split("scam", 2, 0.2)
    before = registry.generation("scam")

    change(registry)  # type: ignore[operator]  # each is a function of the registry

    assert registry.aliases("scam").split is None
    assert registry.generation("scam") != before


def test_ending_and_beginning_the_same_twice_change_nothing(registry: ModelRegistry) -> None:
    registry.begin_split("scam", 2, 0.2)
    generation = registry.generation("scam")
    registry.begin_split("scam", 2, 0.2)
    assert registry.generation("scam") == generation

    registry.end_split("scam")
    generation = registry.generation("scam")
    registry.end_split("scam")
    assert registry.generation("scam") == generation


def test_promoting_the_champion_out_of_a_split_keeps_the_way_back(registry: ModelRegistry) -> None:
    registry.promote("scam", 3)
    registry.begin_split("scam", 2, 0.2)

    registry.promote("scam", "champion")

    assert registry.get("scam", "previous").version == 1


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), True, "0.2", None])
def test_a_share_that_leaves_an_arm_empty_is_refused(
    registry: ModelRegistry, share: object
) -> None:
    with pytest.raises(InvalidInput, match="share"):
        registry.begin_split("scam", 2, share)  # type: ignore[arg-type]  # that is the test
    assert registry.aliases("scam").split is None


def test_what_cannot_be_a_challenger_is_refused(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidInput, match="champion already"):
        registry.begin_split("scam", 1, 0.2)
    with pytest.raises(ModelUnavailable, match="no version 9"):
        registry.begin_split("scam", 9, 0.2)
    weights = registry.get("scam", 2).path / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(b"changed")
    with pytest.raises(ModelCorrupted, match=r"model\.safetensors"):
        registry.begin_split("scam", 2, 0.2)
    assert registry.aliases("scam").split is None


def test_a_challenger_needs_a_champion_beside_it(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.register("other", registry.get("scam").path, kind="classification")

    with pytest.raises(ModelUnavailable, match="champion"):
        registry.begin_split("other", 1, 0.2)


def test_builtin_weights_can_be_the_champion_or_the_challenger(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    builtin = {"scam": tmp_path / "checkpoint"}
    fresh = ModelRegistry(tmp_path / "fresh", builtin=builtin)
    fresh.register("scam", builtin["scam"], kind="classification")

    fresh.begin_split("scam", 1, 0.2)
    assert (fresh.get("scam").version, fresh.get("scam", "challenger").version) == (0, 1)

    fresh.promote("scam", "challenger")
    fresh.begin_split("scam", 0, 0.2)
    assert fresh.get("scam", "challenger").is_builtin


def test_a_file_without_a_split_is_one_that_earlier_releases_read(registry: ModelRegistry) -> None:
    registry.begin_split("scam", 2, 0.2)
    registry.end_split("scam")

    stored = json.loads((registry.root / "scam" / "aliases.json").read_text())
    assert stored.keys() == {"format", "generation", "champion", "previous"}


def test_history_tells_of_splits(registry: ModelRegistry) -> None:
    registry.begin_split("scam", 2, 0.2)
    registry.end_split("scam")

    begun, ended = registry.history("scam")[-2:]
    assert (begun["event"], begun["challenger"], begun["share"]) == ("split_begun", 2, 0.2)
    assert ended["event"] == "split_ended"


def test_the_manager_has_a_challenger_too(registry: ModelRegistry) -> None:
    manager = ModelManager(name="scam", registry=registry)
    assert {manager.arm_of(each) for each in IDS} == {"champion"}

    split = manager.set_challenger(2, 0.5)
    assert [manager.arm_of(each) for each in IDS] == [split.arm_of(each) for each in IDS]

    manager.remove_challenger()
    assert {manager.arm_of(each) for each in IDS} == {"champion"}
