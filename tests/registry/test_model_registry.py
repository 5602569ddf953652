"""The registry's promises, on real folders."""

from __future__ import annotations

import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from jobsentinel.contract.errors import InvalidInput, ModelCorrupted, ModelUnavailable
from jobsentinel_workers.registry import MetricChange, ModelRegistry, ModelVersion
from jobsentinel_workers.registry.staging import staging_folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint", b"weights")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models")


@pytest.fixture
def with_builtin(tmp_path: Path) -> ModelRegistry:
    builtin = write_checkpoint(tmp_path / "builtin", b"built-in")
    return ModelRegistry(tmp_path / "models", builtin={"multi-task": builtin})


def tensors(content: bytes) -> bytes:
    return save({"weights": np.array(list(content), dtype=np.uint8)})


def write_checkpoint(folder: Path, weights: bytes) -> Path:
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(tensors(weights))
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer" / "vocab.txt").write_text("a\nb\n")
    return folder


def register(registry: ModelRegistry, checkpoint: Path, **facts: Any) -> ModelVersion:
    return registry.register("scam", checkpoint, kind="classification", **facts)


def test_a_registered_version_comes_back_with_its_files_and_facts(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    registered = register(
        registry,
        checkpoint,
        metrics={"validation": {"f1": 0.8}},
        lineage={"seed": 7, "data_sha256": "ab"},
        label="v1.0",
        run_id="run-1",
    )

    found = registry.get("scam", 1)
    assert found == registered
    assert (found.path / "tokenizer" / "vocab.txt").read_text() == "a\nb\n"
    assert found.metrics == {"validation": {"f1": 0.8}}
    assert found.lineage == {"seed": 7, "data_sha256": "ab"}
    assert (found.label, found.run_id, found.kind) == ("v1.0", "run-1", "classification")
    assert found.created_at is not None
    assert found.created_at.utcoffset() is not None
    assert registry.get("scam", "v1.0") == found
    assert (checkpoint / "config.json").exists()


def test_making_a_registry_and_reading_it_touches_no_disk(registry: ModelRegistry) -> None:
    assert registry.list() == []
    assert registry.names() == []
    assert registry.history("scam") == []
    registry.generation("scam")
    assert not registry.root.exists()


def test_registering_does_not_serve(registry: ModelRegistry, checkpoint: Path) -> None:
    register(registry, checkpoint)
    with pytest.raises(ModelUnavailable, match="champion"):
        registry.get("scam")


def test_moving_removes_the_checkpoint_after_it_is_safe(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    version = register(registry, checkpoint, move=True)
    assert not checkpoint.exists()
    assert (version.path / "model.safetensors").read_bytes() == tensors(b"weights")


def test_one_run_is_registered_once(registry: ModelRegistry, checkpoint: Path) -> None:
    first = register(registry, checkpoint, run_id="run-1")
    again = register(registry, checkpoint, run_id="run-1")
    assert again == first
    assert len(registry.list("scam")) == 1


def test_a_moved_run_is_still_known_when_its_checkpoint_is_gone(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    first = register(registry, checkpoint, run_id="run-1", move=True)
    assert register(registry, checkpoint, run_id="run-1", move=True) == first


def test_promoting_and_rolling_back_swap_champion_and_previous(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    for _ in range(2):
        register(registry, checkpoint)
    registry.promote("scam", 1)
    assert registry.promote("scam", 2).aliases == ("champion",)
    assert registry.get("scam", "previous").version == 1

    assert registry.rollback("scam").version == 1
    assert registry.get("scam").version == 1
    assert registry.rollback("scam").version == 2


def test_promoting_the_champion_again_keeps_the_way_back(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    for _ in range(2):
        register(registry, checkpoint)
    registry.promote("scam", 1)
    registry.promote("scam", 2)
    generation = registry.generation("scam")
    registry.promote("scam", 2)
    assert registry.generation("scam") == generation
    assert registry.get("scam", "previous").version == 1


def test_nothing_to_roll_back_to_is_an_error(registry: ModelRegistry, checkpoint: Path) -> None:
    register(registry, checkpoint)
    registry.promote("scam", 1)
    with pytest.raises(ModelUnavailable, match="previous"):
        registry.rollback("scam")


def test_the_generation_changes_with_every_champion(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    seen = [registry.generation("scam")]
    for number in (1, 2):
        register(registry, checkpoint)
        assert registry.generation("scam") == seen[-1]
        registry.promote("scam", number)
        seen.append(registry.generation("scam"))
    registry.rollback("scam")
    seen.append(registry.generation("scam"))
    assert len(set(seen)) == 4


def test_builtin_weights_serve_as_version_0_until_something_is_promoted(
    with_builtin: ModelRegistry, checkpoint: Path
) -> None:
    builtin = with_builtin.get("multi-task")
    assert (builtin.version, builtin.is_builtin) == (0, True)
    assert builtin.aliases == ("champion",)

    with_builtin.register("multi-task", checkpoint, kind="multi-task")
    with_builtin.promote("multi-task", 1)
    assert with_builtin.get("multi-task").version == 1
    assert with_builtin.rollback("multi-task").version == 0
    assert [each.version for each in with_builtin.list("multi-task")] == [0, 1]
    assert with_builtin.names() == ["multi-task"]


def test_a_missing_builtin_is_unavailable_and_still_listed(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models", builtin={"reranker": tmp_path / "nowhere"})
    with pytest.raises(ModelUnavailable, match="built-in"):
        registry.get("reranker")
    [listed] = registry.list()
    assert listed.problem is not None
    assert "built-in" in listed.problem


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: overwrite(folder / "model.safetensors", b"weightz"), "model.safetensors"),
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "extra.json").write_text("{}"), "extra.json"),
        (lambda folder: overwrite(folder / "MANIFEST.json", b"{"), "MANIFEST.json"),
        (lambda folder: (folder / "link.json").symlink_to("config.json"), "link.json"),
    ],
)
def test_a_damaged_version_is_named_and_never_served(
    registry: ModelRegistry, checkpoint: Path, damage: Any, named: str
) -> None:
    version = register(registry, checkpoint)
    damage(version.path)
    with pytest.raises(ModelCorrupted, match=named):
        registry.get("scam", 1)
    with pytest.raises(ModelCorrupted, match=named):
        registry.promote("scam", 1)


def test_a_doctored_manifest_breaks_its_seal(registry: ModelRegistry, checkpoint: Path) -> None:
    version = register(registry, checkpoint, metrics={"f1": 0.5})
    path = version.path / "MANIFEST.json"
    overwrite(path, path.read_bytes().replace(b"0.5", b"0.9"))
    with pytest.raises(ModelCorrupted, match="changed after"):
        registry.get("scam", 1)
    assert "changed after" in str(registry.list("scam")[0].problem)


def test_a_corrupt_champion_is_an_error_and_rolling_back_cures_it(
    with_builtin: ModelRegistry, checkpoint: Path
) -> None:
    version = with_builtin.register("multi-task", checkpoint, kind="multi-task")
    with_builtin.promote("multi-task", 1)
    overwrite(version.path / "model.safetensors", b"weightz")
    with pytest.raises(ModelCorrupted):
        with_builtin.get("multi-task")
    assert with_builtin.rollback("multi-task").version == 0


@pytest.mark.parametrize("name", ["model.bin", "model.pt", "weights.pkl", "run.py", "noext"])
def test_formats_that_run_code_are_refused(
    registry: ModelRegistry, checkpoint: Path, name: str
) -> None:
    (checkpoint / name).write_bytes(b"x")
    with pytest.raises(InvalidInput, match="run code"):
        register(registry, checkpoint)
    assert registry.list() == []


def test_links_and_devices_are_refused(registry: ModelRegistry, checkpoint: Path) -> None:
    (checkpoint / "elsewhere.json").symlink_to("/etc/hostname")
    with pytest.raises(InvalidInput, match="link"):
        register(registry, checkpoint)
    (checkpoint / "elsewhere.json").unlink()
    os.mkfifo(checkpoint / "pipe.json")
    with pytest.raises(InvalidInput, match="device"):
        register(registry, checkpoint)


def test_a_linked_folder_is_refused(registry: ModelRegistry, checkpoint: Path) -> None:
    (checkpoint / "more").symlink_to(checkpoint.parent, target_is_directory=True)
    with pytest.raises(InvalidInput, match="link"):
        register(registry, checkpoint)


def test_an_empty_or_missing_checkpoint_is_refused(registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="must hold"):
        register(registry, tmp_path / "empty")
    with pytest.raises(InvalidInput, match="not a folder"):
        register(registry, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "UPPER", "-a", "a" * 65, "ü", "a.b", "a\n"])
def test_names_that_could_escape_are_refused(
    registry: ModelRegistry, checkpoint: Path, name: str
) -> None:
    with pytest.raises(InvalidInput, match="name"):
        registry.register(name, checkpoint, kind="classification")
    with pytest.raises(InvalidInput, match="name"):
        registry.get(name)


@pytest.mark.parametrize("label", ["", "champion", "7", "../x", "a b"])
def test_labels_that_mean_something_else_are_refused(
    registry: ModelRegistry, checkpoint: Path, label: str
) -> None:
    with pytest.raises(InvalidInput, match="label"):
        register(registry, checkpoint, label=label)


def test_a_label_belongs_to_one_version(registry: ModelRegistry, checkpoint: Path) -> None:
    register(registry, checkpoint, label="v1")
    with pytest.raises(InvalidInput, match="version 1"):
        register(registry, checkpoint, label="v1")


@pytest.mark.parametrize("metrics", [{"f1": math.nan}, {"f1": math.inf}, {"f1": object()}])
def test_metrics_that_are_no_numbers_are_refused(
    registry: ModelRegistry, checkpoint: Path, metrics: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput, match="metrics"):
        register(registry, checkpoint, metrics=metrics)


def test_metrics_and_lineage_survive_in_json_form(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    register(registry, checkpoint, metrics={"per_class": {10: 0.5, 9: 0.25}, "é": 1})
    assert registry.get("scam", 1).metrics == {"per_class": {"10": 0.5, "9": 0.25}, "é": 1}


def test_comparing_pairs_metrics_by_path(registry: ModelRegistry, checkpoint: Path) -> None:
    register(registry, checkpoint, metrics={"validation": {"f1": 0.5}, "rows": 10, "note": "x"})
    register(registry, checkpoint, metrics={"validation": {"f1": 0.75, "mae": 2}})
    compared = registry.compare("scam", 1, 2)
    assert compared == {
        "rows": MetricChange(10.0, None),
        "validation.f1": MetricChange(0.5, 0.75),
        "validation.mae": MetricChange(None, 2.0),
    }
    assert compared["validation.f1"].difference == 0.25
    assert compared["rows"].difference is None


def test_history_tells_every_change(registry: ModelRegistry, checkpoint: Path) -> None:
    for _ in range(2):
        register(registry, checkpoint)
    registry.promote("scam", 1)
    registry.promote("scam", 2)
    registry.rollback("scam")
    told = [(event["event"], event["version"]) for event in registry.history("scam")]
    assert told == [
        ("registered", 1),
        ("registered", 2),
        ("promoted", 1),
        ("promoted", 2),
        ("rolled_back", 1),
    ]


def test_a_torn_history_line_is_dropped_by_the_next_writer(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    register(registry, checkpoint)
    with (registry.root / "scam" / "history.jsonl").open("ab") as stream:
        stream.write(b'{"event": "prom')
    assert len(registry.history("scam")) == 1
    registry.promote("scam", 1)
    assert [event["event"] for event in registry.history("scam")] == ["registered", "promoted"]


def test_unreadable_aliases_are_reported(registry: ModelRegistry, checkpoint: Path) -> None:
    register(registry, checkpoint)
    registry.promote("scam", 1)
    (registry.root / "scam" / "aliases.json").write_text("[]")
    with pytest.raises(ModelCorrupted, match=r"aliases\.json"):
        registry.get("scam")


def test_threads_that_register_at_once_get_numbers_of_their_own(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda: numbers.append(register(registry, checkpoint).version))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 9))


def test_a_copy_that_vanishes_while_others_are_looked_at_is_no_fault(tmp_path: Path) -> None:
    # Given registrations that begin and end in other threads all the time
    done = threading.Event()

    def begin_and_end() -> None:
        while not done.is_set():
            with staging_folder(tmp_path) as private:
                private.mkdir()

    threads = [threading.Thread(target=begin_and_end) for _ in range(3)]
    for thread in threads:
        thread.start()

    # Then those that begin meanwhile find what is abandoned without stumbling over them
    try:
        for _ in range(300):
            with staging_folder(tmp_path) as private:
                assert not private.exists()
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_registering_a_version_again_writes_a_manifest_of_its_own(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    first = register(registry, checkpoint)
    second = register(registry, first.path)
    manifest = json.loads((second.path / "MANIFEST.json").read_text())
    assert manifest["version"] == 2
    assert registry.get("scam", 2).version == 2


def test_a_version_describes_itself_as_plain_values(
    registry: ModelRegistry, checkpoint: Path
) -> None:
    described = register(registry, checkpoint, label="v1").as_dict()
    assert json.loads(json.dumps(described)) == described


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)
