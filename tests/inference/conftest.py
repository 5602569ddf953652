"""What the tests of inference share: a store that is filled as a worker fills it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobsentinel.contract.postings import Posting
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.inference.embeddings import embed
from jobsentinel_workers.inference.scoring import model_text
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.store import Database, posting_facts, postings


@pytest.fixture
def store(database: Database, models: ServingModels) -> Callable[..., list[str]]:
    """Store postings with their embeddings and facts, and return their content hashes."""

    def store(*sent: dict[str, Any]) -> list[str]:
        parsed = [Posting.parse(posting) for posting in sent]
        texts = [model_text(posting) for posting in parsed]
        embedded = embed(database, models.base, texts, run_directly)
        rows = [
            {**posting.model_dump(), "text": text, "content_hash": key}
            for posting, text, key in zip(parsed, texts, embedded.hashes, strict=True)
        ]
        with database.begin() as connection:
            embedded.save(connection)
            postings.upsert(connection, rows)
            posting_facts.describe(connection, rows)
        return embedded.hashes

    return store
