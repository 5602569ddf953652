"""The models an inference process serves: loaded once, shared by its threads, swapped when new.

A new champion is loaded and tried before it takes over. If that fails, the old one goes on serving,
in a process that starts then the one before it by the registry's word, and the log and `jobsentinel
status` say why: a bad promotion never takes the fleet down. While a
split is on, the scoring model has a challenger beside it; a request after the split's end drops it.

There are never more than two copies of a model in memory, those included that requests in flight
still use: when promotions follow faster than requests end, the present model serves until then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel.contract.results import ModelStamp
from jobsentinel.settings import Settings
from jobsentinel_workers.encoders import Runner, SequenceModel
from jobsentinel_workers.fine_tuning import FineTunedBERT
from jobsentinel_workers.inference.copies import NoRoomYet, Retired
from jobsentinel_workers.inference.loading import Loading
from jobsentinel_workers.inference.refusals import Refusals
from jobsentinel_workers.inference.scorer_stages import ScorerStage, load_stages
from jobsentinel_workers.models_in_service import RERANKER, SCORING, open_registry
from jobsentinel_workers.multi_task import MultiTaskBERT
from jobsentinel_workers.registry import Arm, ModelVersion
from jobsentinel_workers.registry.aliases import Aliases
from jobsentinel_workers.registry.names import CHAMPION
from jobsentinel_workers.registry.versions import BUILTIN_VERSION
from jobsentinel_workers.reranking import CrossEncoderReranker
from jobsentinel_workers.store.timestamps import utc_now

logger = logging.getLogger(__name__)

MOST_COPIES: Final = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """A model in service with the stamp its answers carry."""

    model: T
    stamp: ModelStamp
    since: str = field(default_factory=utc_now)

    def in_arm(self, arm: Arm) -> Served[T]:
        """Return the same model with the arm on its stamp."""
        return replace(self, stamp=self.stamp.model_copy(update={"arm": arm}))


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
        self._retired = Retired()
        self._refusals = Refusals()
        self.loading = Loading(settings)
        self.base = self.loading.base

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

    @cached_property
    def stages(self) -> tuple[ScorerStage, ...]:
        """The scorers that read before the cross-encoder does; raises as `load_stages`."""
        return load_stages(self._settings)

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
        for stage in self.stages:
            stage.scorer.score("warm", ["up"])
        self.scoring()
        reranker = self.reranker().model
        runner(reranker.model, [("warm", "up")])
        runner(self.base, ["warm up"])
        runner(reranker.query_encoder(self.base), ["warm up"])

    def try_out(self, version: ModelVersion) -> None:
        """Load a version as serving it would, and drop it.

        Raises:
            ModelUnavailable: it is damaged, of another format, or needs another base encoder.
        """
        self.loading.load(version)

    def refresh(self) -> None:
        """Take up what was promoted, also while nobody asks, and try again what was refused."""
        for name in list(self._held):
            self._current(name, again=self._refusals.is_due(name))

    def report(self) -> dict[str, dict[str, Any]]:
        """Return for each model in memory what serves, since when, and what was refused and why."""
        return {
            name: {
                "version": held.champion.stamp.version,
                "since": held.champion.since,
                "challenger": held.challenger and held.challenger.stamp.version,
                "refused": self._refusals.of(name),
            }
            for name, held in sorted(self._held.items())
        }

    def _current(self, name: str, *, again: bool = False) -> InService[Any]:
        # Asking costs one small read, so that no answer comes from a model just replaced.
        aliases = self.registry.aliases(name)
        held = self._held.get(name)
        if held is not None and held.aliases == aliases and not again:
            return held
        del held  # whoever waits for the lock must not keep a copy in memory that is let go
        with self._lock:
            # Asked again: whoever held the lock may have loaded what is newer than that.
            aliases = self.registry.aliases(name)
            held = self._held.get(name)
            if held is None or held.aliases != aliases or again:
                del held
                self._swap(name, aliases)
            return self._held[name]

    def _swap(self, name: str, aliases: Aliases) -> None:
        try:
            self._let_go_of_challenger(name, aliases)
            champion = self._champion(name, aliases)
            # Beside an old model that was kept, the split would compare what nobody chose.
            is_chosen = champion.stamp.version == aliases.champion
            if name == SCORING and aliases.challenger is not None and is_chosen:
                # First alone, so that the one before it can go before another copy comes.
                self._put(name, InService(replace(aliases, split=None), champion))
                self._put(name, InService(aliases, champion, self._challenger(name, aliases)))
            else:
                self._refusals.forget(name, "challenger")
                self._put(name, InService(aliases, champion))
        except NoRoomYet:
            logger.info("model.waits name=%s: requests still use the one before", name)
        self._retired.collect(name)

    def _put(self, name: str, new: InService[Any]) -> None:
        """Put models into service and remember those that leave it for as long as they are used."""
        old = self._held.get(name)
        self._held[name] = new
        if old is not None:
            for version, served in old.copies().items():
                if version not in new.copies():
                    self._retired.add(name, served)

    def _let_go_of_challenger(self, name: str, aliases: Aliases) -> None:
        held = self._held.get(name)
        if held is None or held.challenger is None:
            return
        if held.challenger.stamp.version not in {aliases.champion, aliases.challenger}:
            self._put(name, InService(held.aliases, held.champion))

    def _champion(self, name: str, aliases: Aliases) -> Served[Any]:
        held = self._held.get(name)
        number = aliases.champion
        try:
            served = self._take(name, CHAMPION if number is None else number)
        except ModelUnavailable as error:
            kept = self._one_before(name, aliases) if held is None else held.champion
            if kept is None:
                raise
            refused = BUILTIN_VERSION if number is None else number
            self._refusals.add(name, "champion", refused, error)
            logger.error("model.kept_old name=%s version=%d %s", name, kept.stamp.version, error)
            return kept
        self._refusals.forget(name, "champion")
        return served

    def _one_before(self, name: str, aliases: Aliases) -> Served[Any] | None:
        """Return what workers that were there before keep serving, for one that starts now."""
        if aliases.previous is None:
            return None
        try:
            return self._take(name, aliases.previous)
        except ModelUnavailable as error:
            logger.error("model.no_previous name=%s %s", name, error)
            return None

    def _challenger(self, name: str, aliases: Aliases) -> Served[Any] | None:
        if aliases.challenger is None:
            return None
        try:
            served = self._take(name, aliases.challenger)
        except ModelUnavailable as error:
            self._refusals.add(name, "challenger", aliases.challenger, error)
            logger.error("model.no_challenger name=%s %s", name, error)
            return None
        self._refusals.forget(name, "challenger")
        return served

    def _take(self, name: str, number: int | str) -> Served[Any]:
        """Return a version, its files checked; what is in memory already is not loaded again.

        Raises:
            ModelUnavailable: it is damaged or missing.
            NoRoomYet: two other copies are still in use.
        """
        copies = self._copies(name)
        if number not in copies and len(copies) >= MOST_COPIES:
            raise NoRoomYet(name)
        version = self.registry.get(name, number)
        if version.version in copies:
            return copies[version.version]
        del copies
        model = self.loading.load(version)
        logger.info("model.in_service name=%s version=%d", name, version.version)
        stamp = ModelStamp(name=name, version=version.version, precision=self.base.precision)
        return Served(model, stamp)

    def _copies(self, name: str) -> dict[int, Served[Any]]:
        """Return the copies in memory by version, those that only requests hold included."""
        held = self._held.get(name)
        left = {each.version: Served(model, each) for model, each in self._retired.alive(name)}
        return left | ({} if held is None else held.copies())
