"""What of the store can be labelled, and what is counted instead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scored_postings import (
    keep,
    keep_embeddings,
    keep_scored,
    keep_scores,
    score,
    stamp,
)
from sqlalchemy import update
from store_process import posting, vector

from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning import select
from jobsentinel_workers.labelling.stored_pool import StoredPool, stored_pool
from jobsentinel_workers.store import Database, embeddings, labels, postings
from jobsentinel_workers.store.schema import embeddings as embeddings_table
from jobsentinel_workers.store.stored_vectors import CorruptVector


def ids(pool: StoredPool) -> str:
    return " ".join(sample.id for sample in pool.samples)


def add_label(database: Database, posting_id: str, kind: str = "category", **more: Any) -> None:
    row = {"posting_id": posting_id, "kind": kind, "value": "legal"} | more
    with database.begin() as connection:
        labels.add(connection, [row])


def custom(id_: str, version: int = 1, **answer: Any) -> dict[str, Any]:
    """A score by a model of the user's own alone."""
    own = answer | {"model": dump(stamp(version, "mine"))}
    return {"posting_id": id_, "custom": {"mine": own}}


def test_unlabelled_postings_come_with_what_is_stored_of_them(database: Database) -> None:
    keep_scored(database, "a", "b")

    pool = stored_pool(database, "category")

    assert ids(pool) == "b a"
    sample = pool.samples[1]
    assert (sample.id, sample.text) == ("a", "Text of a")
    assert sample.probabilities == pytest.approx({"legal": 0.95, "healthcare": 0.05})
    assert np.array_equal(np.asarray(sample.embedding), vector("a"))
    assert sample.metadata == {"encoder_id": "tiny", "model_version": "multi-task@3"}
    assert (pool.model_version, pool.encoder_id) == ("multi-task@3", "tiny")
    assert (len(pool), pool.labelled, pool.left_out) == (2, 0, {})


def test_what_is_labelled_or_lacks_something_is_counted(database: Database) -> None:
    # Given one candidate; and one labelled, two without a score, one encoded by nobody, one by
    # another encoder
    keep_scored(database, "candidate", "labelled")
    add_label(database, "labelled")
    add_label(database, "not stored")
    keep(database, "unscored-1", "unscored-2", "unencoded", "otherwise")
    keep_scores(database, score("unencoded"), score("otherwise"))
    keep_embeddings(database, ["otherwise"], "another")

    pool = stored_pool(database, "category")

    assert ids(pool) == "candidate"
    counts = pool.labelled, pool.without_score, pool.without_embedding
    assert counts == (1, 2, 2)
    assert pool.left_out == {
        "without a stored score of the model": 2,
        "without an embedding of the same encoder": 2,
    }
    assert ids(stored_pool(database, "category", encoder_id="another")) == "otherwise"


def test_a_label_of_another_kind_or_of_a_query_leaves_a_candidate(database: Database) -> None:
    keep_scored(database, "a", "b")
    add_label(database, "a", "scam", value=True)
    add_label(database, "b", "category", query="lawyer")

    assert len(stored_pool(database, "category")) == 2
    assert ids(stored_pool(database, "scam")) == "b"


def test_each_kind_has_its_own_answer(database: Database) -> None:
    keep_scored(database, "a")

    (scam,) = stored_pool(database, "scam").samples
    (salary,) = stored_pool(database, "salary").samples

    assert scam.probabilities == pytest.approx({"no": 0.525, "yes": 0.475})
    assert (salary.probabilities, salary.value) == (None, pytest.approx(85_500.0))
    # No match was predicted, since no profile was given
    assert stored_pool(database, "match").without_score == 1


def test_a_match_with_a_profile_is_a_value(database: Database) -> None:
    keep_scored(database, "a")
    keep_scores(database, score("a", match_quality=0.25))

    (sample,) = stored_pool(database, "match").samples

    assert sample.value == 0.25


@pytest.mark.parametrize(
    ("answer", "probabilities", "value"),
    [
        ({"label": "x", "probability": 0.6, "probabilities": {"x": 0.6, "y": 0.4}}, True, None),
        ({"probability": 0.25}, {"no": 0.75, "yes": 0.25}, None),
        ({"value": 7.5}, None, 7.5),
    ],
)
def test_a_model_of_the_users_own_answers_too(
    database: Database, answer: dict[str, Any], probabilities: Any, value: float | None
) -> None:
    # Given a posting that another model scored last
    keep_scored(database, "a")
    keep_scores(database, custom("a", **answer))
    keep_scores(database, score("a"))

    pool = stored_pool(database, "level", model="mine")

    (sample,) = pool.samples
    expected = answer["probabilities"] if probabilities is True else probabilities
    assert (sample.probabilities, sample.value) == (expected, value)
    assert pool.model_version == "mine@1"


def test_the_likeliest_class_alone_is_no_score(database: Database) -> None:
    keep_scored(database, "a")
    keep_scores(database, custom("a", label="x", probability=0.6))

    assert stored_pool(database, "level", model="mine").without_score == 1
    assert stored_pool(database, "level", model="unknown").without_score == 1


