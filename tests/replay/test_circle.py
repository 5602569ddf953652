"""A simulated circle: the same each time, fair to all strategies, and blind to what judges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.replay.synthetic import corpus_near_a_boundary, near_a_boundary, words

from jobsentinel import InvalidInput
from jobsentinel_workers.replay import CLASS_STRATEGIES, Circle, Corpus, LabelledTexts, simulate
from jobsentinel_workers.replay.circle import CircleStopped, first_rows
from jobsentinel_workers.replay.heads import fit_committee, fit_head

CIRCLE = Circle(start=10, batch=10, budget=40, committee=2)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Two hundred texts in two classes."""
    return corpus_near_a_boundary()


@pytest.mark.parametrize("strategy", CLASS_STRATEGIES)
def test_a_curve_is_the_same_each_time_and_begins_where_all_begin(
    corpus: Corpus, strategy: str
) -> None:
    curve = simulate(corpus, CIRCLE, strategy, 1)

    assert curve == simulate(corpus, CIRCLE, strategy, 1)
    assert curve.label_counts == (10, 20, 30, 40)
    assert set(curve.measures) == {"accuracy", "macro_f1"}
    random = simulate(corpus, CIRCLE, "random", 1)
    assert {name: values[0] for name, values in curve.measures.items()} == {
        name: values[0] for name, values in random.measures.items()
    }


def test_another_seed_is_another_split_with_other_labels_to_begin_with(corpus: Corpus) -> None:
    first, second = (corpus.split(0.3, seed) for seed in (1, 2))

    assert set(first[1].tolist()) != set(second[1].tolist())
    assert simulate(corpus, CIRCLE, "margin", 1) != simulate(corpus, CIRCLE, "margin", 2)


def test_no_near_copy_of_what_judges_can_be_learnt() -> None:
    rng = np.random.default_rng(1)
    texts = [words(rng, 12) for _ in range(40)]
    copies = [f"{text} again" for text in texts]
    labelled = LabelledTexts.of(
        (text, "ab"[number % 2]) for number, text in enumerate(texts + copies)
    )
    corpus = Corpus.of(labelled, rng.normal(size=(80, 6)), model="any")

    for seed in range(5):
        pool, judged = corpus.split(0.3, seed)
        assert set(pool.tolist()).isdisjoint(judged.tolist())
        assert set(pool % 40).isdisjoint(set(judged % 40))


def test_embeddings_that_are_nearly_the_same_make_a_near_copy_too() -> None:
    rng = np.random.default_rng(1)
    labelled = LabelledTexts.of((words(rng), "ab"[number % 2]) for number in range(20))
    embeddings = np.repeat(rng.normal(size=(10, 6)), 2, axis=0)

    corpus = Corpus.of(labelled, embeddings, model="any")

    assert len(set(corpus.groups)) == 10
    assert corpus.groups[0] == corpus.groups[1]


def test_a_rare_class_is_among_the_first_labels() -> None:
    rng = np.random.default_rng(2)
    labels = ["yes" if number % 25 == 0 else "no" for number in range(200)]
    labelled = LabelledTexts.of((words(rng), label) for label in labels)
    is_yes = np.array([label == "yes" for label in labels])
    embeddings = rng.normal(size=(200, 8)) + 3.0 * is_yes[:, None]
    corpus = Corpus.of(labelled, embeddings, model="any", base_rate=0.02)
    circle = Circle(start=2, batch=5, budget=12)

    curve = simulate(corpus, circle, "margin", 0)

    assert curve.label_counts == (2, 7, 12)
    assert set(curve.measures) == {"pr_auc", "f1", "pr_auc_at_base_rate", "f1_at_base_rate"}


def test_rows_to_choose_from_are_not_in_the_order_of_a_file_sorted_by_class() -> None:
    codes = np.array([0] * 90 + [1] * 10)
    pool = np.arange(100)

    first, left = first_rows(pool, codes, 5, seed=3)
    few, _ = first_rows(pool[:91], codes, 2, seed=3)

    assert sorted([*first, *left]) == pool.tolist()
    assert len(first) == 5
    assert not np.array_equal(left, np.sort(left))
    assert sorted(codes[few]) == [0, 1]


def test_a_pool_smaller_than_the_budget_is_labelled_to_its_end(corpus: Corpus) -> None:
    circle = replace(CIRCLE, batch=60, budget=1_000)

    curve = simulate(corpus, circle, "margin", 0)

    assert curve.label_counts == (10, 70, 130, curve.pool)


def test_a_circle_stops_between_two_batches(corpus: Corpus) -> None:
    asked = iter([False, False, True])

    with pytest.raises(CircleStopped):
        simulate(corpus, CIRCLE, "random", 0, lambda: next(asked))


def test_fewer_rows_than_columns_give_the_head_that_all_columns_give() -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(12, 40)).astype(np.float32)
    codes = np.arange(12) % 3
    padded = np.vstack([wide, np.zeros((40, 40), dtype=np.float32)])

    head = fit_head(wide, codes, 4)

    assert head.weights.shape == (40, 3)
    assert head.probabilities(padded).shape == (52, 4)
    np.testing.assert_allclose(head.probabilities(wide).sum(axis=1), 1.0)
    assert not head.probabilities(wide)[:, 3].any()
    from sklearn.linear_model import LogisticRegression

    plain = LogisticRegression(C=10.0, max_iter=1_000).fit(wide.astype(np.float64), codes)
    np.testing.assert_allclose(
        head.probabilities(wide)[:, :3], plain.predict_proba(wide.astype(np.float64)), atol=1e-3
    )


def test_the_members_of_a_committee_learnt_from_different_draws() -> None:
    _, embeddings = near_a_boundary(30)
    rows = embeddings.astype(np.float32)
    codes = np.array([0] * 29 + [1])

    members = fit_committee(rows, codes, 2, members=3, seed=4)
    again = fit_committee(rows, codes, 2, members=3, seed=4)

    said = [member.probabilities(rows) for member in members]
    assert not np.allclose(said[0], said[1])
    for first, second in zip(said, again, strict=True):
        np.testing.assert_array_equal(first, second.probabilities(rows))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": 1}, "start"),
        ({"batch": 0}, "batch"),
        ({"budget": 25, "start": 20}, "budget"),
        ({"committee": 1}, "committee"),
        ({"test_share": 1.0}, "test_share"),
        ({"random_share": 1.5}, "random_share"),
        ({"random_share": float("nan")}, "random_share"),
    ],
)
def test_settings_out_of_bounds_are_named(changes: dict[str, float], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Circle(**changes)  # type: ignore[arg-type]  # of several types

    assert caught.value.field == field
