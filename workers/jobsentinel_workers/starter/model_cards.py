"""Writes what a user should know before trusting the starter weights."""

from __future__ import annotations

from collections.abc import Mapping

from jobsentinel_workers.reranking.evaluation import RankingEvaluation
from jobsentinel_workers.reranking.evaluation_table import to_table
from jobsentinel_workers.starter.query_training import QuerySettings
from jobsentinel_workers.starter.reranker_training import RerankerSettings

_ENCODER = """\
The encoder beneath is all-MiniLM-L6-v2 (Apache-2.0), frozen; it is installed from its own package.
"""

_ONET = """\
- O*NET 27.0 Database by the U.S. Department of Labor, Employment and Training Administration
  (USDOL/ETA), used under CC BY 4.0. Titles, descriptions, tasks, tools and related occupations were
  recombined; USDOL/ETA has not approved, endorsed or tested these changes.
"""
_LINKEDIN = """\
- LinkedIn job postings of 2023, as published under CC BY-SA 4.0.
"""
_ESCO = """\
- ESCO, the European classification of skills, competences, qualifications and occupations, of the
  European Commission, reused with this acknowledgement.
"""
_OTHERS = f"""\
{_ESCO}- EMSCAD, the Employment Scam Aegean Dataset, University of the Aegean (CC0 as published).
- Job postings of the City of New York, NYC Open Data (public).
"""


def heads_card(metrics: Mapping[str, float]) -> str:
    """Return the model card of the multi-task heads as Markdown."""
    return f"""\
# Starter heads: category, functions, salary, scam, match

Small heads over sentence embeddings of a posting and of its title, three of them with a linear
model over hashed words beside them, and salary with three small networks over words and embedding.
They make a fresh install answer sensibly until your own labels take over. {_ENCODER}
## Data
{_ONET}{_LINKEDIN}{_OTHERS}
The weights learnt from CC BY-SA material are offered under the same terms. No row of any of these
sets is distributed; of words there are hashes and weights only.

- Category: occupation codes (SOC, ISCO) mapped to twenty categories, as titles and as made-up
  postings; then real titles whose stated function a first model agrees with, or whose category it
  is sure of. Some of the bare titles were lent a description, also of other categories.
- Functions: the 35 that LinkedIn gives a posting, several at once, from titles, from title and
  facts, and from some with a lent description.
- Salary: logarithm of the middle of the stated yearly range in USD, with salary figures taken out
  of the text. Two in five of the bare titles were lent the description of a similar job, three in
  ten are there on one line too.
- Scam: title, description, requirements and benefits, without the company's profile, with all that
  the source says, and as excerpts; LinkedIn postings and postings made of occupations stand in for
  legitimate ones of today. Probabilities are calibrated to the base rate of 4.8 % that the whole
  corpus has.
- Match: profiles and postings made from occupations; relatives count in part.

## Results on rows held out of training
By a model of the same recipe that was trained without them; the one that is shipped learnt from
all rows. Held out are whole titles, occupations and near-copies. Scam is pooled over five folds of
EMSCAD alone (61 % of it here are frauds; `at_base_rate` reweights to 4.8 %).
`scam_flagged_of_linkedin` is the share of unseen ordinary postings called scams. `clear postings`
is agreement with labels that the first model helped to clean. `tf-idf` is a linear model over words
and pairs of words, trained on the same rows. Category and match rest on occupations held out.
The category has no
words beside its head, and does not read the title by itself: with either, the word "engineer" in
any title meant engineering.
`make eval-scoring` prints these with their intervals.

{_table(metrics)}
## Limits
- English, and mostly the United States; salaries are in USD of 2023, intervals hold eight in ten.
- The twenty categories are uneven: analytics, customer service and human resources rest on few
  occupations.
- Scams are those of 2012 to 2014: advance cheques, fake visas or crypto of today may pass. A high
  score is a reason to look, never a verdict; a low one proves nothing. Do not decide about people
  with these scores.
- The encoder reads the first part of a long posting only; words are read throughout.
"""


def reranker_card(
    found: Mapping[str, RankingEvaluation], queries: QuerySettings, settings: RerankerSettings
) -> str:
    """Return the model card of the reranker as Markdown, with what it achieves by trial."""
    tables = "\n".join(
        f"### {name.capitalize()}\n\n```text\n{to_table(evaluation)}```\n"
        for name, evaluation in found.items()
    )
    return f"""\
# Starter reranker

A cross-encoder as a low-rank adapter (rank {settings.rank}) with a small head, and a second adapter
(rank {queries.rank}) by which queries are embedded; documents are embedded by the encoder as it is.
The cross-encoder's score is added to the cosine and to the share of the best BM25 score; the
weights are in `config.json`. {_ENCODER}
## Data
{_ONET}{_LINKEDIN}{_ESCO}
The weights learnt from CC BY-SA material are offered under the same terms. No row of these sets is
distributed.

Queries are names of occupations as vacancies bear them, their tasks, or names with tools; documents
read like postings, or are the entries of ESCO.

- The adapter for queries: the right one among all documents, by cosines. {queries.steps} steps
  of {queries.texts_a_step} texts.
- The cross-encoder: lists of eight, in which the own occupation counts 1, related ones 0.2 to 0.5,
  others 0, six of these near misses of the first stage. Of the lists 45 % are of ESCO, 35 % of
  O*NET, 20 % pair a real posting's title with descriptions; one in five of the others holds bare
  titles. {settings.steps:,} steps of {settings.groups_a_step} lists.
- The weights of the score: by queries of O*NET, ESCO and real titles that nothing was learnt from.

## Results
The cross-encoder reads the best of `hybrid`; what it does not read keeps its place behind.

- *Vacancies*: real vacancy titles over all entries of ESCO. Nothing was trained or fitted on these
  titles; the entries are known from training.
- *Postings*: titles of real postings never trained or fitted on, over the descriptions of all.
- *Occupations*: queries of O*NET's occupations never trained or fitted on, over all of them.

{tables}
## Limits
- English. Trained on short texts; of long postings only the passages nearest to the query are read.
- A résumé is read up to its first 64 tokens by the cross-encoder.
- It orders by kind of job, not by place, pay or seniority.
"""


def _table(metrics: Mapping[str, float]) -> str:
    rows = "".join(f"| {name} | {_number(value)} |\n" for name, value in metrics.items())
    return f"| metric | value |\n|---|---|\n{rows}"


def _number(value: float) -> str:
    whole = value >= 100 or (value > 1 and float(value).is_integer())
    return f"{value:,.0f}" if whole else f"{value:.4f}"
