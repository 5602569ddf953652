"""An evaluation as one HTML file that needs no network, with its numbers and images beside it.

Importing this imports matplotlib and Jinja2.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobsentinel_workers.multi_task.assessment.catalogue import METRICS, form, headline, title
from jobsentinel_workers.multi_task.assessment.evaluation import Evaluation, TaskEvaluation
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.assessment.plots import Plot, plots
from jobsentinel_workers.multi_task.assessment.writing import (
    ARROWS,
    LEGEND,
    verdict,
    write_difference,
    write_interval,
)

REPORT_FILE, EVALUATION_FILE = "report.html", "evaluation.json"
TEMPLATE_FILE = "report.html.jinja"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Another's metric, and the model's minus it; empty where it has none."""

    name: str
    value: str
    difference: str
    verdict: str


@dataclass(frozen=True, slots=True)
class _Row:
    """One metric of a task."""

    title: str
    arrow: str
    meaning: str
    value: str
    comparisons: list[_Comparison]


@dataclass(frozen=True, slots=True)
class _Image:
    """A plot as the page holds it."""

    title: str
    alt: str
    uri: str
    is_wide: bool


@dataclass(frozen=True, slots=True)
class _Section:
    """One task; its headline is the row that it is judged by first."""

    name: str
    rows: int
    comparisons: list[str]
    metrics: list[_Row]
    headline: _Row | None
    images: list[_Image]


def write_report(evaluation: Evaluation, ours: Mapping[str, Judged], folder: Path) -> Path:
    """Write the report, evaluation.json and the plots into ``folder``; return the report's path.

    Args:
        evaluation: what to report.
        ours: the judged rows behind it, by task name; a task without them has no plots.
        folder: made if it is missing; files of an earlier report are replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {task.task.name: _draw(task, ours) for task in evaluation.tasks}
    for plot in (plot for found in drawn.values() for plot in found):
        (folder / f"{plot.name}.png").write_bytes(plot.png)
    numbers = json.dumps(evaluation.to_json(), indent=2, ensure_ascii=False)
    (folder / EVALUATION_FILE).write_text(f"{numbers}\n", encoding="utf-8")
    page = folder / REPORT_FILE
    page.write_text(_render(evaluation, drawn), encoding="utf-8")
    return page


def _draw(found: TaskEvaluation, ours: Mapping[str, Judged]) -> list[Plot]:
    name = found.task.name
    return plots(ours[name]) if name in ours else []


def _render(evaluation: Evaluation, drawn: Mapping[str, list[Plot]]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [_section(task, drawn[task.task.name]) for task in evaluation.tasks]
    template = environment.get_template(TEMPLATE_FILE)
    return template.render(evaluation=evaluation, sections=sections, legend=LEGEND)


def _section(found: TaskEvaluation, drawn: list[Plot]) -> _Section:
    rows = {name: _row(found, name) for name in found.metrics}
    return _Section(
        found.task.name,
        found.rows,
        list(found.beside),
        list(rows.values()),
        rows.get(headline(found.task)),
        [_Image(plot.title, plot.alt, _data_uri(plot.png), plot.is_wide) for plot in drawn],
    )


def _row(found: TaskEvaluation, metric: str) -> _Row:
    kind = METRICS[metric]
    return _Row(
        title(metric, found.task),
        ARROWS[kind.better],
        kind.meaning,
        write_interval(found.metrics[metric], form(metric, found.task)),
        [_compare(found, metric, other) for other in found.beside],
    )


def _compare(found: TaskEvaluation, metric: str, other: str) -> _Comparison:
    theirs, gaps = found.beside[other], found.difference[other]
    if metric not in theirs or metric not in gaps:
        return _Comparison(other, "", "", "")
    written = form(metric, found.task)
    return _Comparison(
        other,
        write_interval(theirs[metric], written),
        write_difference(gaps[metric], written),
        verdict(metric, gaps[metric]),
    )


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
