"""What producers are given, made into contract objects and cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jobsentinel.contract import limits
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Candidate, Posting, Sample

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

    Raises:
        InvalidInput: names position and field, where ``on_invalid`` is None.
    """
    for position, posting in enumerate(postings):
        try:
            yield (
                posting
                if isinstance(posting, Posting)
                else Posting.parse(posting, at=f"postings.{position}")
            )
        except InvalidInput as error:
            if on_invalid is None:
                raise
            on_invalid(position, error)


def chunks(postings: Iterable[Posting], size: int) -> Iterator[list[Posting]]:
    """Cut by count and by characters; a repeated id starts a new chunk, as ids within are keys."""
    chunk: list[Posting] = []
    ids: set[str] = set()
    chars = 0
    for posting in postings:
        length = len(posting.title) + len(posting.description)
        full = len(chunk) >= size or chars + length > limits.MAX_CHUNK_BYTES // 4
        if chunk and (full or posting.id in ids):
            yield chunk
            chunk, ids, chars = [], set(), 0
        chunk.append(posting)
        ids.add(posting.id)
        chars += length
    if chunk:
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
