"""The stages of ranking tried on judged queries, with the models that are in service."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobsentinel.cli.waiting import bar, waiting_note
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.settings import Settings
from jobsentinel_workers.cli.evaluated_pool import (
    documents_in,
    embed_texts,
    stored_documents,
    with_judged_texts,
)
from jobsentinel_workers.cli.opening import require_store, sqlite_file
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.multi_task import scored_text
from jobsentinel_workers.reranking import HybridRanker
from jobsentinel_workers.reranking.evaluation import RankingEvaluation, evaluate_rankings
from jobsentinel_workers.reranking.judgements import Judgements
from jobsentinel_workers.reranking.staged_rankings import (
    Pool,
    StagedRanker,
    StagedRankings,
    rank_by_stage,
)
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.timestamps import utc_now


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """What is ranked, and how.

    Attributes:
        from_index: rank the stored postings.
        candidates: rank those of this file; without either, the judged texts if all rows have one.
        initial_top_k: how many postings the last stage reads.
        relevant_from: the least grade above 0 that is relevant.
    """

    from_index: bool = False
    candidates: Path | None = None
    initial_top_k: int = 100
    relevant_from: float = 0.0

    def ranks_the_store(self, judgements: Judgements) -> bool:
        """Whether the stored postings are ranked."""
        names_postings = any(
            name not in judgements.texts for given in judgements.grades.values() for name in given
        )
        return self.from_index or (self.candidates is None and names_postings)


@dataclass(frozen=True, slots=True)
class Trial:
    """An evaluation with what it was made of.

    Attributes:
        evaluation: the figures.
        missing: ids that were judged and are not among the documents; their rows did not count.
        facts: models, precision, documents and times as JSON values.
    """

    evaluation: RankingEvaluation
    missing: tuple[str, ...]
    facts: Mapping[str, Any]


def try_ranking(settings: Settings, judgements: Judgements, options: TrialOptions) -> Trial:
    """Rank for each judged query and return what the stages are worth.

    Raises:
        ConfigurationError: stored postings are wanted, and there is no store.
        InvalidInput: a file is wrong, or none of the judged documents is there.
        ModelUnavailable: a model in service cannot be loaded.
    """
    started = time.perf_counter()
    with _store(settings, is_needed=options.ranks_the_store(judgements)) as database:
        asked = _gather(judgements, options, database)
        with waiting_note("loading models"):
            models = ServingModels(settings)
            reranker = models.reranker()
        top_k = options.initial_top_k
        ranker = HybridRanker(models.base, reranker.model, initial_top_k=top_k, final_top_k=top_k)
        rankings = _rank(asked, ranker, database)
    evaluation = evaluate_rankings(
        asked.judgements.only(asked.documents), rankings, relevant_from=options.relevant_from
    )
    facts = {
        "date": utc_now()[:10],
        "documents": len(asked.documents),
        "missing_documents": list(asked.missing),
        "initial_top_k": top_k,
        "bi_encoder": models.base.model_id,
        "cross_encoder": f"{reranker.stamp.name}@{reranker.stamp.version}",
        "precision": models.base.precision,
        "seconds": round(time.perf_counter() - started, 3),
    }
    return Trial(evaluation, asked.missing, facts)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is ranked for which queries; texts of ``stored`` are as the models see them already."""

    documents: Mapping[str, str]
    stored: Collection[str]
    judgements: Judgements
    missing: tuple[str, ...]


def _gather(judgements: Judgements, options: TrialOptions, database: Database | None) -> _Asked:
    stored: dict[str, str] = {}
    if database is not None and options.ranks_the_store(judgements):
        stored = stored_documents(database)
    given = stored if options.candidates is None else documents_in(options.candidates)
    documents, fitting = with_judged_texts(given, judgements)
    return _Asked(documents, stored, fitting, _missing(fitting, documents))


def _rank(asked: _Asked, ranker: HybridRanker, database: Database | None) -> StagedRankings:
    encoder = ranker.bi_encoder
    queries = list(asked.judgements.grades)
    vectors = embed_texts(
        list(map(scored_text, queries)), ranker.query_encoder, database, "queries"
    )
    texts = [t if id_ in asked.stored else scored_text(t) for id_, t in asked.documents.items()]
    pool = Pool.of(asked.documents, embed_texts(texts, encoder, database, "postings"))
    with bar("ranking", len(queries)) as shown:
        asking = zip(queries, vectors, strict=True)
        return rank_by_stage(StagedRanker(pool, ranker), asking, shown.advance)


@contextmanager
def _store(settings: Settings, *, is_needed: bool) -> Iterator[Database | None]:
    """Open the store; where it is not needed, only if there is one, for the embeddings in it."""
    file = sqlite_file(settings)
    if is_needed:
        require_store(settings)
    elif file is None or not file.is_file():
        yield None
        return
    database = Database.open(settings.store_url)
    try:
        yield database
    finally:
        database.close()


def _missing(judgements: Judgements, documents: Mapping[str, str]) -> tuple[str, ...]:
    judged = {name for given in judgements.grades.values() for name in given}
    missing = sorted(judged.difference(documents))
    if len(missing) == len(judged):
        problem = f"names no posting that is ranked; {missing[0]!r:.80} is the first of them"
        raise InvalidInput("judgements", problem)
    return tuple(missing)
