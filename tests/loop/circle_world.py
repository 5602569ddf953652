"""A circle in this process: real store, registry, ledger and trainings over a tiny encoder."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobsentinel import Producer, Settings
from jobsentinel.contract import wire
from jobsentinel.contract.loops import LoopCheck
from jobsentinel.contract.results import TrainResult
from jobsentinel.contract.tasks import TRAINING
from jobsentinel.ledger import Claim
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.jobs.stopping import StopSignal
from jobsentinel_workers.loop.trainings import check_training
from jobsentinel_workers.loop.turn import Turns
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.store import Database, embeddings, labels, loops, postings, results
from jobsentinel_workers.store.loops import Loop
from jobsentinel_workers.training.handlers import TrainingHandlers

ENCODER = "tiny-for-drift"
QUICK = {"epochs": 10, "max_tokens": 16, "gate": {"min_rows": 6, "max_latency_ratio": 1_000.0}}
WORDS = ("warehouse", "remote")
OTHER_WORDS = [
    "harbour",
    "market",
    "tower",
    "bridge",
    "valley",
    "forest",
    "castle",
    "river",
    "garden",
    "island",
    "temple",
    "museum",
    "bakery",
    "school",
    "hospital",
    "library",
    "station",
    "airport",
    "stadium",
    "theatre",
    "palace",
    "prison",
    "church",
    "village",
    "meadow",
    "desert",
    "canyon",
    "glacier",
    "volcano",
    "orchard",
    "vineyard",
    "quarry",
    "lagoon",
    "prairie",
    "marsh",
    "tundra",
    "reef",
]


@dataclass
class World:
    """The fleet's parts without its processes."""

    settings: Settings
    database: Database
    producer: Producer
    registry: ModelRegistry

    def start(self, kind: str = "remote", model: str = "own", **trigger: Any) -> Loop:
        """Start a loop that quick trainings serve."""
        limits = {"min_new_labels": 40, "max_days": None, **trigger}
        training = check_training(kind, model, {"options": QUICK if model == "own" else {}})
        with self.database.begin() as connection:
            return loops.start(
                connection, kind, model, trigger=limits, training=training.model_dump()
            )

    def check(self, *kinds: str) -> LoopCheck:
        """Check the loops, and return what came of the first."""
        return self.turns().check(kinds or None).loops[0]

    def turns(self) -> Turns:
        return Turns(self.settings, self.database, self.producer.ledger, self.registry, ENCODER)

    def loop(self, kind: str = "remote") -> Loop:
        with self.database.connect() as connection:
            return loops.require(connection, kind)

    def label(
        self,
        numbers: Sequence[int],
        value: Callable[[int], Any] = lambda n: "home" if n % 2 else "site",
        *,
        kind: str = "remote",
        **columns: Any,
    ) -> None:
        """Store postings that say where the work is, each with a label."""
        with self.database.begin() as connection:
            postings.upsert(connection, [posting(n) for n in numbers])
            rows = [
                {"posting_id": f"p{n}", "kind": kind, "value": value(n), **columns} for n in numbers
            ]
            labels.add(connection, rows)

    def answer(self, numbers: Sequence[int], label: Callable[[int], str], version: int) -> None:
        """Store scores as version ``version`` of the model gives them."""
        stamp = {"name": "own", "version": version, "precision": "fp32"}
        rows = [
            (
                f"p{n}",
                {"posting_id": f"p{n}", "custom": {"own": {"label": label(n), "model": stamp}}},
            )
            for n in numbers
        ]
        with self.database.begin() as connection:
            results.save(
                connection, f"score-{version}-{numbers[0]}", "score", rows, fencing_token=1
            )

    def embed(self, numbers: Sequence[int], shift: float = 0.0) -> None:
        """Store postings with embeddings (16,) that lie around a place."""
        rng = np.random.default_rng(list(numbers))
        with self.database.begin() as connection:
            rows = [posting(n) for n in numbers]
            postings.upsert(connection, rows)
            vectors = {row["content_hash"]: rng.normal(size=16) + shift for row in rows}
            embeddings.put_many(connection, ENCODER, vectors)

    def waiting(self) -> int:
        """How many messages wait for the training pool."""
        return self.producer.ledger.depths([TRAINING])[TRAINING]

    def train(self, run_id: str) -> TrainResult:
        """Do a training as a worker does."""
        claim = self.producer.ledger.claim(run_id, owner="test", lease_s=300, max_attempts=3)
        assert isinstance(claim, Claim)
        handlers = TrainingHandlers(self.settings, self.database, self.producer.ledger)
        task, request = wire.decode_request(claim.payload)
        context = JobContext(claim, self.producer.ledger, stop=StopSignal())
        answer = getattr(handlers, task.name)(request, context)
        with self.database.begin() as connection:
            assert answer.store is not None
            answer.store(connection)
        self.producer.ledger.complete(run_id, claim.token, ttl_s=60, result=b"\x80")
        result: TrainResult = answer.result
        return result


def posting(n: int) -> dict[str, str]:
    """A posting of which the words tell where the work is, each unlike the others."""
    chosen = random.Random(n)
    words = [WORDS[n % 2]] * 5 + chosen.sample(OTHER_WORDS, 4)
    chosen.shuffle(words)
    text = " ".join(words)
    id_ = f"p{n}"
    return {"id": id_, "title": text, "description": "", "text": text, "content_hash": f"{n:032x}"}
