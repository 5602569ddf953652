"""What the command line asks of the benchmarks, and the postings that most of them read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.real_postings import read_postings
from jobsentinel import Posting

QUICK_POSTINGS = 80


@dataclass(frozen=True)
class Options:
    """Sizes and sources of one run.

    Attributes:
        data: the folder of the data.
        quick: sizes so small that the figures say nothing, to see that everything runs.
        index_postings: how many the indexing rate is measured on.
        queries: how many the loss by shortening is measured on.
    """

    data: Path
    quick: bool = False
    index_postings: int = 2_000
    queries: int = 100

    def size(self, full: int, quick: int) -> int:
        """Return one of two sizes."""
        return quick if self.quick else full

    @cached_property
    def postings(self) -> list[Posting]:
        """The real postings, or some of them."""
        found = read_postings(self.data)
        return found[: self.size(len(found), QUICK_POSTINGS)]
