"""Values that stand in a manifest and in the code are the same."""

from __future__ import annotations

import importlib.util
import re
from pathlib import PurePosixPath

import flower.options  # noqa: F401  # defines the options that are looked up
import pytest
from deploy.checking.kustomize import nodes_of
from deploy.checking.overlays import OVERLAYS
from deploy.checking.rules import pod_of
from deployed import (
    KNOWN_NAMES,
    container,
    environment,
    expressions,
    of_kind,
    one,
    workloads,
)
from tornado.options import options

from jobsentinel import Settings
from jobsentinel.contract.tasks import INFERENCE_QUEUES, QUEUES, TRAINING
from jobsentinel_workers.health import QUESTIONS, STALE_AFTER_S
from jobsentinel_workers.pools import INFERENCE, TRAINING_POOL, pool_for
from jobsentinel_workers.pulse import START_SILENCE_S

WORKERS = ("inference", "training")
FLEET = (*WORKERS, "beat", "flower")
METRICS = {
    "jobsentinel_queue_depth",
    "jobsentinel_jobs_running",
    "jobsentinel_queue_oldest_age_seconds",
}
AWAITED_MODULES = {"jobsentinel_workers.exporter"}
"""Manifests name what is to be written; once it is there, this set must lose it."""

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
every_worker = pytest.mark.parametrize("worker", WORKERS)


def settings_of(monkeypatch: pytest.MonkeyPatch, overlay: str, name: str) -> Settings:
    """Return the settings that a pod's environment makes."""
    for key, value in environment(overlay, name).items():
        secret = {
            "<JOBSENTINEL_REDIS_URL>": "redis://:password@redis:6379/0",
            "<JOBSENTINEL_DATABASE_URL>": "postgresql+psycopg://user:password@host/name",
            "<JOBSENTINEL_AUDIT_KEY>": "k" * 32,
        }
        monkeypatch.setenv(key, secret.get(value, value))
    return Settings.load()


@every_overlay
def test_every_name_in_an_environment_is_read_by_somebody(overlay: str) -> None:
    names = {name for pod in workloads(overlay) for name in environment(overlay, pod)}

    ours = {name for name in names if name.startswith("JOBSENTINEL_")}
    of_flower = {name.removeprefix("FLOWER_").lower() for name in names if "FLOWER_" in name}

    assert ours - KNOWN_NAMES == set()
    assert of_flower - set(options.as_dict()) == set()
    assert names - ours - {f"FLOWER_{name.upper()}" for name in of_flower} <= {"REDIS_PASSWORD"}


@every_overlay
@every_worker
def test_the_grace_period_is_the_workers_own(
    monkeypatch: pytest.MonkeyPatch, overlay: str, worker: str
) -> None:
    settings = settings_of(monkeypatch, overlay, worker)

    grace_s = pod_of(workloads(overlay)[worker])["terminationGracePeriodSeconds"]

    assert grace_s == settings.shutdown_grace_s


@every_overlay
def test_all_pods_have_the_same_prefix_of_keys_and_a_data_folder_on_a_volume(
    monkeypatch: pytest.MonkeyPatch, overlay: str
) -> None:
    settings = {name: settings_of(monkeypatch, overlay, name) for name in FLEET}

    mounts = {mount["mountPath"] for mount in container(overlay, "inference")["volumeMounts"]}

    assert {each.namespace for each in settings.values()} == {Settings.load().namespace}
    assert str(settings["inference"].data_dir) in mounts
    assert settings["inference"].data_dir == settings["training"].data_dir


@every_overlay
def test_every_queue_has_one_kind_of_worker_of_the_right_pool(overlay: str) -> None:
    served = {}
    for worker in WORKERS:
        args = container(overlay, worker)["args"]
        served[worker] = args[args.index("-Q") + 1]

    assert pool_for(served["inference"]) is INFERENCE
    assert pool_for(served["training"]) is TRAINING_POOL
    assert sorted(",".join(served.values()).split(",")) == sorted(QUEUES)


