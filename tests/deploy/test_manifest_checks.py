"""`python -m deploy.checking`: it passes what is there, and refuses each mistake by name."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.checking.json_patch import PatchError, patched
from deploy.checking.kustomize import Manifest, RenderError, render
from deploy.checking.overlays import OVERLAYS, filled_copy
from deploy.checking.rules import rule_problems
from deploy.checking.schemas import schema_problems
from deployed import REPOSITORY, overlays


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


def test_everything_in_deploy_passes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.checking"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "0 problems" in done.stdout


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="install kubectl to compare with it")
def test_our_renderer_agrees_with_kubectl() -> None:
    with filled_copy() as kubernetes:
        for overlay in OVERLAYS:
            folder = kubernetes / "overlays" / overlay

            theirs = subprocess.run(
                ["kubectl", "kustomize", folder], capture_output=True, text=True, check=True
            ).stdout

            assert by_name(render(folder)) == by_name(list(yaml.safe_load_all(theirs)))


def test_without_a_file_of_secrets_nothing_is_rendered(tmp_path: Path) -> None:
    copied = shutil.copytree(REPOSITORY / "deploy" / "kubernetes", tmp_path / "kubernetes")
    (copied / "components" / "secret-plain" / "secrets.env").unlink(missing_ok=True)

    with pytest.raises(RenderError, match=r"secrets\.env: No such file"):
        render(copied / "overlays" / "single-node")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("resources: [nowhere.yaml]", r"nowhere\.yaml: No such file"),
        ("namePrefix: a-", "namePrefix: this renderer does not know it"),
        ("secretGenerator: [{name: a, envs: []}]", "only with disableNameSuffixHash"),
        ("patches: [{target: {kind: Pod}, patch: '[]'}]", "nothing is"),
        ("patches: [{target: {kind: Pod}, patch: 'a: 1'}]", "only lists of operations"),
        ("resources: [", "kustomization.yaml: while parsing"),
    ],
)
def test_what_the_renderer_does_not_know_is_an_error(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(RenderError, match=told):
        render(tmp_path)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "remove", "path": "/a/7"},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "move", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/a/-"},
    ],
)
def test_a_patch_that_does_not_fit_is_an_error_with_its_path(operation: dict[str, Any]) -> None:
    document = {"a": [1, 2]}

    with pytest.raises(PatchError, match=str(operation["path"])):
        patched(document, [operation])

    assert document == {"a": [1, 2]}


def test_a_patch_adds_replaces_and_removes() -> None:
    document = {"a": [1, 2], "b/c": {"d": 1}}

    changed = patched(
        document,
        [
            {"op": "add", "path": "/a/-", "value": 3},
            {"op": "remove", "path": "/a/0"},
            {"op": "replace", "path": "/b~1c/d", "value": 2},
        ],
    )

    assert changed == {"a": [2, 3], "b/c": {"d": 2}}
    assert document == {"a": [1, 2], "b/c": {"d": 1}}


def change(kind: str, name: str, make: Callable[[Any], object]) -> list[Manifest]:
    """Return the production overlay with one manifest spoilt."""
    manifests = copy.deepcopy(overlays()["production"])
    make(by_name(manifests)[kind, name])
    return manifests


def first_container(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(
    ("kind", "name", "make", "told"),
    [
        (
            "Deployment",
            "inference",
            lambda m: first_container(m)["securityContext"].update(readOnlyRootFilesystem=False),
            "readOnlyRootFilesystem: must be True, is False",
        ),
        (
            "Deployment",
            "beat",
            lambda m: m["spec"]["template"]["spec"].pop("automountServiceAccountToken"),
            "automountServiceAccountToken: must be False, is None",
        ),
        (
            "Deployment",
            "flower",
            lambda m: first_container(m).update(image="flower:latest"),
            "flower:latest is of no version",
        ),
        (
            "Deployment",
            "flower",
            lambda m: first_container(m).update(image="host:5000/flower"),
            "host:5000/flower is of no version",
        ),
        (
            "Deployment",
            "training",
            lambda m: first_container(m)["resources"].pop("limits"),
            "resources.limits.memory: is missing",
        ),
        (
            "NetworkPolicy",
            "to-redis",
            lambda m: m["spec"]["egress"][0].pop("to"),
            "to-redis: egress to anywhere",
        ),
        (
            "NetworkPolicy",
            "to-postgres",
            lambda m: m["spec"]["egress"][0].update(to=[{"ipBlock": {"cidr": "0.0.0.0/0"}}]),
            "to-postgres: egress to anywhere",
        ),
        (
            "NetworkPolicy",
            "default-deny",
            lambda m: m["spec"].update(policyTypes=["Ingress"]),
            "none denies all",
        ),
        (
            "ExternalSecret",
            "jobsentinel-secrets",
            lambda m: m["spec"]["data"].pop(),
            "no secret has FLOWER_COOKIE_SECRET",
        ),
        (
            "PriorityClass",
            "jobsentinel-training",
            lambda m: m["metadata"].update(name="other"),
            "there is no PriorityClass jobsentinel-training",
        ),
        (
            "PodDisruptionBudget",
            "training",
            lambda m: m["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "x"}),
            "PodDisruptionBudget/training: selects nothing",
        ),
    ],
)
def test_a_broken_rule_is_named(
    kind: str, name: str, make: Callable[[Any], object], told: str
) -> None:
    problems = list(rule_problems(change(kind, name, make)))

    assert any(told in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("kind", "name", "make", "told"),
    [
        ("Service", "flower", lambda m: m["spec"].update(prots=[]), "prots"),
        ("Deployment", "beat", lambda m: m["spec"].update(replicas="two"), "Kubernetes 1.33"),
        ("ScaledObject", "training", lambda m: m["spec"].update(minReplicas=1), "minReplicas"),
        (
            "ScaledObject",
            "training",
            lambda m: m["spec"]["triggers"][0].update(type="redis"),
            "'prometheus' was expected",
        ),
        (
            "ScaledObject",
            "training",
            lambda m: m["spec"]["triggers"][0]["metadata"].update(threshold=1),
            "1 is not of type 'string'",
        ),
        ("ServiceMonitor", "flower", lambda m: m["spec"]["endpoints"].clear(), "endpoints"),
        (
            "PrometheusRule",
            "jobsentinel",
            lambda m: m["spec"]["groups"][0]["rules"][0].pop("annotations"),
            "'annotations' is a required property",
        ),
        (
            "ExternalSecret",
            "jobsentinel-secrets",
            lambda m: m.update(apiVersion="v1"),
            "apiVersion",
        ),
        ("Service", "flower", lambda m: m.update(kind="Servise"), "write a schema"),
    ],
)
def test_a_field_that_the_schema_does_not_allow_is_named(
    kind: str, name: str, make: Callable[[Any], object], told: str
) -> None:
    manifests = change(kind, name, make)
    spoilt = [each for each in manifests if each["metadata"]["name"] == name]

    problems = list(schema_problems(spoilt))

    assert any(told in problem for problem in problems), problems
