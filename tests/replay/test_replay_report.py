"""The table, the plots and the page of a replay."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from jobsentinel_workers.multi_task import Task, TaskType
from jobsentinel_workers.replay import Circle, Curve, LearningCurves, Replay, to_table
from jobsentinel_workers.replay.report import REPLAY_FILE, REPORT_FILE, write_report

COUNTS = (20, 40, 60, 80)
HEIGHTS = {
    "random": (0.50, 0.60, 0.66, 0.70),
    "margin": (0.50, 0.70, 0.74, 0.76),
    "entropy": (0.50, 0.52, 0.55, 0.60),
    "<b>own</b>": (0.50, 0.58, 0.70, 0.72),
}


def made(strategies: tuple[str, ...] = tuple(HEIGHTS), seeds: int = 12) -> Replay:
    rng = np.random.default_rng(0)
    curves = [
        Curve(
            strategy,
            seed,
            COUNTS,
            {
                name: tuple((np.array(HEIGHTS[strategy]) + rng.normal(0, 0.005, 4)).tolist())
                for name in ("accuracy", "macro_f1")
            },
            pool=500,
            judged=150,
        )
        for strategy in strategies
        for seed in range(seeds)
    ]
    return Replay(
        "labels & more",
        "an-encoder",
        Task("label", TaskType.CLASSIFICATION, classes=("a", "b")),
        ("a", "b"),
        650,
        Circle(budget=80),
        LearningCurves.of(curves),
        ("A note.",),
    )


def test_the_table_says_what_is_saved_and_what_is_not_reached() -> None:
    lines = to_table(made()).splitlines()

    assert all(len(line) <= 110 for line in lines)
    margin = next(line for line in lines if line.startswith("margin"))
    assert "70.0 %" in margin
    assert " *" in margin
    assert re.search(r"50 % \[4\d, 5\d\]$", margin)
    assert next(line for line in lines if line.startswith("entropy")).endswith("not reached")
    assert "At random's final Accuracy: labels saved by margin" in " ".join(lines)
    assert "more needed by entropy" in " ".join(lines)
    assert "Note: A note." in lines


def test_the_page_needs_no_network_and_trusts_no_name(tmp_path: Path) -> None:
    page = write_report(made(), tmp_path / "new").read_text("utf-8")

    assert (tmp_path / "new" / REPORT_FILE).is_file()
    assert not re.findall(r"(?:src|href)=\"(?!data:image/png;base64,|#)", page)
    assert "<b>own</b>" not in page
    assert "&lt;b&gt;own&lt;/b&gt;" in page
    assert page.count("data:image/png;base64,") == 3
    assert 'alt="Learning curves of Accuracy from 20 labels, where all have 5' in page


def test_plots_and_figures_lie_beside_the_page(tmp_path: Path) -> None:
    replay = made()

    write_report(replay, tmp_path)

    images = sorted(tmp_path.glob("*.png"))
    assert [image.stem for image in images] == ["curves_accuracy", "curves_macro_f1", "savings"]
    assert all(image.read_bytes().startswith(b"\x89PNG") for image in images)
    figures = json.loads((tmp_path / REPLAY_FILE).read_text("utf-8"))
    assert figures == json.loads(json.dumps(replay.to_json()))
    assert np.shape(figures["curves"]["margin"]["accuracy"]) == (12, 4)


@pytest.mark.parametrize("strategies", [("random",), ("random", "margin")])
def test_few_strategies_make_a_report_too(tmp_path: Path, strategies: tuple[str, ...]) -> None:
    write_report(made(strategies, seeds=2), tmp_path)

    assert (tmp_path / "curves_accuracy.png").is_file()
    assert (tmp_path / "savings.png").is_file() == (len(strategies) > 1)
