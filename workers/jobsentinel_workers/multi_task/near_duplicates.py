"""Which texts are nearly the same: reposts, and one posting for several towns or salaries.

Two texts belong together when they share most of their runs of three words, digits aside. MinHash
(Broder 1997) estimates the share from 64 numbers a text; bands of four of them find the pairs
without comparing all. Time and memory grow with the number of texts, not with its square.
"""

from __future__ import annotations

import html
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.fine_tuning.grouping import groups_of_pairs

NEAR_DUPLICATE_SHARE: Final = 0.7
"""Share of common runs of words from which two texts count as one."""
MAX_SCANNED_CHARS: Final = 20_000
HASHES: Final = 64
HASHES_A_BAND: Final = 4
WORDS_A_RUN: Final = 3

_MIXER: Final = np.uint64(0x9E3779B97F4A7C15)
_WORD = re.compile(r"[^\W\d_]+")
Hashes = npt.NDArray[np.uint64]


def near_duplicate_groups(texts: Sequence[str]) -> list[int]:
    """Return a group for each text, the position of one of its members; chains share one."""
    signatures = np.zeros((len(texts), HASHES), dtype=np.uint64)
    for row, text in enumerate(texts):
        signatures[row] = _signature(text)
    alike = (
        (row, other)
        for row, other in _likely_pairs(signatures)
        if (signatures[row] == signatures[other]).mean() >= NEAR_DUPLICATE_SHARE
    )
    return groups_of_pairs(len(texts), alike)


def _signature(text: str) -> Hashes:
    """Return the lowest hash of the text's runs of words under each of `HASHES` functions."""
    # Unsigned products wrap around on purpose, here and below: that is the hash.
    lowest: Hashes = (_factors()[:, None] * _runs_of_words(text)).min(axis=1)
    return lowest


def _runs_of_words(text: str) -> Hashes:
    plain = unicodedata.normalize("NFKC", html.unescape(text[:MAX_SCANNED_CHARS])).casefold()
    words = _WORD.findall(plain) or [plain]
    words += [""] * (WORDS_A_RUN - len(words))
    codes = np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint64)
    runs = len(codes) - WORDS_A_RUN + 1
    first, second, third = (codes[n : n + runs] for n in range(WORDS_A_RUN))
    mixed: Hashes = ((first * _MIXER + second) * _MIXER + third) * _MIXER
    return mixed ^ (mixed >> np.uint64(32))


@cache
def _factors() -> Hashes:
    generator = np.random.default_rng(1997)
    return generator.integers(0, 2**63, size=HASHES, dtype=np.uint64) | np.uint64(1)


def _likely_pairs(signatures: Hashes) -> Iterator[tuple[int, int]]:
    """Yield each row with the first one that agrees in all hashes of a band."""
    for start in range(0, HASHES, HASHES_A_BAND):
        first: dict[bytes, int] = {}
        for row, band in enumerate(signatures[:, start : start + HASHES_A_BAND]):
            other = first.setdefault(band.tobytes(), row)
            if other != row:
                yield row, other
