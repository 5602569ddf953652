"""The report is one file that needs nothing else, and its images show something."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobsentinel_workers.multi_task.assessment import Evaluation, Judged, evaluate
from jobsentinel_workers.multi_task.assessment.plots import Plot, plots
from jobsentinel_workers.multi_task.assessment.report import write_report
from jobsentinel_workers.multi_task.tasks import Task, TaskType

MANY_CLASSES = tuple(f"Engineering and other trades <{n}>" for n in range(35))


def judge_everything(rows: int = 200) -> dict[str, Judged]:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(35, 0.1), rows)
    chosen = (shares.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    yes = (rng.random(rows) < 0.4).astype(float)
    score = 2 * yes - 2 + rng.normal(size=rows)
    pay = np.exp(rng.normal(11, 0.5, rows))
    said = pay * np.exp(rng.normal(0, 0.2, rows))
    many = Task("category", TaskType.CLASSIFICATION, classes=MANY_CLASSES)
    several = Task("functions", TaskType.MULTILABEL, classes=MANY_CLASSES)
    scam = Task("scam", TaskType.BINARY, base_rate=0.05)
    salary = Task("salary", TaskType.QUANTILE, transform="log", unit="USD a year")
    match = Task("match", TaskType.REGRESSION)
    found = (
        Judged(many, chosen.astype(float), shares),
        Judged(several, (shares > 0.2).astype(float), shares),
        Judged(scam, yes, 1 / (1 + np.exp(-score)), threshold=0.3),
        Judged(salary, pay, np.stack([said * 0.8, said, said * 1.25], axis=1)),
        Judged(match, yes, np.stack([yes - 0.1, yes, yes + 0.1], axis=1)),
    )
    return {judged.task.name: judged for judged in found}


def evaluate_everything(ours: dict[str, Judged]) -> Evaluation:
    return evaluate(
        ours,
        {"tf-idf": {name: ours[name] for name in ("category", "scam")}},
        model="<script>alert('model')</script>",
        precision="fp32",
        date="2026-11-22",
        notes=["Read <b>carefully</b>."],
        resamples=30,
    )


class _Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def ours() -> dict[str, Judged]:
    return judge_everything()


@pytest.fixture(scope="module")
def page(ours: dict[str, Judged], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(evaluate_everything(ours), ours, tmp_path_factory.mktemp("report") / "new")


def test_the_report_needs_no_network_and_no_script(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    found = _Page(text)

    images = [attributes for tag, attributes in found.tags if tag == "img"]
    assert len(images) == 7
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in images)
    links = [a[name] or "" for _, a in found.tags for name in ("href", "src") if name in a]
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in found.tags}
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_images_are_told_to_those_who_do_not_see_them(page: Path) -> None:
    found = _Page(page.read_text(encoding="utf-8"))

    alts = [attributes["alt"] or "" for tag, attributes in found.tags if tag == "img"]

    assert any("Confusion matrix of category" in alt for alt in alts)
    assert any("calibration error" in alt for alt in alts)
    assert all(len(alt) > 40 for alt in alts)


def test_names_are_shown_as_they_are_and_never_run(page: Path) -> None:
    found = _Page(page.read_text(encoding="utf-8"))

    assert "<script>alert('model')</script>" in found.text
    assert "Read <b>carefully</b>." in found.text


def test_the_numbers_are_beside_the_page(page: Path, ours: dict[str, Judged]) -> None:
    numbers = json.loads((page.parent / "evaluation.json").read_text(encoding="utf-8"))

    assert Evaluation.from_json(numbers) == evaluate_everything(ours)
    files = {path.name for path in page.parent.iterdir()}
    assert {"report.html", "category_confusion.png", "scam_precision_recall.png"} <= files


def test_a_second_report_replaces_the_first(page: Path, ours: dict[str, Judged]) -> None:
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}

    again = write_report(evaluate_everything(ours), ours, page.parent)

    assert {path.name: path.read_bytes() for path in again.parent.iterdir()} == before


@pytest.mark.parametrize("name", ["category", "functions", "scam", "salary", "match"])
def test_plots_are_images_with_something_on_them(name: str, ours: dict[str, Judged]) -> None:
    drawn = plots(ours[name])

    assert drawn
    for plot in drawn:
        pixels = read_pixels(plot)
        assert min(pixels.shape[:2]) > 500
        assert len(np.unique(pixels @ [65_536, 256, 1])) > 50
        assert 0.01 < (pixels < 250).any(axis=2).mean() < 0.9


def test_plots_show_what_was_judged(ours: dict[str, Judged]) -> None:
    scam = ours["scam"]
    other = Judged(scam.task, scam.targets, scam.answers[::-1].copy(), scam.threshold)

    assert [plot.png for plot in plots(scam)] == [plot.png for plot in plots(scam)]
    assert [plot.png for plot in plots(scam)] != [plot.png for plot in plots(other)]


def read_pixels(plot: Plot) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(plot.png)) as image:
        image.load()
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_what_cannot_be_drawn_is_left_out() -> None:
    scam = Task("scam", TaskType.BINARY, base_rate=0.05)

    assert plots(Judged(scam, np.zeros(0), np.zeros(0))) == []
    assert plots(Judged(scam, np.zeros(4), np.full(4, 0.2))) == []


def test_a_task_without_judged_rows_is_reported_without_plots(tmp_path: Path) -> None:
    scam = Task("scam", TaskType.BINARY)
    few = {"scam": Judged(scam, np.ones(1), np.ones(1))}
    evaluation = evaluate(few, {}, model="m", precision="fp32", date="2026-11-22")

    page = write_report(evaluation, {}, tmp_path)

    assert "too few judged rows" in page.read_text(encoding="utf-8")


def test_the_engine_loads_neither_matplotlib_nor_jinja() -> None:
    program = (
        "import sys, jobsentinel_workers.multi_task.assessment, jobsentinel_workers.multi_task\n"
        "print([name for name in ('matplotlib', 'jinja2') if name in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    assert printed.stdout.strip() == "[]"
