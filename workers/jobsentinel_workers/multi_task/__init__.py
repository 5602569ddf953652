"""Multi-task scoring: one encoder, four questions, answers only from trained heads."""

from __future__ import annotations

from jobsentinel_workers.multi_task.examples import MultiTaskExample
from jobsentinel_workers.multi_task.model import MultiTaskBERT, create_job_matching_model
from jobsentinel_workers.multi_task.predictor import MultiTaskPredictor, scored_text
from jobsentinel_workers.multi_task.run_control import TrainingStopped
from jobsentinel_workers.multi_task.salary_text import strip_salary
from jobsentinel_workers.multi_task.stated_salary import (
    StatedSalary,
    parse_salary,
    parse_stated_salary,
)
from jobsentinel_workers.multi_task.tasks import Task, TaskType, job_matching_tasks
from jobsentinel_workers.multi_task.trainer import MultiTaskTrainer

__all__ = [
    "MultiTaskBERT",
    "MultiTaskExample",
    "MultiTaskPredictor",
    "MultiTaskTrainer",
    "StatedSalary",
    "Task",
    "TaskType",
    "TrainingStopped",
    "create_job_matching_model",
    "job_matching_tasks",
    "parse_salary",
    "parse_stated_salary",
    "scored_text",
    "strip_salary",
]
