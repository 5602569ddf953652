"""A verdict in words: a sentence for each comparison, a page for a terminal, a line for logs."""

from __future__ import annotations

from collections.abc import Sequence

from jobsentinel_workers.gate.latency import Latency
from jobsentinel_workers.gate.verdict import CONSTANT, LATENCY, Comparison, Verdict
from jobsentinel_workers.multi_task.assessment.bootstrap import Interval
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.multi_task.assessment.writing import write_difference, write_value

_HEADER = ("task", "role", "metric", "gain", "needs", "passed", "against")


def write_reason(comparison: Comparison) -> str:
    """Return what a comparison says for or against promotion."""
    # Of a metric that is better when it is low, a plus could be read either way.
    falls = comparison.metric in METRICS and METRICS[comparison.metric].better == "lower"
    place = f"{comparison.task}: " if comparison.task else ""
    what = f"{_role(comparison)} {comparison.title}{' gain' if falls else ''}"
    return f"{place}{what} {write_gain(comparison)} {_outcome(comparison)}{_beside(comparison)}"


def write_gain(comparison: Comparison) -> str:
    """Return a gain with its interval, such as ``+0.021 [+0.004, +0.037]``."""
    if comparison.low is None or comparison.high is None:
        return f"x{1 - comparison.value:.2f}"
    gain = Interval(comparison.value, comparison.low, comparison.high)
    unit = " points" if comparison.form == "share" else ""
    return write_difference(gain, comparison.form) + unit


def write_text(verdict: Verdict) -> str:
    """Return the page for a terminal."""
    beside = f"beside {verdict.champion}" if verdict.champion else "without a champion"
    decision = "promoted" if verdict.promote else "not promoted"
    lines = [f"{verdict.challenger} {beside}, {verdict.date}: {decision}"]
    lines += [f"  - {reason}" for reason in verdict.reasons]
    if verdict.comparisons:
        lines += ["", *_table(_rows(verdict.comparisons)), ""]
        lines.append("Gains: above 0 the challenger is better. In brackets: by paired bootstrap.")
    if verdict.rows:
        rows = ", ".join(f"{task} {count:,}" for task, count in verdict.rows.items())
        lines.append(f"Judged rows: {rows}.")
    if verdict.latency is not None:
        lines.append(f"Latency: {write_latency(verdict.latency)}.")
    return "\n".join(lines) + "\n"


def write_line(verdict: Verdict) -> str:
    """Return the event with its fields."""
    decision = "yes" if verdict.promote else "no"
    reasons = " | ".join(" ".join(reason.split()) for reason in verdict.reasons)
    return (
        f"gate_verdict challenger={verdict.challenger} champion={verdict.champion or 'none'} "
        f'promote={decision} reasons="{reasons}"'
    )


def write_latency(latency: Latency) -> str:
    """Return both times, such as ``2.10 ms a text, the champion 1.60 ms (x1.31)``."""
    ours, other = 1_000 * latency.challenger_s, 1_000 * latency.champion_s
    return f"{ours:,.2f} ms a text, the champion {other:,.2f} ms (x{latency.ratio:.2f})"


def _role(comparison: Comparison) -> str:
    return "main metric" if comparison.role == "main" else "guard"


def _outcome(comparison: Comparison) -> str:
    if comparison.metric == LATENCY:
        relation = "is within" if comparison.passed else "is above"
        return f"{relation} the limit {_bound(comparison)}"
    if comparison.needs == "above":
        return f"{'is' if comparison.passed else 'is not'} above 0"
    relation = "is within" if comparison.passed else "is below"
    return f"{relation} the tolerance {_bound(comparison)}"


def _beside(comparison: Comparison) -> str:
    """Return what a gain is over where that is not the champion."""
    return " over a constant answer" if comparison.against == CONSTANT else ""


def _bound(comparison: Comparison) -> str:
    if comparison.metric == LATENCY:
        return f"x{1 - comparison.bound:.2f}"
    if comparison.form == "share":
        return f"{100 * comparison.bound:.1f} points"
    return write_value(comparison.bound, comparison.form)


def _rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return the table; against whom is a column only where it differs."""
    rows = [_HEADER, *map(_cells, comparisons)]
    same = len({comparison.against for comparison in comparisons}) == 1
    return [row[:-1] for row in rows] if same else rows


def _cells(comparison: Comparison) -> tuple[str, ...]:
    if comparison.metric == LATENCY:
        needs = f"at most {_bound(comparison)}"
    else:
        needs = "above 0" if comparison.needs == "above" else f"at least {_bound(comparison)}"
    return (
        comparison.task or "-",
        comparison.role,
        comparison.title,
        write_gain(comparison),
        needs,
        "yes" if comparison.passed else "NO",
        comparison.against,
    )


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  " + "  ".join(cells).rstrip() for cells in padded]
