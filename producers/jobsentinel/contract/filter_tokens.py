"""The words, signs, texts and figures that a filter is made of, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, cast

from jobsentinel.contract.errors import InvalidInput

TokenKind = Literal["text", "figure", "word", "sign", "end"]

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<figure>\.?\d(?:[\w.:%-]|,(?=\d))*)
      | (?P<word>[^\W\d]\w*)
      | (?P<sign><=|>=|!=|<>|==|[=<>(),])""",
    re.VERBOSE | re.DOTALL,
)
_BLANKS: Final = re.compile(r"\s*")
_SAME_SIGN: Final = {"==": "=", "<>": "!="}
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_HINTS: Final = {
    '"': 'opens a text that no second " closes',
    "'": "opens a text that no second ' closes",
    "&": 'means nothing here; write "and"',
    "|": 'means nothing here; write "or"',
    "!": 'means nothing here; write "not", or != between field and value',
    "-": "means nothing here; there are no negative numbers",
}
_CURRENCIES: Final = "$€£₹¥"
_CURLY_QUOTES: Final = "“”„‟«»‘’‚‛"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter: as it stands there, and of a text what is between the quotes."""

    kind: TokenKind
    written: str
    place: int
    """From 0."""

    @property
    def word(self) -> str:
        """The word or sign in lower case, by which keywords are known; empty for the others."""
        return self.written.lower() if self.kind in {"word", "sign"} else ""

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else self.written


def filter_fault(place: int, problem: str) -> InvalidInput:
    """Return the error that names the character at ``place``, which counts from 0."""
    return InvalidInput("where", f"at character {place + 1}: {problem}")


def tokens(text: str) -> Iterator[Token]:
    """Yield the pieces of ``text``, and at last its end.

    Raises:
        InvalidInput: a character that begins none of them.
    """
    place = _after_blanks(text, 0)
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise filter_fault(place, f"{text[place]!r} {_hint(text[place])}")
        kind = cast(TokenKind, found.lastgroup)
        yield Token(kind, _SAME_SIGN.get(found[0], found[0]), place)
        place = _after_blanks(text, found.end())
    yield Token("end", "", len(text))


def unquoted(token: Token) -> str:
    """Return what a text says, without its quotes and backslashes.

    Raises:
        InvalidInput: a backslash before anything but a quote or a backslash.
    """
    for escape in _ESCAPE.finditer(token.written):
        if escape[1] not in "\\\"'":
            raise filter_fault(
                token.place + escape.start(),
                "a backslash stands before a quote or another backslash only; write \\\\ for one",
            )
    return _ESCAPE.sub(r"\1", token.written[1:-1])


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _hint(character: str) -> str:
    if character in _CURLY_QUOTES:
        return "is a typographic quote; texts stand in plain ones, \" or '"
    if character in _CURRENCIES:
        return "means nothing here; salaries are plain numbers"
    return _HINTS.get(character, "means nothing here")
