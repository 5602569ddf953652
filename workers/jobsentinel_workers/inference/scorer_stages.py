"""The scorers that read what retrieval found before the cross-encoder does, if settings name any.

They are loaded when a worker starts: a folder that cannot serve is told there and then, by the name
of its setting, and not by the first ranking.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobsentinel.contract.errors import ConfigurationError, ModelUnavailable
from jobsentinel.contract.results import ModelStamp
from jobsentinel.settings import Settings
from jobsentinel_workers.reranking import LateInteractionScorer, SparseScorer, Stage
from jobsentinel_workers.reranking.library_models import LibraryScorer


@dataclass(frozen=True, slots=True)
class ScorerStage:
    """A scorer in service, and how many candidates it lets go on."""

    scorer: LibraryScorer
    keep: int

    @property
    def stamp(self) -> ModelStamp:
        """The stamp of the answers it took part in: its stage, folder and weights."""
        name = f"{self.scorer.stage_name}:{self.scorer.model_id}"
        return ModelStamp(name=name, version=0, precision=self.scorer.precision)

    def keeping(self, at_least: int) -> Stage:
        """Return it as a stage that never leaves fewer candidates than a ranking is to have."""
        return Stage(self.scorer, keep=max(self.keep, at_least))


def load_stages(settings: Settings) -> tuple[ScorerStage, ...]:
    """Return the stages that the settings name, the cheaper one first.

    Raises:
        ConfigurationError: a folder holds no model of its kind; the setting is named.
    """
    kinds: tuple[type[LibraryScorer], ...] = (SparseScorer, LateInteractionScorer)
    return tuple(
        ScorerStage(_load(kind, settings), getattr(settings, f"{kind.stage_name}_keep"))
        for kind in kinds
        if getattr(settings, f"{kind.stage_name}_path") is not None
    )


def _load(kind: type[LibraryScorer], settings: Settings) -> LibraryScorer:
    setting = f"{kind.stage_name}_path"
    try:
        return kind.load(getattr(settings, setting))
    except ModelUnavailable as error:
        raise ConfigurationError(f"JOBSENTINEL_{setting.upper()}: {error}") from error
