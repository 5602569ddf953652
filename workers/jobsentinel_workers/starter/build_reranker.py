"""Builds the starter reranker: data, training, fitting of the score, measuring, saving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from jobsentinel_workers.encoders import TextEncoder, load_backbone
from jobsentinel_workers.reranking.adapters import adapter_state
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
from jobsentinel_workers.starter.reranker_training import Draw, RerankerSettings, train_adapter
from jobsentinel_workers.starter.splits import split

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class RankingData:
    """Occupations and postings to train on, and those kept apart."""

    occupations: list[Occupation]
    held_out_occupations: list[Occupation]
    postings: list[PostingRow]
    held_out_postings: list[PostingRow]


def read_ranking_data(data: Path, seed: int) -> RankingData:
    """Return the open data for ranking; occupations without tasks say too little to rank."""
    occupations = [occupation for occupation in read_onet(data) if occupation.tasks]
    return RankingData(
        *split(occupations, HELD_OUT_SHARE, seed),
        *split(read_linkedin_postings(data), HELD_OUT_SHARE * 2, seed),
    )


def train_reranker(
    data: RankingData, settings: RerankerSettings, log: Callable[[str], None]
) -> PairNetwork:
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


def save_weights(network: PairNetwork, path: Path) -> None:
    """Write the adapters and the head as safetensors."""
    adapters = adapter_state(network.transformer)
    tensors = {f"adapter.{name}": value.contiguous() for name, value in adapters.items()}
    tensors |= {f"head.{name}": value.detach() for name, value in network.head.state_dict().items()}
    save_file(tensors, path)
