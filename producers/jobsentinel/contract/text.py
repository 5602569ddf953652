"""How a posting's fields become one text, alike for training, scoring and searching.

Scraped copies of one posting differ in entities, Unicode forms and white space. A model that
sees those differences learns the scraper instead of the job, so they are removed here, once.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff]")


def replace_control_characters(text: str) -> str:
    """Return ``text`` with control and zero-width characters as spaces; line breaks stay."""
    return _CONTROL.sub(" ", text)


def normalise(text: str) -> str:
    """Return ``text`` unescaped, in NFKC, without control characters or runs of white space."""
    text = replace_control_characters(unicodedata.normalize("NFKC", html.unescape(text)))
    # Splitting is several times faster than expressions over white space.
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def compose_posting_text(
    *,
    title: str,
    description: str = "",
    company: str | None = None,
    location: str | None = None,
    experience_level: str | None = None,
    employment_type: str | None = None,
    remote: bool | None = None,
) -> str:
    """Return the text that encoders see: the title, a line of facts, then the description."""
    facts = (location, experience_level, employment_type, "Remote" if remote else None, company)
    lines = (title, " · ".join(fact for fact in map(normalise, filter(None, facts)) if fact))
    return normalise("\n".join(filter(None, (*lines, description))))


def content_hash(text: str) -> str:
    """Return the key of ``text`` in caches: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]
