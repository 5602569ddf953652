"""Open data as rankings to be judged: queries, documents, and which of these are right.

No row here taught the starter models: vacancy titles only measure, and the postings and occupations
asked for are those that training keeps apart by its seed, less those that the weights of the score
were fitted on. All documents are ranked, those too that training has seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from jobsentinel.contract.text import normalise
from jobsentinel_workers.reranking.judgements import Judgements
from jobsentinel_workers.starter.open_data import Occupation, read_csv
from jobsentinel_workers.starter.posting_groups import described
from jobsentinel_workers.starter.ranking_data import sample_document, sample_query
from jobsentinel_workers.starter.ranking_split import read_ranking_data

TRAINING_SEED: Final = 7
"""Of the split that the shipped reranker was trained on."""
VACANCY_SEED: Final = 0
QUERIES_AN_OCCUPATION: Final = 2


@dataclass(frozen=True, slots=True)
class RankingTrial:
    """Documents by id, and what is right for each query.

    ``relevant_from`` is the least grade that MRR, precision and recall count.
    """

    name: str
    documents: Mapping[str, str]
    judgements: Judgements
    relevant_from: float = 0.0


Read = Callable[[Path, int], RankingTrial]
"""From the folder of the data and the number of queries."""


def vacancies(data: Path, count: int) -> RankingTrial:
    """Return real vacancy titles, each with its one occupation among all of ESCO's.

    The titles are ``random.Random(0).sample`` of those whose occupation is in the table; documents
    are title and description, one after the other.
    """
    rows = read_csv(data / "esco_occupations.csv.gz")
    documents = {row["uri"]: f"{row['title']}. {row['description']}" for row in rows}
    titles = read_csv(data / "vacancy_titles_to_esco.csv.gz")
    known = [row for row in titles if row["esco_uri"] in documents]
    asked = random.Random(VACANCY_SEED).sample(known, min(count, len(known)))
    grades = {row["vacancy_title"]: {row["esco_uri"]: 1.0} for row in asked}
    return RankingTrial("vacancies", documents, Judgements(grades))


def postings(data: Path, count: int) -> RankingTrial:
    """Return titles of real postings, over the descriptions of all of them.

    Right is every description of a posting with the same title.
    """
    rows = read_ranking_data(data, TRAINING_SEED).postings
    told = described(rows.everything())
    documents = {f"posting-{n:04}": row.description for n, row in enumerate(told)}
    of_title: dict[str, dict[str, float]] = {}
    for name, row in zip(documents, told, strict=True):
        of_title.setdefault(normalise(row.title), {})[name] = 1.0
    unseen = {normalise(row.title) for row in rows.judging}
    seen = {normalise(row.title) for row in (*rows.learnt, *rows.fitted)}
    asked = [title for title in of_title if title in unseen and title not in seen][:count]
    return RankingTrial("postings", documents, Judgements({t: of_title[t] for t in asked}))


def occupations(data: Path, count: int) -> RankingTrial:
    """Return what people call an occupation or do in it, over all of O*NET's; graded.

    The occupation itself has grade 1, its relatives up to 0.5.
    """
    rows = read_ranking_data(data, TRAINING_SEED).occupations
    rng = np.random.default_rng(TRAINING_SEED)
    everything = rows.everything()
    asked = [o for o in rows.judging for _ in range(QUERIES_AN_OCCUPATION)][:count]
    there = {occupation.code for occupation in everything}
    grades = {sample_query(o, rng).text: _grades(o, there) for o in asked}
    documents = {o.code: sample_document(o, rng) for o in everything}
    return RankingTrial("occupations", documents, Judgements(grades), relevant_from=1.0)


def _grades(occupation: Occupation, there: set[str]) -> dict[str, float]:
    related = {code: grade for code, grade in occupation.related.items() if code in there}
    return related | {occupation.code: 1.0}


TRIALS: Final[Mapping[str, Read]] = {
    "vacancies": vacancies,
    "postings": postings,
    "occupations": occupations,
}
