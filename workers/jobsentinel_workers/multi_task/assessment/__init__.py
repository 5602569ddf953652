"""Honest evaluation: metrics with their intervals, beside what a model has to beat.

Plots and the report are imported from their own modules, since they need matplotlib and Jinja2.
"""

from __future__ import annotations

from jobsentinel_workers.multi_task.assessment.baselines import (
    Baseline,
    constant_baseline,
    fit_baseline,
)
from jobsentinel_workers.multi_task.assessment.bootstrap import Interval, differences, intervals
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS, Metric, headline
from jobsentinel_workers.multi_task.assessment.evaluation import (
    Evaluation,
    TaskEvaluation,
    evaluate,
)
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.assessment.metrics import measure
from jobsentinel_workers.multi_task.assessment.table import to_table

__all__ = [
    "METRICS",
    "Baseline",
    "Evaluation",
    "Interval",
    "Judged",
    "Metric",
    "TaskEvaluation",
    "constant_baseline",
    "differences",
    "evaluate",
    "fit_baseline",
    "headline",
    "intervals",
    "measure",
    "to_table",
]
