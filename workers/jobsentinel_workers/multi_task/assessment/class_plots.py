"""Which class is taken for which."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from jobsentinel_workers.multi_task.assessment.canvas import Plot, new_figure, to_png
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.writing import write_value

MAX_CLASSES = 20
MAX_NAME_CHARS = 26
SMALLEST_SHOWN = 0.01
"""Shares below are left blank, so that what matters stands out."""
OTHER = "all other classes"


def confusion_matrix(judged: Judged) -> Plot:
    """Return the share of each actual class (row) that is given each class (column).

    With more than MAX_CLASSES in play, the rarest of them are put together.
    """
    names, counts = _count(judged)
    actual = counts.sum(axis=1)
    shares = counts / np.maximum(actual, 1)[:, None]
    size = 3.2 + 0.42 * len(names)
    figure = new_figure(size + 1.2, size)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _write_shares(axes, shares)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    labels = [f"{name} ({n:,.0f})" for name, n in zip(names, actual, strict=True)]
    axes.set_yticks(range(len(names)), labels)
    axes.set(xlabel="Predicted class", ylabel="Actual class (rows)")
    axes.set_title(f"{judged.task.name}:\nper cent of each actual class")
    alt = _describe(judged, counts, names)
    return Plot(f"{judged.task.name}_confusion", "Confusion", alt, to_png(figure), is_wide=True)


def _count(judged: Judged) -> tuple[list[str], FloatArray]:
    """Return the names of the classes in play, and how often each was taken for each."""
    classes = len(judged.task.classes)
    actual, predicted = judged.targets.astype(int), judged.answers.argmax(axis=1)
    totals = np.bincount(actual, minlength=classes)
    in_play = np.flatnonzero(totals + np.bincount(predicted, minlength=classes))
    kept = in_play[np.argsort(-totals[in_play], kind="stable")]
    others = kept[MAX_CLASSES - 1 :] if len(kept) > MAX_CLASSES else kept[:0]
    kept = np.sort(kept[: len(kept) - len(others)])
    place = np.full(classes, len(kept))
    place[kept] = np.arange(len(kept))
    size = len(kept) + bool(len(others))
    cells = np.bincount(place[actual] * size + place[predicted], minlength=size * size)
    names = [_shorten(judged.task.classes[k]) for k in kept] + [OTHER] * bool(len(others))
    return names, cells.reshape(size, size).astype(np.float64)


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else f"{name[: MAX_NAME_CHARS - 1].rstrip()}…"


def _write_shares(axes: Axes, shares: FloatArray) -> None:
    for row, column in np.argwhere(shares >= SMALLEST_SHOWN).tolist():
        share = shares[row, column]
        colour = "white" if share > 0.5 else "black"
        axes.text(
            column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=8
        )


def _describe(judged: Judged, counts: FloatArray, names: list[str]) -> str:
    right = write_value(float(np.diag(counts).sum() / counts.sum()), "share")
    wrong: npt.NDArray[np.float64] = counts - np.diag(np.diag(counts))
    alt = f"Confusion matrix of {judged.task.name}: {right} of the rows lie on the diagonal"
    if not wrong.any():
        return f"{alt}."
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    worst = f"{names[row]} taken for {names[column]}, {wrong[row, column]:.0f} times"
    return f"{alt}; the most frequent mistake is {worst}."
