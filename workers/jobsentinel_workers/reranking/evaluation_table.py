"""An evaluation of rankings as plain text: the stages, the test in a sentence, the segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobsentinel_workers.multi_task.assessment.writing import write_difference, write_interval
from jobsentinel_workers.reranking.evaluation import (
    FEW_QUERIES,
    FIRST_MEASURE,
    LEAST_QUERIES,
    Difference,
    Part,
    RankingEvaluation,
    Verdict,
)
from jobsentinel_workers.reranking.ranking_measures import MEASURES

GAP = "  "
SEGMENTS_A_CHANCE = 5
"""With so many segments, one that looks harmed may well be an accident."""

Row = Sequence[str]


def to_table(evaluation: RankingEvaluation) -> str:
    """Return the table: a row a stage, then what the last stage is worth, then by segment."""
    parts = [
        _head(evaluation),
        _stages(evaluation),
        _gains(evaluation),
        "\n".join(_sentences(evaluation)),
        *_segments(evaluation),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _head(evaluation: RankingEvaluation) -> str:
    queries = _queries(evaluation.overall.queries)
    text = f"{queries}; in brackets 95 % intervals over queries"
    if evaluation.left_out:
        text += f"\n{evaluation.left_out:,} more left out: none of their documents is relevant"
    if evaluation.relevant_from:
        text += f"\nrelevant for MRR, P and Recall from grade {evaluation.relevant_from:g}"
    return text


def _stages(evaluation: RankingEvaluation) -> str:
    overall = evaluation.overall
    rows: list[Row] = [("", *MEASURES)]
    for stage, found in overall.measures.items():
        rows.append((stage, *(write_interval(found[name], "score") for name in MEASURES)))
    return _aligned(rows) if overall.measures else ""


def _gains(evaluation: RankingEvaluation) -> str:
    overall = evaluation.overall
    rows: list[Row] = [("", *MEASURES)]
    for stage, gains in overall.gains.items():
        written = (write_difference(gains[name].interval, "score") for name in MEASURES)
        rows.append((stage, *written))
    head = f"{evaluation.stages[-1]} minus each stage before it"
    return f"{head}\n{_aligned(rows)}" if overall.gains else ""


def _sentences(evaluation: RankingEvaluation) -> Iterator[str]:
    """Yield what the last stage is worth beside each earlier one, and what limits that."""
    overall, last = evaluation.overall, evaluation.stages[-1]
    if overall.queries < LEAST_QUERIES:
        yield "One query says nothing: judge more."
        return
    for stage, gains in overall.gains.items():
        gain = gains[FIRST_MEASURE]
        yield (
            f"{last} {_compared(gain.verdict)} {stage} in {FIRST_MEASURE}: "
            f"{write_difference(gain.interval, 'score')}, paired randomisation test p {_p(gain)}"
        )
    if overall.queries < FEW_QUERIES:
        yield f"So few queries ({overall.queries}) say little: the intervals are rough."


def _compared(verdict: Verdict) -> str:
    return {
        "better": "is better than",
        "worse": "is WORSE than",
        "worse, perhaps by chance": "looks worse than, but is not told apart from,",
        "not told apart": "is not told apart from",
    }[verdict]


def _segments(evaluation: RankingEvaluation) -> list[str]:
    if not evaluation.segments:
        return []
    first, last = evaluation.stages[0], evaluation.stages[-1]
    rows: list[Row] = [("segment", "queries", *evaluation.stages, f"{last} minus {first}", "p", "")]
    rows += [_segment(name, part, evaluation) for name, part in evaluation.segments.items()]
    text = f"By segment, {FIRST_MEASURE}\n{_aligned(rows)}"
    harmed = [part for part in evaluation.segments.values() if part.harmed()]
    if harmed and len(evaluation.segments) >= SEGMENTS_A_CHANCE:
        text += (
            f"\nAmong {len(evaluation.segments)} segments one may look worse by chance alone: "
            "judge more of its queries before you act."
        )
    return [text]


def _segment(name: str, part: Part, evaluation: RankingEvaluation) -> Row:
    if not part.measures:
        return (name, f"{part.queries:,}", *("-" for _ in evaluation.stages), "-", "-", "too few")
    means = (f"{part.measures[stage][FIRST_MEASURE].value:.3f}" for stage in evaluation.stages)
    gain = part.gains.get(evaluation.stages[0], {}).get(FIRST_MEASURE)
    compared = ("-", "-") if gain is None else (write_difference(gain.interval, "score"), _p(gain))
    return (name, f"{part.queries:,}", *means, *compared, _harm(part, evaluation.stages[-1]))


def _harm(part: Part, last: str) -> str:
    """Return in words which earlier stages were better here, the surer ones first."""
    harmed = part.harmed()
    sure = [stage for stage, verdict in harmed.items() if verdict == "worse"]
    unsure = [stage for stage in harmed if stage not in sure]
    words = []
    if sure:
        words.append(f"{last} is WORSE than {', '.join(sure)}")
    if unsure:
        words.append(f"worse than {', '.join(unsure)}, perhaps by chance")
    return "; ".join(words)


def _p(gain: Difference) -> str:
    return "< 0.001" if gain.p_value < 0.001 else f"= {gain.p_value:.3f}"


def _queries(count: int) -> str:
    return f"{count:,} {'query' if count == 1 else 'queries'}"


def _aligned(rows: Sequence[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
