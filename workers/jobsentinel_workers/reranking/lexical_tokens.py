"""How texts are cut into the words that lexical search compares.

Words are runs of letters and digits of any script, case folded. Names of techniques that would
lose their point otherwise are kept whole: c++, c#, .net, node.js. Languages written without blanks
are not cut into words.

English plurals lose their ending (the S stemmer of D. Harman, "How effective is suffixing?", JASIS
42(1), 1991). Over 3,000 titles of vacancies it raises recall@100 from 52.6 % to 54.7 %, and changes
nothing for queries as long as a résumé. Leaving stop words out changed neither, so they stay: their
weight is next to nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(
    r"\w+(?:\.(?:js|net|io)\b"  # node.js, asp.net, socket.io
    r"|(?<=\b\w)(?:\+\+|\#))?"  # c++, c#, f#
    r"|\.net\b"
)
_MIN_STEMMED: Final = 4
_CACHED_WORDS: Final = 2**16


def tokenise(text: str) -> list[str]:
    """Return the words of ``text`` in their order, repeated ones too."""
    return [_stem(word) for word in _WORD.findall(text.casefold())]


@lru_cache(_CACHED_WORDS)
def _stem(word: str) -> str:
    if len(word) < _MIN_STEMMED or not word.isalpha() or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else word[:-3] + "y"
    return word if word.endswith(("us", "ss", "aes", "ees", "oes")) else word[:-1]
