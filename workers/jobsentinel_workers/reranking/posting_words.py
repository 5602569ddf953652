"""What of a posting's title, place and description is compared with another posting's.

Boards write the same title with another case, order or decoration ("URGENT: Nurse, Senior (m/f/d)
$40/hr #4711"), and the same place as "Austin, TX", "Austin" or "United States". What is left here
once that is taken away is what tells two jobs apart.
"""

from __future__ import annotations

import html
import re
import unicodedata
import zlib
from collections.abc import Iterator
from typing import Final

MAX_SCANNED_CHARS: Final = 8_000
"""Of a description; nine in ten real ones have fewer than 7,000."""
WORDS_A_RUN: Final = 3

_WORD = re.compile(r"[^\W_]+(?:\+\+|#(?!\w))?")  # C++ and C# are words, #4711 is none
_PAY = re.compile(
    r"[$€£]\s*\d[\d.,]*\s*k?|\d[\d.,]*\s*[$€£]|\b\d+k\b|(?:\bper|/)\s*(?:hour|hr|h|year|yr|annum)\b"
)
_LONG_NUMBER: Final = 3
"""Digits; a number of so many is a reference, a shorter one may be a grade."""

_PHRASES = re.compile(
    r"\bfull[\s-]*time\b|\bwork from home\b|\bapply now\b|\b[mfdwx](?:\s*/\s*[mfdwx])+\b"
)
"""What a title is decorated with. Part-time is none: that is another job."""
_PART_TIME = re.compile(r"\bpart[\s-]*time\b")
_NOISE: Final = frozenset(
    _WORD.findall("""
    a an and apply as asap at for hiring hot id immediate immediately in job jobs needed new now of
    on onsite opening opportunity permanent position ref remote req required requirement role the
    to urgent urgently vacancy wanted with
    """)
)
_SAME: Final = {"sr": "senior", "snr": "senior", "jr": "junior", "mgr": "manager"}
_NO_TOWN: Final = frozenset(
    _WORD.findall("""
    america and anywhere area britain great greater hybrid kingdom locations metro metropolitan
    multiple nationwide of onsite region remote states the united usa various worldwide
    """)
)


def title_words(title: str) -> frozenset[str]:
    """Return the words of a title that say which job it is; all of them if it has no other."""
    plain = _PHRASES.sub(" ", _PART_TIME.sub(" parttime ", _PAY.sub(" ", _plain(title))))
    words = [_SAME.get(word, word) for word in _WORD.findall(plain)]
    kept = frozenset(_singular(word) for word in words if not _is_noise(word))
    return kept or frozenset(_WORD.findall(_plain(title)))


def without_place(words: frozenset[str], place: str) -> frozenset[str]:
    """Return the words of a title without those of the job's place, unless none would be left."""
    named = {_singular(word) for word in _WORD.findall(_plain(place))}
    return words - named or words


def place_words(place: str) -> frozenset[str]:
    """Return the words of a place that can name a town; none if it names only a country or so."""
    words = _WORD.findall(_plain(place))
    return frozenset(word for word in words if word not in _NO_TOWN and not _is_code(word))


def places_agree(first: frozenset[str], second: frozenset[str]) -> bool:
    """Return whether two places can be one: a place without a town can be any."""
    return first <= second or second <= first


def runs_of_words(text: str) -> frozenset[int]:
    """Return a number for each run of three words of ``text``; a shorter text is one run."""
    return frozenset(_runs(_WORD.findall(_plain(text[:MAX_SCANNED_CHARS]))))


def _runs(words: list[str]) -> Iterator[int]:
    codes = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words]
    for start in range(max(1, len(codes) - WORDS_A_RUN + 1)):
        yield hash(tuple(codes[start : start + WORDS_A_RUN]))  # of numbers: alike in each process


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", html.unescape(text)).casefold()


def _is_noise(word: str) -> bool:
    return word in _NOISE or (word.isdecimal() and len(word) >= _LONG_NUMBER)


def _is_code(word: str) -> bool:
    """Whether a word is a state's or a country's code, or a number of one."""
    return word.isascii() and (len(word) <= 2 or word.isdecimal())


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
