"""A circle in this process, of real parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from circle_world import World
from tests.encoder_folders import write_encoder

from jobsentinel import Producer, Settings
from jobsentinel_workers.models_in_service import open_registry
from jobsentinel_workers.store import Database


@pytest.fixture(scope="session")
def encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder whose embeddings differ enough to be told apart."""
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "initializer_range": 0.2}
    return write_encoder(tmp_path_factory.mktemp("encoders") / "circle", **sizes)


@pytest.fixture
def world(settings: Settings, database: Database, encoder_path: Path) -> Iterator[World]:
    """An empty store, an empty registry, and nobody at work."""
    settings = settings.changed(encoder_path=encoder_path)
    with Producer(settings=settings) as producer:
        yield World(settings, database, producer, open_registry(settings))
