"""What a challenger has to show before it replaces the champion by itself.

A policy is written with every verdict, so that a verdict can be computed again. The page
``docs/gate.md`` gives the reason for each number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Self, get_args

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment.bootstrap import CONFIDENCE, RESAMPLES
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.multi_task.assessment.evaluation import FEW_OF_A_KIND, FEW_ROWS
from jobsentinel_workers.multi_task.tasks import Task, TaskType

GuardBy = Literal["estimate", "lower_bound"]

_OF_VALUES = frozenset({"mae", "mdape", "r2", "r2_log", "spearman"})
MAIN_METRICS: Final[Mapping[TaskType, frozenset[str]]] = MappingProxyType(
    {
        TaskType.CLASSIFICATION: frozenset({"accuracy", "macro_f1", "top_3", "log_loss"}),
        TaskType.MULTILABEL: frozenset({"hit_rate", "top_3", "average_precision"}),
        TaskType.BINARY: frozenset(
            {
                *("pr_auc", "pr_auc_at_base_rate", "roc_auc", "brier"),
                *("f1", "f1_at_base_rate", "precision", "precision_at_base_rate", "recall"),
            }
        ),
        TaskType.REGRESSION: _OF_VALUES,
        TaskType.QUANTILE: _OF_VALUES,
    }
)
"""What can be a main metric: that which tells right answers from wrong ones by itself."""

_DEFAULTS: Final[Mapping[TaskType, str]] = MappingProxyType(
    {
        TaskType.CLASSIFICATION: "macro_f1",
        TaskType.MULTILABEL: "average_precision",
        TaskType.BINARY: "pr_auc",
        TaskType.REGRESSION: "mae",
        TaskType.QUANTILE: "mae",
    }
)
MAX_ROWS: Final = 1_000_000
MAX_RESAMPLES: Final = 100_000


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The gate's limits.

    Attributes:
        main_metrics: by kind of task, the metric that must gain; kinds that are absent take the
            default.
        task_metrics: the same for single tasks, by name; they go before ``main_metrics``.
        max_loss: how much of a main metric may be lost where it is a share or a score.
        max_relative_loss: the same where it has a unit, as a share of the champion's metric.
        max_calibration_loss: by how much the calibration error may grow.
        max_latency_ratio: the challenger's seconds a text over the champion's, at most.
        min_rows: judged rows that a task needs, near-duplicates counted once.
        min_rows_of_a_kind: so many of them must say yes and so many no, where that is the answer.
        confidence: of the intervals; what counts is their lower end.
        guard_by: whether a guard looks at the loss that was seen (``estimate``) or at the worst
            one that the rows leave possible (``lower_bound``).
        resamples: draws of the bootstrap.
        seed: of the draws.

    Raises:
        InvalidInput: naming the field and its limit.
    """

    main_metrics: Mapping[TaskType, str] = field(default_factory=dict)
    task_metrics: Mapping[str, str] = field(default_factory=dict)
    max_loss: float = 0.01
    max_relative_loss: float = 0.02
    max_calibration_loss: float = 0.03
    max_latency_ratio: float = 1.25
    min_rows: int = FEW_ROWS
    min_rows_of_a_kind: int = FEW_OF_A_KIND
    confidence: float = CONFIDENCE
    guard_by: GuardBy = "estimate"
    resamples: int = RESAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "main_metrics", _check_kinds(self.main_metrics))
        object.__setattr__(self, "task_metrics", dict(self.task_metrics))
        for name, metric in self.task_metrics.items():
            if not any(metric in known for known in MAIN_METRICS.values()):
                raise InvalidInput(_field(f"task_metrics.{name}"), _choices(frozenset(METRICS)))
        for name in ("max_loss", "max_relative_loss", "max_calibration_loss"):
            self._check_real(name, 0.0, 1.0)
        self._check_real("max_latency_ratio", 0.1, 1_000.0)
        self._check_real("confidence", 0.5, 0.9999)
        # With one row, or one of a kind, no interval can be drawn.
        self._check_whole("min_rows", 2, MAX_ROWS)
        self._check_whole("min_rows_of_a_kind", 1, MAX_ROWS)
        self._check_whole("resamples", 100, MAX_RESAMPLES)
        self._check_whole("seed", 0, 2**63 - 1)
        if self.guard_by not in get_args(GuardBy):
            raise InvalidInput(_field("guard_by"), _choices(frozenset(get_args(GuardBy))))

    def main_metric(self, task: Task) -> str:
        """Return the metric that ``task`` is judged by.

        Raises:
            InvalidInput: the policy names one for this task that its kind does not have.
        """
        own = self.task_metrics.get(task.name)
        if own is None:
            return self.main_metrics.get(task.type, _DEFAULTS[task.type])
        if own not in MAIN_METRICS[task.type]:
            known = _choices(MAIN_METRICS[task.type])
            raise InvalidInput(_field(f"task_metrics.{task.name}"), f"{known}, not {own!r:.60}")
        return own

    def to_json(self) -> dict[str, Any]:
        """Return the policy as JSON values."""
        kinds = {kind.value: metric for kind, metric in self.main_metrics.items()}
        return asdict(self) | {"main_metrics": kinds}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the policy that :meth:`to_json` wrote, or that a user's settings describe.

        Raises:
            InvalidInput: a field is unknown or beyond its limit.
        """
        unknown = sorted(map(str, fields.keys() - cls.__dataclass_fields__.keys()))
        if unknown:
            raise InvalidInput(_field(unknown[0]), "is not a field of the policy")
        for name in ("main_metrics", "task_metrics"):
            if not isinstance(fields.get(name, {}), Mapping):
                raise InvalidInput(_field(name), "must be an object of names and metrics")
        return cls(**fields)

    def _check_real(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not _is_number(value) or not low <= value <= high:
            raise InvalidInput(_field(name), f"must be from {low:g} to {high:g}, not {value!r:.60}")

    def _check_whole(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            problem = f"must be a whole number from {low} to {high}, not {value!r:.60}"
            raise InvalidInput(_field(name), problem)


def _check_kinds(metrics: Mapping[TaskType, str]) -> dict[TaskType, str]:
    for kind, metric in metrics.items():
        if kind not in list(TaskType):
            raise InvalidInput(_field(f"main_metrics.{kind!s:.60}"), _choices(frozenset(TaskType)))
        known = MAIN_METRICS[TaskType(kind)]
        if metric not in known:
            problem = f"{_choices(known)}, not {metric!r:.60}"
            raise InvalidInput(_field(f"main_metrics.{TaskType(kind).value}"), problem)
    return {TaskType(kind): metric for kind, metric in metrics.items()}


def _is_number(value: object) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]  # a number by then


def _choices(known: frozenset[str]) -> str:
    return f"must be one of {', '.join(sorted(known))}"


def _field(name: str) -> str:
    return f"policy.{name}"
