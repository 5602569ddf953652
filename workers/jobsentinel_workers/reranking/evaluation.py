"""An evaluation of rankings: every stage by the same judgements, and what the last one is worth.

Rankings go in, measures come out; which models made them does not matter here. Each stage has its
measures with 95 % intervals over queries. The last stage is held against each one before it on
the same queries, all of them together and by segment, for a stage that helps on the whole may harm
one kind of query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment.bootstrap import CONFIDENCE, Interval
from jobsentinel_workers.reranking.judgements import Judgements
from jobsentinel_workers.reranking.query_resampling import (
    difference_interval,
    mean_draws,
    mean_interval,
    paired_p_values,
)
from jobsentinel_workers.reranking.ranking_measures import MEASURES, RankedGrades, measure

Rankings = Mapping[str, Sequence[str]]
"""By query, document ids, best first; a query that is not there was answered with nothing."""
Verdict = Literal["better", "worse", "worse, perhaps by chance", "not told apart"]

FIRST_MEASURE: Final = next(iter(MEASURES))
LEAST_QUERIES: Final = 2
FEW_QUERIES: Final = 20
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference over the same queries, with its p-value by the paired randomisation test.

    ``p_value`` is the chance to see so large a difference between rankings that are equally good.
    Interval and test both have to tell it from chance: with few queries one alone is too bold.
    """

    interval: Interval
    p_value: float

    @property
    def verdict(self) -> Verdict:
        """What it says in words."""
        if self.interval.excludes_zero and self.p_value < 1 - CONFIDENCE:
            return "better" if self.interval.value > 0 else "worse"
        return "worse, perhaps by chance" if self.interval.value < 0 else "not told apart"


@dataclass(frozen=True, slots=True)
class Part:
    """The measures over some queries.

    Attributes:
        queries: how many; with one alone there are no intervals, and all else is empty.
        measures: by stage, and then by measure.
        gains: by an earlier stage, and then by measure: the last stage minus that one.
    """

    queries: int
    measures: Mapping[str, Mapping[str, Interval]]
    gains: Mapping[str, Mapping[str, Difference]]

    def verdict(self, earlier: str) -> Verdict:
        """Return how the last stage stands to an earlier one by the first measure."""
        return self.gains[earlier][FIRST_MEASURE].verdict

    def harmed(self) -> dict[str, Verdict]:
        """Return the earlier stages that were better than the last one, with how sure that is."""
        verdicts = {stage: self.verdict(stage) for stage in self.gains}
        return {stage: word for stage, word in verdicts.items() if word.startswith("worse")}

    def to_json(self) -> dict[str, Any]:
        """Return the part as JSON values, with what it harms in words."""
        return asdict(self) | {"harmed": self.harmed()}


@dataclass(frozen=True, slots=True, eq=False)
class RankingEvaluation:
    """What is known of the stages of a ranking.

    Attributes:
        stages: their names, first to last.
        relevant_from: the least grade above 0 that MRR, P and Recall count as relevant.
        left_out: how many queries had no relevant document, and so were not judged.
        overall: over all judged queries.
        segments: over those of each segment, by its name.
        queries: the judged queries.
        values: (queries, stages, measures) what each query got.
    """

    stages: tuple[str, ...]
    relevant_from: float
    left_out: int
    overall: Part
    segments: Mapping[str, Part]
    queries: tuple[str, ...]
    values: FloatArray

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON values, without the single queries."""
        return {
            "stages": list(self.stages),
            "relevant_from": self.relevant_from,
            "left_out": self.left_out,
            "overall": self.overall.to_json(),
            "segments": {name: part.to_json() for name, part in self.segments.items()},
        }

    def by_query(self) -> list[dict[str, Any]]:
        """Return what each query got as JSON values: its text, and by stage its measures."""
        return [
            {
                "query": query,
                "measures": {
                    stage: dict(zip(MEASURES, row, strict=True))
                    for stage, row in zip(self.stages, rows, strict=True)
                },
            }
            for query, rows in zip(self.queries, self.values.tolist(), strict=True)
        ]


def evaluate_rankings(
    judgements: Judgements,
    stages: Mapping[str, Rankings],
    *,
    relevant_from: float = 0.0,
    seed: int = 0,
) -> RankingEvaluation:
    """Return the measures of ``stages``, first to last, with intervals and comparisons.

    A query without a relevant document is left out and counted: no ranking could be right.

    Raises:
        InvalidInput: there is no stage, a ranking names a document twice, or no query can be
            judged.
    """
    if not stages:
        raise InvalidInput("stages", "must hold one ranking at least")
    judged = {
        query: grades
        for query, grades in judgements.grades.items()
        if any(grade > 0 and grade >= relevant_from for grade in grades.values())
    }
    if not judged:
        raise InvalidInput("judgements", "hold no query with a relevant document")
    values = np.array(
        [
            [_measured(s, q, grades, found, relevant_from) for s, found in stages.items()]
            for q, grades in judged.items()
        ]
    )
    places = _places(list(judged), judgements.segments)
    return RankingEvaluation(
        stages=tuple(stages),
        relevant_from=relevant_from,
        left_out=len(judgements.grades) - len(judged),
        overall=_part(values, list(stages), seed),
        segments={name: _part(values[rows], list(stages), seed) for name, rows in places.items()},
        queries=tuple(judged),
        values=values,
    )


def _measured(
    stage: str, query: str, grades: Mapping[str, float], found: Rankings, relevant_from: float
) -> FloatArray:
    ranking = found.get(query, ())
    if len(set(ranking)) < len(ranking):
        raise InvalidInput(f"stages.{stage}", f"names a document twice for {query!r:.80}")
    ranked = [grades.get(document, 0.0) for document in ranking]
    return measure(RankedGrades(ranked, list(grades.values()), relevant_from))


def _places(queries: Sequence[str], segments: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the positions of the queries of each segment, by name."""
    places: dict[str, list[int]] = {name: [] for name in sorted(set(segments.values()))}
    for position, query in enumerate(queries):
        if query in segments:
            places[segments[query]].append(position)
    return {name: found for name, found in places.items() if found}


def _part(values: FloatArray, stages: Sequence[str], seed: int) -> Part:
    """Return the measures of (n, stages, measures) values."""
    if len(values) < LEAST_QUERIES:
        return Part(len(values), {}, {})
    draws = mean_draws(values, seed)
    # Each stage beside the last one, on the same draws: (n or draws, stages before, measures).
    gains, drawn_gains = (each[:, -1:] - each[:, :-1] for each in (values, draws))
    p_values = paired_p_values(gains, seed)
    return Part(
        len(values),
        {
            stage: {
                name: mean_interval(values[:, n, m], draws[:, n, m])
                for m, name in enumerate(MEASURES)
            }
            for n, stage in enumerate(stages)
        },
        {
            stage: {
                name: Difference(
                    difference_interval(gains[:, n, m], drawn_gains[:, n, m]),
                    float(p_values[n, m]),
                )
                for m, name in enumerate(MEASURES)
            }
            for n, stage in enumerate(stages[:-1])
        },
    )
