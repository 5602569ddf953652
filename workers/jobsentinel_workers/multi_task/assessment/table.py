"""An evaluation as a plain-text table for a terminal, at most 110 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from jobsentinel_workers.multi_task.assessment.catalogue import METRICS, form, title
from jobsentinel_workers.multi_task.assessment.evaluation import Evaluation, TaskEvaluation
from jobsentinel_workers.multi_task.assessment.writing import (
    ARROWS,
    LEGEND,
    write_difference,
    write_interval,
    write_value,
)

MAX_WIDTH = 110
GAP = "  "
SINGLE_TASK = "single-task"
"""The comparison whose difference is told with its interval: what sharing an encoder costs."""

Column = list[str]


def to_table(evaluation: Evaluation, *, against: str = SINGLE_TASK) -> str:
    """Return the table: each task's metrics, those beside them, and the difference to ``against``.

    Columns that do not fit beside the metrics follow below them.
    """
    head = f"{evaluation.model}, {evaluation.precision}, {evaluation.date}"
    parts = [head, *(_task(task, against) for task in evaluation.tasks)]
    notes = [_wrap(f"Note: {note}") for note in evaluation.notes]
    return "\n\n".join([*parts, "\n".join([*notes, _wrap(LEGEND)])]) + "\n"


def _task(found: TaskEvaluation, against: str) -> str:
    head = f"{found.task.name}: {found.rows:,} rows"
    if not found.metrics:
        return f"{head}, too few to say anything"
    names = _names(found)
    others = [_beside(found, other) for other in found.beside]
    if against in found.difference:
        others.append(_difference(found, against))
    blocks = _blocks(names, [_own(found), *others])
    return "\n".join([head, *blocks])


def _names(found: TaskEvaluation) -> Column:
    return ["", *(f"{title(name, found.task)} {_arrow(name)}" for name in found.metrics)]


def _arrow(metric: str) -> str:
    return ARROWS[METRICS[metric].better]


def _own(found: TaskEvaluation) -> Column:
    written = (write_interval(m, form(name, found.task)) for name, m in found.metrics.items())
    return ["this model", *written]


def _beside(found: TaskEvaluation, other: str) -> Column:
    theirs = found.beside[other]
    written = (
        write_value(theirs[name].value, form(name, found.task)) if name in theirs else "-"
        for name in found.metrics
    )
    return [other, *written]


def _difference(found: TaskEvaluation, against: str) -> Column:
    gaps = found.difference[against]
    written = (
        write_difference(gaps[name], form(name, found.task)) if name in gaps else "-"
        for name in found.metrics
    )
    return [f"minus {against}", *written]


def _blocks(names: Column, columns: Sequence[Column]) -> list[str]:
    """Return the columns side by side, in as few blocks as the width allows."""
    blocks: list[list[Column]] = [[]]
    for column in columns:
        taken = sum(_width(c) + len(GAP) for c in [names, *blocks[-1]])
        if blocks[-1] and taken + _width(column) > MAX_WIDTH:
            blocks.append([])
        blocks[-1].append(column)
    return [_side_by_side([names, *block]) for block in blocks]


def _side_by_side(columns: Sequence[Column]) -> str:
    widths = [_width(column) for column in columns]
    lines = (
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    )
    return "\n".join(lines)


def _width(column: Column) -> int:
    return max(map(len, column))


def _wrap(text: str) -> str:
    return textwrap.fill(text, MAX_WIDTH, subsequent_indent="  ")
