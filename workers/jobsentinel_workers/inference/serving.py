"""The models an inference process serves: loaded once, shared by its threads, swapped when new.

A new champion is loaded and tried before it takes over. If that fails, the old one goes on serving
and the log says why: a bad promotion never takes the fleet down.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel.contract.results import ModelStamp
from jobsentinel.settings import Settings
from jobsentinel_workers.encoders import Runner, SequenceModel, TextEncoder
from jobsentinel_workers.fine_tuning import FineTunedBERT
from jobsentinel_workers.models_in_service import RERANKER, SCORING, open_registry
from jobsentinel_workers.multi_task import MultiTaskBERT, job_matching_tasks
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.reranking import CrossEncoderReranker
from jobsentinel_workers.starter import starter_path

logger = logging.getLogger(__name__)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """A model in service with the stamp its answers carry."""

    model: T
    stamp: ModelStamp
    generation: str


class ServingModels:
    """All models of one process, by registry name; safe to use from many threads.

    Raises:
        ModelUnavailable: the built-in weights cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.registry = open_registry(settings)
        self._settings = settings
        self._lock = threading.RLock()
        self._served: dict[str, Served[Any]] = {}
        self.base = self._load_base()

    def _load_base(self) -> TextEncoder:
        path = self._settings.encoder_path
        if path is not None:
            return TextEncoder.load(path, self._settings.precision)
        starter = MultiTaskBERT.load(starter_path(SCORING), precision=self._settings.precision)
        return starter.encoder.plain()

    def scoring(self) -> Served[MultiTaskBERT]:
        """Return the multi-task model in service."""
        return self._current(SCORING, self._load_scoring)

    def reranker(self) -> Served[CrossEncoderReranker]:
        """Return the cross-encoder in service."""
        return self._current(RERANKER, self._load_reranker)

    def fine_tuned(self, name: str) -> Served[FineTunedBERT]:
        """Return a user's model.

        Raises:
            ModelUnavailable: there is none of that name.
        """
        return self._current(name, self._load_fine_tuned)

    def stamp(self, model: SequenceModel, name: str = "encoder") -> ModelStamp:
        """Return the stamp of a model that is not from the registry."""
        return ModelStamp(name=name, version=0, precision=model.precision)

    def warm_up(self, runner: Runner) -> None:
        """Load what every request needs, so that the first one does not wait."""
        self.scoring()
        runner(self.reranker().model.model, [("warm", "up")])
        runner(self.base, ["warm up"])

    def _current(self, name: str, load: Callable[[ModelVersion], Any]) -> Served[Any]:
        # Asking costs one small read, so that no answer comes from a model just replaced.
        generation = self.registry.generation(name)
        served = self._served.get(name)
        if served is not None and served.generation == generation:
            return served
        with self._lock:
            served = self._served.get(name)
            if served is None or served.generation != generation:
                served = self._swap(name, load, served, generation)
            return served

    def _swap(
        self,
        name: str,
        load: Callable[[ModelVersion], Any],
        old: Served[Any] | None,
        generation: str,
    ) -> Served[Any]:
        try:
            version = self.registry.get(name)
            model = load(version)
        except ModelUnavailable as error:
            if old is None:
                raise
            logger.error("model.kept_old name=%s version=%d %s", name, old.stamp.version, error)
            kept = Served(old.model, old.stamp, generation)
            self._served[name] = kept
            return kept
        stamp = ModelStamp(name=name, version=version.version, precision=self.base.precision)
        self._served[name] = Served(model, stamp, generation)
        logger.info("model.in_service name=%s version=%d", name, version.version)
        return self._served[name]

    def _load_scoring(self, version: ModelVersion) -> MultiTaskBERT:
        if version.is_builtin and self._settings.encoder_path is not None:
            # The starter heads read MiniLM's embeddings; over another encoder none is trained yet.
            return MultiTaskBERT(self.base, job_matching_tasks())
        return MultiTaskBERT.load(version.path, self.base, self._settings.precision)

    def _load_reranker(self, version: ModelVersion) -> CrossEncoderReranker:
        return CrossEncoderReranker.load(version.path, precision=self._settings.precision)

    def _load_fine_tuned(self, version: ModelVersion) -> FineTunedBERT:
        return FineTunedBERT.load(version.path, encoder=self.base)
