"""doctor: what it says of a healthy installation, and of ones that are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import Result

from jobsentinel import Settings
from jobsentinel_workers.cli import checkup
from jobsentinel_workers.cli.finding import Finding
from jobsentinel_workers.cli.redis_checkup import redis_findings
from jobsentinel_workers.models_in_service import open_registry
from jobsentinel_workers.store import Database

Run = Callable[..., Result]


def json_rows(result: Result) -> dict[str, Any]:
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return {row["name"]: row for row in rows}


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.fixture
def server(settings: Settings) -> Iterator[redis.Redis]:
    """The Redis of the tests, whose settings are put back at the end."""
    assert settings.redis_url is not None
    client = redis.Redis.from_url(settings.redis_url)
    yield client
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("appendonly", "yes")
    client.close()


def test_a_healthy_installation_is_ok_and_nothing_is_made(run: Run, settings: Settings) -> None:
    # When everything is there and Redis runs
    result = run("doctor", "--json")

    # Then every line is ok, and looking has left nothing behind
    found = json_rows(result)
    assert {name: row["found"] for name, row in found.items() if row["level"] != "ok"} == {}
    assert result.exit_code == 0
    assert {"python", "packages", "precision", "threads", "encoder", "store"} <= set(found)
    assert {"starter multi-task", "starter reranker", "redis", "redis policy"} <= set(found)
    assert not settings.data_dir.exists()


def test_people_read_a_line_a_check_and_a_sum(run: Run) -> None:
    result = run("--redis-url", "redis://:secret@127.0.0.1:1/0", "doctor")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "FAIL  redis" in result.stdout
    assert "secret" not in result.output
    assert "1 FAIL" in result.stderr


def test_an_embedded_server_that_does_not_run_yet_is_no_failure(tmp_path: Path) -> None:
    found = by_name(redis_findings(Settings.load(data_dir=tmp_path)))

    assert found["embedded server"].level == "ok"
    assert found["redis"].level == "warn"
    assert "jobsentinel up" in found["redis"].advice


def test_a_redis_that_would_lose_jobs_is_told(settings: Settings, server: redis.Redis) -> None:
    # Given a server set up as a cache
    server.config_set("maxmemory-policy", "allkeys-lru")
    server.config_set("appendonly", "no")

    # Then one setting is a failure, the other a warning, each with the command that mends it
    found = by_name(redis_findings(settings))
    assert found["redis policy"].level == "FAIL"
    assert "CONFIG SET maxmemory-policy noeviction" in found["redis policy"].advice
    assert found["redis appendonly"].level == "warn"
    assert "CONFIG SET appendonly yes" in found["redis appendonly"].advice


def test_a_redis_that_hides_its_settings_is_a_warning(
    settings: Settings, server: redis.Redis
) -> None:
    # Given a user who may do anything but read the configuration, as managed servers have it
    name, word = settings.namespace, "pass"
    server.acl_setuser(
        name, enabled=True, passwords=[f"+{word}"], categories=["+@all"], commands=["-config"]
    )
    assert settings.redis_url is not None
    address = settings.redis_url.partition("@")[2]
    as_user = settings.model_copy(update={"redis_url": f"redis://{name}:{word}@{address}"})

    # Then it cannot be read, which is said, and is no failure
    found = by_name(redis_findings(as_user))
    server.acl_deluser(name)
    assert found["redis"].level == "ok"
    assert found["redis policy"].level == "warn"
    assert "cannot be read" in found["redis policy"].found


def test_a_damaged_champion_and_a_damaged_store_are_failures(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    # Given a champion whose file changed, and a store that is no database
    registry = open_registry(settings)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    file = registry.register("mine", folder, kind="classification").path / "config.json"
    registry.promote("mine", 1)
    file.chmod(0o644)
    file.write_text("[]")
    (settings.data_dir / "jobsentinel.db").write_text("no database " * 100)

    # Then both are told with what to do, and the rest is still checked
    result = run("doctor", "--json")
    found = json_rows(result)
    assert result.exit_code == 1
    assert found["model mine"]["level"] == "FAIL"
    assert "rollback mine" in found["model mine"]["advice"]
    assert found["store"]["level"] == "FAIL"
    assert found["redis"]["level"] == "ok"


def test_a_version_that_nobody_promoted_is_no_failure(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    open_registry(settings).register("mine", folder, kind="classification")

    found = json_rows(run("doctor", "--json"))["model mine"]

    assert (found["level"], found["found"]) == ("ok", "1 version(s), none in service")


def test_an_existing_store_is_opened(run: Run, settings: Settings) -> None:
    Database.open(settings.store_url).close()

    assert "writable" in json_rows(run("doctor", "--json"))["store"]["found"]


def test_missing_packages_are_named_and_the_rest_is_left_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an installation without the workers
    monkeypatch.setattr(checkup, "PACKAGES", ("redis", "no-such-package"))

    # Then that is one failure, not one for each check that needs them
    result = run("doctor", "--json")
    found = json_rows(result)
    assert result.exit_code == 1
    assert found["packages"]["found"] == "missing: no-such-package"
    assert "jobsentinel-ml[workers]" in found["packages"]["advice"]
    assert [name for name, row in found.items() if row["level"] == "FAIL"] == ["packages"]


def test_a_wrong_setting_is_named(run: Run) -> None:
    result = run("doctor", JOBSENTINEL_CPU_THREADS="many")

    assert result.exit_code == 1
    assert "JOBSENTINEL_CPU_THREADS" in result.stdout
