"""What the tests of `deploy/` read: rendered overlays, compose.yaml, and the pods in them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from deploy.checking.kustomize import Manifest, nodes_of
from deploy.checking.overlays import rendered
from deploy.checking.rules import WORKLOADS, pod_of

from jobsentinel import Settings
from jobsentinel_workers.health import HEALTH_FILE_VARIABLE
from jobsentinel_workers.process import READY_FILE_VARIABLE

REPOSITORY = Path(__file__).resolve().parents[2]
KNOWN_NAMES = {
    *(f"JOBSENTINEL_{name.upper()}" for name in Settings.model_fields),
    HEALTH_FILE_VARIABLE,
    READY_FILE_VARIABLE,
}


@cache
def overlays() -> dict[str, list[Manifest]]:
    return rendered()


@cache
def compose() -> dict[str, Any]:
    whole: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text("utf-8"))
    return whole


def one(overlay: str, kind: str, name: str) -> Manifest:
    (found,) = (
        each
        for each in overlays()[overlay]
        if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def of_kind(overlay: str, kind: str) -> list[Manifest]:
    return [each for each in overlays()[overlay] if each["kind"] == kind]


def workloads(overlay: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in overlays()[overlay] if m["kind"] in WORKLOADS}


def container(overlay: str, name: str) -> dict[str, Any]:
    (found,) = pod_of(workloads(overlay)[name])["containers"]
    return dict(found)


def environment(overlay: str, name: str) -> dict[str, str]:
    """Return what a container of the overlay finds in its environment; secrets are their names."""
    found = container(overlay, name)
    values: dict[str, str] = {}
    for each in found.get("envFrom", ()):
        whole = each["configMapRef"]["name"]
        (config,) = (m for m in of_kind(overlay, "ConfigMap") if m["metadata"]["name"] == whole)
        values |= config["data"]
    for each in found.get("env", ()):
        values[each["name"]] = each.get("value", f"<{each['name']}>")
    return values


def expressions(overlay: str) -> list[str]:
    """Return every query of a trigger and an alert."""
    found = [node.get("query") or node.get("expr") for node in nodes_of(overlays()[overlay])]
    return [each for each in found if isinstance(each, str)]


def seconds(duration: str) -> float:
    """Return a duration of compose: ``30s`` or ``5m``."""
    return float(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]
