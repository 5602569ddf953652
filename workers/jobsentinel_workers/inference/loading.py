"""Loading what serves: the base encoder, and versions of the registry on top of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobsentinel.settings import Settings
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning import FineTunedBERT
from jobsentinel_workers.models_in_service import RERANKER, SCORING
from jobsentinel_workers.multi_task import MultiTaskBERT, job_matching_tasks
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.reranking import CrossEncoderReranker
from jobsentinel_workers.starter import starter_path


class Loading:
    """Loads versions of models; those that stand on the base encoder share its network.

    Raises:
        ModelUnavailable: the base encoder cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.base = self.load_base(settings.encoder_path)

    def load_base(self, path: Path | None) -> TextEncoder:
        """Return the encoder in ``path``, or the starter model's when it is None.

        Raises:
            ModelUnavailable: it cannot be read.
        """
        if path is not None:
            return TextEncoder.load(path, self.settings.precision)
        starter = MultiTaskBERT.load(starter_path(SCORING), precision=self.settings.precision)
        return starter.encoder.plain()

    def load(self, version: ModelVersion) -> Any:
        """Return the model of a version, of the class that its name stands for.

        Raises:
            ModelUnavailable: it is damaged, of another format, or needs another base encoder.
        """
        loaders: dict[str, Callable[[ModelVersion], Any]] = {
            SCORING: self._scoring,
            RERANKER: self._reranker,
        }
        return loaders.get(version.name, self._fine_tuned)(version)

    def _scoring(self, version: ModelVersion) -> MultiTaskBERT:
        if version.is_builtin and self.settings.encoder_path is not None:
            # The starter heads read MiniLM's embeddings; over another encoder none is trained yet.
            return MultiTaskBERT(self.base, job_matching_tasks())
        return MultiTaskBERT.load(version.path, self.base, self.settings.precision)

    def _reranker(self, version: ModelVersion) -> CrossEncoderReranker:
        return CrossEncoderReranker.load(version.path, precision=self.settings.precision)

    def _fine_tuned(self, version: ModelVersion) -> FineTunedBERT:
        return FineTunedBERT.load(version.path, encoder=self.base)
