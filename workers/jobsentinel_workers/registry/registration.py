"""The last step of every way in: a complete copy becomes the next version of its model.

Registering, importing and pulling end here, so that all of them keep the same promises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.registry.durable_files import encode_json
from jobsentinel_workers.registry.manifest import Manifest, record_files
from jobsentinel_workers.registry.model_folder import ModelFolder
from jobsentinel_workers.registry.names import check_label, check_name, check_run_id


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said about a version beside its files, checked by `check_facts`."""

    kind: str
    metrics: Mapping[str, Any]
    lineage: Mapping[str, Any]
    label: str | None
    run_id: str | None
    created_at: datetime | None = None


def check_facts(
    *,
    kind: str,
    metrics: Mapping[str, Any] | None = None,
    lineage: Mapping[str, Any] | None = None,
    label: str | None = None,
    run_id: str | None = None,
    created_at: datetime | None = None,
) -> Facts:
    """Return the facts if a manifest can hold them.

    Raises:
        InvalidInput: naming the one that it cannot.
    """
    return Facts(
        kind=check_name(kind, "kind"),
        metrics=_plain(metrics, "metrics"),
        lineage=_plain(lineage, "lineage"),
        label=None if label is None else check_label(label),
        run_id=None if run_id is None else check_run_id(run_id),
        created_at=created_at,
    )


def publish_version(folder: ModelFolder, staged: Path, facts: Facts) -> int:
    """Give ``staged`` its manifest and its number, which is returned.

    Raises:
        InvalidInput: the label belongs to another version.
    """
    files = record_files(staged)
    with folder.writing():
        # Another process may have registered the same run while this one copied.
        known = folder.number_of_run(facts.run_id)
        if known is not None:
            return known
        _refuse_taken_label(folder, facts.label)
        manifest = Manifest(
            name=folder.name,
            version=folder.next_number(),
            kind=facts.kind,
            created_at=facts.created_at or datetime.now(UTC),
            files=files,
            metrics=facts.metrics,
            lineage=facts.lineage,
            label=facts.label,
            run_id=facts.run_id,
        )
        folder.publish(staged, manifest)
        return manifest.version


def _refuse_taken_label(folder: ModelFolder, label: str | None) -> None:
    owner = None if label is None else folder.number_of_label(label)
    if owner is not None:
        raise InvalidInput("label", f"{label!r} is already the label of version {owner}")


def _plain(tree: Mapping[str, Any] | None, field: str) -> Mapping[str, Any]:
    """Return ``tree`` as JSON would give it back, so that the manifest's seal stays true."""
    try:
        plain: dict[str, Any] = json.loads(encode_json(dict(tree or {})))
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            field, f"must be finite numbers, text, lists and mappings ({error})"
        ) from error
    return plain
