"""Versions that leave one registry and enter another, as a file, from a folder, or over HTTP.

What enters is checked file by file against the manifest it brings, and becomes a new version with a
number of its own and a line on where it came from. If anything is wrong, nothing of it is seen.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from jobsentinel.contract.errors import InvalidInput, ModelCorrupted
from jobsentinel_workers.registry.archives import MAX_BYTES, read_archive, write_archive
from jobsentinel_workers.registry.downloading import download, is_url, shown_url
from jobsentinel_workers.registry.manifest import (
    MANIFEST_NAME,
    Manifest,
    list_plain_files,
    read_manifest,
)
from jobsentinel_workers.registry.model_folder import ModelFolder
from jobsentinel_workers.registry.model_registry import ModelRegistry
from jobsentinel_workers.registry.names import CHAMPION, check_name
from jobsentinel_workers.registry.registration import check_facts, publish_version
from jobsentinel_workers.registry.staging import staged_copy, staging_folder
from jobsentinel_workers.registry.versions import ModelVersion


def export_version(
    registry: ModelRegistry, name: str, version: int | str, target: Path
) -> ModelVersion:
    """Write a version, its files checked, to the archive ``target``; return the version.

    Raises:
        InvalidInput: it is the package's own, which every installation has.
        ModelUnavailable: there is no such version.
        ModelCorrupted: a file is missing or changed; nothing is written.
    """
    found = registry.get(name, version)
    if found.is_builtin:
        raise InvalidInput("version", "0 comes with the package; install the package there")
    write_archive(found.path, target)
    return found


def import_archive(
    registry: ModelRegistry,
    archive: Path,
    *,
    name: str | None = None,
    label: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> ModelVersion:
    """Take the version in ``archive`` in as the next one of its model; it does not serve yet.

    Args:
        name: the model's name here; by default the one it had.
        label: its label here; by default the one it had.
        max_bytes: of its files together.

    Raises:
        InvalidInput: the archive is damaged, too large, or holds what a version may not hold.
        ModelCorrupted: its files are not those of its manifest.
    """
    with staging_folder(registry.root) as staged:
        read_archive(archive, staged, max_bytes=max_bytes)
        return _take_in(registry, staged, archive.name, name=name, label=label)


def pull_version(
    registry: ModelRegistry,
    source: str,
    name: str,
    version: int | str | None = None,
    *,
    label: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> ModelVersion:
    """Take a version of the model ``name`` in from another data folder or an archive's address.

    Args:
        source: the folder, or an http or https address of what `export_version` wrote.
        version: a number, a label or an alias there; by default the folder's champion, or whatever
            the archive holds.

    Raises:
        InvalidInput: the source is none, or sends what is too large or may not be in a version.
        ModelUnavailable: the source or the version is not there.
        ModelCorrupted: files are not those of their manifest.
    """
    check_name(name)
    if not is_url(source):
        return _pull_from_folder(
            registry,
            Path(source),
            name,
            CHAMPION if version is None else version,
            label=label,
            max_bytes=max_bytes,
        )
    with staging_folder(registry.root) as staged:
        staged.mkdir(parents=True)
        archive = staged / "archive.tar.gz"
        download(source, archive, max_bytes=max_bytes)
        read_archive(archive, staged / "files", max_bytes=max_bytes)
        manifest = _checked_manifest(staged / "files", shown_url(source))
        _refuse_another(manifest, name, version)
        return _take_in(registry, staged / "files", shown_url(source), name=name, label=label)


def _pull_from_folder(
    registry: ModelRegistry,
    source: Path,
    name: str,
    version: int | str,
    *,
    label: str | None,
    max_bytes: int,
) -> ModelVersion:
    models = source / "models"
    if not models.is_dir():
        raise InvalidInput(
            "source", f"{source} is no data folder with models; `models import` takes archives"
        )
    if models.resolve() == registry.root.resolve():
        raise InvalidInput("source", f"{source} is the data folder in use")
    found = ModelRegistry(models).get(name, version)
    size = sum(path.stat().st_size for path in list_plain_files(found.path))
    if size > max_bytes:
        raise InvalidInput("source", f"has {size} bytes in that version; allow more")
    with staged_copy(found.path, registry.root) as staged:
        shutil.copyfile(found.path / MANIFEST_NAME, staged / MANIFEST_NAME)
        return _take_in(registry, staged, str(source), name=name, label=label)


def _take_in(
    registry: ModelRegistry, staged: Path, source: str, *, name: str | None, label: str | None
) -> ModelVersion:
    manifest = _checked_manifest(staged, source)
    name = check_name(manifest.name if name is None else name)
    registry.refuse_kind(name, manifest.kind)
    facts = check_facts(
        kind=manifest.kind,
        metrics=manifest.metrics,
        lineage={**manifest.lineage, "imported_from": _origin(manifest, source)},
        label=manifest.label if label is None else label,
        created_at=manifest.created_at,
    )
    # Its number and name are new, so it gets a manifest of its own; the old one's seal is kept.
    (staged / MANIFEST_NAME).unlink()
    number = publish_version(ModelFolder(name, registry.root / name), staged, facts)
    return registry.get(name, number, verify=False)


def _origin(manifest: Manifest, source: str) -> dict[str, Any]:
    return {
        "source": source,
        "name": manifest.name,
        "version": manifest.version,
        "manifest_sha256": manifest.seal,
    }


def _checked_manifest(staged: Path, source: str) -> Manifest:
    if not (staged / MANIFEST_NAME).is_file():
        raise ModelCorrupted(f"{source} has no {MANIFEST_NAME}, so nothing in it can be checked")
    try:
        manifest = read_manifest(staged)
    except ModelCorrupted as error:
        told = str(error).replace(f"{staged}/", "")
        raise ModelCorrupted(f"{source}: {told}") from error
    difference = manifest.first_difference(staged)
    if difference is not None:
        raise ModelCorrupted(f"{source}: {difference}; fetch it again or export it anew")
    list_plain_files(staged)
    return manifest


def _refuse_another(manifest: Manifest, name: str, version: int | str | None) -> None:
    if manifest.name != name:
        raise InvalidInput("name", f"the archive there holds the model {manifest.name!r}")
    if version not in {None, manifest.version, manifest.label}:
        raise InvalidInput("version", f"the archive there holds version {manifest.version}")