def test_a_further_task_of_the_scoring_model_answers_its_kind(database: Database) -> None:
    keep_scored(database, "a")
    answer = {"probability": 0.25, "model": dump(stamp())}
    keep_scores(database, score("a", custom={"urgent": answer}))

    (sample,) = stored_pool(database, "urgent").samples

    assert sample.probabilities == {"no": 0.75, "yes": 0.25}


def test_the_newest_score_that_answers_counts(database: Database) -> None:
    # Given a posting scored twice, and then by another model only
    keep_scored(database, "a", "b")
    keep_scores(database, score("a", 0.75, version=4))
    keep_scores(database, custom("a", value=1.0))

    pool = stored_pool(database, "category")

    assert pool.samples[1].probabilities == {"legal": 0.75, "healthcare": 0.25}
    assert pool.samples[1].metadata["model_version"] == pool.model_version == "multi-task@4"
    assert (len(pool), pool.older_scores) == (2, 1)


def test_scores_for_other_classes_than_the_newest_are_counted(database: Database) -> None:
    keep_scored(database, "a", "b")
    keep_scores(database, custom("a", 1, probabilities={"x": 0.5, "y": 0.5}))
    keep_scores(database, custom("b", 2, probabilities={"x": 0.5, "y": 0.25, "z": 0.25}))

    pool = stored_pool(database, "level", model="mine")

    assert (ids(pool), pool.other_classes, pool.model_version) == ("b", 1, "mine@2")
    assert pool.left_out == {"scored for other classes": 1}


def test_a_filter_narrows_the_pool_and_its_counts(database: Database) -> None:
    keep_scored(database, "here", "there", "done")
    keep(database, "there", remote=False)
    keep(database, "unscored", remote=False)
    add_label(database, "done")

    pool = stored_pool(database, "category", where="remote = false")

    assert (ids(pool), pool.labelled, pool.without_score) == ("there", 0, 1)
    with pytest.raises(InvalidInput, match="where"):
        stored_pool(database, "category", where="remote is perhaps")


def test_more_than_a_page_is_read_newest_first_up_to_the_limit(database: Database) -> None:
    names = [f"p-{number:04}" for number in range(603)]
    keep_scored(database, *names)

    assert ids(stored_pool(database, "category")).split() == names[::-1]
    assert ids(stored_pool(database, "category", limit=550)).split() == names[:52:-1]


def test_an_empty_store_gives_an_empty_pool(database: Database) -> None:
    pool = stored_pool(database, "category")

    assert (len(pool), pool.labelled, pool.model_version, pool.encoder_id) == (0, 0, None, None)


def test_a_store_labelled_whole_gives_an_empty_pool(database: Database) -> None:
    keep_scored(database, "a")
    add_label(database, "a")

    pool = stored_pool(database, "category")

    assert (len(pool), pool.labelled, pool.left_out) == (0, 1, {})


def test_of_encoders_that_cover_alike_the_one_that_adds_to_the_other_is_taken(
    database: Database,
) -> None:
    keep_scored(database, "a", "b")
    keep_embeddings(database, ["a", "b"], "tiny-pooled")
    assert stored_pool(database, "category").encoder_id == "tiny-pooled"

    keep(database, "c")
    keep_embeddings(database, ["c"])
    assert stored_pool(database, "category").encoder_id == "tiny"


def test_embeddings_of_mixed_width_and_damaged_ones_are_named(database: Database) -> None:
    keep_scored(database, "a")
    keep(database, "b")
    keep_scores(database, score("b"))
    with database.begin() as connection:
        embeddings.put_many(connection, "tiny", {"hash-of-b": [1.0, 0.0]})
    with pytest.raises(CorruptVector, match=r"an embedding by tiny has \d dimensions"):
        stored_pool(database, "category")

    nan = np.full(2, np.nan, dtype="<f4").tobytes()
    with database.begin() as connection:
        connection.execute(update(embeddings_table).values(vector=nan, dim=2))
    with pytest.raises(CorruptVector, match="NaN"):
        stored_pool(database, "category")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "relevance"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"limit": 0}, "limit"),
        ({"model": "a\x00"}, "model"),
    ],
)
def test_what_makes_no_sense_is_refused(
    database: Database, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        stored_pool(database, **({"kind": "category"} | wrong))
    assert refused.value.field == field


def test_a_pool_is_what_a_strategy_takes(database: Database) -> None:
    keep_scored(database, "a", "b", "c")
    with database.begin() as connection:
        postings.upsert(connection, [posting("unscored")])

    pool = stored_pool(database, "category")
    rows = [list(dict(sample.probabilities or {}).values()) for sample in pool.samples]
    chosen = select("margin", rows, [sample.embedding for sample in pool.samples], num_samples=1)

    assert pool.samples[chosen.indices[0]].id == "c"
