"""Real servers and real workers for the tests, each process with its own on free ports."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from jobsentinel import Producer, Settings
from jobsentinel_workers.embedded import EmbeddedServer
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fleet import Fleet
from jobsentinel_workers.store import Database
from tests.encoder_folders import write_encoder
from tests.side_by_side import by_group, scheduler

for name in [name for name in os.environ if name.startswith("JOBSENTINEL_")]:
    del os.environ[name]  # a developer's own fleet is never touched


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out tests by group when several processes run them."""
    return scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order tests by group in those processes."""
    if hasattr(config, "workerinput"):
        items[:] = by_group(items)


def _settings(folder: Path, **changes: object) -> Settings:
    return Settings.load(
        data_dir=folder,
        lease_s=4.0,
        reconcile_interval_s=0.5,
        lost_message_grace_s=2.0,
        retry_base_s=0.1,
        cpu_threads=1,
        inference_threads=4,
        shutdown_grace_s=20.0,
        **changes,
    )


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server without workers."""
    with EmbeddedServer(_settings(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def settings(
    redis_server: EmbeddedServer, tmp_path: Path, request: pytest.FixtureRequest
) -> Settings:
    """Settings of a namespace and a data folder that no other test uses."""
    namespace = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    return _settings(tmp_path / "data", redis_url=redis_server.url, namespace=namespace)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store with its tables, to copy: migrating takes longer than many a test."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    Database.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def database(settings: Settings, empty_store: Path) -> Iterator[Database]:
    """The store of the test's settings, with its tables."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_store, settings.store_url.removeprefix("sqlite:///"))
    database = Database.open(settings.store_url)
    yield database
    database.close()


@pytest.fixture
def producer(settings: Settings) -> Iterator[Producer]:
    """A producer whose jobs nobody works on, unless the test does."""
    with Producer(settings=settings) as producer:
        yield producer


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """An embedded server with both worker pools, ready for work."""
    with Fleet(_settings(tmp_path_factory.mktemp("fleet"))) as fleet:
        fleet.wait_ready()
        yield fleet


@pytest.fixture(scope="session")
def client(fleet: Fleet) -> Iterator[Producer]:
    """A producer of the running fleet."""
    changed = fleet.settings.model_copy(update={"redis_url": fleet.redis_url})
    with Producer(settings=changed) as producer:
        yield producer


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Keep torch to one core: other tests share the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random encoder of two layers, 32 wide, and the real tokenizer: quick."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    return write_encoder(folder, pooler=True, num_hidden_layers=2, num_attention_heads=4)


@pytest.fixture
def tiny_encoder(tiny_encoder_path: Path) -> TextEncoder:
    """A random encoder that a test may change."""
    return TextEncoder.load(tiny_encoder_path, precision="fp32", max_tokens=64)
