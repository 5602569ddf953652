"""What `jobsentinel doctor` says of ranking: where vectors are searched, and scorers by setting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from jobsentinel.cli.session import Session
from jobsentinel.contract.errors import ConfigurationError, ModelUnavailable, StoreUnavailable
from jobsentinel.settings import Settings
from jobsentinel_workers.cli.finding import Finding, fail, ok, warn

if TYPE_CHECKING:
    from sqlalchemy import Connection

_KINDS: Final = {"sparse": "SparseEncoder", "late_interaction": "MultiVectorEncoder"}
_ADVICE: Final = (
    "have an administrator run `CREATE EXTENSION vector` in the store's database and start the "
    "workers anew, or set JOBSENTINEL_PGVECTOR_ABOVE=none"
)


def ranking_findings(session: Session) -> Iterator[Finding]:
    """Yield what is found where anything is set; what other checks tell is not told again."""
    try:
        settings = session.settings
        yield from _scorers(settings)
        yield from _vectors(settings)
    except (ConfigurationError, StoreUnavailable, ImportError):
        return  # the lines `settings`, `store` and `packages` say why


def _scorers(settings: Settings) -> Iterator[Finding]:
    for stage, kind in _KINDS.items():
        folder = getattr(settings, f"{stage}_path")
        if folder is None:
            continue
        from jobsentinel_workers.reranking.library_models import check_library_folder

        try:
            check_library_folder(folder, kind)
        except ModelUnavailable as error:
            advice = f"set JOBSENTINEL_{stage.upper()}_PATH to a folder of sentence-transformers"
            yield fail(f"{stage.replace('_', ' ')} stage", str(error), advice)
        else:
            yield ok(f"{stage.replace('_', ' ')} stage", str(folder))


def _vectors(settings: Settings) -> Iterator[Finding]:
    from jobsentinel_workers.cli.opening import sqlite_file
    from jobsentinel_workers.store import Database

    if sqlite_file(settings) is not None:
        return
    database = Database.open(settings.store_url, migrate=False)
    try:
        with database.connect() as connection:
            yield _vector_search(connection, settings.pgvector_above)
    finally:
        database.close()


def _vector_search(connection: Connection, above: int | None) -> Finding:
    from jobsentinel_workers.store import pgvector_building, pgvector_tables, postings

    count = postings.count(connection)
    if above is None:
        return ok("vector search", f"in memory, {count:,} postings; pgvector is not wanted")
    version = pgvector_building.installed_version(connection)
    reason = pgvector_building.problem(connection)
    if count <= above:
        then = f"pgvector then: {reason}" if reason else "pgvector then"
        return ok("vector search", f"in memory up to {above:,} postings, {count:,} now; {then}")
    if version is None and reason is None:
        reason = "the extension `vector` is not made"
    if reason is not None:
        return warn("vector search", f"in memory, {count:,} postings: {reason}", _ADVICE)
    if not pgvector_tables.any_ready(connection):
        found = f"in memory, {count:,} postings, until the workers have made pgvector's index"
        return ok("vector search", found)
    return ok("vector search", f"by pgvector {version}, {count:,} postings")
