"""Titles with the functions that LinkedIn gives a posting, several of 35 at once."""

from __future__ import annotations

from collections.abc import Sequence

from jobsentinel_workers.multi_task import MultiTaskExample, Task, TaskType
from jobsentinel_workers.starter.open_data import PostingRow

TASK = "job_functions"
FUNCTIONS = (
    "Accounting/Auditing",
    "Administrative",
    "Advertising",
    "Analyst",
    "Art/Creative",
    "Business Development",
    "Consulting",
    "Customer Service",
    "Design",
    "Distribution",
    "Education",
    "Engineering",
    "Finance",
    "General Business",
    "Health Care Provider",
    "Human Resources",
    "Information Technology",
    "Legal",
    "Management",
    "Manufacturing",
    "Marketing",
    "Other",
    "Product Management",
    "Production",
    "Project Management",
    "Public Relations",
    "Purchasing",
    "Quality Assurance",
    "Research",
    "Sales",
    "Science",
    "Strategy/Planning",
    "Supply Chain",
    "Training",
    "Writing/Editing",
)


def functions_task() -> Task:
    """Return the task: which of the 35 functions a posting has."""
    return Task(TASK, TaskType.MULTILABEL, classes=FUNCTIONS, hidden=256, words="titled")


def title_rows(rows: Sequence[PostingRow]) -> list[MultiTaskExample]:
    """Return the titles alone, where functions are known."""
    return [MultiTaskExample(row.title, {TASK: row.functions}) for row in rows if row.functions]


def text_rows(rows: Sequence[PostingRow]) -> list[MultiTaskExample]:
    """Return the texts that are more than a title, where functions are known."""
    return [
        MultiTaskExample(row.text, {TASK: row.functions})
        for row in rows
        if row.functions and row.text != row.title
    ]
