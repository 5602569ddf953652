"""Builds the starter reranker: data, training, fitting of the score, measuring, saving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobsentinel_workers.encoders import TextEncoder, load_backbone
from jobsentinel_workers.reranking import CrossEncoderReranker, Fusion, PairLimits
from jobsentinel_workers.reranking.cross_encoder import save_reranker, update_fusion
from jobsentinel_workers.reranking.pair_scoring import PairNetwork
from jobsentinel_workers.starter.open_data import (
    Occupation,
    PostingRow,
    read_linkedin_postings,
    read_onet,
)
from jobsentinel_workers.starter.ranking_data import (
    OccupationGroups,
    OccupationPool,
    PostingGroups,
    RankingGroup,
)
from jobsentinel_workers.starter.ranking_evaluation import (
    compare,
    fit_fusion,
    held_out_occupation_lists,
    posting_lists,
    score_lists,
    vacancy_lists,
)
from jobsentinel_workers.starter.reranker_training import Draw, RerankerSettings, train_adapter
from jobsentinel_workers.starter.splits import split

HELD_OUT_SHARE = 0.1

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KeptApart:
    """Occupations and postings that nothing was trained on."""

    occupations: list[Occupation]
    postings: list[PostingRow]


@dataclass(frozen=True, slots=True)
class RankingData:
    """Occupations and postings to train on, and those kept apart."""

    occupations: list[Occupation]
    held_out_occupations: list[Occupation]
    postings: list[PostingRow]
    held_out_postings: list[PostingRow]

    def for_fitting(self) -> KeptApart:
        """Return the half of what is kept apart that the weights of the score are fitted on."""
        return KeptApart(
            self.held_out_occupations[: len(self.held_out_occupations) // 2],
            self.held_out_postings[: len(self.held_out_postings) // 2],
        )

    def for_judging(self) -> KeptApart:
        """Return the half that nothing was fitted on either."""
        return KeptApart(
            self.held_out_occupations[len(self.held_out_occupations) // 2 :],
            self.held_out_postings[len(self.held_out_postings) // 2 :],
        )


def read_ranking_data(data: Path, seed: int) -> RankingData:
    """Return the open data for ranking; occupations without tasks say too little to rank."""
    occupations = [occupation for occupation in read_onet(data) if occupation.tasks]
    return RankingData(
        *split(occupations, HELD_OUT_SHARE, seed),
        *split(read_linkedin_postings(data), HELD_OUT_SHARE * 2, seed),
    )


def train_reranker(data: RankingData, settings: RerankerSettings, log: Log) -> PairNetwork:
    """Return the trained pair network."""
    encoder = TextEncoder.load(precision="fp32")
    occupations = OccupationGroups(OccupationPool.embed(data.occupations, encoder), encoder)
    postings = PostingGroups(data.postings, encoder)
    log(f"{len(data.occupations)} occupations and {len(postings.rows)} postings to train on")
    return train_adapter(load_backbone(), _mix(occupations, postings), settings, log)


def _mix(occupations: OccupationGroups, postings: PostingGroups) -> Draw:
    def draw(count: int, rng: np.random.Generator) -> list[RankingGroup]:
        real = count // 4
        return occupations.draw(count - real, rng) + postings.draw(real, rng)

    return draw


@dataclass(frozen=True, slots=True)
class RerankerBuild:
    """A trained reranker on disk and what it achieves, by kind of query."""

    folder: Path
    metrics: dict[str, dict[str, float]]


def build_reranker(
    data: Path, out: Path, settings: RerankerSettings, log: Log, vacancies: int = 120
) -> RerankerBuild:
    """Train, fit and measure the reranker, and write it into ``out``."""
    ranking_data = read_ranking_data(data, settings.seed)
    network = train_reranker(ranking_data, settings, log)
    save_reranker(
        network,
        load_backbone(),
        out,
        adapter={"rank": settings.rank, "alpha": settings.alpha},
        limits=PairLimits(),
        fusion=Fusion(10.0, 1.0, -5.0),
    )
    return finish_reranker(
        data, ranking_data, out, seed=settings.seed, log=log, vacancies=vacancies
    )


def finish_reranker(
    data: Path, ranking_data: RankingData, out: Path, *, seed: int, log: Log, vacancies: int
) -> RerankerBuild:
    """Fit the fusion weights of the reranker in ``out``, write them there, and measure it."""
    encoder = TextEncoder.load(precision="fp32")
    model = CrossEncoderReranker.load(out, precision="fp32").model
    fitted, unseen = ranking_data.for_fitting(), ranking_data.for_judging()
    everything = ranking_data.occupations + ranking_data.held_out_occupations
    lists = [
        held_out_occupation_lists(fitted.occupations, everything, encoder, seed),
        posting_lists(fitted.postings, encoder),
    ]
    fusion = fit_fusion(lists, [score_lists(each, model) for each in lists])
    update_fusion(out, fusion)
    log(f"fusion {fusion}")
    judged = {
        "occupations": held_out_occupation_lists(unseen.occupations, everything, encoder, seed),
        "vacancies": vacancy_lists(data, encoder, vacancies, seed),
        "postings": posting_lists(unseen.postings, encoder),
    }
    metrics = {}
    for name, part in judged.items():
        metrics[name] = compare(part, score_lists(part, model), fusion)
        log(f"{name}: {metrics[name]}")
    return RerankerBuild(out, metrics)
