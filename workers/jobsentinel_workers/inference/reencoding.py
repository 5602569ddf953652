"""Encoding anew, in the background, what has no embedding by the index's encoder.

One process of the fleet does it at a time. It gives way: its texts go into the bulk lane, few at a
time, and after each chunk it rests for as long as that took, so that requests have half of the
machine at least. Each chunk is stored under content hash and encoder, hence whoever goes on after a
restart or a kill begins with the first text that is not there.

While an older encoder's index still answers, postings that came meanwhile are encoded by that one
first: a scraper's new postings must be found at once.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from jobsentinel.contract.errors import InvalidInput, QueueUnavailable, StoreUnavailable
from jobsentinel.ledger import Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel, TextInput
from jobsentinel_workers.inference.fleet_lease import FleetLease
from jobsentinel_workers.inference.index_encoder import IndexEncoder, Load
from jobsentinel_workers.inference.known_encoders import KnownEncoders
from jobsentinel_workers.inference.search_indexes import indexes_of
from jobsentinel_workers.store import Database, embeddings
from jobsentinel_workers.store.coverage import lacking

logger = logging.getLogger(__name__)

ROLE: Final = "reencoder"
"""In the ledger: the process that encodes anew."""
CHUNK_TEXTS: Final = 16
LOOK_S: Final = 5.0
"""Between two looks at the store while an older encoder's index answers."""
SETTLED_LOOK_S: Final = 60.0
"""The same once the wanted one does: only postings of workers not restarted yet can lack it."""


class Reencoder:
    """Runs until `stop`."""

    def __init__(
        self,
        database: Database,
        index: IndexEncoder,
        runner: Runner,
        lease: FleetLease,
        *,
        chunk_texts: int = CHUNK_TEXTS,
        look_s: float = LOOK_S,
        settled_look_s: float = SETTLED_LOOK_S,
    ) -> None:
        self._database = database
        self._index = index
        self._runner = runner
        self._lease = lease
        self._chunk_texts = chunk_texts
        self._look_s = look_s
        self._settled_look_s = settled_look_s
        self._state = "starting"
        self._look_at = 0.0
        self._complete: set[str] = set()
        """Encoders that lacked nothing since the store last changed."""
        self._behind: dict[str, str] = {}
        """By encoder, the content hash up to which this pass has come."""
        self._unencodable: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reencoder", daemon=True)

    @property
    def index(self) -> IndexEncoder:
        """Says which encoder's index answers."""
        return self._index

    def start(self) -> None:
        """Begin; the first look comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the chunk in hand is finished and stored first."""
        self._stopped.set()
        self._thread.join()

    def report(self) -> dict[str, Any]:
        """Return how far it has come: for `jobsentinel status`."""
        return {**self._index.report(), "state": self._state}

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopped.wait(pause_s):
            started = time.monotonic()
            try:
                encoded = self.turn()
            except (QueueUnavailable, StoreUnavailable) as error:
                logger.warning("reencoder.waits %s", error)
                encoded = 0
            except Exception:  # a thread's edge: what broke one turn must not end all others
                logger.exception("reencoder.turn_failed")
                encoded = 0
            pause_s = time.monotonic() - started if encoded else self._pause_s()
        self._let_go()

    def _pause_s(self) -> float:
        return self._settled_look_s if self._index.is_settled else self._look_s

    def turn(self) -> int:
        """Encode a chunk, if something lacks and no other process is at it; return how many texts.

        Raises:
            QueueUnavailable, StoreUnavailable: nothing was stored; the next turn tries again.
        """
        self._look_now_and_then()
        for encoder in self._encoders():
            chunk = self._next(encoder)
            if not chunk:
                self._complete.add(encoder.model_id)
                continue
            if not self._lease.hold():
                self._state = "elsewhere"
                return 0
            self._state = "encoding"
            self._encode(encoder, chunk)
            return len(chunk)
        self._finish()
        return 0

    def _look_now_and_then(self) -> None:
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + self._pause_s()
        if self._index.look():
            self._complete.clear()

    def _encoders(self) -> list[SequenceModel]:
        """Return who may lack something: the one that answers first."""
        both = {each.model_id: each for each in (self._index.serving().encoder, self._index.wanted)}
        return [each for name, each in both.items() if name not in self._complete]

    def _next(self, encoder: SequenceModel) -> dict[str, str]:
        """Return the next texts without an embedding, from the beginning again behind the last."""
        name = encoder.model_id
        with self._database.connect() as connection:
            for start in dict.fromkeys((self._behind.get(name, ""), "")):
                self._behind[name] = start
                while found := self._lacking(connection, name):
                    self._behind[name] = max(found)
                    chunk = {k: text for k, text in found.items() if k not in self._unencodable}
                    if chunk:
                        return chunk
        return {}

    def _lacking(self, connection: Connection, name: str) -> dict[str, str]:
        return lacking(connection, name, after=self._behind[name], limit=self._chunk_texts)

    def _encode(self, encoder: SequenceModel, chunk: Mapping[str, str]) -> None:
        try:
            vectors = dict(zip(chunk, self._runner(encoder, list(chunk.values())), strict=True))
        except InvalidInput:
            vectors = self._one_by_one(encoder, chunk)
        with self._database.begin() as connection:
            embeddings.put_many(connection, encoder.model_id, vectors)

    def _one_by_one(
        self, encoder: SequenceModel, chunk: Mapping[str, str]
    ) -> dict[str, FloatArray]:
        """Return the embeddings of those texts that can be encoded, and remember the others."""
        vectors: dict[str, FloatArray] = {}
        for key, text in chunk.items():
            texts: list[TextInput] = [text]
            try:
                vectors[key] = self._runner(encoder, texts)[0]
            except InvalidInput as error:
                self._unencodable.add(key)
                logger.error("reencoder.unencodable content_hash=%s %s", key, error)
        return vectors

    def _finish(self) -> None:
        """Nothing lacks: let the wanted one's index answer, if it does not yet."""
        if self._state == "encoding":
            self._lease.release()
            if self._index.look():
                self._complete.clear()  # who looked first may have missed what came since
            logger.info("reencoder.complete encoder=%s", self._index.wanted.model_id)
        self._state = "complete"

    def _let_go(self) -> None:
        try:
            self._lease.release()
        except QueueUnavailable as error:
            logger.warning("reencoder.lease_left %s", error)  # it ends by itself


def reencoder_of(
    settings: Settings,
    database: Database,
    ledger: Ledger,
    wanted: SequenceModel,
    *,
    load: Load,
    runner: Runner,
) -> Reencoder:
    """Return this process's re-encoder, not started yet.

    Args:
        settings: of the fleet.
        database: with the postings.
        ledger: says who of the fleet encodes.
        wanted: the encoder of the setting.
        load: loads the encoder of a folder, or with None the one that comes with the package.
        runner: of the bulk lane.
    """
    indexes = indexes_of(database)
    index = IndexEncoder(
        database,
        wanted,
        settings.encoder_path,
        known=KnownEncoders(settings.data_dir / "index"),
        load=load,
        prepare=indexes.refresh,
        retire=indexes.forget,
    )
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    lease = FleetLease(ledger, ROLE, owner, settings.lease_s)
    return Reencoder(database, index, runner, lease)
