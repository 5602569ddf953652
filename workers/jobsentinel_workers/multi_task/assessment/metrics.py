"""The metrics of one model on one task; the catalogue says how each is read.

A metric that the rows do not define is left out: no curve is drawn from one class alone, and a
constant correlates with nothing.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from jobsentinel_workers.multi_task.assessment.binary_metrics import measure_yes_or_no
from jobsentinel_workers.multi_task.assessment.class_metrics import (
    measure_one_of_classes,
    measure_several_classes,
)
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.value_metrics import measure_values
from jobsentinel_workers.multi_task.tasks import TaskType

_MEASURES = {
    TaskType.CLASSIFICATION: measure_one_of_classes,
    TaskType.MULTILABEL: measure_several_classes,
    TaskType.BINARY: measure_yes_or_no,
    TaskType.REGRESSION: measure_values,
    TaskType.QUANTILE: measure_values,
}


def measure(judged: Judged) -> dict[str, float]:
    """Return the metrics by name; none is NaN."""
    if not judged.rows:
        return {}
    found = measure_resamples(judged, np.ones((1, judged.rows)))
    return {name: float(values[0]) for name, values in found.items() if np.isfinite(values[0])}


def measure_resamples(judged: Judged, counts: FloatArray) -> dict[str, FloatArray]:
    """Return the (r,) metrics of resamples in which row i is ``counts[r, i]`` times.

    NaN stands where a resample does not define a metric.
    """
    with threadpool_limits(1):
        return _MEASURES[judged.task.type](judged, counts)
