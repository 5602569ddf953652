"""models ab, verify, export, import and pull: what people type, see and are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from jobsentinel import Producer, Settings
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.starter import starter_path

Run = Callable[..., Result]


@pytest.fixture
def trained(registry: ModelRegistry) -> int:
    """A version of the scoring model beside that of the package."""
    return registry.register(
        "multi-task", starter_path("multi-task"), kind="multi-task", label="retrained"
    ).version


def only_row(result: Result) -> dict[str, Any]:
    [row] = [json.loads(line) for line in result.stdout.splitlines()]
    assert isinstance(row, dict)
    return row


def test_a_split_is_begun_shown_told_to_producers_and_ended(
    run: Run, registry: ModelRegistry, trained: int, producer: Producer
) -> None:
    before = producer.ledger.models_generation()

    begun = run("models", "ab", "multi-task", "retrained", "--share", "0.2", "--json")
    between = producer.ledger.models_generation()
    shown = run("models", "ab", "multi-task", "--json")
    ended = run("models", "ab", "multi-task", "--off", "--json")
    after = producer.ledger.models_generation()

    on = {"model": "multi-task", "champion": 0, "challenger": trained, "share": 0.2}
    assert only_row(begun) == only_row(shown) == on
    assert only_row(ended) == on | {"challenger": None, "share": None}
    assert len({before, between, after}) == 3


def test_a_split_shows_in_the_list(run: Run, registry: ModelRegistry, trained: int) -> None:
    registry.begin_split("multi-task", trained, 0.2)

    assert "challenger" in run("models", "list", "multi-task").stdout


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["multi-task", "1"], 2, "--share"),
        (["multi-task", "--share", "0.2"], 2, "--share"),
        (["multi-task", "1", "--share", "1.5"], 2, "between 0 and 1"),
        (["multi-task", "1", "--share", "nan"], 2, "between 0 and 1"),
        (["multi-task", "1", "--off"], 2, "--off"),
        (["multi-task", "0", "--share", "0.2"], 2, "champion already"),
        (["multi-task", "9", "--share", "0.2"], 1, "no version 9"),
        (["mine", "2", "--share", "0.2"], 2, "only 'multi-task'"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    run: Run, registry: ModelRegistry, arguments: list[str], code: int, told: str
) -> None:
    result = run("models", "ab", *arguments)

    assert result.exit_code == code
    assert told in result.stderr
    assert registry.aliases("multi-task").split is None


@pytest.mark.parametrize("command", [["promote"], ["ab", "--share", "0.2"]])
def test_a_model_for_another_base_never_gets_into_service(
    run: Run, registry: ModelRegistry, tmp_path: Path, command: list[str]
) -> None:
    folder = Path(shutil.copytree(starter_path("multi-task"), tmp_path / "foreign"))
    config = json.loads((folder / "config.json").read_text())
    config["encoder"]["sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))
    registry.register("multi-task", folder, kind="multi-task")
    before = registry.generation("multi-task")

    result = run("models", command[0], "multi-task", "1", *command[1:])

    assert result.exit_code == 1
    assert "stays out of service" in result.stderr
    assert "needs encoder" in result.stderr
    assert registry.generation("multi-task") == before


def test_verify_names_the_first_file_that_differs(run: Run, registry: ModelRegistry) -> None:
    assert run("models", "verify").exit_code == 0
    (registry.get("mine", 2).path / "extra.json").write_text("{}")

    result = run("models", "verify", "mine", "--json")

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [(row["version"], bool(row["problem"])) for row in rows] == [(1, False), (2, True)]
    assert "extra.json is not in the manifest" in result.stderr
    assert run("models", "verify", "mine", "v1.0").exit_code == 0
    assert run("models", "verify", "mine", "2").exit_code == 1
    assert run("models", "verify", "nobody").exit_code == 1


def test_a_version_goes_from_one_data_folder_to_another_and_serves_when_promoted(
    run: Run, registry: ModelRegistry, trained: int, settings: Settings, tmp_path: Path
) -> None:
    # Given a version that was exported
    file, there = tmp_path / "retrained.tar.gz", str(tmp_path / "there")
    exported = run("models", "export", "multi-task", trained, file, "--json")
    assert only_row(exported)["size_bytes"] == file.stat().st_size

    # When it is imported elsewhere, and pulled from the folder and under another label
    imported = run("models", "import", file, "--json", JOBSENTINEL_DATA_DIR=there)
    pulled = run(
        *("models", "pull", settings.data_dir, "multi-task", "retrained"),
        *("--label", "pulled", "--json"),
        JOBSENTINEL_DATA_DIR=there,
    )
    promoted = run("models", "promote", "multi-task", "pulled", JOBSENTINEL_DATA_DIR=there)

    # Then both are new versions, which load as a worker loads them
    assert [only_row(each)["version"] for each in (imported, pulled)] == [1, 2]
    assert promoted.exit_code == 0, promoted.stderr
    assert run("models", "verify", JOBSENTINEL_DATA_DIR=there).exit_code == 0


def test_what_is_no_archive_is_refused_and_leaves_nothing(
    run: Run, registry: ModelRegistry, tmp_path: Path
) -> None:
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")

    result = run("models", "import", tmp_path / "broken.tar.gz", "--name", "new")

    assert result.exit_code == 2
    assert "damaged" in result.stderr
    assert "new" not in registry.names()


def test_an_archive_above_the_limit_is_refused(
    run: Run, registry: ModelRegistry, trained: int, tmp_path: Path
) -> None:
    file = tmp_path / "large.tar.gz"
    run("models", "export", "multi-task", trained, file)

    result = run("models", "import", file, "--max-mib", "1", "--label", "small")

    assert result.exit_code == 2
    assert "allow more" in result.stderr
