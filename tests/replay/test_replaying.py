"""A replay from start to end: savings on a set where margin must win, and no curve twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.replay.synthetic import corpus_near_a_boundary, near_a_boundary, words

from jobsentinel import InvalidInput
from jobsentinel_workers.replay import (
    Circle,
    Corpus,
    Curve,
    LabelledTexts,
    Plan,
    Replay,
    replay,
    simulate,
)
from jobsentinel_workers.replay.kept_curves import CURVES_FILE

CIRCLE = Circle(start=10, batch=10, budget=60)
QUICK = Circle(start=10, batch=10, budget=20)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Two hundred texts in two classes."""
    return corpus_near_a_boundary()


def run(plan: Plan, folder: Path, jobs: int = 1) -> tuple[Replay, list[Curve]]:
    """Replay ``plan``; return what was found and the curves that were computed for it."""
    computed: list[Curve] = []
    found = replay("test", plan, plan.kept(folder), jobs=jobs, on_curve=computed.append)
    return found, computed


def test_margin_saves_labels_where_the_boundary_is_what_matters(
    corpus: Corpus, tmp_path: Path
) -> None:
    found, _ = run(Plan(corpus, CIRCLE, ("margin",), seeds=6), tmp_path)

    random, margin = found.found["accuracy"]
    assert (random.strategy, random.saving.share) == ("random", 0.0)
    assert margin.saving.low is not None
    assert margin.saving.low > 0
    assert margin.saving.share is not None
    assert margin.saving.share > 0.3
    assert margin.gain is not None
    assert margin.gain.low > 0
    json.dumps(found.to_json(), allow_nan=False)


def test_what_is_done_is_not_done_again(corpus: Corpus, tmp_path: Path) -> None:
    whole, _ = run(Plan(corpus, QUICK, ("margin",), seeds=3), tmp_path / "whole")
    run(Plan(corpus, QUICK, (), seeds=2), tmp_path / "parts")

    resumed, computed = run(Plan(corpus, QUICK, ("margin",), seeds=3), tmp_path / "parts")

    assert {(each.strategy, each.seed) for each in computed} == {
        ("margin", 0),
        ("margin", 1),
        ("random", 2),
        ("margin", 2),
    }
    assert resumed.to_json() == whole.to_json()


def test_a_line_that_a_crash_cut_off_is_computed_again(corpus: Corpus, tmp_path: Path) -> None:
    plan = Plan(corpus, QUICK, (), seeds=3)
    before, _ = run(plan, tmp_path)
    file = tmp_path / CURVES_FILE
    file.write_bytes(file.read_bytes()[:-30])

    after, computed = run(plan, tmp_path)

    assert [each.seed for each in computed] == [2]
    assert after.to_json() == before.to_json()
    assert len(file.read_text().splitlines()) == 4


def test_processes_side_by_side_find_the_same(corpus: Corpus, tmp_path: Path) -> None:
    # Some seconds: each process imports torch.
    plan = Plan(corpus, QUICK, ("margin",), seeds=2)

    alone, _ = run(plan, tmp_path / "alone")
    together, _ = run(plan, tmp_path / "together", jobs=2)

    assert together.to_json() == alone.to_json()


_ENDLESS = """
import sys
from pathlib import Path
from jobsentinel_workers.replay import Circle, Plan, replay
from tests.replay.synthetic import corpus_near_a_boundary

if __name__ == "__main__":
    plan = Plan(corpus_near_a_boundary(), Circle(start=10, batch=10, budget=20), (), seeds=1000)
    said = lambda curve: print(curve.seed, flush=True)
    replay("test", plan, plan.kept(Path(sys.argv[1])), jobs=int(sys.argv[2]), on_curve=said)
"""


def test_ctrl_c_ends_all_processes_and_keeps_what_is_done(corpus: Corpus, tmp_path: Path) -> None:
    # Some seconds: three processes import torch, which no thread of this one can stand for.
    script = tmp_path / "endless.py"
    script.write_text(_ENDLESS)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [sys.executable, script, tmp_path / "out", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(3)]

        # A terminal sends it to all processes of the group.
        os.killpg(process.pid, signal.SIGINT)
        # Both pipes end only when no process holds them any more.
        rest, _ = process.communicate()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    lines = (tmp_path / "out" / CURVES_FILE).read_text().splitlines()
    assert process.returncode != 0
    assert 3 <= len(lines) - 1 < 1_000
    seeds = {int(line) for line in [*told, *rest.splitlines()]}
    assert {json.loads(line)["seed"] for line in lines[1:]} >= seeds
    kept = Plan(corpus, QUICK, (), seeds=2).kept(tmp_path / "out")
    assert len(kept.curves) == len(lines) - 1
    assert all(curve == simulate(corpus, QUICK, *key) for key, curve in kept.curves.items())


