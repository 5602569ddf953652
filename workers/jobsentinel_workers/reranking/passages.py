"""What of a long posting a cross-encoder gets to read.

Its cost grows with every token, and a real posting is twice as long as what it reads. So the head
of the posting is kept, and of the rest those passages that share the most words with the query.
"""

from __future__ import annotations

import re

HEAD_CHARS = 220
PASSAGE_CHARS = 240
MAX_SCANNED_CHARS = 20_000
"""Words beyond this are not looked at; the longest real posting seen has some 15,000."""

_WORD = re.compile(r"\w{3,}")
_BREAK = re.compile(r"(?<=[.!?;:])\s+|\n+")


def select_passages(query: str, text: str, max_chars: int) -> str:
    """Return ``text`` cut to about ``max_chars``: its head, then what overlaps most with ``query``.

    Passages keep their order; among equals the earlier wins. A text that fits comes back as it is.
    """
    if len(text) <= max_chars:
        return text
    head, passages = _split(text[:MAX_SCANNED_CHARS])
    wanted = set(_WORD.findall(query.lower()))
    overlaps = [len(wanted.intersection(_WORD.findall(p.lower()))) for p in passages]
    room = max_chars - len(head)
    kept: list[int] = []
    for position in sorted(range(len(passages)), key=lambda n: (-overlaps[n], n)):
        if room <= 0:
            break
        kept.append(position)
        room -= len(passages[position]) + 1
    return "\n".join([head, *(passages[position] for position in sorted(kept))])


def _split(text: str) -> tuple[str, list[str]]:
    """Return the head of ``text`` (title and facts) and the rest in passages of whole sentences."""
    title, _, rest = text.partition("\n")
    if len(title) > HEAD_CHARS:
        title, rest = text[:HEAD_CHARS], text[HEAD_CHARS:]
    passages: list[str] = []
    for sentence in filter(None, _BREAK.split(rest)):
        for start in range(0, len(sentence), PASSAGE_CHARS):
            _append(passages, sentence[start : start + PASSAGE_CHARS])
    return title, passages


def _append(passages: list[str], piece: str) -> None:
    if passages and len(passages[-1]) + len(piece) < PASSAGE_CHARS:
        passages[-1] = f"{passages[-1]} {piece}"
    else:
        passages.append(piece)
