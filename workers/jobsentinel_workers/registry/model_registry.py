"""The registry: register, get, promote, roll back, list and compare versions of models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.registry.aliases import Aliases, read_aliases
from jobsentinel_workers.registry.comparison import MetricChange, compare_metrics
from jobsentinel_workers.registry.durable_files import encode_json
from jobsentinel_workers.registry.history import Event, read_events
from jobsentinel_workers.registry.manifest import (
    MANIFEST_NAME,
    Manifest,
    read_manifest,
    record_files,
)
from jobsentinel_workers.registry.model_folder import ModelFolder
from jobsentinel_workers.registry.names import (
    CHAMPION,
    PREVIOUS,
    check_label,
    check_name,
    check_run_id,
)
from jobsentinel_workers.registry.staging import staged_copy
from jobsentinel_workers.registry.versions import BUILTIN_VERSION, ModelVersion, version_of

# The method ``list`` hides the type of that name inside the class.
Versions: TypeAlias = list[ModelVersion]
Names: TypeAlias = list[str]
Events: TypeAlias = list[Event]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the caller of ``register`` says about a version, checked."""

    kind: str
    metrics: Mapping[str, Any]
    lineage: Mapping[str, Any]
    label: str | None
    run_id: str | None


class ModelRegistry:
    """Versions of models below ``root``, with the package's own weights as version 0.

    Making one touches nothing; folders appear with the first registration. Safe to share between
    threads and between processes of one machine.

    Args:
        root: the folder that holds one folder for each model.
        builtin: folders of weights that come with the package, by model name.
    """

    def __init__(self, root: Path | str, builtin: Mapping[str, Path | str] | None = None) -> None:
        self.root = Path(root)
        self._builtin = {check_name(name): Path(path) for name, path in (builtin or {}).items()}

    def register(
        self,
        name: str,
        checkpoint_path: Path | str,
        *,
        kind: str,
        metrics: Mapping[str, Any] | None = None,
        lineage: Mapping[str, Any] | None = None,
        label: str | None = None,
        run_id: str | None = None,
        move: bool = False,
    ) -> ModelVersion:
        """Copy a folder of model files in as the next version; it does not serve yet.

        Args:
            kind: what loads it, such as ``multi-task`` or ``classification``.
            metrics: numbers, nested as you like; NaN and infinities are refused.
            lineage: where it came from: data hash, parent, seed, library versions.
            label: your own name for the version, unique within the model.
            run_id: a second call with the same run returns the first call's version.
            move: remove ``checkpoint_path`` once the version is safe.

        Raises:
            InvalidInput: a name, label, metric or file that the registry does not take.
        """
        folder = self._folder(name)
        facts = _Facts(
            kind=check_name(kind, "kind"),
            metrics=_plain(metrics, "metrics"),
            lineage=_plain(lineage, "lineage"),
            label=None if label is None else check_label(label),
            run_id=None if run_id is None else check_run_id(run_id),
        )
        number = self._number_of_run(folder, run_id)
        if number is None:
            with staged_copy(Path(checkpoint_path), folder.path) as staged:
                number = self._publish(folder, staged, facts)
        if move:
            shutil.rmtree(checkpoint_path, ignore_errors=True)
        return self.get(name, number, verify=False)

    def get(self, name: str, version: int | str = CHAMPION, *, verify: bool = True) -> ModelVersion:
        """Return a version, its files checked against their SHA-256.

        ``version`` is ``champion``, ``previous``, a number or a label. Where nothing was ever
        promoted, the champion is the built-in version 0. A corrupt champion is an error, never
        silently replaced: roll back to take the previous one.

        Raises:
            ModelUnavailable: there is no such model or version.
            ModelCorrupted: a file is missing or changed; the message names it.
        """
        number = self._resolve(name, version)
        if number == BUILTIN_VERSION:
            return self._get_builtin(name, verify=verify)
        folder = self._folder(name)
        manifest = folder.manifest(number)
        if verify:
            manifest.verify(folder.version_path(number))
        names = self._aliases(name).names_of(number)
        return version_of(manifest, folder.version_path(number), names)

    def promote(self, name: str, version: int | str) -> ModelVersion:
        """Make ``version`` the champion, after checking its files; the old one is ``previous``.

        Promoting the champion changes nothing.

        Raises:
            ModelUnavailable: there is no such model or version.
            ModelCorrupted: a file is missing or changed; the champion stays.
        """
        target = self.get(name, version)
        folder = self._folder(name)
        with folder.writing():
            aliases = self._aliases(name)
            if aliases.champion != target.version:
                changed = aliases.with_champion(target.version, previous=aliases.champion)
                folder.change_champion("promoted", changed)
        return self.get(name, target.version, verify=False)

    def rollback(self, name: str) -> ModelVersion:
        """Swap champion and previous, after checking the files of the one that comes back.

        A second rollback undoes the first.

        Raises:
            ModelUnavailable: no version served before the present one.
            ModelCorrupted: the version to go back to is damaged; the champion stays.
        """
        folder = self._folder(name)
        self._resolve(name, PREVIOUS)
        with folder.writing():
            target = self.get(name, PREVIOUS)
            aliases = self._aliases(name)
            changed = aliases.with_champion(target.version, previous=aliases.champion)
            folder.change_champion("rolled_back", changed)
        return self.get(name, target.version, verify=False)

    def compare(self, name: str, first: int | str, second: int | str) -> dict[str, MetricChange]:
        """Pair the metrics of two versions by dotted path, such as ``validation.macro_f1``."""
        left, right = (self.get(name, each, verify=False) for each in (first, second))
        return compare_metrics(left.metrics, right.metrics)

    def generation(self, name: str) -> str:
        """Return a token that changes whenever the champion does; it costs one tiny read."""
        aliases = read_aliases(self._folder(name).path)
        return f"{aliases.generation}:{aliases.champion}"

    def history(self, name: str) -> Events:
        """Return what happened to a model, oldest first."""
        return read_events(self._folder(name).path)

    def names(self) -> Names:
        """Return the names of all models, the built-in ones among them."""
        paths = self.root.iterdir() if self.root.is_dir() else iter(())
        registered = {path.name for path in paths if (path / "versions").is_dir()}
        return sorted(registered | self._builtin.keys())

    def list(self, name: str | None = None) -> Versions:
        """Return every version of one model, or of all, oldest first.

        Only manifests are read. A version whose manifest is damaged is listed with its
        ``problem``, because that is when somebody looks.
        """
        names = self.names() if name is None else [check_name(name)]
        return [version for each in names for version in self._list_one(each)]

    def _folder(self, name: str) -> ModelFolder:
        return ModelFolder(check_name(name), self.root / name)

    def _aliases(self, name: str) -> Aliases:
        aliases = read_aliases(self._folder(name).path)
        if aliases.champion is None and name in self._builtin:
            return replace(aliases, champion=BUILTIN_VERSION)
        return aliases

    def _publish(self, folder: ModelFolder, staged: Path, facts: _Facts) -> int:
        files = record_files(staged)
        with folder.writing():
            # Another process may have registered the same run while this one copied.
            known = self._number_of_run(folder, facts.run_id)
            if known is not None:
                return known
            self._refuse_taken_label(folder, facts.label)
            manifest = Manifest(
                name=folder.name,
                version=max(folder.numbers(), default=BUILTIN_VERSION) + 1,
                kind=facts.kind,
                created_at=datetime.now(UTC),
                files=files,
                metrics=facts.metrics,
                lineage=facts.lineage,
                label=facts.label,
                run_id=facts.run_id,
            )
            folder.publish(staged, manifest)
            return manifest.version

    def _refuse_taken_label(self, folder: ModelFolder, label: str | None) -> None:
        owner = self._number_of_label(folder, label) if label else None
        if owner is not None:
            raise InvalidInput("label", f"{label!r} is already the label of version {owner}")

    def _number_of_run(self, folder: ModelFolder, run_id: str | None) -> int | None:
        if run_id is None:
            return None
        found = (each.version for each in folder.readable_manifests() if each.run_id == run_id)
        return next(found, None)

    def _number_of_label(self, folder: ModelFolder, label: str) -> int | None:
        found = (each.version for each in folder.readable_manifests() if each.label == label)
        return next(found, None)

    def _resolve(self, name: str, version: int | str) -> int:
        folder = self._folder(name)
        if isinstance(version, int) and not isinstance(version, bool):
            return version
        if not isinstance(version, str):
            raise InvalidInput("version", "must be a number, an alias or a label")
        aliases = self._aliases(name)
        if version in {CHAMPION, PREVIOUS}:
            number = aliases.champion if version == CHAMPION else aliases.previous
        else:
            number = self._number_of_label(folder, version)
        if number is None:
            raise ModelUnavailable(f"model {name!r} has no version {version!r}")
        return number

    def _get_builtin(self, name: str, *, verify: bool) -> ModelVersion:
        path = self._builtin.get(name)
        if path is None or not path.is_dir():
            raise ModelUnavailable(f"model {name!r} has no built-in weights; promote a version")
        names = self._aliases(name).names_of(BUILTIN_VERSION)
        if not (path / MANIFEST_NAME).exists():
            return ModelVersion(name, BUILTIN_VERSION, path, kind=name, aliases=names)
        manifest = read_manifest(path)
        if verify:
            manifest.verify(path)
        return version_of(manifest, path, names)

    def _list_one(self, name: str) -> Versions:
        builtin = [BUILTIN_VERSION] if name in self._builtin else []
        return [self._describe(name, each) for each in builtin + self._folder(name).numbers()]

    def _describe(self, name: str, number: int) -> ModelVersion:
        try:
            return self.get(name, number, verify=False)
        except ModelUnavailable as error:
            path = self._folder(name).version_path(number)
            names = self._aliases(name).names_of(number)
            return ModelVersion(
                name, number, path, kind="unknown", aliases=names, problem=str(error)
            )


def _plain(tree: Mapping[str, Any] | None, field: str) -> Mapping[str, Any]:
    """Return ``tree`` as JSON would give it back, so that the manifest's seal stays true."""
    try:
        plain: dict[str, Any] = json.loads(encode_json(dict(tree or {})))
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            field, f"must be finite numbers, text, lists and mappings ({error})"
        ) from error
    return plain
