"""The registry: register, get, promote, try, roll back, list and compare versions of models."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.registry.aliases import Aliases, ChampionChanged, read_aliases
from jobsentinel_workers.registry.comparison import MetricChange, compare_metrics
from jobsentinel_workers.registry.history import Event, read_events
from jobsentinel_workers.registry.manifest import MANIFEST_NAME, read_manifest
from jobsentinel_workers.registry.model_folder import ModelFolder
from jobsentinel_workers.registry.names import ALIASES, CHAMPION, PREVIOUS, check_name
from jobsentinel_workers.registry.registration import check_facts, publish_version
from jobsentinel_workers.registry.split import Split, check_share, split_for
from jobsentinel_workers.registry.staging import staged_copy
from jobsentinel_workers.registry.versions import BUILTIN_VERSION, ModelVersion, version_of

# The method ``list`` hides the type of that name inside the class.
Versions: TypeAlias = list[ModelVersion]
Names: TypeAlias = list[str]
Numbers: TypeAlias = list[int]
Events: TypeAlias = list[Event]


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
        facts = check_facts(kind=kind, metrics=metrics, lineage=lineage, label=label, run_id=run_id)
        number = folder.number_of_run(run_id)
        if number is None:
            with staged_copy(Path(checkpoint_path), folder.path) as staged:
                number = publish_version(folder, staged, facts)
        if move:
            shutil.rmtree(checkpoint_path, ignore_errors=True)
        return self.get(name, number, verify=False)

    def get(self, name: str, version: int | str = CHAMPION, *, verify: bool = True) -> ModelVersion:
        """Return a version, its files checked against their SHA-256.

        ``version`` is ``champion``, ``previous``, ``challenger``, a number or a label. Where
        nothing was ever promoted, the champion is the built-in version 0. A corrupt champion is an
        error, never silently replaced: roll back to take the previous one.

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
        names = self.aliases(name).names_of(number)
        return version_of(manifest, folder.version_path(number), names)

    def of_run(self, name: str, run_id: str) -> ModelVersion | None:
        """Return the version that a run registered, if it did."""
        number = self._folder(name).number_of_run(run_id)
        return None if number is None else self.get(name, number)

    def promote(
        self, name: str, version: int | str, *, replacing: int | Literal["any"] | None = "any"
    ) -> ModelVersion:
        """Make ``version`` the champion, after checking its files; the old one is ``previous``.

        A split ends with it. Promoting the champion changes nothing else.

        Args:
            name: of the model.
            version: number, alias or label.
            replacing: the only champion that may be replaced, None where nothing served.

        Raises:
            ModelUnavailable: there is no such model or version.
            ModelCorrupted: a file is missing or changed; the champion stays.
            ChampionChanged: another one than ``replacing`` serves, and stays.
        """
        target = self.get(name, version)
        folder = self._folder(name)
        with folder.writing():
            aliases = self.aliases(name)
            if aliases.champion != target.version:
                if replacing not in ("any", aliases.champion):
                    raise ChampionChanged(name, expected=replacing, found=aliases.champion)
                changed = aliases.with_champion(target.version, previous=aliases.champion)
                folder.change_aliases("promoted", changed)
            elif aliases.split is not None:
                folder.change_aliases("promoted", aliases.with_split(None))
        return self.get(name, target.version, verify=False)

    def rollback(self, name: str) -> ModelVersion:
        """Swap champion and previous, after checking the files of the one that comes back.

        A split ends with it. A second rollback undoes the first, but for the split.

        Raises:
            ModelUnavailable: no version served before the present one.
            ModelCorrupted: the version to go back to is damaged; the champion stays.
        """
        folder = self._folder(name)
        self._resolve(name, PREVIOUS)
        with folder.writing():
            target = self.get(name, PREVIOUS)
            aliases = self.aliases(name)
            changed = aliases.with_champion(target.version, previous=aliases.champion)
            folder.change_aliases("rolled_back", changed)
        return self.get(name, target.version, verify=False)

    def begin_split(self, name: str, version: int | str, share: float) -> Split:
        """Let ``version`` answer a share of the postings beside the champion, its files checked.

        It replaces the split there was. With the same challenger only the share changes, and as it
        grows, no posting leaves the challenger.

        Raises:
            InvalidInput: the share is not between 0 and 1, or the version is the champion.
            ModelUnavailable: there is no such model or version, or no champion beside it.
            ModelCorrupted: a file is missing or changed; what serves stays.
        """
        check_share(share)
        self._resolve(name, CHAMPION)
        target = self.get(name, version)
        folder = self._folder(name)
        with folder.writing():
            aliases = self.aliases(name)
            if aliases.champion == target.version:
                raise InvalidInput("version", f"{target.version} is the champion already")
            split = split_for(name, target.version, share, aliases.split)
            if split != aliases.split:
                folder.change_aliases("split_begun", aliases.with_split(split))
        return split

    def end_split(self, name: str) -> None:
        """Let the champion answer everything again; without a split, nothing changes."""
        folder = self._folder(name)
        if read_aliases(folder.path).split is None:
            return
        with folder.writing():
            aliases = self.aliases(name)
            if aliases.split is not None:
                folder.change_aliases("split_ended", aliases.with_split(None))

    def compare(self, name: str, first: int | str, second: int | str) -> dict[str, MetricChange]:
        """Pair the metrics of two versions by dotted path, such as ``validation.macro_f1``."""
        left, right = (self.get(name, each, verify=False) for each in (first, second))
        return compare_metrics(left.metrics, right.metrics)

    def generation(self, name: str) -> str:
        """Return a token that changes with the champion and the split; it costs one tiny read."""
        aliases = read_aliases(self._folder(name).path)
        return f"{aliases.generation}:{aliases.champion}"

    def aliases(self, name: str) -> Aliases:
        """Return champion, previous and split as they were at one moment, by one tiny read."""
        aliases = read_aliases(self._folder(name).path)
        if aliases.champion is None and name in self._builtin:
            return replace(aliases, champion=BUILTIN_VERSION)
        return aliases

    def refuse_kind(self, name: str, kind: str) -> None:
        """Refuse what cannot take the place of built-in weights, before it is taken in.

        Raises:
            InvalidInput: workers load that model as another kind.
        """
        if name in self._builtin and kind != name:
            raise InvalidInput("name", f"{name!r} is no name for a model of kind {kind!r}")

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
        return [self._describe(each, number) for each in names for number in self._numbers(each)]

    def verify(self, name: str, version: int | str | None = None) -> Versions:
        """Return one version, or all of a model, with the ``problem`` of those that are damaged.

        Every file is read. What an alias means and is not there has a problem too.

        Raises:
            ModelUnavailable: there is nothing of that name.
        """
        if version is not None:
            return [self._describe(name, self._resolve(name, version), verify=True)]
        numbers = {*self._numbers(name), *self.aliases(name).by_name().values()}
        if not numbers:
            raise ModelUnavailable(f"there is no model {name!r}")
        return [self._describe(name, each, verify=True) for each in sorted(numbers)]

    def _folder(self, name: str) -> ModelFolder:
        return ModelFolder(check_name(name), self.root / name)

    def _resolve(self, name: str, version: int | str) -> int:
        folder = self._folder(name)
        if isinstance(version, int) and not isinstance(version, bool):
            return version
        if not isinstance(version, str):
            raise InvalidInput("version", "must be a number, an alias or a label")
        if version in ALIASES:
            number = self.aliases(name).by_name().get(version)
        else:
            number = folder.number_of_label(version)
        if number is None:
            raise ModelUnavailable(f"model {name!r} has no version {version!r}")
        return number

    def _get_builtin(self, name: str, *, verify: bool) -> ModelVersion:
        path = self._builtin.get(name)
        if path is None or not path.is_dir():
            raise ModelUnavailable(f"model {name!r} has no built-in weights; promote a version")
        names = self.aliases(name).names_of(BUILTIN_VERSION)
        if not (path / MANIFEST_NAME).exists():
            return ModelVersion(name, BUILTIN_VERSION, path, kind=name, aliases=names)
        manifest = read_manifest(path)
        if verify:
            manifest.verify(path)
        return version_of(manifest, path, names)

    def _numbers(self, name: str) -> Numbers:
        builtin = [BUILTIN_VERSION] if name in self._builtin else []
        return builtin + self._folder(name).numbers()

    def _describe(self, name: str, number: int, *, verify: bool = False) -> ModelVersion:
        try:
            return self.get(name, number, verify=verify)
        except ModelUnavailable as error:
            path = self._folder(name).version_path(number)
            names = self.aliases(name).names_of(number)
            return ModelVersion(
                name, number, path, kind="unknown", aliases=names, problem=str(error)
            )
