"""Judgements: which documents are right for which query, and how right.

They come in rows, one for each query and document. A row that contradicts an earlier one is an
error that names both, for no measure could be believed after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Generic, Self, TypeVar

from pydantic import Field, model_validator

from jobsentinel.contract.base import FilledText, Identifier, Message, ShortText, fault
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import content_hash, normalise

TEXT_ID_PREFIX = "text:"
MAX_GRADE = 1_000.0
SHORT_QUERY_WORDS = 3
LONG_QUERY_WORDS = 50
"""So many, and a query is a résumé rather than a search."""

T = TypeVar("T")


class JudgementRow(Message):
    """What somebody says of one document and one query.

    The document is a posting, by its id, or a text of its own. ``relevance`` is 0 where it is
    wrong, and the higher the better it is; ``segment`` names the kind of the query.
    """

    query: FilledText
    posting_id: Identifier | None = None
    text: FilledText | None = None
    relevance: Annotated[float, Field(ge=0, le=MAX_GRADE)]
    segment: ShortText | None = None

    @model_validator(mode="after")
    def _names_one_document(self) -> Self:
        if (self.posting_id is None) == (self.text is None):
            raise fault("posting_id", "or text must name the document: one of them, and not both")
        if not normalise(self.query):
            raise fault("query", "is empty after normalisation")
        return self

    @property
    def document_id(self) -> str:
        """The posting's id, or one that follows from the text."""
        if self.posting_id is not None:
            return self.posting_id
        return TEXT_ID_PREFIX + content_hash(normalise(self.text or ""))


@dataclass(frozen=True, slots=True)
class Judgements:
    """What is known of each query.

    Attributes:
        grades: by query, and then by document id, the relevance from 0 on.
        segments: of those queries that have one, its name.
        texts: the documents that were given as texts, by id.
    """

    grades: Mapping[str, Mapping[str, float]]
    segments: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def only(self, documents: Iterable[str]) -> Judgements:
        """Return the judgements of these documents; every query stays."""
        kept = set(documents)
        grades = {
            query: {name: grade for name, grade in given.items() if name in kept}
            for query, given in self.grades.items()
        }
        return replace(self, grades=grades)

    def renamed(self, names: Mapping[str, str]) -> Judgements:
        """Return the judgements with some documents under other ids.

        Raises:
            InvalidInput: two that are one now have different grades.
        """
        grades: dict[str, dict[str, float]] = {}
        for query, given in self.grades.items():
            mine = grades[query] = {}
            for name, grade in given.items():
                if mine.setdefault(names.get(name, name), grade) != grade:
                    problem = (
                        f"{names.get(name, name)!r} has two grades for the query {query!r:.80}"
                    )
                    raise InvalidInput("relevance", problem)
        return replace(self, grades=grades)

    def by_length(self) -> Judgements:
        """Return the same, each query without a segment in one by how many words it has."""
        found = {query: _length(query) for query in self.grades}
        return replace(self, segments={**found, **self.segments})


def _length(query: str) -> str:
    words = len(query.split())
    if words <= SHORT_QUERY_WORDS:
        return f"up to {SHORT_QUERY_WORDS} words"
    if words < LONG_QUERY_WORDS:
        return f"{SHORT_QUERY_WORDS + 1} to {LONG_QUERY_WORDS - 1} words"
    return f"{LONG_QUERY_WORDS} words or more"


@dataclass(frozen=True, slots=True)
class _Said(Generic[T]):
    """A value with the place of the row that says so."""

    place: str
    value: T

    def agree(self, first: _Said[T], name: str) -> None:
        if self.value != first.value:
            problem = f"is {self.value!r} here and {first.value!r} at {first.place}"
            raise InvalidInput(f"{self.place}: {name}", f"{problem}; leave one of the rows out")


def collect(rows: Iterable[tuple[str, JudgementRow]]) -> Judgements:
    """Return the judgements in rows, each with the place that errors name, such as ``j.jsonl:7``.

    Queries that differ in white space or Unicode form only are one. A row that is there twice
    counts once.

    Raises:
        InvalidInput: two rows disagree about a document's relevance, or about a query's segment.
    """
    grades: dict[str, dict[str, _Said[float]]] = defaultdict(dict)
    segments: dict[str, _Said[str]] = {}
    texts: dict[str, str] = {}
    for place, row in rows:
        query = normalise(row.query)
        grade = _Said(place, row.relevance)
        grade.agree(grades[query].setdefault(row.document_id, grade), "relevance")
        if row.segment is not None:
            segment = _Said(place, row.segment)
            segment.agree(segments.setdefault(query, segment), "segment")
        if row.text is not None:
            texts[row.document_id] = row.text
    return Judgements(
        {query: {name: said.value for name, said in g.items()} for query, g in grades.items()},
        {query: said.value for query, said in segments.items()},
        texts,
    )
