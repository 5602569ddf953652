"""compose.yaml agrees with the settings, with .env.example, and with the manifests."""

from __future__ import annotations

import re
from typing import Any

import flower.options  # noqa: F401  # defines the options that are looked up
import pytest
from deployed import KNOWN_NAMES, REPOSITORY, compose, container, environment, seconds
from tornado.options import options

from jobsentinel import Settings

WORKERS = ("inference", "training")
FLEET = (*WORKERS, "beat", "flower")
SERVICES: dict[str, Any] = compose()["services"]
every_service = pytest.mark.parametrize("name", SERVICES)


def variables() -> dict[str, str]:
    """Return each variable that compose fills in, and its default; ``?`` if there must be one."""
    text = (REPOSITORY / "compose.yaml").read_text("utf-8")
    text = re.sub(r"(?m)^\s*#.*$", "", text).replace("$$", "")
    return dict(re.findall(r"\$\{([A-Z_]+)([^}]*)\}", text))


def test_every_name_in_an_environment_is_read_by_somebody() -> None:
    names = {name for service in FLEET for name in SERVICES[service]["environment"]}

    of_flower = {name for name in names if name.startswith("FLOWER_")}

    assert names - of_flower - KNOWN_NAMES == set()
    assert {name.removeprefix("FLOWER_").lower() for name in of_flower} <= set(options.as_dict())


def test_the_example_of_the_environment_has_every_variable_and_no_other() -> None:
    example = (REPOSITORY / ".env.example").read_text("utf-8")

    told = dict(re.findall(r"(?m)^#?([A-Z_]+)=(.*)$", example))

    assert set(told) == set(variables())
    for name, rest in variables().items():
        if rest.startswith(":?"):
            assert told[name] == "", f"{name} has a password that everybody knows"
        elif rest.removeprefix(":-") and name != "DATABASE_URL":
            assert told[name] == rest.removeprefix(":-")


def test_every_password_is_asked_for() -> None:
    for name, rest in variables().items():
        if "PASSWORD" in name or "KEY" in name or "AUTH" in name:
            # Empty ones belong to profiles; Postgres refuses to start so.
            assert rest.startswith(":?") or rest == ":-", name


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_has_its_grace_period_and_starts_as_in_kubernetes(worker: str) -> None:
    service, pod = SERVICES[worker], environment("single-node", worker)

    settings = service["environment"]

    assert seconds(service["stop_grace_period"]) == float(settings["JOBSENTINEL_SHUTDOWN_GRACE_S"])
    assert service["command"] == container("single-node", worker)["args"]
    shared = (settings.keys() & pod.keys()) - {
        "JOBSENTINEL_REDIS_URL",
        "JOBSENTINEL_DATABASE_URL",
        "JOBSENTINEL_AUDIT_KEY",
        "JOBSENTINEL_NAMESPACE",
    }
    assert {name: settings[name] for name in shared} == {name: pod[name] for name in shared}


def test_defaults_that_are_repeated_are_those_of_the_settings() -> None:
    settings = SERVICES["inference"]["environment"]

    assert settings["JOBSENTINEL_NAMESPACE"] == f"${{NAMESPACE:-{Settings.load().namespace}}}"
    assert int(settings["JOBSENTINEL_TRAINING_SOFT_LIMIT_S"]) == (
        Settings.load().training_soft_limit_s
    )
    assert int(settings["JOBSENTINEL_INFERENCE_THREADS"]) == Settings.load().inference_threads


def test_beat_and_flower_start_as_in_kubernetes() -> None:
    for name in ("beat", "flower"):
        assert SERVICES[name]["command"] == container("single-node", name)["args"]


@every_service
def test_every_service_is_restricted_and_limited(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"])


@every_service
def test_ports_are_open_on_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")


@every_service
def test_what_a_service_needs_is_there(name: str) -> None:
    service, whole = SERVICES[name], compose()

    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        assert (REPOSITORY / source).is_dir() if source[0] == "." else source in whole["volumes"]
    for needed, how in service.get("depends_on", {}).items():
        assert how["condition"] == "service_healthy"
        assert "healthcheck" in SERVICES[needed]
    assert set(service["networks"]) <= set(whole["networks"])


def test_nothing_that_is_computed_with_can_reach_the_world() -> None:
    networks = compose()["networks"]

    assert networks["inside"] == {"internal": True}
    assert networks["door"]["driver_opts"] == {
        "com.docker.network.bridge.enable_ip_masquerade": "false"
    }
    for name in (*WORKERS, "beat", "postgres"):
        assert SERVICES[name]["networks"] == ["inside"]
    assert set(networks) == {"inside", "door"}


def test_profiles_are_what_the_first_lines_say() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}

    assert {name for name, found in profiles.items() if not found} == {"redis", *FLEET}
    assert profiles["postgres"] == ["postgres"]
    assert profiles["prometheus"] == profiles["grafana"] == ["monitoring"]
