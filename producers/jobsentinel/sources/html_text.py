"""HTML to the text that a reader of the page sees, by Lexbor's parser (the package selectolax).

It parses broken markup as browsers do, so nothing is refused; scripts and styles are left out, and
what a browser shows on a line of its own is one here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from jobsentinel.extras import optional_module

_UNSEEN: Final = ["script", "style", "template", "noscript", "head", "iframe", "object", "svg"]
_OWN_LINE: Final = (
    "address, article, aside, blockquote, br, dd, div, dl, dt, fieldset, figure, footer, form, "
    "h1, h2, h3, h4, h5, h6, header, hr, li, main, nav, ol, p, pre, section, table, tr, ul"
)
_BREAK: Final = "\u2028"
"""Stands for a line's end until white space is folded, as the source's own line ends mean none."""
_ELEMENT: Final = re.compile(r"<(?:/?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?|!--.*?--)>", re.DOTALL)


def looks_like_html(text: str) -> bool:
    """Return whether ``text`` holds an element of HTML; ``<3 years`` is none."""
    return "<" in text and _ELEMENT.search(text) is not None


def html_to_text(markup: str) -> str:
    """Return what a reader sees of ``markup``, with a line for each block of it.

    Raises:
        ConfigurationError: the extra ``html`` is not installed.
        UnicodeEncodeError: it holds a lone surrogate, of which the parser would make nothing.
    """
    markup.encode("utf-8")
    tree = _parser()(markup)
    tree.strip_tags(_UNSEEN)
    for node in tree.css(_OWN_LINE):
        node.insert_before(_BREAK)
        node.insert_after(_BREAK)
    for cell in tree.css("td, th"):
        cell.insert_after(" ")
    seen = tree.body or tree.root
    text = seen.text(deep=True) if seen is not None else ""
    lines = (" ".join(line.split()) for line in text.split(_BREAK))
    return "\n".join(line for line in lines if line)


@cache
def _parser() -> Any:
    return optional_module("selectolax.lexbor", "HTML in descriptions").LexborHTMLParser
