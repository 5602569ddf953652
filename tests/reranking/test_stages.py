"""Several stages: each reads what the one before kept; scorers of every kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder, SparseEncoder
from tests.library_folders import write_late_interaction, write_sparse

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.encoders import Runner, TextEncoder
from jobsentinel_workers.reranking import (
    Candidate,
    HybridRanker,
    LateInteractionScorer,
    SparseScorer,
    Stage,
)

POOL = [Candidate(f"job-{n:02}", f"{'night ' * n}nurse number {n}") for n in range(12)]


class ByLength:
    """Longer texts score higher."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def score(self, query: str, texts: Sequence[str], runner: Runner) -> Any:
        self.seen.append(len(texts))
        return np.array([len(text) for text in texts], dtype=np.float64)


class Gives:
    """Gives what it is told to, whatever the texts are."""

    def __init__(self, scores: Any) -> None:
        self.scores = scores

    def score(self, query: str, texts: Sequence[str], runner: Runner) -> Any:
        return self.scores


@pytest.fixture(scope="module")
def sparse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse(tmp_path_factory.mktemp("sparse"))


@pytest.fixture(scope="module")
def late_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_late_interaction(tmp_path_factory.mktemp("late"))


def test_each_stage_reads_what_the_one_before_kept(tiny_encoder: TextEncoder) -> None:
    # Given a wide stage that keeps four and a narrow one that keeps two
    wide, narrow = ByLength(), ByLength()
    stages = [Stage(wide, keep=4, name="wide"), Stage(narrow, keep=2, name="narrow")]
    ranker = HybridRanker(tiny_encoder, stages=stages, initial_top_k=8, final_top_k=20)

    # When candidates are ranked
    result = ranker.rank("nurse", POOL)

    # Then each saw what it should, and each candidate carries every stage's score and rank
    assert (wide.seen, narrow.seen) == ([8], [4])
    first, second = result.reranked_candidates
    assert len(first.text) > len(second.text)
    assert first.ranks.keys() == {"dense", "lexical", "fused", "wide", "narrow"}
    assert first.scores["narrow"] == len(first.text) == first.score
    assert (first.ranks["wide"], first.ranks["narrow"], second.ranks["narrow"]) == (1, 1, 2)
    assert (first.cross_encoder_score, first.cross_encoder_rank) == (None, None)
    assert result.timings_ms.keys() == {"lexical", "dense", "fuse", "wide", "narrow", "total"}
    assert result.model_ids.keys() == {"bi_encoder", "wide", "narrow"}


def test_without_stages_the_first_stage_is_the_ranking(tiny_encoder: TextEncoder) -> None:
    ranker = HybridRanker(tiny_encoder, stages=[], initial_top_k=8, final_top_k=5)

    ranked = ranker.rank("nurse", POOL).reranked_candidates

    assert [c.rank for c in ranked] == [c.ranks["fused"] for c in ranked] == [1, 2, 3, 4, 5]
    assert [c.score for c in ranked] == [c.scores["fused"] for c in ranked]


def test_equal_scores_of_a_stage_are_in_order_of_ids(tiny_encoder: TextEncoder) -> None:
    stages = [Stage(Gives(np.zeros(12)), keep=3, name="blind")]
    ranker = HybridRanker(tiny_encoder, stages=stages)

    ranked = ranker.rank("nurse", POOL[::-1]).reranked_candidates

    assert [candidate.id for candidate in ranked] == ["job-00", "job-01", "job-02"]


@pytest.mark.parametrize(
    "scores", [np.zeros(3), np.zeros((12, 1)), np.full(12, np.nan), np.full(12, np.inf)]
)
def test_a_scorer_that_gives_no_score_for_each_text_is_named(
    tiny_encoder: TextEncoder, scores: Any
) -> None:
    ranker = HybridRanker(tiny_encoder, stages=[Stage(Gives(scores), name="odd")])

    with pytest.raises(InvalidInput, match=r"stages\.odd: must give 12 finite numbers"):
        ranker.rank("nurse", POOL)


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([Stage(ByLength()), Stage(ByLength())], "same name"),
        ([Stage(ByLength(), name="dense")], "must not be called 'dense'"),
        ([Stage(ByLength(), keep=0)], r"stages\.ByLength\.keep: must be a whole number from 1"),
    ],
)
def test_stages_that_make_no_sense_are_refused(
    tiny_encoder: TextEncoder, stages: list[Stage], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        HybridRanker(tiny_encoder, stages=stages)


@pytest.mark.parametrize("kind", [SparseScorer, LateInteractionScorer])
def test_models_of_sentence_transformers_are_stages(
    tiny_encoder: TextEncoder, kind: Any, sparse_folder: Path, late_folder: Path
) -> None:
    # Given a real, tiny model of the kind in a folder
    folder = sparse_folder if kind is SparseScorer else late_folder
    scorer = kind.load(folder, device="cpu")

    # When it is a stage
    ranker = HybridRanker(tiny_encoder, stages=[Stage(scorer)])
    result = ranker.rank("night nurse", POOL)

    # Then its scores are those of the library, whatever the order of the texts
    library = (SparseEncoder if kind is SparseScorer else MultiVectorEncoder)(
        str(folder), device="cpu"
    )
    texts = [candidate.text for candidate in POOL]
    expected = library.similarity(
        library.encode_query(["night nurse"]), library.encode_document(texts)
    )[0]
    found = {c.id: c.scores[kind.stage_name] for c in result.reranked_candidates}
    assert [found[c.id] for c in POOL] == pytest.approx(expected.tolist(), rel=1e-4)
    assert result.model_ids[kind.stage_name].startswith(f"{folder.name}@")


def test_a_folder_of_another_kind_is_refused(late_folder: Path, tiny_encoder_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds a 'MultiVectorEncoder', not a SparseEncoder"):
        SparseScorer.load(late_folder)
    # The library would put random weights upon a bare encoder, and score with them.
    with pytest.raises(ModelUnavailable, match="holds no model of sentence-transformers"):
        SparseScorer.load(tiny_encoder_path)


def test_a_folder_that_could_run_code_is_refused(late_folder: Path, tmp_path: Path) -> None:
    pickled = shutil.copytree(late_folder, tmp_path / "pickled")
    (pickled / "1_Dense" / "pytorch_model.bin").write_bytes(b"")
    coded = shutil.copytree(late_folder, tmp_path / "coded")
    modules = json.loads((coded / "modules.json").read_text())
    modules[0]["type"] = "os.path.Module"
    (coded / "modules.json").write_text(json.dumps(modules))

    with pytest.raises(ModelUnavailable, match=r"pytorch_model\.bin; only safetensors"):
        LateInteractionScorer.load(pickled)
    with pytest.raises(ModelUnavailable, match=r"'os\.path\.Module', which is not run"):
        LateInteractionScorer.load(coded)


def test_a_damaged_folder_is_refused(late_folder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(late_folder, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"x" * 100)

    with pytest.raises(ModelUnavailable, match="no readable MultiVectorEncoder"):
        LateInteractionScorer.load(damaged)
