"""What a fresh install answers: sensible, silent where untrained, checked when loaded."""

from __future__ import annotations

import pytest

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskPredictor,
    create_job_matching_model,
)
from jobsentinel_workers.reranking import Candidate, CrossEncoderReranker, HybridRanker
from jobsentinel_workers.starter import starter_path

NURSE = """Registered Nurse, Intensive Care Unit
Boston, MA · Full-time
You care for critically ill patients on a 20-bed unit, give medication and work with physicians.
RN licence and two years of bedside experience required."""
DEVELOPER = """Senior Backend Engineer
Remote · Full-time
You design and run Python services on Kubernetes, review code and mentor two colleagues."""
DRIVER = """Truck Driver, Class A
Tulsa, OK · Full-time
You haul dry freight between our terminals and check your vehicle before each trip."""
SCAM = """Work from home data entry, earn weekly
No experience needed! Make money fast from your own home. Send your bank details and a copy of your
ID to receive your first cheque. We mail money orders for you to deposit. Email us on Yahoo."""


@pytest.fixture(scope="module")
def predictor() -> MultiTaskPredictor:
    return MultiTaskPredictor(create_job_matching_model(precision="fp32"))


def test_every_job_task_has_an_answer(predictor: MultiTaskPredictor) -> None:
    prediction = predictor.predict(NURSE, profile="Nurse with ICU experience")

    assert set(prediction) == {
        "job_category",
        "salary_prediction",
        "scam_detection",
        "match_quality",
        "job_functions",
    }
    assert list(prediction["job_category"]["probabilities"]) == list(JOB_CATEGORIES)


def test_clear_postings_get_their_category(predictor: MultiTaskPredictor) -> None:
    found = [
        p["job_category"]["class"] for p in predictor.predict_batch([NURSE, DEVELOPER, DRIVER])
    ]
    assert found == ["healthcare", "software_it", "transport_logistics"]


def test_a_title_has_the_functions_that_linkedin_would_give_it(
    predictor: MultiTaskPredictor,
) -> None:
    found = [p["job_functions"]["class"] for p in predictor.predict_batch(["Paralegal", "Nurse"])]

    assert found == ["Legal", "Health Care Provider"]


def test_salaries_are_plausible_and_ordered(predictor: MultiTaskPredictor) -> None:
    developer, driver = (
        p["salary_prediction"] for p in predictor.predict_batch([DEVELOPER, DRIVER])
    )

    assert 100_000 < developer["value"] < 250_000
    assert 35_000 < driver["value"] < 100_000
    assert developer["low"] < developer["value"] < developer["high"]


def test_a_crude_scam_is_far_more_suspicious_than_real_jobs(predictor: MultiTaskPredictor) -> None:
    scam, *real = (
        p["scam_detection"]["probability"]
        for p in predictor.predict_batch([SCAM, NURSE, DEVELOPER, DRIVER])
    )

    assert scam > 3 * max(real)


def test_a_profile_matches_its_own_kind_of_job_best(predictor: MultiTaskPredictor) -> None:
    profile = "Python developer, eight years of web services, PostgreSQL and Kubernetes"

    predictions = predictor.predict_batch([NURSE, DEVELOPER, DRIVER], profile)

    values = [p["match_quality"]["value"] for p in predictions]
    assert max(values) == values[1]
    assert values[1] > 0.5 > max(values[0], values[2])


def test_without_a_profile_no_match_is_claimed(predictor: MultiTaskPredictor) -> None:
    assert "match_quality" not in predictor.predict(NURSE)


def test_the_starter_reranker_puts_the_right_job_first() -> None:
    ranker = HybridRanker(TextEncoder.load(precision="fp32"), CrossEncoderReranker.load())
    pool = [
        Candidate("nurse", NURSE),
        Candidate("developer", DEVELOPER),
        Candidate("driver", DRIVER),
    ]

    for query, best in {"software developer": "developer", "lorry driver": "driver"}.items():
        assert ranker.rank(query, pool).reranked_candidates[0].id == best


@pytest.mark.parametrize("name", ["multi-task", "reranker"])
def test_starter_weights_are_small_and_come_with_a_card(name: str) -> None:
    folder = starter_path(name)

    size = sum(file.stat().st_size for file in folder.iterdir())
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert size < 10_000_000
    assert "CC BY 4.0" in card
    assert "## Limits" in card


def test_an_unknown_starter_model_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="oracle"):
        starter_path("oracle")
