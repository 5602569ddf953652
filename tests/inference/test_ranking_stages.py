"""Scorers between retrieval and the cross-encoder: by setting, checked at the start, told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.library_folders import write_late_interaction, write_sparse

from jobsentinel import Settings
from jobsentinel.contract.errors import ConfigurationError
from jobsentinel.contract.requests import RerankRequest
from jobsentinel.contract.results import RerankResult
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.inference.ranking import Ranking
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.reranking import LateInteractionScorer, SparseScorer
from jobsentinel_workers.store import Database

POOL = [{"id": f"job-{n:02}", "text": f"{'night ' * n}nurse number {n}"} for n in range(12)]
Configure = Callable[..., ServingModels]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each kind, saved as its library saves it."""
    return {
        "sparse": write_sparse(tmp_path_factory.mktemp("sparse")),
        "late_interaction": write_late_interaction(tmp_path_factory.mktemp("late")),
    }


@pytest.fixture
def configure(tmp_path: Path, tiny_encoder_path: Path) -> Configure:
    """Makes the models of a worker with these settings."""

    def configure(**changes: Any) -> ServingModels:
        return ServingModels(
            Settings.load(
                data_dir=tmp_path,
                redis_url="redis://127.0.0.1:1",
                precision="fp32",
                encoder_path=tiny_encoder_path,
                **changes,
            )
        )

    return configure


def rank(database: Database, models: ServingModels, **options: Any) -> RerankResult:
    request = RerankRequest.parse({"query": "night nurse", "candidates": POOL, **options})
    return Ranking(database, models, run_directly).rank(request)


def test_both_scorers_narrow_what_the_cross_encoder_reads(
    database: Database, configure: Configure, folders: dict[str, Path]
) -> None:
    # Given a worker with a sparse scorer that keeps eight, and a late interaction that keeps five
    models = configure(
        sparse_path=folders["sparse"],
        sparse_keep=8,
        late_interaction_path=folders["late_interaction"],
        late_interaction_keep=5,
    )

    # When candidates are ranked
    result = rank(database, models, final_top_k=3, collapse_duplicates=False)

    # Then the cross-encoder has read five, and each place carries what the scorers said
    assert len(result.ranked) == 3
    assert all(posting.cross_encoder_rank <= 5 for posting in result.ranked)
    for posting in result.ranked:
        assert posting.stages.keys() == {"sparse", "late_interaction"}
        assert 1 <= posting.stages["sparse"].rank <= 8
        assert 1 <= posting.stages["late_interaction"].rank <= 5

    # And the scores are those of the models, which the answer names, with the time they took
    scorers = [
        SparseScorer.load(folders["sparse"], device="cpu"),
        LateInteractionScorer.load(folders["late_interaction"], device="cpu"),
    ]
    texts = {candidate["id"]: candidate["text"] for candidate in POOL}
    for scorer in scorers:
        expected = scorer.score("night nurse", [texts[p.id] for p in result.ranked])
        found = [posting.stages[scorer.stage_name].score for posting in result.ranked]
        assert found == pytest.approx(expected.tolist(), rel=1e-3)
    names = [f"{scorer.stage_name}:{scorer.model_id}" for scorer in scorers]
    assert [stamp.name for stamp in result.models] == ["encoder", *names, "reranker"]
    assert {stamp.precision for stamp in result.models} == {"fp32"}
    assert {"sparse", "late_interaction", "cross_encoder"} < result.timings_ms.keys()


def test_a_scorer_never_makes_the_ranking_shorter_than_was_asked(
    database: Database, configure: Configure, folders: dict[str, Path]
) -> None:
    models = configure(sparse_path=folders["sparse"], sparse_keep=1)

    result = rank(database, models, final_top_k=10, collapse_duplicates=False)

    assert len(result.ranked) == 10


def test_without_settings_nothing_stands_between(database: Database, configure: Configure) -> None:
    result = rank(database, configure())

    assert [stamp.name for stamp in result.models] == ["encoder", "reranker"]
    assert all(posting.stages == {} for posting in result.ranked)


def test_a_folder_that_cannot_serve_is_told_at_the_start_by_its_setting(
    configure: Configure, folders: dict[str, Path], tmp_path: Path
) -> None:
    wrong_kind = configure(sparse_path=folders["late_interaction"])
    missing = configure(late_interaction_path=tmp_path / "nothing")

    with pytest.raises(
        ConfigurationError, match=r"JOBSENTINEL_SPARSE_PATH: .* not a SparseEncoder"
    ):
        wrong_kind.warm_up(run_directly)
    with pytest.raises(ConfigurationError, match=r"JOBSENTINEL_LATE_INTERACTION_PATH: .*nothing"):
        missing.warm_up(run_directly)


def test_a_long_query_and_another_script_are_read(
    database: Database, configure: Configure, folders: dict[str, Path]
) -> None:
    models = configure(sparse_path=folders["sparse"])

    for query in ("word " * 20_000, "夜勤の看護師", "ممرضة ليلية", "🩺"):
        assert len(rank(database, models, query=query).ranked) == 12
