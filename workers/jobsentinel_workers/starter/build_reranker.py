"""Builds the starter reranker: adapter for queries, cross-encoder, weights of the score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jobsentinel_workers.encoders import QueryAdapter, Runner, TextEncoder, load_backbone
from jobsentinel_workers.reranking import CrossEncoderReranker, Fusion, PairLimits
from jobsentinel_workers.reranking.cross_encoder import save_reranker, update_fusion
from jobsentinel_workers.reranking.pair_scoring import PairNetwork
from jobsentinel_workers.starter.fusion_fitting import (
    Encoders,
    JudgedLists,
    fit_fusion,
    held_out_occupation_lists,
    held_out_register_lists,
    posting_lists,
    score_lists,
)
from jobsentinel_workers.starter.posting_groups import PostingGroups
from jobsentinel_workers.starter.query_sources import (
    DutiesOfOccupations,
    NamesOfOccupations,
    QuerySource,
    TitlesOfPostings,
)
from jobsentinel_workers.starter.query_training import QuerySettings, train_query_adapter
from jobsentinel_workers.starter.ranking_data import (
    Draw,
    OccupationGroups,
    OccupationPool,
    RankingGroup,
    plain_document,
)
from jobsentinel_workers.starter.ranking_split import RankingData
from jobsentinel_workers.starter.reranker_training import RerankerSettings, train_adapter

Log = Callable[[str], None]


def learn_queries(
    data: RankingData, encoder: TextEncoder, runner: Runner, settings: QuerySettings, log: Log
) -> QueryAdapter:
    """Return the adapter for queries, whose documents ``encoder`` embeds."""
    entries, occupations = data.entries.learnt, data.occupations.learnt
    names = [
        NamesOfOccupations(each, [plain_document(o) for o in each], encoder, runner)
        for each in (entries, occupations)
    ]
    duties = DutiesOfOccupations(occupations, names[1].documents)
    titles = TitlesOfPostings(data.postings.learnt, encoder, runner)
    sources: dict[QuerySource, float] = {names[0]: 0.5, names[1]: 0.35, duties: 0.09, titles: 0.06}
    log(f"{len(entries)} entries and {len(occupations)} occupations for queries")
    return train_query_adapter(load_backbone(), sources, settings, log)


def train_reranker(
    data: RankingData,
    encoders: Encoders,
    settings: RerankerSettings,
    log: Log,
    start: QueryAdapter,
) -> PairNetwork:
    """Return the trained pair network, which begins with what ``start`` knows of names."""
    entries, occupations = (
        OccupationGroups(
            OccupationPool.embed(each, encoders.documents, encoders.runner), encoders.queries
        )
        for each in (data.entries.learnt, data.occupations.learnt)
    )
    postings = PostingGroups(data.postings.learnt, encoders.documents, encoders.queries)
    log(f"{len(postings.rows)} postings to train on")
    draws: dict[Draw, float] = {entries.draw: 0.45, occupations.draw: 0.35, postings.draw: 0.2}
    return train_adapter(load_backbone(), _mix(draws), settings, log, start.tensors)


def _mix(draws: dict[Draw, float]) -> Draw:
    def draw(count: int, rng: np.random.Generator) -> list[RankingGroup]:
        counts = rng.multinomial(count, list(draws.values()))
        return [g for each, n in zip(draws, counts, strict=True) for g in each(int(n), rng)]

    return draw


def build_reranker(
    data: RankingData,
    out: Path,
    queries: QuerySettings,
    settings: RerankerSettings,
    *,
    runner: Runner,
    log: Log,
) -> None:
    """Train and fit the reranker, and write it into ``out``; ``runner`` embeds documents."""
    encoder = TextEncoder.load(precision="fp32")
    adapter = learn_queries(data, encoder, runner, queries, log)
    encoders = Encoders(encoder, adapter.applied_to(encoder), runner)
    network = train_reranker(data, encoders, settings, log, adapter)
    save_reranker(
        network,
        load_backbone(),
        out,
        adapter={"rank": settings.rank, "alpha": settings.alpha},
        limits=PairLimits(),
        fusion=Fusion(10.0, 1.0, -5.0),
        query_adapter=adapter,
    )
    fit_weights(data, out, encoders, settings.seed, log)


def fit_weights(data: RankingData, out: Path, encoders: Encoders, seed: int, log: Log) -> None:
    """Fit the weights of the score on what was not learnt from, and write them into ``out``."""
    model = CrossEncoderReranker.load(out, precision="fp32").model
    lists = lists_to_fit(data, encoders, seed)
    fusion = fit_fusion(lists, [score_lists(each, model) for each in lists])
    update_fusion(out, fusion)
    log(f"fusion {fusion}")


def lists_to_fit(data: RankingData, encoders: Encoders, seed: int) -> list[JudgedLists]:
    """Return what the first stage finds for queries that nothing was learnt from."""
    occupations, entries = data.occupations, data.entries
    return [
        held_out_occupation_lists(occupations.fitted, occupations.everything(), encoders, seed),
        held_out_register_lists(entries.fitted, entries.everything(), encoders, seed),
        posting_lists(data.postings.fitted, encoders),
    ]
