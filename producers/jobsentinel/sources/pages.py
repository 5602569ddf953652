"""Postings in saved web pages: schema.org's ``JobPosting`` in JSON-LD.

The parser is Lexbor's (selectolax), which reads broken pages as browsers do; their encoding is told
by w3lib, as browsers tell it. Both are small: extruct, the usual choice, brings RDFLib and lxml for
the other syntaxes, which job boards do not use (Google for Jobs asks for JSON-LD).
Fields: https://schema.org/JobPosting
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.extras import optional_module
from jobsentinel.sources.html_text import html_to_text, looks_like_html
from jobsentinel.sources.placed import PlacedRows, given

MAX_PAGE_BYTES: Final = 16 * 1024 * 1024

_PERIODS: Final = frozenset({"hour", "day", "week", "month", "year"})


def page_rows(content: bytes, name: str) -> PlacedRows:
    """Yield the postings of a page as rows with the fields of a `Posting`.

    Raises:
        InvalidInput: it holds no ``JobPosting``, or is longer than `MAX_PAGE_BYTES`.
        ConfigurationError: the extra ``html`` is not installed.
    """
    if len(content) > MAX_PAGE_BYTES:
        raise InvalidInput(name, f"is longer than {MAX_PAGE_BYTES:,} bytes")
    encoding = optional_module("w3lib.encoding", "saved pages")
    _, text = encoding.html_to_unicode(None, content, auto_detect_fun=_undeclared)
    parser = optional_module("selectolax.lexbor", "saved pages").LexborHTMLParser
    tree = parser(text)
    link = tree.css_first("link[rel=canonical]")
    address = link.attributes.get("href") if link is not None else None
    found = broken = 0
    for script in tree.css("script[type='application/ld+json']"):
        try:
            value = json.loads(script.text(), strict=False)
        except (ValueError, RecursionError):
            broken += 1
            continue
        for posting in _job_postings(value):
            found += 1
            yield f"{name}, posting {found}", given(_fields(posting, address))
    if not found:
        why = f"; {broken} of its JSON-LD blocks are broken" if broken else ""
        raise InvalidInput(name, f"holds no JobPosting in JSON-LD{why}")


def _undeclared(content: bytes) -> str:
    """Return the encoding of a page that does not say it: UTF-8, or the one of old pages."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _job_postings(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield what is a job posting, alone, in lists, or in a graph."""
    if isinstance(value, list):
        for part in value:
            yield from _job_postings(part)
    elif isinstance(value, dict):
        kinds = value.get("@type")
        if "JobPosting" in (kinds if isinstance(kinds, list) else [kinds]):
            yield value
        for part in (value.get("@graph"), value.get("mainEntity")):
            yield from _job_postings(part)


def _fields(found: Mapping[str, Any], address: str | None) -> dict[str, Any]:
    url = _words(found.get("url")) or address
    description = _words(found.get("description"))
    if description and "&lt;" in description:
        description = html.unescape(description)  # markup that was escaped once too often
    if description and looks_like_html(description):
        description = html_to_text(description)
    return {
        "id": _identifier(found.get("identifier")) or url,
        "title": _words(found.get("title")) or _words(found.get("name")),
        "description": description,
        "company": _words(found.get("hiringOrganization"), "name", "legalName"),
        "location": _place(found.get("jobLocation")),
        "employment_type": _joined(found.get("employmentType")),
        "remote": True if found.get("jobLocationType") == "TELECOMMUTE" else None,
        "salary": _pay(found.get("baseSalary")),
        "url": url,
        "posted_at": _words(found.get("datePosted")),
    }


def _words(value: object, *names: str) -> str | None:
    """Return a text, or that of the first of ``names`` in a nested object."""
    if isinstance(value, list):
        return next(filter(None, (_words(part, *names) for part in value)), None)
    if isinstance(value, Mapping):
        return next(filter(None, (_words(value.get(name)) for name in names)), None)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


def _identifier(value: object) -> str | None:
    return _words(value, "value", "@id", "name")


def _joined(value: object) -> str | None:
    parts = value if isinstance(value, list) else [value]
    return ", ".join(filter(None, map(_words, parts))) or None


def _place(value: object) -> str | None:
    if isinstance(value, list):
        places = dict.fromkeys(filter(None, map(_place, value)))
        return "; ".join(places) or None
    if not isinstance(value, Mapping):
        return _words(value)
    address = value.get("address", value)
    if not isinstance(address, Mapping):
        return _words(address)
    names = ("addressLocality", "addressRegion", "addressCountry")
    return ", ".join(filter(None, (_words(address.get(name), "name") for name in names))) or None


def _pay(value: object) -> str | None:
    """Return a ``MonetaryAmount`` as people write it: ``EUR 50000 - 60000 per year``."""
    if not isinstance(value, Mapping):
        return _words(value)
    amount = value.get("value")
    within = amount if isinstance(amount, Mapping) else {"value": amount}
    ends = [_words(within.get(name)) for name in ("minValue", "maxValue", "value")]
    figures = " - ".join(dict.fromkeys(end for end in ends[:2] if end)) or ends[2]
    if figures is None:
        return None
    unit = (_words(within.get("unitText")) or "").casefold()
    period = f"per {unit}" if unit in _PERIODS else ""
    return " ".join(filter(None, (_words(value.get("currency")), figures, period)))
