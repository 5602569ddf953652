"""Predicted values with their intervals against the actual ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from jobsentinel_workers.multi_task.assessment.canvas import (
    BLUE,
    GREY,
    ORANGE,
    Plot,
    new_figure,
    tidy,
    to_png,
)
from jobsentinel_workers.multi_task.assessment.judged import HIGH, LOW, VALUE, Judged
from jobsentinel_workers.multi_task.assessment.writing import write_value

MAX_POINTS = 300
"""With more, intervals hide one another; rows are then taken evenly by their actual value."""


def predicted_against_actual(judged: Judged) -> Plot:
    """Return the plot, on logarithmic axes where the task learns logarithms."""
    low, _, high = judged.answers.T
    inside = (judged.targets >= low) & (judged.targets <= high)
    shown = _evenly(judged)
    figure = new_figure(5.6, 5.4)
    axes = figure.subplots()
    within, without = shown[inside[shown]], shown[~inside[shown]]
    _draw_points(axes, judged, within, colour=BLUE, marker="o", label="inside the interval")
    _draw_points(axes, judged, without, colour=ORANGE, marker="X", label="outside the interval")
    _set_axes(axes, judged)
    share = write_value(float(inside.mean()), "share")
    axes.set_title(f"{judged.task.name}:\n{share} of {judged.rows:,} inside the interval")
    axes.legend(loc="upper left", frameon=False, fontsize="small")
    tidy(axes)
    alt = _describe(judged, len(shown), share)
    return Plot(f"{judged.task.name}_values", "Predicted against actual", alt, to_png(figure))


def _describe(judged: Judged, shown: int, share: str) -> str:
    low, high = (write_value(float(end), "value") for end in np.quantile(judged.targets, [0, 1]))
    values = f"{low} to {high} {judged.task.unit}".rstrip()
    return (
        f"Predicted against actual {judged.task.name} for {shown} of {judged.rows} rows, from "
        f"{values}; {share} of all actual values lie inside the predicted interval."
    )


def _evenly(judged: Judged) -> npt.NDArray[np.intp]:
    order = np.argsort(judged.targets, kind="stable")
    places = np.linspace(0, len(order) - 1, min(len(order), MAX_POINTS)).round().astype(int)
    return np.take(order, places)


def _draw_points(
    axes: Axes, judged: Judged, rows: npt.NDArray[np.intp], *, colour: str, marker: str, label: str
) -> None:
    answers, actual = judged.answers[rows], judged.targets[rows]
    axes.vlines(actual, answers[:, LOW], answers[:, HIGH], color=colour, alpha=0.25, linewidth=1)
    axes.scatter(
        actual, answers[:, VALUE], s=16, color=colour, marker=marker, linewidths=0, label=label
    )


def _set_axes(axes: Axes, judged: Judged) -> None:
    everything = np.concatenate([judged.targets, judged.answers[:, VALUE]])
    ends = (float(everything.min()), float(everything.max()))
    axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="exactly right")
    unit = f" ({judged.task.unit})" if judged.task.unit else ""
    axes.set(xlabel=f"Actual{unit}", ylabel=f"Predicted{unit}")
    if judged.task.transform == "log":
        axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        if judged.task.transform == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
