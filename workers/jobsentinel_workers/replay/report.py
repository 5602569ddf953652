"""A replay as one HTML file that needs no network, with its numbers and images beside it.

Importing this imports matplotlib and Jinja2.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobsentinel_workers.multi_task.assessment.canvas import Plot
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.replay.comparing import Found
from jobsentinel_workers.replay.plots import plots
from jobsentinel_workers.replay.replaying import Replay
from jobsentinel_workers.replay.table import shown_points
from jobsentinel_workers.replay.wording import (
    LEGEND,
    conclude,
    describe,
    write_gain,
    write_p,
    write_quality,
    write_saving,
)

REPORT_FILE, REPLAY_FILE = "report.html", "replay.json"
TEMPLATE_FILE = "report.html.jinja"


@dataclass(frozen=True, slots=True)
class _Image:
    uri: str
    alt: str


@dataclass(frozen=True, slots=True)
class _Row:
    strategy: str
    values: list[str]
    gain: str
    verdict: str
    p: str
    saved: str


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    conclusion: str
    meaning: str
    rows: list[_Row]
    image: _Image


def write_report(replay: Replay, folder: Path) -> Path:
    """Write the report, replay.json and the plots into ``folder``; return the report's path.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {plot.name: plot for plot in plots(replay)}
    for plot in drawn.values():
        (folder / f"{plot.name}.png").write_bytes(plot.png)
    numbers = json.dumps(replay.to_json(), ensure_ascii=False, allow_nan=False)
    (folder / REPLAY_FILE).write_text(f"{numbers}\n", encoding="utf-8")
    page = folder / REPORT_FILE
    page.write_text(_render(replay, drawn), encoding="utf-8")
    return page


def _render(replay: Replay, drawn: dict[str, Plot]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    places = shown_points(replay)
    return environment.get_template(TEMPLATE_FILE).render(
        replay=replay,
        described=describe(replay),
        legend=LEGEND,
        counts=[f"{int(replay.curves.label_counts[at]):,}" for at in places],
        savings=_image(drawn["savings"]) if "savings" in drawn else None,
        sections=[
            _section(replay, measure, places, drawn[f"curves_{measure}"])
            for measure in replay.measures
        ],
    )


def _section(replay: Replay, measure: str, places: list[int], plot: Plot) -> _Section:
    kind = METRICS[measure]
    rows = [_row(found, measure, places) for found in replay.found[measure]]
    return _Section(kind.title, conclude(replay, measure), kind.meaning, rows, _image(plot))


def _row(found: Found, measure: str, places: list[int]) -> _Row:
    return _Row(
        found.strategy,
        [write_quality(float(found.mean[at]), measure) for at in places],
        write_gain(found, measure).removesuffix(" *"),
        found.verdict,
        write_p(found),
        "-" if found.gain is None else write_saving(found.saving),
    )


def _image(plot: Plot) -> _Image:
    encoded = base64.b64encode(plot.png).decode("ascii")
    return _Image(f"data:image/png;base64,{encoded}", plot.alt)
