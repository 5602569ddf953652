"""A renderer for the part of kustomize that our manifests use; anything else is an error.

It stands in for ``kubectl kustomize``, which no Python package brings; a test compares the two
where kubectl is there. Fields: https://kubectl.docs.kubernetes.io/references/kustomize/
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from deploy.checking.json_patch import patched

Manifest = dict[str, Any]

CLUSTER_WIDE: Final = frozenset({"Namespace", "PriorityClass"})
_HASH_LETTERS: Final = str.maketrans("013ae", "ghkmt")


class RenderError(Exception):
    """A kustomization asks for something that cannot be had; the message names the file."""


def render(folder: Path) -> list[Manifest]:
    """Return what ``kubectl kustomize FOLDER`` would print, in no particular order.

    Raises:
        RenderError: a file is missing, or a field is not among those known here.
    """
    return _with_hashed_names(_accumulate(folder, []))


def _accumulate(folder: Path, found: list[Manifest]) -> list[Manifest]:
    """Return ``found`` and what ``folder`` adds, with its changes made to all of it."""
    file = folder / "kustomization.yaml"
    (kustomization,) = _documents(file)
    fields = {k: v for k, v in kustomization.items() if k not in ("apiVersion", "kind")}
    if unknown := sorted(set(fields) - set(_ORDER)):
        raise RenderError(f"{file}: {unknown[0]}: this renderer does not know it")
    for name, step in _ORDER.items():
        if name in fields:
            found = step(folder, found, fields[name])
    return found


def _documents(file: Path) -> list[Manifest]:
    try:
        return [each for each in yaml.safe_load_all(file.read_text("utf-8")) if each]
    except OSError as error:
        raise RenderError(f"{file}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise RenderError(f"{file}: {error}") from None


def _resources(folder: Path, found: list[Manifest], names: list[str]) -> list[Manifest]:
    for name in names:
        path = folder / name
        found = [*found, *(_accumulate(path, []) if path.is_dir() else _documents(path))]
    return found


def _components(folder: Path, found: list[Manifest], names: list[str]) -> list[Manifest]:
    for name in names:
        found = _accumulate(folder / name, found)
    return found


def _config_maps(folder: Path, found: list[Manifest], made: list[Manifest]) -> list[Manifest]:
    maps = []
    for each in made:
        data = dict(pair.split("=", 1) for pair in each.get("literals", ()))
        data |= {name: _text(folder / name) for name in each.get("files", ())}
        maps.append(_made("ConfigMap", each, data))
    return [*found, *maps]


def _secrets(folder: Path, found: list[Manifest], made: list[Manifest]) -> list[Manifest]:
    secrets = []
    for each in made:
        if not each.get("options", {}).get("disableNameSuffixHash"):
            raise RenderError(f"{folder}: secretGenerator: only with disableNameSuffixHash")
        lines = [line for env in each["envs"] for line in _text(folder / env).splitlines()]
        pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
        data = {name: base64.b64encode(value.encode()).decode() for name, value in pairs}
        secrets.append(_made("Secret", each, data) | {"type": "Opaque"})
    return [*found, *secrets]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise RenderError(f"{file}: {error.strerror}") from None


def _made(kind: str, each: Manifest, data: Mapping[str, str]) -> Manifest:
    hashed = not each.get("options", {}).get("disableNameSuffixHash")
    made = {"apiVersion": "v1", "kind": kind, "metadata": {"name": each["name"]}, "data": data}
    return made | ({"needs hash": True} if hashed else {})


def _patches(folder: Path, found: list[Manifest], patches: list[Manifest]) -> list[Manifest]:
    for each in patches:
        target, operations = each["target"], yaml.safe_load(each["patch"])
        if not isinstance(operations, list):
            raise RenderError(f"{folder}: patches: only lists of operations (RFC 6902)")
        chosen = [i for i, manifest in enumerate(found) if _is_target(manifest, target)]
        if not chosen:
            raise RenderError(f"{folder}: patches: nothing is {target}")
        for i in chosen:
            found[i] = patched(found[i], operations)
    return found


def _is_target(manifest: Manifest, target: Mapping[str, str]) -> bool:
    told = {"kind": manifest["kind"], "name": manifest["metadata"]["name"]}
    return all(re.fullmatch(pattern, told[key]) for key, pattern in target.items())


def _namespace(_: Path, found: list[Manifest], name: str) -> list[Manifest]:
    for manifest in found:
        if manifest["kind"] not in CLUSTER_WIDE:
            manifest["metadata"]["namespace"] = name
    return found


def _labels(_: Path, found: list[Manifest], labels: list[Manifest]) -> list[Manifest]:
    for each in labels:
        for manifest in found:
            template = manifest.get("spec", {}).get("template")
            for owner in (manifest, template if each.get("includeTemplates") else None):
                if owner is not None:
                    owner["metadata"].setdefault("labels", {}).update(each["pairs"])
    return found


def _images(_: Path, found: list[Manifest], images: list[Manifest]) -> list[Manifest]:
    new_names = {each["name"]: each for each in images}
    for container in (node for node in nodes_of(found) if "image" in node):
        name = re.sub(r"(:[^/:@]+)?(@.+)?$", "", container["image"], count=1)
        tag = container["image"].removeprefix(name)
        if each := new_names.get(name):
            if "digest" in each:
                tag = f"@{each['digest']}"
            elif "newTag" in each:
                tag = f":{each['newTag']}"
            container["image"] = each.get("newName", name) + tag
    return found


_ORDER: Final[dict[str, Callable[[Path, list[Manifest], Any], list[Manifest]]]] = {
    "resources": _resources,
    "components": _components,
    "configMapGenerator": _config_maps,
    "secretGenerator": _secrets,
    "patches": _patches,
    "namespace": _namespace,
    "labels": _labels,
    "images": _images,
}
"""The fields that are known, in the order in which kustomize works on them."""


def _with_hashed_names(found: list[Manifest]) -> list[Manifest]:
    """Give each made ConfigMap a name that tells its content, and use that name everywhere."""
    new_names = {}
    for manifest in found:
        if manifest.pop("needs hash", False):
            name = manifest["metadata"]["name"]
            new_names[name] = manifest["metadata"]["name"] = f"{name}-{_hash(manifest['data'])}"
    for node in nodes_of(found):
        for key in ("configMapRef", "configMapKeyRef", "configMap"):
            if isinstance(node.get(key), dict) and "name" in node[key]:
                node[key]["name"] = new_names.get(node[key]["name"], node[key]["name"])
    return found


def _hash(data: Mapping[str, str]) -> str:
    """Return kustomize's hash of a ConfigMap, in which the place of the name is empty."""
    told = {"data": data, "kind": "ConfigMap", "name": ""}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&":  # as Go writes JSON, fit for HTML
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return hashlib.sha256(text.encode()).hexdigest()[:10].translate(_HASH_LETTERS)


def nodes_of(node: object) -> Iterator[dict[str, Any]]:
    """Yield every mapping inside ``node``."""
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from nodes_of(child)
