"""A replay as plain text for a terminal, at most 110 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.replay.replaying import Replay
from jobsentinel_workers.replay.wording import (
    LEGEND,
    conclude,
    describe,
    wrapped,
    write_gain,
    write_p,
    write_quality,
    write_saving,
)

MAX_WIDTH = 110
COLUMNS_OF_CURVE = 5
Row = Sequence[str]


def to_table(replay: Replay) -> str:
    """Return what each strategy achieved and saved, by each measure."""
    head = f"{replay.name}\n{wrapped(describe(replay), MAX_WIDTH)}"
    blocks = [_block(replay, measure) for measure in replay.measures]
    notes = [wrapped(f"Note: {note}", MAX_WIDTH) for note in replay.notes]
    legend = wrapped(f"{LEGEND} A star: told from chance, p at most 0.05.", MAX_WIDTH)
    return "\n\n".join([head, *blocks, "\n".join([*notes, legend])]) + "\n"


def shown_points(replay: Replay) -> list[int]:
    """Return places on the curve that a table shows: the first, the last and some between."""
    last = len(replay.curves.label_counts) - 1
    return sorted({round(place) for place in np.linspace(0, last, COLUMNS_OF_CURVE)})


def _block(replay: Replay, measure: str) -> str:
    places = shown_points(replay)
    counts = [f"{int(replay.curves.label_counts[at]):,}" for at in places]
    head = (METRICS[measure].title, *counts, "area minus random", "p (Holm)", "labels saved")
    rows: list[Row] = [head]
    for found in replay.found[measure]:
        values = (write_quality(float(found.mean[at]), measure) for at in places)
        saved = "-" if found.gain is None else write_saving(found.saving)
        rows.append((found.strategy, *values, write_gain(found, measure), write_p(found), saved))
    return f"{_aligned(rows)}\n{wrapped(conclude(replay, measure), MAX_WIDTH)}"


def _aligned(rows: Sequence[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
