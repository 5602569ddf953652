"""What the inference pool is asked to do: one request class a task."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from jobsentinel.contract import limits
from jobsentinel.contract.base import (
    FilledText,
    Identifier,
    Items,
    Message,
    ModelName,
    fault,
    first_duplicate,
)
from jobsentinel.contract.filters import FilterText
from jobsentinel.contract.postings import Candidate, Label, LabelledSample, Posting, Sample
from jobsentinel.contract.query_strategies import is_strategy, strategy_names

SelectTask = Literal["category", "scam", "salary"]
FirstStage = Literal["hybrid", "dense", "lexical"]


def _require_unique(ids: list[str], field: str) -> None:
    duplicate = first_duplicate(ids)
    if duplicate:
        raise fault(f"{field}.{duplicate[0]}.id", f"repeats {duplicate[1]!r}; ids must be unique")


class _Postings(Message):
    postings: Annotated[
        Items[Posting], Field(min_length=1, max_length=limits.MAX_POSTINGS_A_MESSAGE)
    ]

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        _require_unique([posting.id for posting in self.postings], "postings")
        return self


class ScoreRequest(_Postings):
    """Score postings with one or more models; with a profile, how well each matches it."""

    postings: Annotated[Items[Posting], Field(max_length=limits.MAX_POSTINGS_A_MESSAGE)]
    profile: FilledText | None = None
    models: Annotated[
        Items[ModelName], Field(min_length=1, max_length=limits.MAX_MODELS_A_REQUEST)
    ] = ("multi-task",)
    copies: Annotated[
        dict[Identifier, Identifier], Field(max_length=limits.MAX_COPIES_A_MESSAGE)
    ] = Field(default_factory=dict)
    """By the id of a posting that is not sent, the id of the one that it is a copy of."""

    @model_serializer(mode="wrap")
    def _without_new_defaults(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Workers of an earlier version refuse fields that they do not know.
        data: dict[str, Any] = serialise(self)
        if not data["copies"]:
            del data["copies"]
        return data

    @model_validator(mode="after")
    def _something_is_asked(self) -> Self:
        if not self.postings and not self.copies:
            raise fault("postings", "must hold at least 1 posting")
        return self

    @model_validator(mode="after")
    def _copies_are_not_sent(self) -> Self:
        for posting in self.postings:
            if posting.id in self.copies:
                raise fault("copies", f"names {posting.id!r}, which is among the postings")
        return self


class IndexRequest(_Postings):
    """Store postings and their embeddings, so that they can be ranked without being sent again."""


def _few_enough(candidates: object) -> object:
    if isinstance(candidates, list | tuple) and len(candidates) > limits.MAX_CANDIDATES:
        raise fault(
            "",
            f"are more than the {limits.MAX_CANDIDATES:,} that one request may hold; index them "
            "with `jobsentinel index` (Producer.index) and rank without candidates",
        )
    return candidates


class RerankRequest(Message):
    """Rank candidates, or with None all indexed postings, for a query such as a résumé."""

    query: FilledText
    candidates: Annotated[Items[Candidate] | None, BeforeValidator(_few_enough)] = None
    initial_top_k: Annotated[int, Field(ge=1, le=limits.MAX_CANDIDATES)] = 100
    final_top_k: Annotated[int, Field(ge=1, le=limits.MAX_CANDIDATES)] = 20
    bi_encoder: ModelName | None = None
    """A fine-tuned similarity model for the first stage; None is the base encoder."""
    first_stage: FirstStage = "hybrid"
    """What finds the candidates that are looked at closely: embeddings (``dense``), words
    (``lexical``), or both, joined by reciprocal rank fusion."""
    where: FilterText | None = None
    """Which indexed postings are looked at, such as ``remote = true and salary >= 80000``."""
    collapse_duplicates: bool = True
    """Whether of several copies of a posting the best one stands for all."""
    diversity: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """How much variety counts beside the score (maximal marginal relevance); None, not at all."""

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        _require_unique([candidate.id for candidate in self.candidates or ()], "candidates")
        return self

    @model_validator(mode="after")
    def _filters_the_index_only(self) -> Self:
        if self.where is not None and self.candidates is not None:
            raise fault("where", "chooses among indexed postings; candidates have no fields")
        return self

    @model_serializer(mode="wrap")
    def _without_new_defaults(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Workers of an earlier version refuse fields that they do not know.
        data: dict[str, Any] = serialise(self)
        for name in ("first_stage", "collapse_duplicates"):
            if data[name] == type(self).model_fields[name].default:
                del data[name]
        return data


def _known_strategy(name: str) -> str:
    if not is_strategy(name):
        names = ", ".join(map(repr, strategy_names()))
        raise ValueError(f"Input should be one of {names}")
    return name


class SelectRequest(Message):
    """Choose the samples whose labels would teach a model most."""

    samples: Annotated[Items[Sample], Field(max_length=limits.MAX_SAMPLES)]
    strategy: Annotated[str, AfterValidator(_known_strategy)] = "margin"
    """One that is built in, or one that a package adds which is installed here and there."""
    num_samples: Annotated[int, Field(ge=1, le=limits.MAX_SAMPLES)] = 10
    model: ModelName = "multi-task"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    random_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    """The part of the batch that is drawn evenly, to judge the model by."""
    task: SelectTask = "category"
    """Which answers of the scoring model count; a model of yours has one kind only."""
    committee: Annotated[Items[ModelName], Field(max_length=limits.MAX_MODELS_A_REQUEST)] = ()
    """The models whose disagreement counts, for strategies that ask a committee."""
    labelled: Annotated[Items[LabelledSample], Field(max_length=limits.MAX_SAMPLES)] = ()
    """What is labelled already: picks keep away from it."""

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        _require_unique([sample.id for sample in self.samples], "samples")
        return self

    @model_serializer(mode="wrap")
    def _without_new_defaults(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Workers of an earlier version refuse fields that they do not know.
        data: dict[str, Any] = serialise(self)
        for name in ("random_share", "task", "committee", "labelled"):
            if data[name] in (type(self).model_fields[name].default, []):
                del data[name]
        return data


class AddLabelsRequest(Message):
    """Store labels; a newer one by the same annotator for the same question replaces the older."""

    labels: Annotated[Items[Label], Field(min_length=1, max_length=limits.MAX_LABELS_A_MESSAGE)]
