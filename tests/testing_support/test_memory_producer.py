"""The producer in memory keeps the contract, and the fixtures work in a user's own tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobsentinel import InvalidInput, JobFailed, Posting, PostingScore, Producer
from jobsentinel.contract.results import RerankResult, ScoreResult
from jobsentinel.testing import MemoryProducer, made_up_score

ROWS = [{"id": str(number), "title": f"Nurse {number}"} for number in range(130)]


def test_scores_come_in_order_in_the_chunks_of_the_real_producer(producer: Producer) -> None:
    memory = MemoryProducer()

    stream = memory.score(ROWS)

    assert [score.posting_id for score in stream] == [row["id"] for row in ROWS]
    assert [job.job_id for job in stream.jobs] == [job.job_id for job in producer.score(ROWS).jobs]
    assert stream.state() == "done"


def test_equal_requests_are_one_job_and_equal_texts_have_equal_scores() -> None:
    memory = MemoryProducer()

    first = memory.score(ROWS[:3]).result()
    again = memory.score(ROWS[:3]).result()

    assert first == again
    assert [task for task, _ in memory.requests] == ["score"]
    assert first[0].model is not None
    assert first[0].model.name == "memory"


def test_what_the_contract_refuses_is_refused() -> None:
    memory = MemoryProducer()

    with pytest.raises(InvalidInput, match=r"postings\.1\.title"):
        memory.score([{"id": "a", "title": "x"}, {"id": "b", "title": 7}])
    with pytest.raises(InvalidInput, match="final_top_k"):
        memory.rerank("nurse", [{"id": "a", "text": "x"}], final_top_k=0)
    assert memory.requests == []


def test_answers_may_be_given_and_what_they_raise_fails_the_job() -> None:
    # Given a score of one's own, and an answer that breaks
    def score(posting: Posting) -> PostingScore:
        return PostingScore(posting_id=posting.id, match_quality=0.5)

    def broken(_: Any) -> RerankResult:
        raise ValueError("no such day")

    memory = MemoryProducer(score=score, answers={"rerank": broken})

    labelled = [{"text": f"Nurse {number}", "value": 0.5} for number in range(9)]

    # Then the one is given, and the other is told
    assert memory.score(ROWS[:1]).result() == [score(Posting(id="0", title="Nurse 0"))]
    with pytest.raises(JobFailed, match="ValueError: no such day"):
        memory.rerank("nurse", [{"id": "a", "text": "x"}]).result()
    with pytest.raises(JobFailed, match="nothing answers the task 'fine_tune'"):
        memory.fine_tune("mine", task="regression", rows=labelled).result()


def test_every_call_of_inference_has_an_answer() -> None:
    memory = MemoryProducer()
    candidates = [{"id": "a", "text": "cook"}, {"id": "b", "text": "nurse at night"}]

    ranked = memory.rerank("night nurse", candidates).result().ranked
    picks = memory.select(candidates, num_samples=1).result().picks
    stored = memory.add_labels([{"posting_id": "a", "kind": "scam", "value": True}]).result()

    assert [each.id for each in ranked] == ["b", "a"]
    assert len(picks) == 1
    assert stored.stored == 1
    assert memory.index(ROWS).result()[0].indexed == 64
    assert memory.remove(["a"]).result().removed == 1
    assert memory.depths()["inference.bulk"] == 0


def test_copies_point_to_what_was_scored_and_the_feed_has_both() -> None:
    memory = MemoryProducer()
    rows = [{"id": "a", "title": "Nurse"}, {"id": "b", "title": "Nurse"}]

    memory.score(rows, deduplicate="exact").result()

    feed = list(memory.stream_results())
    assert [(each.score.posting_id, each.score.duplicate_of) for each in feed] == [
        ("a", None),
        ("b", "a"),
    ]
    assert list(memory.stream_results(feed[0].change_seq)) == feed[1:]


def test_a_made_up_score_is_one_of_the_contract() -> None:
    score = made_up_score(Posting(id="a", title="A scam"))

    assert ScoreResult.parse({"scores": (score.model_dump(),)}).scores == (score,)
    assert score.scam is not None
    assert score.scam.is_scam


def test_the_fixtures_work_in_tests_of_others(tmp_path: Path) -> None:
    # Given somebody's own tests
    (tmp_path / "test_mine.py").write_text(
        "def test_memory(jobsentinel_memory):\n"
        "    row = {'id': 'a', 'title': 'Nurse'}\n"
        "    assert jobsentinel_memory.score([row]).result()[0].posting_id == 'a'\n"
        "def test_fleet(jobsentinel_producer):\n"
        "    row = {'id': 'a', 'title': 'Nurse'}\n"
        "    (score,) = jobsentinel_producer.score([row]).result(60)\n"
        "    assert score.model.name == 'multi-task'\n"
    )

    # When they are run
    options = ["-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--basetemp={tmp_path / 'base'}", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    # Then both pass
    assert "2 passed" in done.stdout, done.stdout + done.stderr