def test_ctrl_c_in_one_process_keeps_what_is_done_too(corpus: Corpus, tmp_path: Path) -> None:
    plan = Plan(corpus, QUICK, (), seeds=5)
    kept = plan.kept(tmp_path)

    def stop_at_the_second(curve: Curve) -> None:
        if curve.seed == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        replay("test", plan, kept, on_curve=stop_at_the_second)

    assert plan.done(plan.kept(tmp_path)) == 2


def test_curves_of_other_labels_or_settings_are_not_mixed_in(
    corpus: Corpus, tmp_path: Path
) -> None:
    run(Plan(corpus, QUICK, (), seeds=2), tmp_path)
    before = (tmp_path / CURVES_FILE).read_bytes()
    texts, embeddings = near_a_boundary()
    flipped = replace(texts, codes=1 - texts.codes)

    for other in (
        Plan(corpus, replace(QUICK, batch=9), (), seeds=2),
        Plan(Corpus.of(flipped, embeddings, model=corpus.model), QUICK, (), seeds=2),
        Plan(Corpus.of(texts, embeddings, model="another"), QUICK, (), seeds=2),
    ):
        with pytest.raises(InvalidInput, match="other labels, settings or another model"):
            other.kept(tmp_path)

    assert (tmp_path / CURVES_FILE).read_bytes() == before


def test_a_damaged_curve_is_named_by_its_line(corpus: Corpus, tmp_path: Path) -> None:
    plan = Plan(corpus, QUICK, (), seeds=2)
    run(plan, tmp_path)
    file = tmp_path / CURVES_FILE
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], "{}", lines[2]]) + "\n")

    with pytest.raises(InvalidInput, match=r"curves\.jsonl:2 is no curve"):
        plan.kept(tmp_path)


@pytest.mark.parametrize(
    ("strategy", "problem"),
    [
        ("nothing-of-the-kind", "must be one of"),
        ("gsy", "chooses for values, a replay for classes"),
    ],
)
def test_a_strategy_that_does_not_fit_is_refused(
    corpus: Corpus, strategy: str, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        Plan(corpus, QUICK, (strategy,))


def test_one_seed_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InvalidInput, match="2 to 1,000, not 1: one seed shows no spread"):
        Plan(corpus, QUICK, (), seeds=1)


def test_fewer_rows_than_start_and_batch_are_refused_with_the_number_needed() -> None:
    with pytest.raises(
        InvalidInput, match="leave 35 rows to choose from beside 15 that judge"
    ) as e:
        Plan(corpus_near_a_boundary(50), Circle(start=20, batch=20, budget=40))

    assert e.value.field == "labels"
    assert "start and batch need 40" in e.value.problem


def test_texts_of_one_template_cannot_be_split_and_it_is_said_why() -> None:
    rng = np.random.default_rng(0)
    labelled = LabelledTexts.of(
        (f"Posting number {number}, apply now at our office", "ab"[number % 2])
        for number in range(100)
    )
    same = Corpus.of(labelled, rng.normal(size=(100, 6)), model="any")

    with pytest.raises(InvalidInput, match="100 rows in 1 groups of near-copies"):
        Plan(same, QUICK)


def test_embeddings_that_are_no_numbers_are_named_by_their_row() -> None:
    texts, embeddings = near_a_boundary(30)
    embeddings[7, 2] = np.nan

    with pytest.raises(InvalidInput, match=r"embeddings\.7: holds NaN"):
        Corpus.of(texts, embeddings, model="any")
    with pytest.raises(InvalidInput, match=r"must have the shape \(30, d\), not \(29, 8\)"):
        Corpus.of(texts, embeddings[:29], model="any")


def test_readers_are_told_what_makes_the_figures_weak(corpus: Corpus, tmp_path: Path) -> None:
    found, _ = run(Plan(corpus, replace(QUICK, batch=100, budget=500), (), seeds=2), tmp_path)

    notes = " ".join(found.notes)
    assert "no more than the budget of 500" in notes
    assert "rows judge: the curves are rough" in notes
    assert "Only 2 seeds" in notes


def test_words_of_the_synthetic_texts_are_all_different() -> None:
    rng = np.random.default_rng(0)

    made = {words(rng) for _ in range(50)}

    assert len(made) == 50
