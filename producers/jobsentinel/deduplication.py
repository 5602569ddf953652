"""Deduplication at the door: of several copies of a posting one is scored, the others point to it.

Exact copies show the models the very same text, so their scores would be the same. Near copies
share most of their words in the same order: estimated by MinHash over runs of five words (Broder,
"On the resemblance and containment of documents", 1997) and found by locality-sensitive hashing,
both of the package datasketch. Of a posting's fields, near copies need only like titles and
descriptions; exact ones are alike in all that models see.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Protocol

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.text import content_hash, normalise
from jobsentinel.extras import optional_module

Deduplicate = Literal["exact", "near"]

NEAR_SIMILARITY: Final = 0.85
"""The share of runs of words that two near copies have in common."""
_PERMUTATIONS: Final = 128
_RUN_WORDS: Final = 5
_WORD: Final = re.compile(r"\w+")


class Deduplicator(Protocol):
    """Remembers postings; one may serve several calls, but one thread at a time."""

    def original_of(self, posting: Posting) -> str | None:
        """Return the id of an earlier posting that this is a copy of, else remember this one.

        A posting that comes again under its own id is no copy.
        """
        ...


class ExactDuplicates:
    """Finds postings whose text is that of an earlier one; some 120 bytes for each."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def original_of(self, posting: Posting) -> str | None:
        """Return the id of an earlier posting with the same text, if it is another one's."""
        first = self._ids.setdefault(content_hash(posting.text()), posting.id)
        return first if first != posting.id else None


class NearDuplicates:
    """Finds postings whose title and description are nearly those of an earlier one.

    Each costs about 5 kB of memory, and one of 400 words 2 ms.

    Raises:
        ConfigurationError: the extra ``dedup`` is not installed.
    """

    def __init__(self, similarity: float = NEAR_SIMILARITY) -> None:
        if not 0.5 <= similarity <= 1.0:
            raise InvalidInput("similarity", f"is {similarity}; it must be 0.5 to 1")
        self._library = optional_module("datasketch", "finding near copies")
        self._index: Any = self._library.MinHashLSH(similarity, num_perm=_PERMUTATIONS)
        self._ids: dict[str, str] = {}
        self._similarity = similarity
        self._hashes: dict[str, Any] = {}

    def original_of(self, posting: Posting) -> str | None:
        """Return the id of the most similar earlier posting, if it is similar enough."""
        key = content_hash(posting.text())
        if key not in self._ids:
            self._ids[key] = self._near(posting) or posting.id
        original = self._ids[key]
        return original if original != posting.id else None

    def _near(self, posting: Posting) -> str | None:
        signature = self._signature(posting)
        names = self._index.query(signature)
        found = [(signature.jaccard(self._hashes[name]), name) for name in names]
        similarity, name = max(found, default=(0.0, ""))
        if similarity >= self._similarity and posting.id not in names:
            return name
        if posting.id not in self._hashes:
            self._hashes[posting.id] = signature
            self._index.insert(posting.id, signature, check_duplication=False)
        return None

    def _signature(self, posting: Posting) -> Any:
        made = self._library.MinHash(num_perm=_PERMUTATIONS)
        made.update_batch([run.encode() for run in word_runs(posting)])
        return made


def word_runs(posting: Posting) -> set[str]:
    """Return all runs of five words in title and description, or the words of a shorter text."""
    text = normalise(f"{posting.title}\n{posting.description}").casefold()
    words = _WORD.findall(text)
    if len(words) <= _RUN_WORDS:
        return {" ".join(words)}
    return {" ".join(words[at : at + _RUN_WORDS]) for at in range(len(words) - _RUN_WORDS + 1)}


def deduplicator(wanted: Deduplicate | Deduplicator | None) -> Deduplicator | None:
    """Return what finds the copies that are wanted.

    Raises:
        InvalidInput: there is no such kind.
        ConfigurationError: it needs an extra that is not installed.
    """
    if wanted is None or hasattr(wanted, "original_of"):
        return wanted  # type: ignore[return-value]  # told by its method
    kinds = {"exact": ExactDuplicates, "near": NearDuplicates}
    if wanted not in kinds:
        raise InvalidInput("deduplicate", f"is {wanted!r}; it must be 'exact' or 'near'")
    made: Deduplicator = kinds[wanted]()
    return made
