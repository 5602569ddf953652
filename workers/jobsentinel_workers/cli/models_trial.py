"""Loading a version as a worker would, before it is put into service.

Workers keep what they have when a new champion cannot be loaded, but one that starts has nothing to
keep. So a version that is of another format, or needs another base encoder, is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobsentinel.cli.session import Session
from jobsentinel.cli.waiting import waiting_note
from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.models_in_service import BUILTIN_MODELS

if TYPE_CHECKING:
    from jobsentinel_workers.registry import ModelVersion


def try_out(session: Session, version: ModelVersion) -> None:
    """Load a version of a model that every inference worker serves; others are loaded on demand.

    Raises:
        ModelUnavailable: it cannot be loaded; the champion stays.
    """
    if version.name not in BUILTIN_MODELS or version.is_builtin:
        return
    # Loads torch, which takes seconds: only for the versions that need it.
    from jobsentinel_workers.inference.serving import ServingModels

    with waiting_note("loading it as a worker would"):
        try:
            ServingModels(session.settings).try_out(version)
        except ModelUnavailable as error:
            raise ModelUnavailable(
                f"{version.name} version {version.version} stays out of service: {error}"
            ) from error
