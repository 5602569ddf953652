"""The metrics of an evaluation: what each is called, how it is written and what is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from jobsentinel_workers.multi_task.tasks import Task, TaskType

Better = Literal["higher", "lower", "nearer"]
Form = Literal["share", "score", "value"]


@dataclass(frozen=True, slots=True)
class Metric:
    """How people read a metric.

    Attributes:
        title: its name in tables, at most 21 characters.
        better: which direction is better; ``nearer`` to a level that the title names.
        form: ``share`` is written in per cent, ``score`` as a number, ``value`` in the task's unit.
        meaning: one sentence for readers who do not know it.
        counts_successes: whether 1 means that no row went wrong, and 0 that every row did.
    """

    title: str
    better: Better
    form: Form
    meaning: str
    counts_successes: bool = False


_AT_BASE_RATE = "As it would be where scams, or whatever is asked for, are as rare as in life."

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "accuracy": Metric(
            "Accuracy", "higher", "share", "Share of rows whose most likely class is right.", True
        ),
        "hit_rate": Metric(
            "Hit rate",
            "higher",
            "share",
            "Share of rows whose most likely class is one of the right ones.",
            True,
        ),
        "top_3": Metric(
            "Right in top 3",
            "higher",
            "share",
            "Share of rows with a right class among the three most likely.",
            True,
        ),
        "macro_f1": Metric(
            "Macro F1",
            "higher",
            "score",
            "Mean over the classes of F1, so that rare classes weigh as much as common ones.",
            True,
        ),
        "average_precision": Metric(
            "Average precision",
            "higher",
            "score",
            "Area under the precision-recall curve over all pairs of row and class.",
            True,
        ),
        "pr_auc": Metric(
            "PR-AUC",
            "higher",
            "score",
            "Area under the precision-recall curve: how well yes ranks above no.",
            True,
        ),
        "pr_auc_at_base_rate": Metric(
            "PR-AUC, base rate", "higher", "score", f"PR-AUC. {_AT_BASE_RATE}", True
        ),
        "roc_auc": Metric(
            "ROC-AUC",
            "higher",
            "score",
            "How often a row that is yes gets a higher probability than one that is no.",
            True,
        ),
        "f1": Metric(
            "F1", "higher", "score", "Harmonic mean of precision and recall at the threshold.", True
        ),
        "f1_at_base_rate": Metric("F1, base rate", "higher", "score", f"F1. {_AT_BASE_RATE}", True),
        "precision": Metric(
            "Precision", "higher", "share", "Share of the yes answers that are right.", True
        ),
        "precision_at_base_rate": Metric(
            "Precision, base rate", "higher", "share", f"Precision. {_AT_BASE_RATE}", True
        ),
        "recall": Metric("Recall", "higher", "share", "Share of what is yes that is found.", True),
        "brier": Metric(
            "Brier score",
            "lower",
            "score",
            "Mean squared error of the probability, at the base rate where the task has one.",
        ),
        "log_loss": Metric(
            "Log loss", "lower", "score", "Mean surprise, in nats, at the class that is right."
        ),
        "calibration_error": Metric(
            "Calibration error",
            "lower",
            "share",
            "Mean gap between stated probability and what came true, over ten bins.",
        ),
        "mae": Metric("MAE", "lower", "value", "Mean absolute error."),
        "mdape": Metric(
            "MdAPE", "lower", "share", "Median absolute error as a share of the actual value."
        ),
        "r2": Metric("R²", "higher", "score", "Share of the variance that is explained."),
        "r2_log": Metric(
            "R² of logarithms", "higher", "score", "Share of the logarithm's variance explained."
        ),
        "coverage": Metric(
            "Coverage of 80 %",
            "nearer",
            "share",
            "Share of actual values inside the interval, which promises 80 %.",
            True,
        ),
        "interval_width": Metric(
            "Interval width",
            "lower",
            "value",
            "Median width of the interval; a share of the answer where the task learns logarithms.",
        ),
        "spearman": Metric(
            "Spearman's ρ", "higher", "score", "Correlation of the ranks of answer and truth."
        ),
    }
)

_HEADLINES: Final[Mapping[TaskType, str]] = MappingProxyType(
    {
        TaskType.CLASSIFICATION: "accuracy",
        TaskType.MULTILABEL: "hit_rate",
        TaskType.BINARY: "pr_auc",
        TaskType.REGRESSION: "mae",
        TaskType.QUANTILE: "mae",
    }
)


def headline(task: Task) -> str:
    """Return the metric that a task is judged by first."""
    return _HEADLINES[task.type]


def form(metric: str, task: Task) -> Form:
    """Return how the metric of a task is written."""
    if metric == "interval_width" and task.transform == "log":
        return "share"
    return METRICS[metric].form


def title(metric: str, task: Task) -> str:
    """Return the metric's name, with the unit where it has one."""
    name = METRICS[metric].title
    return f"{name}, {task.unit}" if form(metric, task) == "value" and task.unit else name
