"""A replay's figures as people read them."""

from __future__ import annotations

import textwrap

from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.multi_task.assessment.writing import write_difference, write_value
from jobsentinel_workers.replay.comparing import Found
from jobsentinel_workers.replay.replaying import Replay
from jobsentinel_workers.replay.savings import Saving

NOT_REACHED = "not reached"
LEGEND = (
    "Labels saved: of the labels that random needs for its final quality, the share that the "
    "strategy does not need; below 0 it needs more, and 'not reached' says that the budget was not "
    "enough. Area: mean quality over all numbers of labels. In brackets: 95 % intervals by "
    "bootstrap over the seeds, with a dash where draws that never come so far leave the end open; "
    "they tell what other draws of these texts would do, not other texts."
)


def write_saving(saving: Saving) -> str:
    """Return the labels saved, such as ``23 % [10, 31]``; an open end is a dash."""
    if saving.share is None and saving.high is None:
        return NOT_REACHED
    low, high = (_end(end) for end in (saving.low, saving.high))
    value = NOT_REACHED if saving.share is None else f"{rounded(saving.share)} %"
    return f"{value} [{low}, {high}]"


def write_gain(found: Found, measure: str) -> str:
    """Return area minus that of random, with a star where it is told from chance."""
    if found.gain is None:
        return "-"
    star = " *" if found.verdict else ""
    return f"{write_difference(found.gain, METRICS[measure].form)}{star}"


def write_p(found: Found) -> str:
    """Return the corrected p-value."""
    if found.p_holm is None:
        return "-"
    return "< 0.001" if found.p_holm < 0.001 else f"{found.p_holm:.3f}"


def write_quality(value: float, measure: str) -> str:
    """Return a point of a curve."""
    return write_value(value, METRICS[measure].form)


def describe(replay: Replay) -> str:
    """Return in two sentences what was replayed."""
    circle, curves = replay.circle, replay.curves
    last = int(curves.label_counts[-1])
    return (
        f"{replay.rows:,} labelled texts in {len(replay.classes)} classes, of which "
        f"{_range(curves.pools)} to choose from and {_range(curves.judged)} to judge by, for each "
        f"of {len(curves.seeds)} seeds. From {circle.start} labels to {last:,} in batches of "
        f"{circle.batch}, {100 * circle.random_share:.0f} % of each drawn at random; embeddings of "
        f"{replay.model}."
    )


def conclude(replay: Replay, measure: str) -> str:
    """Return in a sentence which strategies save labels for sure, and which cost some."""
    others = [each for each in replay.found[measure] if each.gain is not None]
    if not others:
        return ""
    saves = [
        each.strategy for each in others if each.saving.low is not None and each.saving.low > 0
    ]
    costs = [
        each.strategy for each in others if each.saving.is_certain and each.strategy not in saves
    ]
    rest = len(others) - len(saves) - len(costs)
    parts = [f"labels saved by {', '.join(saves) or 'none'}"]
    if costs:
        parts.append(f"more needed by {', '.join(costs)}")
    if rest:
        parts.append(f"not told from random: {rest}")
    return f"At random's final {METRICS[measure].title}: {'; '.join(parts)}."


def wrapped(text: str, width: int) -> str:
    """Return ``text`` in lines of ``width``, the following ones indented."""
    return textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False)


def _end(end: float | None) -> str:
    return "–" if end is None else rounded(end)


def rounded(share: float) -> str:
    """Return a share in whole per cent, without the sign of a zero."""
    per_cent = round(100 * share)
    return f"{per_cent}" if per_cent else "0"


def _range(ends: tuple[int, int]) -> str:
    least, most = ends
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