@every_overlay
@every_worker
def test_probes_ask_what_the_worker_answers_of_a_file_that_it_can_write(
    overlay: str, worker: str
) -> None:
    found = container(overlay, worker)
    probes = {name: found[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}

    asked = {name: probe["exec"]["command"] for name, probe in probes.items()}
    folder = PurePosixPath(environment(overlay, worker)["JOBSENTINEL_HEALTH_FILE"]).parent
    (mount,) = (m["name"] for m in found["volumeMounts"] if m["mountPath"] == str(folder))
    (volume,) = (v for v in pod_of(workloads(overlay)[worker])["volumes"] if v["name"] == mount)

    module = ["python", "-m", "jobsentinel_workers.health"]
    assert asked == {
        "startup": [*module, "live"],
        "liveness": [*module, "live"],
        "readiness": [*module, "ready"],
    }
    assert {command[-1] for command in asked.values()} == set(QUESTIONS)
    assert volume["emptyDir"]["medium"] == "Memory"


@every_overlay
@every_worker
def test_a_worker_may_take_as_long_to_start_as_its_pulse_allows(overlay: str, worker: str) -> None:
    spec, found = workloads(overlay)[worker]["spec"], container(overlay, worker)

    startup, liveness = found["startupProbe"], found["livenessProbe"]

    assert spec["progressDeadlineSeconds"] > START_SILENCE_S
    assert startup["periodSeconds"] * startup["failureThreshold"] > 2 * STALE_AFTER_S
    assert liveness["periodSeconds"] * liveness["failureThreshold"] > STALE_AFTER_S


@pytest.mark.parametrize("overlay", ["production", "gpu"])
def test_workers_follow_waiting_and_running_jobs_of_their_own_queues(overlay: str) -> None:
    for worker, queues in (("inference", INFERENCE_QUEUES), ("training", (TRAINING,))):
        scaled = one(overlay, "ScaledObject", worker)["spec"]
        queries = {each["name"]: each["metadata"]["query"] for each in scaled["triggers"]}

        followed = set(re.findall(r'queue=~?"([^"]+)"', " ".join(queries.values())))
        (pattern,) = followed

        assert tuple(queue for queue in QUEUES if re.fullmatch(pattern, queue)) == queues
        assert "jobsentinel_queue_depth" in queries["waiting-and-running"]
        assert "jobsentinel_jobs_running" in queries["waiting-and-running"]
        assert "replicas" not in workloads(overlay)[worker]["spec"]
        assert {each["metadata"]["ignoreNullValues"] for each in scaled["triggers"]} == {"false"}


def test_a_worker_is_added_for_four_times_what_one_has_in_its_hands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_of(monkeypatch, "production", "inference")

    triggers = one("production", "ScaledObject", "inference")["spec"]["triggers"]

    assert int(triggers[0]["metadata"]["threshold"]) == 4 * settings.inference_threads


@every_overlay
def test_queries_name_agreed_metrics_and_real_queues(overlay: str) -> None:
    whole = "\n".join(expressions(overlay))

    metrics = set(re.findall(r"jobsentinel_[a-z_]+", whole))
    queues = set(re.findall(r'queue="([^"]+)"', whole))

    assert metrics <= METRICS
    assert queues <= set(QUEUES)
    assert metrics == METRICS or overlay == "single-node"


@every_overlay
def test_modules_that_containers_start_are_there(overlay: str) -> None:
    named = set()
    for name in workloads(overlay):
        command = container(overlay, name).get("command", [])
        if "-m" in command:
            named.add(command[command.index("-m") + 1])

    missing = {module for module in named if importlib.util.find_spec(module) is None}

    assert missing == named & AWAITED_MODULES


@every_overlay
def test_ports_are_the_same_from_the_setting_to_the_network(overlay: str) -> None:
    port = int(environment(overlay, "flower")["FLOWER_PORT"])

    (opened,) = container(overlay, "flower")["ports"]
    (served,) = one(overlay, "Service", "flower")["spec"]["ports"]

    assert opened["containerPort"] == served["port"] == port
    for monitor in of_kind(overlay, "ServiceMonitor"):
        (service,) = (
            each
            for each in of_kind(overlay, "Service")
            if monitor["spec"]["selector"]["matchLabels"].items()
            <= each["metadata"]["labels"].items()
        )
        (watched,) = (each["port"] for each in monitor["spec"]["endpoints"])
        numbers = {each["name"]: each["port"] for each in service["spec"]["ports"]}
        allowed = one(overlay, "NetworkPolicy", "from-prometheus")["spec"]["ingress"][0]["ports"]
        assert numbers[watched] in {each["port"] for each in allowed}


@every_overlay
def test_whoever_knows_the_address_of_redis_may_go_there(overlay: str) -> None:
    names = {n for n in workloads(overlay) if "JOBSENTINEL_REDIS_URL" in environment(overlay, n)}
    stores = {
        n for n in workloads(overlay) if "JOBSENTINEL_DATABASE_URL" in environment(overlay, n)
    }

    (chosen,) = (
        node["values"]
        for node in nodes_of(one(overlay, "NetworkPolicy", "to-redis")["spec"]["podSelector"])
        if "values" in node
    )
    label = "jobsentinel.dev/uses-store"
    labelled = {
        name
        for name, each in workloads(overlay).items()
        if each["spec"]["template"]["metadata"]["labels"].get(label) == "true"
    }

    assert names <= set(chosen)
    assert stores == labelled == set(WORKERS)
