"""The evaluation of rankings: right means, honest intervals, and harm that shows."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.reranking.evaluation import Rankings, evaluate_rankings
from jobsentinel_workers.reranking.evaluation_table import to_table
from jobsentinel_workers.reranking.judgements import Judgements
from jobsentinel_workers.reranking.query_resampling import (
    mean_draws,
    mean_interval,
    paired_p_values,
)

DOCUMENTS = [f"d{n}" for n in range(20)]


def ranking_with_right_one_at(rank: int) -> list[str]:
    """Return documents of which the right one, d0, has this rank from 1 on."""
    others = [name for name in DOCUMENTS if name != "d0"]
    return [*others[: rank - 1], "d0", *others[rank - 1 :]]


def judgements(count: int, **segments: range) -> Judgements:
    """Return queries q0 to q<count - 1>, for each of which d0 alone is right."""
    named = {f"q{n}": name.replace("_", " ") for name, part in segments.items() for n in part}
    return Judgements({f"q{n}": {"d0": 1.0, "d1": 0.0} for n in range(count)}, named)


def ranks(*by_query: int) -> Rankings:
    return {f"q{n}": ranking_with_right_one_at(rank) for n, rank in enumerate(by_query)}


def test_each_stage_has_the_means_of_its_queries() -> None:
    stages = {"first": ranks(2, 4, 11, 20), "last": ranks(1, 1, 2, 20)}

    found = evaluate_rankings(judgements(4), stages)

    first, last = found.overall.measures["first"], found.overall.measures["last"]
    assert first["MRR@10"].value == pytest.approx((1 / 2 + 1 / 4) / 4)
    assert last["MRR@10"].value == pytest.approx((1 + 1 + 1 / 2) / 4)
    assert last["nDCG@10"].value == pytest.approx((1 + 1 + 1 / np.log2(3)) / 4)
    assert last["P@10"].value == pytest.approx(0.1 * 3 / 4)
    assert first["Recall@100"].value == last["Recall@100"].value == 1.0
    gain = found.overall.gains["first"]["MRR@10"].interval
    assert gain.value == pytest.approx(last["MRR@10"].value - first["MRR@10"].value)
    assert gain.low <= gain.value <= gain.high


def test_a_query_that_a_stage_did_not_answer_counts_as_nothing_found() -> None:
    found = evaluate_rankings(judgements(2), {"only": {"q0": ["d0"]}})

    assert found.overall.measures["only"]["MRR@10"].value == 0.5
    assert found.overall.gains == {}


def test_queries_without_a_relevant_document_are_left_out_and_counted() -> None:
    grades = {"q0": {"d0": 1.0}, "q1": {"d0": 1.0}, "q2": {"d0": 0.0}, "q3": {}, "q4": {"d0": 0.5}}

    found = evaluate_rankings(Judgements(grades), {"only": ranks(1, 1, 1)}, relevant_from=1.0)

    assert (found.overall.queries, found.left_out) == (2, 3)
    assert found.queries == ("q0", "q1")


@pytest.mark.parametrize(
    ("given", "stages", "field"),
    [
        (judgements(2), {}, "stages"),
        (Judgements({"q0": {"d0": 0.0}}), {"only": {}}, "judgements"),
        (judgements(2), {"only": {"q1": ["d0", "d0"]}}, "stages.only"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    given: Judgements, stages: dict[str, Rankings], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        evaluate_rankings(given, stages)

    assert refusal.value.field == field


def test_the_same_rankings_are_not_told_apart() -> None:
    stages = {"first": ranks(1, 2, 3, 4), "last": ranks(1, 2, 3, 4)}

    gain = evaluate_rankings(judgements(4), stages).overall.gains["first"]["nDCG@10"]

    assert (gain.interval.value, gain.interval.low, gain.interval.high) == (0.0, 0.0, 0.0)
    assert (gain.p_value, gain.verdict) == (1.0, "not told apart")


def test_a_segment_that_the_last_stage_harms_is_named_though_the_whole_gains() -> None:
    given = judgements(90, résumé=range(60), short_query=range(60, 90))
    stages = {"lexical": ranks(*[5] * 60, *[1] * 30), "final": ranks(*[1] * 60, *[2] * 30)}

    found = evaluate_rankings(given, stages)

    assert found.overall.verdict("lexical") == "better"
    assert found.segments["résumé"].harmed() == {}
    assert found.segments["short query"].harmed() == {"lexical": "worse"}
    line = next(line for line in to_table(found).splitlines() if line.startswith("short query"))
    assert line.endswith("final is WORSE than lexical")


def test_a_loss_that_may_be_chance_is_named_as_such() -> None:
    given = judgements(6, short_query=range(6))
    stages = {"lexical": ranks(1, 1, 1, 2, 3, 1), "final": ranks(3, 2, 1, 1, 1, 4)}

    found = evaluate_rankings(given, stages)

    assert found.segments["short query"].harmed() == {"lexical": "worse, perhaps by chance"}
    assert "worse than lexical, perhaps by chance" in to_table(found)


def test_one_query_alone_gets_no_figures() -> None:
    found = evaluate_rankings(
        judgements(3, lonely=range(1)), {"first": ranks(2, 1, 1), "last": ranks(1, 1, 1)}
    )

    assert found.segments["lonely"].measures == {}
    assert "too few" in to_table(found)


def test_an_evaluation_of_one_query_says_that_it_says_nothing() -> None:
    found = evaluate_rankings(judgements(1), {"first": ranks(2), "last": ranks(1)})

    assert "One query says nothing" in to_table(found)


def test_the_table_says_all_that_was_measured() -> None:
    given = judgements(30, résumé=range(30))
    stages = {"lexical": ranks(*range(1, 16), *range(1, 16)), "final": ranks(*[1] * 30)}

    text = to_table(evaluate_rankings(given, stages))

    assert text.startswith("30 queries; in brackets 95 % intervals over queries\n")
    for words in (
        "nDCG@10",
        "MRR@10",
        "P@10",
        "Recall@100",
        "\nlexical ",
        "\nfinal ",
        "By segment",
    ):
        assert words in text
    assert "final is better than lexical in nDCG@10: +" in text
    assert "paired randomisation test p < 0.001" in text
    assert max(map(len, text.splitlines())) <= 120


def test_an_evaluation_is_json_with_every_query() -> None:
    found = evaluate_rankings(
        judgements(3, résumé=range(2)), {"first": ranks(2, 1, 1), "last": ranks(1, 1, 2)}
    )

    written = json.loads(
        json.dumps(found.to_json() | {"by_query": found.by_query()}, allow_nan=False)
    )

    assert written["overall"]["measures"]["last"]["MRR@10"]["value"] == pytest.approx(2.5 / 3)
    assert written["segments"]["résumé"]["queries"] == 2
    assert written["overall"]["harmed"] == {}
    assert written["by_query"][2]["measures"]["last"]["MRR@10"] == 0.5


def test_the_interval_is_as_wide_as_students_where_that_holds() -> None:
    values = np.random.default_rng(3).uniform(size=(200, 1))

    found = mean_interval(values[:, 0], mean_draws(values)[:, 0])

    error = values.std(ddof=1) / np.sqrt(200)
    low, high = stats.t.interval(0.95, 199, loc=values.mean(), scale=error)
    assert found.low == pytest.approx(low, abs=0.2 * error)
    assert found.high == pytest.approx(high, abs=0.2 * error)


def test_faultless_queries_do_not_promise_a_faultless_ranking() -> None:
    values = np.ones((10, 1))

    found = mean_interval(values[:, 0], mean_draws(values)[:, 0])

    assert found.value == found.high == 1.0
    assert found.low < 0.8


@pytest.mark.parametrize("seed", range(3))
def test_the_p_value_is_that_of_all_flips_of_few_queries(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.4, 1.0, size=(10, 1))
    seen = abs(differences.sum())
    flips = itertools.product((-1, 1), repeat=10)
    exact = np.mean([abs(np.dot(signs, differences[:, 0])) >= seen - 1e-12 for signs in flips])

    assert paired_p_values(differences)[0] == pytest.approx(exact, abs=0.02)


def test_equal_rankings_are_told_apart_in_one_case_of_twenty_only() -> None:
    # 400 pairs of rankings that are equally good: each column is one of them.
    differences = np.random.default_rng(5).normal(size=(30, 400))

    p_values = paired_p_values(differences)

    assert 0.02 <= (p_values < 0.05).mean() <= 0.09


def test_the_same_seed_gives_the_same_evaluation() -> None:
    stages = {"first": ranks(2, 5, 1), "last": ranks(1, 3, 2)}

    once, again = (evaluate_rankings(judgements(3), stages, seed=4).to_json() for _ in range(2))

    assert once == again
