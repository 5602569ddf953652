"""models: what the registry holds, and putting versions in and out of service."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from jobsentinel import Producer
from jobsentinel_workers.registry import ModelRegistry

Run = Callable[..., Result]


def json_rows(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_models_are_listed_with_those_of_the_package(run: Run, registry: ModelRegistry) -> None:
    rows = json_rows(run("models", "list", "--json"))
    table = run("models", "list", "mine").stdout

    assert [(row["name"], row["version"]) for row in rows] == [
        *(("mine", 1), ("mine", 2)),
        *(("multi-task", 0), ("reranker", 0)),
    ]
    assert "champion" in table
    assert max(map(len, table.splitlines())) <= 80


def test_a_promotion_is_told_to_producers_and_can_be_undone(
    run: Run, registry: ModelRegistry, producer: Producer
) -> None:
    # Given what producers know of the models
    before = producer.ledger.models_generation()

    # When a version is promoted by its label, and rolled back
    promoted = json_rows(run("models", "promote", "mine", "v1.1", "--json"))
    between = producer.ledger.models_generation()
    restored = json_rows(run("models", "rollback", "mine", "--json"))
    after = producer.ledger.models_generation()

    # Then each is in service in turn, and equal requests are new work each time
    assert [row["version"] for row in promoted + restored] == [2, 1]
    assert registry.get("mine").version == 1
    assert len({before, between, after}) == 3


def test_a_promotion_without_redis_is_done_and_says_what_that_means(
    run: Run, registry: ModelRegistry
) -> None:
    result = run("--redis-url", "redis://127.0.0.1:1/0", "models", "promote", "mine", "2")

    assert result.exit_code == 0
    assert registry.get("mine").version == 2
    assert "Redis cannot be reached" in result.stderr


def test_two_versions_are_compared_by_their_metrics(run: Run, registry: ModelRegistry) -> None:
    rows = json_rows(run("models", "compare", "mine", "1", "v1.1", "--json"))

    assert rows == [{"metric": "validation.accuracy", "first": 0.5, "second": 0.75, "change": 0.25}]


def test_show_prints_the_champion_unless_told_otherwise(run: Run, registry: ModelRegistry) -> None:
    assert "mine version 1" in run("models", "show", "mine").stdout
    assert "metric validation.accuracy  0.75" in run("models", "show", "mine", "2").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "nobody"], "model 'nobody' has no version 'champion'"),
        (["promote", "mine", "9"], "version 9"),
        (["rollback", "mine"], "previous"),
    ],
)
def test_what_is_not_there_fails_with_its_name(
    run: Run, registry: ModelRegistry, arguments: list[str], told: str
) -> None:
    result = run("models", *arguments)

    assert result.exit_code == 1
    assert told in result.stderr


def test_a_damaged_version_is_told_and_fails(run: Run, registry: ModelRegistry) -> None:
    # Given a file that changed after it was registered
    file = registry.get("mine", 1).path / "config.json"
    file.chmod(0o644)
    file.write_text('{"changed": true}')

    # Then showing it fails, and names the file
    result = run("models", "show", "mine")
    assert result.exit_code == 1
    assert "config.json" in result.stderr
