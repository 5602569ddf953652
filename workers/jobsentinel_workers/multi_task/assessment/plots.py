"""Which plots show what a task's answers are worth. Importing this imports matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from jobsentinel_workers.multi_task.assessment.canvas import Plot
from jobsentinel_workers.multi_task.assessment.class_plots import confusion_matrix
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.assessment.probability_plots import (
    precision_recall_curve,
    reliability_diagram,
)
from jobsentinel_workers.multi_task.assessment.value_plots import predicted_against_actual
from jobsentinel_workers.multi_task.tasks import TaskType

__all__ = ["Plot", "plots"]

_PLOTS: Final[Mapping[TaskType, tuple[Callable[[Judged], Plot | None], ...]]] = MappingProxyType(
    {
        TaskType.CLASSIFICATION: (confusion_matrix, reliability_diagram),
        TaskType.MULTILABEL: (reliability_diagram,),
        TaskType.BINARY: (precision_recall_curve, reliability_diagram),
        TaskType.REGRESSION: (predicted_against_actual,),
        TaskType.QUANTILE: (predicted_against_actual,),
    }
)


def plots(judged: Judged) -> list[Plot]:
    """Return the plots that the judged rows define; none without rows."""
    if not judged.rows:
        return []
    drawn = [draw(judged) for draw in _PLOTS[judged.task.type]]
    return [plot for plot in drawn if plot is not None]
