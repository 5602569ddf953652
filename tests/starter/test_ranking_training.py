"""What the starter reranker learns from, and that its two trainings learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from jobsentinel_workers.encoders import TextEncoder, load_backbone, run_directly
from jobsentinel_workers.starter import open_data
from jobsentinel_workers.starter.posting_groups import PostingGroups
from jobsentinel_workers.starter.query_sources import (
    Choice,
    Drawn,
    DutiesOfOccupations,
    NamesOfOccupations,
    TitlesOfPostings,
)
from jobsentinel_workers.starter.query_training import QuerySettings, train_query_adapter
from jobsentinel_workers.starter.ranking_data import (
    GROUP_SIZE,
    OccupationGroups,
    OccupationPool,
    plain_document,
)
from jobsentinel_workers.starter.ranking_split import read_ranking_data
from jobsentinel_workers.starter.reranker_training import RerankerSettings, train_adapter


def test_ranking_groups_hold_one_right_answer_and_no_relative_as_wrong_one(
    data: Path, tiny_encoder: TextEncoder
) -> None:
    occupations = read_ranking_data(data, seed=1).occupations.learnt
    pool = OccupationPool.embed(occupations, tiny_encoder)
    rows = open_data.read_linkedin_postings(data)
    postings = PostingGroups(rows, tiny_encoder, tiny_encoder)
    postings.title_similarity = np.eye(60)  # the tiny encoder finds all titles alike

    groups = OccupationGroups(pool, tiny_encoder).draw(20, np.random.default_rng(0))
    groups += postings.draw(5, np.random.default_rng(0))

    for group in groups:
        assert len(group.documents) == len(group.grades) == GROUP_SIZE
        assert group.grades.count(1.0) == 1


def test_who_bears_the_name_asked_for_is_no_wrong_answer(tiny_encoder: TextEncoder) -> None:
    # One name only, so that all queries hold it; a few others have it too.
    occupations = [
        open_data.Occupation(f"code-{n}", "Handler" if n < 5 else f"Job {n}", f"Does the job {n}.")
        for n in range(60)
    ]
    pool = OccupationPool.embed(occupations, tiny_encoder)

    groups = OccupationGroups(pool, tiny_encoder).draw(60, np.random.default_rng(0))

    asked = [group for group in groups if "handler" in group.query.lower()]
    assert asked
    for group in asked:
        assert sum(document.startswith("Handler") for document in group.documents) == 1


def test_splits_of_the_ranking_data_share_nothing(data: Path) -> None:
    found = read_ranking_data(data, seed=1)

    for parts in (found.occupations, found.entries, found.postings):
        assert len(parts.everything()) == sum(map(len, (parts.learnt, parts.fitted, parts.judging)))
    codes = [occupation.code for occupation in found.occupations.everything()]
    assert len(codes) == len(set(codes))


def test_query_sources_name_the_right_document(data: Path, tiny_encoder: TextEncoder) -> None:
    occupations = read_ranking_data(data, seed=1).occupations.learnt
    documents = [plain_document(o) for o in occupations]
    names = NamesOfOccupations(occupations, documents, tiny_encoder, run_directly)
    duties = DutiesOfOccupations(occupations, names.documents)
    rng = np.random.default_rng(0)

    drawn = names.draw(40, rng)
    done = duties.draw(10, rng)

    by_document, by_name = drawn.choices
    for text, right in zip(drawn.texts, by_document.right, strict=True):
        assert any(name.lower() in text.lower() for name in occupations[right].names)
    assert np.array_equal(by_document.right, by_name.right)
    assert len(by_name.documents) == len(occupations)
    for text, right in zip(done.texts, done.choices[0].right, strict=True):
        own = (*occupations[right].tasks, *occupations[right].names)
        assert any(line in text for line in own)


def test_postings_with_like_titles_are_not_wrong(data: Path, tiny_encoder: TextEncoder) -> None:
    rows = open_data.read_linkedin_postings(data)

    [choice] = (
        TitlesOfPostings(rows, tiny_encoder, run_directly).draw(5, np.random.default_rng(0)).choices
    )

    assert choice.not_wrong is not None
    assert not choice.not_wrong[np.arange(5), choice.right].any()
    assert choice.not_wrong.any()  # the tiny encoder finds all titles alike


class OneQuery:
    """A source of a single query whose right document lies elsewhere."""

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        documents = torch.nn.functional.normalize(torch.eye(8, 32), dim=1)
        return Drawn(["nurse"] * count, [Choice(documents, np.full(count, 3))])


def test_the_adapter_for_queries_moves_them_to_their_documents(tiny_encoder_path: Path) -> None:
    lines: list[str] = []
    settings = QuerySettings(
        rank=4, learning_rate=1e-2, first_layer=0, steps=50, warmup_steps=5, texts_a_step=8
    )

    adapter = train_query_adapter(
        load_backbone(tiny_encoder_path), {OneQuery(): 1.0}, settings, lines.append
    )

    first, last = (float(line.split()[3]) for line in lines)
    assert last < first
    encoder = TextEncoder.load(tiny_encoder_path, precision="fp32", max_tokens=48)
    before, after = (
        run_directly(each, ["nurse"])[0, :8] for each in (encoder, adapter.applied_to(encoder))
    )
    assert after[3] - after.mean() > before[3] - before.mean()


def test_training_an_adapter_lowers_its_loss(data: Path, tiny_encoder_path: Path) -> None:
    encoder = TextEncoder.load(tiny_encoder_path, precision="fp32", max_tokens=64)
    pool = OccupationPool.embed(open_data.read_onet(data)[:30], encoder)
    groups = OccupationGroups(pool, encoder).draw(4, np.random.default_rng(0))
    lines: list[str] = []

    torch.manual_seed(0)
    settings = RerankerSettings(steps=50, rank=4, learning_rate=1e-2, first_layer=0)
    train_adapter(load_backbone(tiny_encoder_path), lambda *_: groups, settings, lines.append)

    first, last = (float(line.split()[3]) for line in lines)
    assert last < first
