"""What `jobsentinel doctor` says of vector search over a real Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_pgvector_index import modest_address
from test_vector_index import index_postings, random_vectors

from jobsentinel.cli.session import Session
from jobsentinel_workers.cli.finding import Finding
from jobsentinel_workers.cli.ranking_checkup import ranking_findings
from jobsentinel_workers.store import Database, pgvector_building


@pytest.fixture
def address(make_address: Callable[[str], str]) -> str:
    """An empty store on Postgres, without the extension."""
    return make_address("postgresql")


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """The same, open, with five postings."""
    database = Database.open(address)
    index_postings(database, random_vectors(5, 4))
    yield database
    database.close()


Look = Callable[[str, int | None], list[Finding]]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Look:
    """Look at the store of an address as `jobsentinel doctor` does."""

    def look(address: str, above: int | None) -> list[Finding]:
        monkeypatch.setenv("JOBSENTINEL_DATABASE_URL", address)
        monkeypatch.setenv("JOBSENTINEL_PGVECTOR_ABOVE", "none" if above is None else str(above))
        return list(ranking_findings(Session(data_dir=tmp_path)))

    return look


def test_each_state_is_told(address: str, database: Database, look: Look) -> None:
    # Up to the number, and without one, memory is what is wanted
    (few,) = look(address, 5)
    assert (few.level, few.found) == ("ok", "in memory up to 5 postings, 5 now; pgvector then")
    (never,) = look(address, None)
    assert (never.level, never.found) == ("ok", "in memory, 5 postings; pgvector is not wanted")

    # Above it, the extension lacks until a worker has made it, or an administrator
    (lacking,) = look(address, 4)
    told = "in memory, 5 postings: the extension `vector` is not made"
    assert (lacking.name, lacking.level, lacking.found) == ("vector search", "warn", told)
    assert "CREATE EXTENSION vector" in lacking.advice

    # And then pgvector searches
    pgvector_building.build(database, "e")
    (ready,) = look(address, 4)
    assert ready.level == "ok"
    assert ready.found.startswith("by pgvector 0.")


def test_a_user_with_few_rights_may_look_too(database: Database, look: Look) -> None:
    (found,) = look(modest_address(database), 0)

    assert found.level == "warn"
    assert "is not made" in found.found


def test_a_store_that_is_away_is_left_to_its_own_line(look: Look) -> None:
    assert look("postgresql+psycopg://user@127.0.0.1:1/nothing", 0) == []


def test_sqlite_has_nothing_to_tell(look: Look, tmp_path: Path) -> None:
    assert look(f"sqlite:///{tmp_path / 'store.db'}", 0) == []
    assert not (tmp_path / "store.db").exists()
