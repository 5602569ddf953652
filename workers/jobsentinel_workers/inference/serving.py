"""The models an inference process serves: loaded once, shared by its threads, swapped when new.

A new champion is loaded and tried before it takes over. If that fails, the old one goes on serving
and the log says why: a bad promotion never takes the fleet down. While a split is on, the scoring
model has a challenger beside it, the only second copy in memory; a request after the split's end
drops it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel.contract.results import ModelStamp
from jobsentinel.settings import Settings
from jobsentinel_workers.encoders import Runner, SequenceModel, TextEncoder
from jobsentinel_workers.fine_tuning import FineTunedBERT
from jobsentinel_workers.models_in_service import RERANKER, SCORING, open_registry
from jobsentinel_workers.multi_task import MultiTaskBERT, job_matching_tasks
from jobsentinel_workers.registry import Arm, ModelVersion
from jobsentinel_workers.registry.aliases import Aliases
from jobsentinel_workers.registry.names import CHAMPION
from jobsentinel_workers.reranking import CrossEncoderReranker
from jobsentinel_workers.starter import starter_path

logger = logging.getLogger(__name__)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """A model in service with the stamp its answers carry."""

    model: T
    stamp: ModelStamp

    def in_arm(self, arm: Arm) -> Served[T]:
        """Return the same model with the arm on its stamp."""
        return Served(self.model, self.stamp.model_copy(update={"arm": arm}))


@dataclass(frozen=True, slots=True)
class InService(Generic[T]):
    """What a process holds of one model, and the registry's word that it answers to."""

    aliases: Aliases
    champion: Served[T]
    challenger: Served[T] | None = None

    def copies(self) -> dict[int, Served[T]]:
        """Return the models in memory by version."""
        held = [self.champion] if self.challenger is None else [self.champion, self.challenger]
        return {each.stamp.version: each for each in held}

    def arms(self, posting_ids: Sequence[str]) -> list[tuple[Served[T], list[int]]]:
        """Return who answers which of the postings, these by their places in the request."""
        split = self.aliases.split
        if split is None or self.challenger is None:
            return [(self.champion, list(range(len(posting_ids))))]
        chosen: dict[Arm, list[int]] = {"champion": [], "challenger": []}
        for place, posting_id in enumerate(posting_ids):
            chosen[split.arm_of(posting_id)].append(place)
        served: dict[Arm, Served[T]] = {"champion": self.champion, "challenger": self.challenger}
        taken = [(served[arm].in_arm(arm), places) for arm, places in chosen.items() if places]
        return taken or [(self.champion, [])]


