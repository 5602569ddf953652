"""Whether probabilities come true, and what precision costs in recall."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from jobsentinel_workers.multi_task.assessment.binary_metrics import weigh_to_base_rate
from jobsentinel_workers.multi_task.assessment.canvas import (
    BLUE,
    GREY,
    ORANGE,
    Plot,
    new_figure,
    tidy,
    to_png,
)
from jobsentinel_workers.multi_task.assessment.class_metrics import hits
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.metrics import measure
from jobsentinel_workers.multi_task.assessment.ranking import curve, precision_and_recall, rank
from jobsentinel_workers.multi_task.assessment.reliability import (
    BINS,
    ReliabilityCurve,
    reliability_curve,
)
from jobsentinel_workers.multi_task.assessment.writing import write_value
from jobsentinel_workers.multi_task.tasks import TaskType


def reliability_diagram(judged: Judged) -> Plot | None:
    """Return stated against true probability over a histogram of what was stated.

    None where the error is undefined: rows of one answer cannot be weighed to a base rate.
    """
    error = measure(judged).get("calibration_error")
    if error is None:
        return None
    stated, came_true, said = _statements(judged)
    found = reliability_curve(stated, came_true, _weights(judged))
    figure = new_figure(5.2, 5.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _draw_reliability(top, judged, found)
    bottom.hist(stated, bins=np.linspace(0, 1, BINS + 1).tolist(), color=BLUE, edgecolor="white")
    bottom.set(xlabel=said, ylabel="Rows")
    _in_per_cent(top.yaxis, bottom.xaxis)
    tidy(bottom)
    title = f"{judged.task.name}: calibration error {_per_cent(error)}"
    top.set_title(title.replace(": ", ":\n"))
    alt = f"Reliability diagram of {title}; {_describe(found)}."
    return Plot(f"{judged.task.name}_reliability", "Reliability", alt, to_png(figure))


def _draw_reliability(axes: Axes, judged: Judged, found: ReliabilityCurve) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as stated")
    axes.plot(found.stated, found.came_true, color=BLUE, marker="o", label=judged.task.name)
    axes.legend(loc="upper left", frameon=False)
    rate = judged.task.base_rate
    weighted = "" if rate is None else f", at {_per_cent(rate)} yes"
    axes.set(ylabel=f"Share that came true{weighted}", ylim=(-0.02, 1.02), xlim=(-0.02, 1.02))
    tidy(axes)


def _describe(found: ReliabilityCurve) -> str:
    return "; ".join(
        f"stated {_per_cent(stated)}, true {_per_cent(true)} of {rows} rows"
        for stated, true, rows in zip(*found, strict=True)
    )


def _statements(judged: Judged) -> tuple[FloatArray, FloatArray, str]:
    if judged.task.type is TaskType.BINARY:
        return judged.answers, judged.targets, "Probability of yes"
    return judged.answers.max(axis=1), hits(judged), "Probability of the most likely class"


def _weights(judged: Judged) -> FloatArray:
    even = np.ones(judged.rows)
    if judged.task.type is not TaskType.BINARY:
        return even
    return weigh_to_base_rate(judged, even[None, :]).ravel()


def precision_recall_curve(judged: Judged) -> Plot | None:
    """Return the curve with the threshold marked; None without both yes and no."""
    metrics = measure(judged)
    if "pr_auc" not in metrics:
        return None
    figure = new_figure(5.2, 4.4)
    axes = figure.subplots()
    share = _per_cent(float(judged.targets.mean()))
    label = f"as judged, {share} yes: area {metrics['pr_auc']:.3f}"
    _draw_curve(axes, judged, None, colour=BLUE, style="-", label=label)
    rate = judged.task.base_rate
    if rate is not None:
        label = f"at {_per_cent(rate)} yes: area {metrics['pr_auc_at_base_rate']:.3f}"
        _draw_curve(axes, judged, rate, colour=ORANGE, style="--", label=label)
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axes.set_title(f"{judged.task.name}:\nprecision and recall")
    axes.legend(loc="lower left", frameon=False, fontsize="small")
    _in_per_cent(axes.xaxis, axes.yaxis)
    tidy(axes)
    alt = f"Precision-recall curve of {judged.task.name}, area {metrics['pr_auc']:.3f}"
    if "precision" in metrics:
        precision, recall = _per_cent(metrics["precision"]), _per_cent(metrics["recall"])
        alt += f"; at the threshold {judged.threshold:.2f} precision {precision}, recall {recall}"
    name = f"{judged.task.name}_precision_recall"
    return Plot(name, "Precision and recall", f"{alt}.", to_png(figure))


def _draw_curve(
    axes: Axes, judged: Judged, base_rate: float | None, *, colour: str, style: str, label: str
) -> None:
    ranking = rank(judged.answers, judged.targets)
    found = curve(ranking, np.ones((1, judged.rows)), ranking.ends)
    precision, recall = (part[0] for part in precision_and_recall(found, base_rate))
    axes.step(recall, precision, where="pre", color=colour, linestyle=style, label=label)
    scores: FloatArray = judged.answers[ranking.order][ranking.ends]
    above = np.flatnonzero(scores >= judged.threshold)
    if len(above):  # else no row is called yes, and there is no precision to show
        at = int(above[-1])
        marked = f"threshold {judged.threshold:.2f}" if base_rate is None else None
        axes.plot(recall[at], precision[at], "D", color=colour, markersize=7, label=marked)


def _in_per_cent(*axes: Any) -> None:
    for axis in axes:
        axis.set_major_formatter(cast(Any, PercentFormatter)(xmax=1, decimals=0, symbol=" %"))


def _per_cent(share: float) -> str:
    return write_value(share, "share")
