"""What producers are given, made into contract objects and cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobsentinel.contract import limits
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Candidate, Posting, Sample
from jobsentinel.deduplication import Deduplicator
from jobsentinel.sources.fields import FieldMapping
from jobsentinel.sources.tables import frame_mappings, is_frame

OnInvalid = Callable[[int, InvalidInput], None]
PostingLike = Posting | Mapping[str, Any]


def check_stream(postings: Iterable[PostingLike], chunk_size: int) -> None:
    """Check what is said about a stream, before anything of it is looked at.

    Raises:
        InvalidInput: the size of a chunk is out of bounds, or there is no iterable of postings.
    """
    if not 1 <= chunk_size <= limits.MAX_POSTINGS_A_MESSAGE:
        raise InvalidInput(
            "chunk_size", f"is {chunk_size}; it must be 1 to {limits.MAX_POSTINGS_A_MESSAGE}"
        )
    if isinstance(postings, str | bytes | Mapping | Posting):
        raise InvalidInput("postings", "must be an iterable of postings, not a single value")


def checked_postings(
    postings: Iterable[PostingLike], on_invalid: OnInvalid | None
) -> Iterator[Posting]:
    """Yield postings as contract objects; a bad one goes to ``on_invalid``, if there is one.

    Rows of a frame are read by the columns that are known.

    Raises:
        InvalidInput: names position and field, where ``on_invalid`` is None, or a missing column.
    """
    mapping = FieldMapping() if is_frame(postings) else None
    rows = postings if mapping is None else frame_mappings(postings, mapping)
    for position, posting in enumerate(rows):
        try:
            if isinstance(posting, Posting):
                yield posting
            else:
                row = posting if mapping is None else _fields(mapping, posting, position)
                yield Posting.parse(row, at=f"postings.{position}")
        except InvalidInput as error:
            if on_invalid is None:
                raise
            on_invalid(position, error)


def _fields(mapping: FieldMapping, row: object, position: int) -> Mapping[str, Any]:
    try:
        return mapping.fields(row)
    except InvalidInput as error:
        raise InvalidInput(f"postings.{position}.{error.field}", error.problem) from None


@dataclass
class Chunk:
    """Postings that one request carries."""

    postings: list[Posting] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)
    """By the id of a posting that is not sent, the id of the one that it is a copy of."""
    _ids: set[str] = field(default_factory=set)
    _chars: int = 0

    def has_room(self, posting: Posting, size: int) -> bool:
        """Whether a posting fits: by count, by characters, and as ids within a chunk are keys."""
        chars = self._chars + len(posting.title) + len(posting.description)
        full = len(self.postings) >= size or chars > limits.MAX_CHUNK_BYTES // 4
        return not (full or posting.id in self._ids or posting.id in self.copies)

    def add(self, posting: Posting) -> None:
        """Let a posting be carried."""
        self.postings.append(posting)
        self._ids.add(posting.id)
        self._chars += len(posting.title) + len(posting.description)

    def names(self, copy: str, original: str) -> bool:
        """Let a copy be named, if it can be."""
        known = copy in self._ids or copy in self.copies
        if known or len(self.copies) >= limits.MAX_COPIES_A_MESSAGE:
            return False
        self.copies[copy] = original
        return True


def chunks(
    postings: Iterable[Posting], size: int, deduplicator: Deduplicator | None = None
) -> Iterator[Chunk]:
    """Cut postings into chunks of ``size`` at most; a copy is named in the chunk at hand."""
    chunk = Chunk()
    for posting in postings:
        original = deduplicator.original_of(posting) if deduplicator else None
        if original is not None and chunk.names(posting.id, original):
            continue
        if not chunk.has_room(posting, size):
            yield chunk
            chunk = Chunk()
        chunk.add(posting)
    if chunk.postings or chunk.copies:
        yield chunk


def to_candidate(item: PostingLike | Candidate) -> Candidate:
    """Return a posting, a mapping of id and text, or a candidate as a candidate."""
    identifier, text = _identified_text(item, "candidates")
    return Candidate.parse({"id": identifier, "text": text}, at="candidates")


def to_sample(item: PostingLike | Sample) -> Sample:
    """Return a posting, a mapping of id and text, or a sample as a sample."""
    identifier, text = _identified_text(item, "samples")
    return Sample.parse({"id": identifier, "text": text}, at="samples")


def _identified_text(item: object, field: str) -> tuple[object, object]:
    if isinstance(item, Candidate | Sample):
        return item.id, item.text
    if isinstance(item, Mapping) and "text" in item:
        unknown = sorted(set(map(str, item)) - {"id", "text"})
        if unknown:
            raise InvalidInput(f"{field}.{unknown[0]}", "is not a field beside id and text")
        return item.get("id"), item["text"]
    posting = item if isinstance(item, Posting) else Posting.parse(item, at=field)
    return posting.id, posting.text()