class ServingModels:
    """All models of one process, by registry name; safe to use from many threads.

    Raises:
        ModelUnavailable: the built-in weights cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.registry = open_registry(settings)
        self._settings = settings
        self._lock = threading.RLock()
        self._held: dict[str, InService[Any]] = {}
        self.base = self._load_base()

    def _load_base(self) -> TextEncoder:
        path = self._settings.encoder_path
        if path is not None:
            return TextEncoder.load(path, self._settings.precision)
        starter = MultiTaskBERT.load(starter_path(SCORING), precision=self._settings.precision)
        return starter.encoder.plain()

    def scoring(self) -> Served[MultiTaskBERT]:
        """Return the multi-task model in service: the champion, also while a split is on."""
        return self._current(SCORING).champion

    def scoring_arms(
        self, posting_ids: Sequence[str]
    ) -> list[tuple[Served[MultiTaskBERT], list[int]]]:
        """Return the multi-task models that answer these postings, with the places of theirs.

        Every place is in one of the lists. Without a split, the champion has them all.
        """
        return self._current(SCORING).arms(posting_ids)

    def reranker(self) -> Served[CrossEncoderReranker]:
        """Return the cross-encoder in service."""
        return self._current(RERANKER).champion

    def fine_tuned(self, name: str) -> Served[FineTunedBERT]:
        """Return a user's model.

        Raises:
            ModelUnavailable: there is none of that name.
        """
        return self._current(name).champion

    def stamp(self, model: SequenceModel, name: str = "encoder") -> ModelStamp:
        """Return the stamp of a model that is not from the registry."""
        return ModelStamp(name=name, version=0, precision=model.precision)

    def warm_up(self, runner: Runner) -> None:
        """Load what every request needs, so that the first one does not wait."""
        self.scoring()
        runner(self.reranker().model.model, [("warm", "up")])
        runner(self.base, ["warm up"])

    def try_out(self, version: ModelVersion) -> None:
        """Load a version as serving it would, and drop it.

        Raises:
            ModelUnavailable: it is damaged, of another format, or needs another base encoder.
        """
        self._load(version)

    def _current(self, name: str) -> InService[Any]:
        # Asking costs one small read, so that no answer comes from a model just replaced.
        aliases = self.registry.aliases(name)
        held = self._held.get(name)
        if held is not None and held.aliases == aliases:
            return held
        del held  # whoever waits for the lock must not keep a copy in memory that is let go
        with self._lock:
            # Asked again: whoever held the lock may have loaded what is newer than that.
            aliases = self.registry.aliases(name)
            held = self._held.get(name)
            if held is None or held.aliases != aliases:
                del held
                self._held[name] = self._swap(name, aliases)
            return self._held[name]

    def _swap(self, name: str, aliases: Aliases) -> InService[Any]:
        self._let_go_of_challenger(name, aliases)
        champion = self._champion(name, aliases)
        challenger = None
        # Beside an old model that was kept, the split would compare what nobody chose.
        if name == SCORING and champion.stamp.version == aliases.champion:
            challenger = self._challenger(name, aliases)
        return InService(aliases, champion, challenger)

    def _let_go_of_challenger(self, name: str, aliases: Aliases) -> None:
        held = self._held.get(name)
        if held is None or held.challenger is None:
            return
        if held.challenger.stamp.version not in {aliases.champion, aliases.challenger}:
            self._held[name] = InService(held.aliases, held.champion)

    def _champion(self, name: str, aliases: Aliases) -> Served[Any]:
        held = self._held.get(name)
        try:
            return self._take(name, CHAMPION if aliases.champion is None else aliases.champion)
        except ModelUnavailable as error:
            if held is None:
                raise
            kept = held.champion
            logger.error("model.kept_old name=%s version=%d %s", name, kept.stamp.version, error)
            return kept

    def _challenger(self, name: str, aliases: Aliases) -> Served[Any] | None:
        if aliases.challenger is None:
            return None
        try:
            return self._take(name, aliases.challenger)
        except ModelUnavailable as error:
            logger.error("model.no_challenger name=%s %s", name, error)
            return None

    def _take(self, name: str, number: int | str) -> Served[Any]:
        """Return a version, its files checked; what is in memory already is not loaded again."""
        version = self.registry.get(name, number)
        held = self._held.get(name)
        copies = {} if held is None else held.copies()
        if version.version in copies:
            return copies[version.version]
        model = self._load(version)
        logger.info("model.in_service name=%s version=%d", name, version.version)
        stamp = ModelStamp(name=name, version=version.version, precision=self.base.precision)
        return Served(model, stamp)

    def _load(self, version: ModelVersion) -> Any:
        loaders: dict[str, Callable[[ModelVersion], Any]] = {
            SCORING: self._load_scoring,
            RERANKER: self._load_reranker,
        }
        return loaders.get(version.name, self._load_fine_tuned)(version)

    def _load_scoring(self, version: ModelVersion) -> MultiTaskBERT:
        if version.is_builtin and self._settings.encoder_path is not None:
            # The starter heads read MiniLM's embeddings; over another encoder none is trained yet.
            return MultiTaskBERT(self.base, job_matching_tasks())
        return MultiTaskBERT.load(version.path, self.base, self._settings.precision)

    def _load_reranker(self, version: ModelVersion) -> CrossEncoderReranker:
        return CrossEncoderReranker.load(version.path, precision=self._settings.precision)

    def _load_fine_tuned(self, version: ModelVersion) -> FineTunedBERT:
        return FineTunedBERT.load(version.path, encoder=self.base)
