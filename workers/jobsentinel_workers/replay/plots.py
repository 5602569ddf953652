"""Learning curves beside the random one, and labels saved. Importing this imports matplotlib.

A panel a strategy, since more than two curves in one cannot be told apart. Line style and marker
say the same as the colour, and numbers stand beside what is drawn.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from jobsentinel_workers.multi_task.assessment.canvas import (
    BLUE,
    GREY,
    ORANGE,
    Plot,
    new_figure,
    tidy,
    to_png,
)
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.replay.comparing import Found
from jobsentinel_workers.replay.learning_curves import Floats
from jobsentinel_workers.replay.replaying import Replay
from jobsentinel_workers.replay.wording import NOT_REACHED, rounded, write_quality, write_saving

_COLUMNS: Final = 4
_LEAST_SHOWN: Final = -1.0
"""Of a saving: twice the labels. What lies below is shown at the edge, with an arrow."""


def plots(replay: Replay) -> list[Plot]:
    """Return for each measure the curves, and the labels saved by all of them."""
    curves = [draw_curves(replay, measure) for measure in replay.measures]
    return [*curves, draw_savings(replay)] if len(replay.curves.strategies) > 1 else curves


def draw_curves(replay: Replay, measure: str) -> Plot:
    """Return each strategy's mean curve with its 95 % band, beside that of random."""
    baseline, *others = replay.found[measure]
    shown = others or [baseline]
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = new_figure(max(4.6, 3.1 * columns), 2.6 * rows + 1.0)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, found in zip(grid.flat, shown, strict=False):
        _draw_panel(axes, replay.curves.label_counts, found, baseline, measure)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    # The panel above an empty place is the last of its column: it bears the numbers.
    for axes in grid.flat[max(0, len(shown) - columns) : len(shown)]:
        axes.tick_params(labelbottom=True)
    title = METRICS[measure].title
    _label(figure, f"{replay.name}: {title}", title)
    return Plot(
        f"curves_{measure}",
        f"Learning curves, {title}",
        _curves_alt(replay, measure),
        to_png(figure),
        is_wide=True,
    )


def draw_savings(replay: Replay) -> Plot:
    """Return the labels saved by each strategy, with intervals, for the first two measures."""
    measures = replay.measures[:2]
    names = [found.strategy for found in replay.found[measures[0]]][1:]
    figure = new_figure(8.6, 1.9 + 0.42 * len(names))
    axes = figure.subplots()
    for number, measure in enumerate(measures):
        _draw_measure(axes, replay.found[measure][1:], measure, number, len(measures))
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlim=(_LEAST_SHOWN - 0.12, 1.02), xlabel="Labels saved at random's final quality")
    axes.xaxis.set_major_formatter(cast(Any, PercentFormatter)(xmax=1, decimals=0, symbol=" %"))
    axes.set_title(f"{replay.name}: labels saved, 95 % intervals")
    tidy(axes)
    figure.legend(loc="outside lower center", frameon=False, ncols=len(measures))
    return Plot("savings", "Labels saved", _savings_alt(replay), to_png(figure), is_wide=True)


def _draw_panel(axes: Axes, counts: Floats, found: Found, baseline: Found, measure: str) -> None:
    _draw_curve(axes, counts, baseline, colour=GREY, style="--", marker="", name="random")
    if found is not baseline:
        _draw_curve(axes, counts, found, colour=BLUE, style="-", marker="o", name=found.strategy)
    saved = "" if found is baseline else f"\nsaved: {write_saving(found.saving)}"
    if found.saving.share is None:
        saved = f"\n{write_saving(found.saving)}"
    axes.set_title(f"{found.strategy}{saved}", fontsize="medium")
    axes.axhline(baseline.mean[-1], color=GREY, linestyle=":", linewidth=0.9)
    if METRICS[measure].form == "share":
        axes.yaxis.set_major_formatter(cast(Any, PercentFormatter)(xmax=1, decimals=0, symbol=" %"))
    tidy(axes)


def _draw_curve(
    axes: Axes, counts: Floats, found: Found, *, colour: str, style: str, marker: str, name: str
) -> None:
    axes.fill_between(counts, found.low, found.high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(counts, found.mean, color=colour, linestyle=style, marker=marker, ms=3, label=name)


def _label(figure: Figure, title: str, measured: str) -> None:
    figure.suptitle(
        f"{title}\nsolid line with dots: the strategy; dashed: random; dotted: its final quality",
        fontsize="large",
    )
    figure.supxlabel("Labels", fontsize="medium")
    figure.supylabel(measured, fontsize="medium")


def _draw_measure(axes: Axes, found: list[Found], measure: str, number: int, measures: int) -> None:
    colour, marker = ((BLUE, "o"), (ORANGE, "D"))[number]
    shift = 0.22 * (number - (measures - 1) / 2)
    label: str | None = METRICS[measure].title
    for row, each in enumerate(found):
        at, saving = row + shift * 1.6, each.saving
        low, high = (_inside(end) for end in (saving.low, saving.high))
        axes.plot([low, high], [at, at], color=colour, linewidth=2)
        if saving.low is None or saving.low < _LEAST_SHOWN:
            axes.plot(_LEAST_SHOWN, at, "<", color=colour, ms=6)
        if saving.share is None:
            _write(axes, high, at, NOT_REACHED)
        else:
            axes.plot(_inside(saving.share), at, marker, color=colour, ms=7, label=label)
            label = None
            _write(axes, high, at, f"{rounded(saving.share)} %")
    if label is not None:  # no strategy came so far: the legend names the measure still
        axes.plot([], [], marker, color=colour, label=label)


def _write(axes: Axes, high: float, at: float, text: str) -> None:
    axes.annotate(
        text, (high, at), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8
    )


def _inside(end: float | None) -> float:
    return _LEAST_SHOWN if end is None else max(_LEAST_SHOWN, end)


def _curves_alt(replay: Replay, measure: str) -> str:
    first, last = (int(count) for count in replay.curves.label_counts[[0, -1]])
    ends = "; ".join(
        f"{found.strategy} {write_quality(float(found.mean[-1]), measure)}"
        for found in replay.found[measure]
    )
    start = write_quality(float(np.mean(replay.found[measure][0].mean[0])), measure)
    return (
        f"Learning curves of {METRICS[measure].title} from {first} labels, where all have {start}, "
        f"to {last:,}: {ends}."
    )


def _savings_alt(replay: Replay) -> str:
    measure = replay.measures[0]
    saved = "; ".join(
        f"{found.strategy} {write_saving(found.saving)}" for found in replay.found[measure][1:]
    )
    return f"Labels saved by {METRICS[measure].title}: {saved}."
