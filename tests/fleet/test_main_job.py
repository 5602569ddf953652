"""The main job through a real queue and real worker processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from celery.result import AsyncResult

from jobsentinel import InvalidInput, JobFailed, Posting, Producer
from jobsentinel_workers.app import create_app
from jobsentinel_workers.fleet import Fleet
from jobsentinel_workers.models_in_service import models_generation, open_registry
from jobsentinel_workers.store import Database, postings, results, runs

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
NURSE = "Registered nurse, night shifts on a cardiac ward, ten years of experience"


def demo(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DEMO / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def demo_postings() -> list[dict[str, Any]]:
    return demo("postings.jsonl")[:40]


@pytest.fixture
def database(fleet: Fleet) -> Database:
    return Database.open(fleet.settings.store_url)


def test_each_posting_is_scored_and_stored_once(
    client: Producer, database: Database, demo_postings: list[dict[str, Any]]
) -> None:
    stream = client.score(demo_postings, profile=NURSE, chunk_size=16)
    scores = stream.result(timeout_s=120)

    assert [score.posting_id for score in scores] == [p["id"] for p in demo_postings]
    for score in scores:
        assert score.category is not None
        assert score.scam is not None
        assert score.salary_year_usd is not None
        assert score.match_quality is not None
        assert score.model is not None
        assert score.salary_year_usd.low <= score.salary_year_usd.value
        assert abs(sum(score.category.probabilities.values()) - 1) < 1e-3
    assert stream.state() == "done"
    with database.connect() as connection:
        for job in stream.jobs:
            assert len(results.of_job(connection, job.job_id)) in {8, 16}
        assert len(postings.get(connection, [p["id"] for p in demo_postings])) == 40

    again = client.score(demo_postings, profile=NURSE, chunk_size=16)
    assert again.result(timeout_s=30) == scores
    assert [job.job_id for job in again.jobs] == [job.job_id for job in stream.jobs]


def test_without_a_profile_there_is_no_match(client: Producer) -> None:
    (score,) = client.score([{"id": "no-profile", "title": "Welder"}]).result(timeout_s=60)

    assert score.match_quality is None
    assert score.category is not None


def test_what_a_posting_states_is_returned_beside_the_estimate(client: Producer) -> None:
    # Given one salary in the field, one in the text, and none
    sent = [
        {"id": "field", "title": "Cook", "salary": "52000-61000"},
        {"id": "text", "title": "Cook", "description": "Pay: up to $25 an hour. 401k."},
        {"id": "none", "title": "Cook", "description": "401k, a team of 30 since 1998."},
    ]

    # When they are scored
    field, text, none = client.score(sent).result(timeout_s=60)

    # Then each statement is there as stated and for a year, and the estimate does not know it
    assert field.stated_salary is not None
    assert (field.stated_salary.low, field.stated_salary.high) == (52_000, 61_000)
    assert text.stated_salary is not None
    assert text.stated_salary.text == "up to $25 an hour"
    assert (text.stated_salary.low, text.stated_salary.high_year) == (None, 52_000)
    assert (text.stated_salary.currency, text.stated_salary.period) == ("USD", "hour")
    assert none.stated_salary is None
    (unstated,) = client.score([{"id": "field", "title": "Cook"}]).result(timeout_s=60)
    assert field.salary_year_usd is not None
    assert unstated.salary_year_usd is not None
    # Batches of other sizes round otherwise.
    assert field.salary_year_usd.value == pytest.approx(unstated.salary_year_usd.value, rel=1e-4)


def test_a_generator_is_drawn_on_as_results_are_read(
    client: Producer, demo_postings: list[dict[str, Any]]
) -> None:
    drawn = 0

    def endless() -> Any:
        nonlocal drawn
        for posting in demo_postings * 1000:
            drawn += 1
            yield posting

    stream = client.score(endless(), chunk_size=4)
    seen = [score.posting_id for score, _ in zip(stream, range(10), strict=False)]
    stream.cancel()

    assert seen == [posting["id"] for posting in demo_postings[:10]]
    assert drawn < 1000


def test_indexed_postings_are_ranked_for_a_query(
    client: Producer, demo_postings: list[dict[str, Any]]
) -> None:
    # Other tests have their postings in the same store.
    sent = [{"id": "icu", "title": "ICU nurse, nights"}, *demo_postings]
    indexed = client.index([{**posting, "source": "main-job"} for posting in sent])
    assert sum(part.indexed + part.unchanged for part in indexed.result(timeout_s=120)) == 41

    mine = {"initial_top_k": 10, "final_top_k": 5, "where": "source = 'main-job'"}
    ranking = client.rerank(NURSE, **mine).result(timeout_s=60)

    assert ranking.candidates == 41
    assert [posting.rank for posting in ranking.ranked] == [1, 2, 3, 4, 5]
    assert "icu" in {posting.id for posting in ranking.ranked}
    assert ranking.timings_ms["total"] > 0
    again = client.rerank(NURSE, idempotency_key="other", **mine)
    repeated = again.result(timeout_s=60).ranked
    assert [posting.id for posting in repeated] == [posting.id for posting in ranking.ranked]
    # Other batch mates, other rounding.
    scores = [posting.score for posting in ranking.ranked]
    assert [posting.score for posting in repeated] == pytest.approx(scores, abs=1e-4)


def test_inline_candidates_are_ranked_and_none_give_an_empty_ranking(client: Producer) -> None:
    candidates = [
        {"id": "truck", "text": "Truck driver, long haul"},
        {"id": "nurse", "text": "Nurse for our cardiac ward"},
    ]

    ranking = client.rerank(NURSE, candidates, initial_top_k=100).result(timeout_s=60)

    assert [posting.id for posting in ranking.ranked] == ["nurse", "truck"]
    assert client.rerank(NURSE, []).result(timeout_s=30).ranked == ()


@pytest.mark.parametrize(
    "strategy", ["uncertainty", "margin", "entropy", "diversity", "hybrid", "random"]
)
def test_samples_are_selected_with_a_score_for_each(
    client: Producer, demo_postings: list[dict[str, Any]], strategy: str
) -> None:
    selection = client.select(demo_postings, strategy=strategy, num_samples=5).result(60)

    assert len({pick.id for pick in selection.picks}) == 5
    assert all(pick.reason for pick in selection.picks)
    assert selection.scores.keys() == {posting["id"] for posting in demo_postings}


def test_more_samples_than_there_are_is_all_of_them_and_none_is_none(client: Producer) -> None:
    few = [{"id": "a", "text": "Cook"}, {"id": "b", "text": "Judge"}]

    assert len(client.select(few, num_samples=50).result(60).picks) == 2
    assert client.select([], num_samples=5).result(60).picks == ()


def test_a_label_counts_once_and_a_newer_one_replaces_it(client: Producer) -> None:
    label = {"posting_id": "x", "kind": "scam", "value": True, "annotator": "ann"}

    assert client.add_labels([label]).result(30).stored == 1
    assert client.add_labels([label]).result(30).unchanged == 1
    assert client.add_labels([label | {"value": False}]).result(30).stored == 1


def test_a_fine_tuned_model_is_registered_and_used_without_a_restart(
    client: Producer, database: Database
) -> None:
    rows = demo("labels_remote_policy.jsonl")

    job = client.fine_tune("remote-policy", rows, epochs=20, seed=3, gate={"min_rows": 15})
    trained = job.result(timeout_s=180)

    assert trained.metrics["accuracy"] > trained.metrics["baseline_accuracy"]
    assert trained.promoted
    assert "without a champion" in trained.report
    with database.connect() as connection:
        run = runs.get(connection, trained.run_id)
    assert run is not None
    assert (run.state, run.model_version) == ("done", trained.version)
    test = demo("labels_remote_policy_test.jsonl")
    scored = client.score(
        [{"id": f"held-out-{n}", "description": row["text"]} for n, row in enumerate(test)],
        models=["remote-policy"],
    ).result(timeout_s=60)
    answers = [score.custom["remote-policy"] for score in scored]
    assert {answer.model.version for answer in answers} == {trained.version}
    right = sum(a.label == row["label"] for a, row in zip(answers, test, strict=True))
    assert right / len(test) > 0.6


def test_a_scoring_model_of_few_rows_serves_when_a_person_promotes_it_and_answers_are_new(
    fleet: Fleet, client: Producer
) -> None:
    posting = {"id": "learner", "title": "Barista", "description": "Coffee bar in Leeds."}
    (before,) = client.score([posting]).result(60)
    truth = {row["id"]: row["category"] for row in demo("truth.jsonl")}
    rows = [
        {"text": Posting.parse(p).text(), "category": truth[p["id"]]}
        for p in demo("postings.jsonl")[:60]
    ]

    trained = client.train_multi_task(rows, epochs=3, seed=1).result(timeout_s=180)
    (meanwhile,) = client.score([posting]).result(60)
    registry = open_registry(fleet.settings)
    registry.promote("multi-task", trained.version)
    client.ledger.publish_models_generation(models_generation(registry))
    (after,) = client.score([posting]).result(60)

    assert not trained.promoted
    assert "100 are needed" in trained.report
    assert meanwhile.model == before.model
    assert after.model is not None
    assert before.model is not None
    assert after.model.version == trained.version > before.model.version
    assert after.salary_year_usd is not None  # heads without new labels still answer


def test_celerys_own_view_agrees(fleet: Fleet, client: Producer) -> None:
    (job,) = client.score([{"id": "celery", "title": "Plumber"}]).jobs
    ours = job.result(timeout_s=60)
    app = create_app(fleet.settings.model_copy(update={"redis_url": fleet.redis_url}))

    result = AsyncResult(job.job_id, app=app)

    assert result.get(timeout=30)["scores"][0]["posting_id"] == "celery"
    assert (result.name, result.state, result.queue) == (
        "jobsentinel.score",
        "SUCCESS",
        "inference.interactive",
    )
    assert result.date_done is not None
    assert ours.scores[0].posting_id == "celery"


def test_celerys_own_view_of_a_failure_and_of_nothing(fleet: Fleet, client: Producer) -> None:
    (job,) = client.score([{"id": "a", "title": "x"}], models=["nobody"]).jobs
    with pytest.raises(JobFailed):
        job.result(timeout_s=60)
    app = create_app(fleet.settings.model_copy(update={"redis_url": fleet.redis_url}))

    with pytest.raises(JobFailed, match="nobody"):
        AsyncResult(job.job_id, app=app).get(timeout=30)
    assert AsyncResult("never-heard-of", app=app).state == "PENDING"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda p: p.score([{"id": "a", "title": "x"}], models=["nowhere"]).jobs[0], "nowhere"),
        (lambda p: p.rerank("q", [{"id": "a", "text": "t"}], bi_encoder="no"), "'no'"),
        (lambda p: p.select([{"id": "a", "text": "t"}], model="gone"), "gone"),
        (
            lambda p: p.fine_tune(
                "reranker",
                [{"text": f"t{n}", "label": str(n % 2)} for n in range(20)],
            ),
            "for no other",
        ),
        (lambda p: p.train_multi_task(name="ghost"), "ghost"),
    ],
)
def test_what_only_the_worker_can_know_fails_at_once_with_a_reason(
    client: Producer, call: Any, says: str
) -> None:
    job = call(client)

    with pytest.raises(JobFailed, match=says):
        job.result(timeout_s=60)
    assert job.state() == "failed"


def test_what_the_producer_can_know_never_reaches_the_queue(producer: Producer) -> None:
    before = producer.depths()

    with pytest.raises(InvalidInput, match=r"postings\.1\.title"):
        producer.score([{"id": "a", "title": "fine"}, {"id": "b", "title": 3}])

    assert producer.depths() == before


def test_invalid_postings_can_be_set_aside(client: Producer) -> None:
    refused: list[tuple[int, str]] = []

    stream = client.score(
        [{"id": "ok-1", "title": "Cook"}, {"id": "bad", "title": ""}, {"id": "ok-2", "title": "x"}],
        on_invalid=lambda position, error: refused.append((position, error.field)),
    )

    assert [score.posting_id for score in stream.result(60)] == ["ok-1", "ok-2"]
    assert refused == [(1, "postings.1.description")]
