"""The registry under the names that JobSentinel's users know, for one model.

Versions are called by the user's own labels, such as ``v1.2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jobsentinel.settings import Settings
from jobsentinel_workers.registry.model_registry import ModelRegistry
from jobsentinel_workers.registry.names import check_label
from jobsentinel_workers.registry.split import Arm, Split
from jobsentinel_workers.registry.versions import ModelVersion

DEFAULT_MODEL_NAME: Final = "fine-tuned"


class ModelManager:
    """Labelled versions of one model: register, choose the current one, go back.

    The first version that is registered becomes the current one.

    Args:
        models_dir: the registry's folder; by default that of this machine's workers
            (``JOBSENTINEL_DATA_DIR``), so that they see the versions too.
        name: the model's name in the registry.

    Example:
        >>> manager = ModelManager("/tmp/no-models-here")
        >>> manager.list_models()
        []
    """

    def __init__(
        self,
        models_dir: Path | str | None = None,
        *,
        name: str = DEFAULT_MODEL_NAME,
        registry: ModelRegistry | None = None,
    ) -> None:
        self.name = name
        self.registry = registry or ModelRegistry(models_dir or Settings.load().models_dir)

    def register_model(
        self,
        version: str,
        checkpoint_path: Path | str,
        metrics: Mapping[str, Any] | None = None,
        description: str = "",
        *,
        kind: str = "fine-tuned",
        lineage: Mapping[str, Any] | None = None,
    ) -> ModelVersion:
        """Copy the folder ``checkpoint_path`` into the registry under the label ``version``.

        Raises:
            InvalidInput: the label is taken or not one, or the folder holds a refused file.
        """
        registered = self.registry.register(
            self.name,
            checkpoint_path,
            kind=kind,
            metrics=metrics,
            lineage={**(lineage or {}), **({"description": description} if description else {})},
            label=check_label(version, "version"),
        )
        if self._current() is None:
            return self.registry.promote(self.name, registered.version)
        return registered

    def get_current_model(self) -> ModelVersion | None:
        """Return the serving version, its files checked; None before the first registration.

        Raises:
            ModelCorrupted: a file of it is missing or changed; roll back or restore it.
        """
        current = self._current()
        return None if current is None else self.registry.get(self.name, current.version)

    def set_current_model(self, version: str | int) -> ModelVersion:
        """Let the version with this label, or number, serve.

        Raises:
            ModelUnavailable: there is no such version.
        """
        return self.registry.promote(self.name, version)

    def list_models(self) -> list[dict[str, Any]]:
        """Return every version as plain values, newest first, with ``is_current``."""
        listed = reversed(self.registry.list(self.name))
        return [each.as_dict() | {"is_current": "champion" in each.aliases} for each in listed]

    def rollback(self) -> ModelVersion:
        """Let the version that served before serve again.

        Raises:
            ModelUnavailable: there is none.
        """
        return self.registry.rollback(self.name)

    def set_challenger(self, version: str | int, share: float) -> Split:
        """Try a version beside the current one, on a share of the postings between 0 and 1.

        Raises:
            InvalidInput: the share is out of range, or the version is the current one.
            ModelUnavailable: there is no such version, or no current one.
        """
        return self.registry.begin_split(self.name, version, share)

    def remove_challenger(self) -> None:
        """Let the current model answer everything again."""
        self.registry.end_split(self.name)

    def arm_of(self, posting_id: str) -> Arm:
        """Return which arm a posting belongs to; without a challenger, the champion's."""
        split = self.registry.aliases(self.name).split
        return "champion" if split is None else split.arm_of(posting_id)

    def _current(self) -> ModelVersion | None:
        for version in self.registry.list(self.name):
            if "champion" in version.aliases:
                return version
        return None
