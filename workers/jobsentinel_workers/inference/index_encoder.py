"""Which encoder's index answers: the one wanted, or the one before it until the wanted is ready.

Postings are compared with a query only by one encoder's vectors. After a change of encoder those of
the new one come little by little, so the old one serves until nearly all postings have both. What
is decided here depends on nothing but what the store holds and which encoders can be loaded, so
each process comes to it by itself, and again after a restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from jobsentinel.contract.errors import JobSentinelError, StoreUnavailable
from jobsentinel_workers.encoders import SequenceModel
from jobsentinel_workers.inference.known_encoders import KnownEncoders
from jobsentinel_workers.store import Database, changes
from jobsentinel_workers.store.coverage import Coverage, coverage

logger = logging.getLogger(__name__)

ENOUGH: Final = 0.999
"""From this share of the postings on the wanted encoder's index serves."""

Load = Callable[[Path | None], SequenceModel]
"""Loads the encoder of a folder; None is the one that comes with the package."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The encoder whose index answers, and what is to be said about it."""

    encoder: SequenceModel
    note: str | None = None


def serving_encoder(
    database: Database, wanted_encoder_id: str, others: Collection[str] = ()
) -> str:
    """Return the id of the encoder whose index is to answer.

    It is the wanted one if it covers `ENOUGH` of the postings, else whichever covers most of them;
    the wanted one wins ties, then the first by name.

    Args:
        database: with the postings and their embeddings.
        wanted_encoder_id: by which new postings are encoded.
        others: encoders that can be loaded, without which an index cannot answer.
    """
    with database.connect() as connection:
        return _best(connection, wanted_encoder_id, others)


def _best(connection: Connection, wanted: str, others: Collection[str]) -> str:
    shares = {wanted: coverage(connection, wanted).share}
    if shares[wanted] < ENOUGH:
        shares |= {other: coverage(connection, other).share for other in sorted(others)}
    return max(shares, key=lambda encoder_id: (shares[encoder_id], encoder_id == wanted))


class IndexEncoder:
    """The encoder of the index in one process; may be shared by threads.

    Args:
        database: with the postings and their embeddings.
        wanted: the encoder by which new postings are encoded.
        folder: where it lies; None is the package.
        known: the encoders before it.
        load: loads one of these.
        prepare: called with an encoder's id before its index answers.
        retire: called with an encoder's id when its index does not answer any more.
    """

    def __init__(
        self,
        database: Database,
        wanted: SequenceModel,
        folder: Path | None,
        *,
        known: KnownEncoders,
        load: Load,
        prepare: Callable[[str], object] = lambda _: None,
        retire: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.wanted = wanted
        self._database = database
        self._known = known
        self._load = load
        self._prepare = prepare
        self._retire = retire
        self._looking = threading.Lock()
        self._loaded: dict[str, SequenceModel] = {wanted.model_id: wanted}
        self._refused: dict[str, str] = {}
        self._sequence = -1
        self._coverage = Coverage(0, 0)
        self._settled = False
        self._serving = Serving(wanted)
        known.remember(wanted.model_id, folder)
        self.look()

    def serving(self) -> Serving:
        """Return the encoder that a query to the index must be encoded with; costs nothing."""
        return self._serving

    @property
    def is_settled(self) -> bool:
        """Whether the wanted encoder's index answers and covers `ENOUGH`; it stays so."""
        return self._settled

    def look(self) -> bool:
        """Ask the store, decide who serves, and return whether it changed since the last look."""
        with self._looking:
            with self._database.connect() as connection:
                sequence = changes.current(connection)
                if sequence == self._sequence:
                    return False
                self._coverage = coverage(connection, self.wanted.model_id)
            self._settled = self._settled or self._coverage.share >= ENOUGH
            self._put(Serving(self.wanted) if self._settled else self._best_at_hand())
            self._sequence = sequence
            return True

    def report(self) -> dict[str, Any]:
        """Return who serves, who is wanted, and how far the wanted one has come."""
        serving, held = self._serving, self._coverage
        # If the store is away, what was counted last is told.
        with suppress(StoreUnavailable), self._database.connect() as connection:
            held = coverage(connection, self.wanted.model_id)
        return {
            "serving": serving.encoder.model_id,
            "wanted": self.wanted.model_id,
            "encoded": held.encoded,
            "postings": held.postings,
            "note": serving.note,
        }

    def _best_at_hand(self) -> Serving:
        wanted = self.wanted.model_id
        others = self._others()
        while True:
            with self._database.connect() as connection:
                best = _best(connection, wanted, others)
            if best == wanted:
                return Serving(self.wanted, self._incomplete())
            encoder = self._at_hand(best, others[best])
            if encoder is not None:
                return Serving(encoder)
            del others[best]

    def _others(self) -> dict[str, Path | None]:
        """Return the encoders that may be loaded, but for those that could not be."""
        known = self._known.folders()
        if None not in known.values() and "" not in self._refused:
            # Before there was a file of encoders, the packaged one was the usual one.
            self._learn_packaged()
            known = self._known.folders()
        return {
            encoder_id: folder
            for encoder_id, folder in known.items()
            if encoder_id != self.wanted.model_id and encoder_id not in self._refused
        }

    def _learn_packaged(self) -> None:
        try:
            encoder = self._load(None)
        except JobSentinelError as error:
            self._refused[""] = str(error)
            return
        self._known.remember(encoder.model_id, None)

    def _at_hand(self, encoder_id: str, folder: Path | None) -> SequenceModel | None:
        """Return an encoder, loaded if need be; None if its folder is gone or holds another."""
        if encoder_id in self._loaded:
            return self._loaded[encoder_id]
        try:
            encoder = self._load(folder)
        except JobSentinelError as error:
            self._refuse(encoder_id, str(error))
            return None
        if encoder.model_id != encoder_id:
            self._refuse(encoder_id, f"{folder or 'the package'} holds {encoder.model_id} now")
            return None
        self._loaded[encoder_id] = encoder
        return encoder

    def _refuse(self, encoder_id: str, reason: str) -> None:
        self._refused[encoder_id] = reason
        logger.warning("index.encoder_gone encoder=%s %s", encoder_id, reason)

    def _incomplete(self) -> str:
        held = self._coverage
        text = (
            f"the index holds {held.encoded:,} of {held.postings:,} postings until all are encoded"
        )
        gone = "; ".join(f"{name}: {why}" for name, why in sorted(self._refused.items()) if name)
        return f"{text}; encoders before it cannot be loaded ({gone})" if gone else text

    def _put(self, new: Serving) -> None:
        old = self._serving.encoder.model_id
        if new.encoder.model_id != old:
            self._prepare(new.encoder.model_id)
            logger.info("index.encoder from=%s to=%s", old, new.encoder.model_id)
        self._serving = new
        kept: Mapping[str, SequenceModel] = {
            each.model_id: each for each in (self.wanted, new.encoder)
        }
        for gone in self._loaded.keys() - kept.keys():
            self._retire(gone)
        self._loaded = dict(kept)
