"""Rows that judge a model of one name now and always, and never train it.

A champion and its challenger can be compared only on rows that neither has learnt from. So which
rows judge must not depend on the order of the rows, on a seed of the run, or on what other rows
there are. Each wording draws a number from its own content and the salt; a number below the share
freezes it, and with it the whole group of its near-duplicates.

A group is frozen by any of its wordings. That is what keeps a row that once judged from training
after its group has grown; the price is that groups of many wordings are frozen more often than the
share says. A group of more than ``MAX_WORDINGS`` is a template that hundreds of postings follow
rather than one posting; there each wording draws for itself, or all of them would be frozen.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from jobsentinel.contract.errors import InvalidInput

MAX_WORDINGS: Final = 8
MAX_SHARE: Final = 0.5

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class FrozenSplit:
    """Positions of rows, ascending, and the keys by which the frozen ones are known again.

    Attributes:
        training: rows to learn from.
        frozen: rows that judge.
        keys: of the frozen rows; keep them, and hand them to the next split.
    """

    training: tuple[int, ...]
    frozen: tuple[int, ...]
    keys: frozenset[str]


def split_frozen(
    texts: Sequence[str],
    groups: Sequence[Hashable],
    share: float,
    salt: str,
    *,
    judged_before: Collection[str] = frozenset(),
) -> FrozenSplit:
    """Return which of ``texts`` judge and which may train.

    More rows, or another order, never send a row that judged to training, as long as its group
    stays whole and within ``MAX_WORDINGS``. With the keys of earlier splits in ``judged_before``
    that holds whatever happens to its group.

    Args:
        texts: of the rows.
        groups: one for each text; near-duplicates share one.
        share: of the wordings that is to be frozen.
        salt: the model's name: another one freezes other rows.
        judged_before: keys of rows that judged before.

    Raises:
        InvalidInput: there is not one group for each text, or the share is beyond its limits.
    """
    if len(groups) != len(texts):
        raise InvalidInput("groups", f"must be {len(texts)}, one a text, not {len(groups)}")
    if not 0 < share <= MAX_SHARE:
        raise InvalidInput("share", f"must be above 0 and at most {MAX_SHARE}, not {share}")
    keys = [_key(text, salt) for text in texts]
    chosen = {key for key in keys if _draw(key) < share or key in judged_before}
    chosen = _with_their_groups(keys, groups, chosen)
    return FrozenSplit(
        training=tuple(row for row, key in enumerate(keys) if key not in chosen),
        frozen=tuple(row for row, key in enumerate(keys) if key in chosen),
        keys=frozenset(chosen),
    )


def _with_their_groups(
    keys: Sequence[str], groups: Sequence[Hashable], chosen: Collection[str]
) -> set[str]:
    """Return ``chosen`` with all wordings of its groups, but for groups that are templates."""
    wordings: dict[Hashable, set[str]] = defaultdict(set)
    for key, group in zip(keys, groups, strict=True):
        wordings[group].add(key)
    families = [members for members in wordings.values() if len(members) <= MAX_WORDINGS]
    found, known = set(chosen), -1
    # Again while it grows: a wording in two groups ties them together.
    while len(found) > known:
        known = len(found)
        for members in families:
            if not members.isdisjoint(found):
                found |= members
    return found


def _key(text: str, salt: str) -> str:
    """Return what a wording is known by: its words, without case, digits and punctuation."""
    plain = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    # A text without a word is known by all of its characters.
    content = " ".join(_WORD.findall(plain)) or plain
    return hashlib.sha256(f"{salt}\0{content}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _draw(key: str) -> float:
    """Return the key's number, evenly spread from 0 to 1."""
    return int(key[:16], 16) / 16**16
