"""Manifests against schemas: the API's own for three versions, ours for custom resources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
from deploy.checking.kustomize import Manifest

KUBERNETES_VERSIONS: Final = ("1.33", "1.35", "1.37")
SCHEMAS: Final = Path(__file__).resolve().parents[1] / "schemas"


def schema_problems(manifests: Iterable[Manifest]) -> Iterator[str]:
    """Yield what is wrong with each manifest, naming it and the field.

    A field that a schema does not know is wrong too.
    """
    for manifest in manifests:
        name = f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"
        file = SCHEMAS / f"{manifest.get('kind')}.json"
        found = _by_our_schema(manifest, file) if file.exists() else _by_the_api(manifest)
        yield from (f"{name}: {problem}" for problem in found)


def _by_our_schema(manifest: Manifest, file: Path) -> Iterator[str]:
    validator = jsonschema.Draft202012Validator(json.loads(file.read_text("utf-8")))
    for error in validator.iter_errors(manifest):
        yield f"{error.json_path}: {error.message}"


def _by_the_api(manifest: Manifest) -> Iterator[str]:
    for version in KUBERNETES_VERSIONS:
        if problem := _problem(manifest, version):
            yield f"Kubernetes {version}: {problem}"


def _problem(manifest: Manifest, version: str) -> str | None:
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        path: Any = ".".join(map(str, error.path))
        return f"{path}: {error.message}"
    except (
        kubernetes_validate.SchemaNotFoundError,
        kubernetes_validate.InvalidSchemaError,
    ) as error:
        return f"{error}: write a schema into {SCHEMAS.name}/"
    return None
