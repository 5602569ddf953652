"""What the fleet answers: one result class a task, each stamped with the models that made it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from jobsentinel.contract.base import Items, Message, Probability


class Answer(Message):
    """A part of an answer; keys that a newer worker may add are left unread."""

    model_config = ConfigDict(extra="ignore")


class ModelStamp(Answer):
    """Which model answered. Version 0 is the one that ships with the package."""

    name: str
    version: int
    precision: str
    arm: str | None = None
    """``champion`` or ``challenger`` while two versions share the work; absent otherwise."""


class CategoryPrediction(Answer):
    """The most probable of the twenty categories and what the others got."""

    label: str
    probability: Probability
    probabilities: dict[str, float]


class SalaryPrediction(Answer):
    """An estimate of the yearly salary with the interval the model was calibrated to, in USD."""

    value: float
    low: float
    high: float


class StatedSalary(Answer):
    """The salary in a posting's own words, as stated and a year; no currency is converted.

    One figure stands at both ends. "Up to" leaves ``low`` absent, "from" ``high``; ``currency`` is
    an ISO 4217 code, absent where none is stated.
    """

    low: float | None = None
    high: float | None = None
    currency: str | None = None
    period: Literal["hour", "day", "week", "month", "year"]
    low_year: float | None = None
    high_year: float | None = None
    text: str


class ScamPrediction(Answer):
    """How probable a scam is, and whether that reaches the threshold chosen on validation data."""

    probability: Probability
    is_scam: bool
    threshold: Probability


class CustomPrediction(Answer):
    """The answer of a model of the user's own: a class with its probability, or a number."""

    label: str | None = None
    probability: Probability | None = None
    probabilities: dict[str, float] = Field(default_factory=dict)
    """Of all its classes; of a number or a yes, nothing."""
    value: float | None = None
    model: ModelStamp


class PostingScore(Answer):
    """All that was predicted for one posting; what no trained head answers is absent."""

    posting_id: str
    duplicate_of: str | None = None
    """Of a copy that was not scored: the posting whose score is its own. Nothing else is there."""
    category: CategoryPrediction | None = None
    salary_year_usd: SalaryPrediction | None = None
    stated_salary: StatedSalary | None = None
    """Read from the posting; the models never see it."""
    scam: ScamPrediction | None = None
    match_quality: Probability | None = None
    custom: dict[str, CustomPrediction] = Field(default_factory=dict)
    model: ModelStamp | None = None


class ScoreResult(Answer):
    """Scores in the order of the postings sent, and behind them the copies."""

    scores: Items[PostingScore]


class StageScore(Answer):
    """What a stage said of a candidate: its score, and the place that it alone would give it."""

    score: float
    rank: int


class RankedPosting(Answer):
    """A candidate's place in the ranking, with its score and rank at each stage.

    A stage's rank is the place that it alone would give, among all that it read; that by embedding
    is among all that the first stage found.
    """

    id: str
    rank: int
    score: float
    bi_encoder_score: float
    """The cosine of its embedding and the query's."""
    bi_encoder_rank: int
    cross_encoder_score: float
    cross_encoder_rank: int
    lexical_score: float | None = None
    """BM25; absent where no word of the query led to it, or words were not asked."""
    lexical_rank: int | None = None
    fused_score: float | None = None
    """Reciprocal rank fusion of the two, of a hybrid first stage."""
    retrieval_rank: int | None = None
    """Its place when the first stage was done."""
    stages: dict[str, StageScore] = Field(default_factory=dict)
    """By name, of the scorers that settings put between retrieval and cross-encoder: ``sparse``,
    ``late_interaction``."""
    title: str | None = None
    """With company and location: of an indexed posting; absent of candidates in the request."""
    company: str | None = None
    location: str | None = None
    duplicates: Items[str] = ()
    """The ids of its copies further down, which it stands for."""
    reason: str = ""
    """Why it stands here: where retrieval put it, and what moved it."""


class RerankResult(Answer):
    """The ranking, best first, and how long each stage took."""

    ranked: Items[RankedPosting]
    candidates: int
    """How many postings were looked at: all that were sent or indexed, or that a filter let by."""
    timings_ms: dict[str, float]
    models: Items[ModelStamp]
    first_stage: str = "dense"
    """What found them; older workers know embeddings only."""
    duplicates: int = 0
    """How many copies were left out of the ranking."""
    note: str | None = None
    """What is to be known about the index that answered, such as that a new one is being made."""


class Pick(Answer):
    """A sample chosen for labelling, and why."""

    id: str
    score: float
    reason: str
    chosen_by: str = ""
    """The strategy that chose it; ``random`` for the part drawn to judge the model by."""


class SelectResult(Answer):
    """The picks in order, and every sample's acquisition score: nothing is dropped."""

    picks: Items[Pick]
    scores: dict[str, float]
    strategy: str
    seed: int
    model: ModelStamp
    random_share: float = 0.0
    committee: Items[ModelStamp] = ()
    """Which models were asked as a committee."""


class IndexResult(Answer):
    """How many postings were new or changed, and how many were there already."""

    indexed: int
    unchanged: int


class AddLabelsResult(Answer):
    """How many labels were new or changed, and how many were there already."""

    stored: int
    unchanged: int


RowRange = Annotated[tuple[int, int], Field(strict=False)]
"""The first row and the one behind the last, from 0."""


class StoreDatasetResult(Answer):
    """Where a dataset stands: ``sealed`` when all of it is there and its hash is right."""

    sha256: str
    state: Literal["open", "sealed"]
    name: str | None = None
    """The name under which it is stored, that of whoever sent it first."""
    stored: int = 0
    """How many rows of this request were not there before."""
    missing: Items[RowRange] = ()
    """Which rows lack, if that was asked for."""


class TrainResult(Answer):
    """A finished training run and the model version it registered."""

    run_id: str
    model: str
    version: int
    promoted: bool
    metrics: dict[str, float]
    seconds: Annotated[float, Field(ge=0)]
    report: str = ""
    """The evaluation on rows set apart as a plain-text table; empty where there is none."""
