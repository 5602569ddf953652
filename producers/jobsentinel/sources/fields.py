"""From a row of any source to a posting: which of its names means which field.

A row may be a line of JSON, a row of a table, or what a spider yields. Names are found by what the
user says (``title=job_title``), else under the posting's own name, else by what is known of others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from jobsentinel.contract import limits
from jobsentinel.contract.base import kind_of
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel.dataset_columns import missing_among, nearest
from jobsentinel.sources.html_text import html_to_text, looks_like_html
from jobsentinel.sources.known_columns import KNOWN_NAMES, PAY_COLUMNS, pay_text

FIELDS: Final = tuple(Posting.model_fields)

_TRUTH: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "1", "yes", "y", "t"), True),
    **dict.fromkeys(("false", "0", "no", "n", "f"), False),
}


class FieldMapping:
    """Makes postings of rows that name their fields otherwise, or hold more than a posting does.

    What a posting has no field for is left out; `unused` tells which names of a table these are.
    A row without an id gets that of its ``url``.

    Args:
        names: by field of a posting, the name in the row; dots lead into nested mappings.
        html: make text of descriptions that hold HTML.

    Raises:
        InvalidInput: a name is given for what is no field of a posting.
    """

    def __init__(self, names: Mapping[str, str] | None = None, *, html: bool = False) -> None:
        self._names = dict(names or {})
        self._html = html
        for field, name in self._names.items():
            if field not in FIELDS:
                raise InvalidInput(f"map.{field}", f"is not a field of a posting{_like(field)}")
            if not isinstance(name, str) or not name:
                raise InvalidInput(f"map.{field}", f"must be the name of a field, not {name!r}")

    @classmethod
    def parse(cls, pairs: Iterable[str], *, html: bool = False) -> FieldMapping:
        """Return the mapping that options such as ``title=job_title`` state.

        Raises:
            InvalidInput: one of them has another form, names no field, or one twice.
        """
        names: dict[str, str] = {}
        for pair in pairs:
            field, equals, name = (part.strip() for part in pair.partition("="))
            if not (field and equals and name):
                raise InvalidInput("map", f"is {pair!r}; it must be FIELD=NAME")
            if field in names:
                raise InvalidInput(f"map.{field}", "is given twice")
            names[field] = name
        return cls(names, html=html)

    def check_columns(self, columns: Sequence[str], name: str) -> None:
        """Look whether the table ``name`` has what a posting needs.

        Raises:
            InvalidInput: names what is missing, among which columns, and the nearest of them.
        """
        for field, source in self._names.items():
            if source not in columns and source.partition(".")[0] not in columns:
                raise InvalidInput(
                    f"{name}: {source}", f"{missing_among(source, columns)} ({field})"
                )
        found = {field for field in FIELDS if self._found(field, columns)}
        if not found & {"id", "url"}:
            raise InvalidInput(f"{name}: id", _to_map("id", columns))
        if not found & {"title", "description"}:
            raise InvalidInput(f"{name}: title", _to_map("title", columns))

    def unused(self, columns: Sequence[str]) -> list[str]:
        """Return the columns of a table that no field of a posting is made of."""
        used = {self._found(field, columns) for field in FIELDS}
        used |= {name.partition(".")[0] for name in self._names.values()}
        used |= {*PAY_COLUMNS} if "min_amount" in columns and "salary" not in used else set()
        return [column for column in columns if column not in used]

    def posting(self, row: object) -> Posting:
        """Return the posting in a row.

        Raises:
            InvalidInput: names the field.
        """
        return Posting.parse(self.fields(row))

    def fields(self, row: object) -> dict[str, Any]:
        """Return what a posting is made of, absent values left out.

        Raises:
            InvalidInput: the row is none, or a value has a kind that no text is made of.
        """
        if not isinstance(row, Mapping):
            raise InvalidInput("posting", f"is a {kind_of(row)}, not a mapping")
        fields: dict[str, Any] = {}
        for field in FIELDS:
            value = _plain(self._value(field, row))
            if value is not None:
                fields[field] = _truth(value) if field == "remote" else _text(field, value)
        if "salary" not in fields and (pay := pay_text(row)):
            fields["salary"] = pay
        self._complete(fields, row)
        return fields

    def _complete(self, fields: dict[str, Any], row: Mapping[str, Any]) -> None:
        if "id" not in fields:
            if "url" not in fields:
                raise InvalidInput("id", _to_map("id", list(map(str, row))))
            fields["id"] = id_of_url(fields["url"])
        if self._html and looks_like_html(fields.get("description", "")):
            try:
                fields["description"] = html_to_text(fields["description"])
            except UnicodeEncodeError as error:
                problem = f"holds a lone surrogate at character {error.start}"
                raise InvalidInput("description", problem) from None

    def _value(self, field: str, row: Mapping[str, Any]) -> object:
        name = self._names.get(field)
        if name is None:
            value = row.get(field)
            return row.get(KNOWN_NAMES[field]) if value is None and field in KNOWN_NAMES else value
        if name in row:
            return row[name]
        value = row
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def _found(self, field: str, columns: Sequence[str]) -> str | None:
        if field in self._names:
            return self._names[field]
        names = (field, KNOWN_NAMES.get(field))
        return next((name for name in names if name in columns), None)


def id_of_url(url: str) -> str:
    """Return the id of a posting that has none but its address: that, or a hash of a long one."""
    if len(url) <= limits.MAX_ID_CHARS and url.isprintable() and url == url.strip():
        return url
    return f"url-{hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _like(field: str) -> str:
    return nearest(field, FIELDS) or f"; it has {', '.join(FIELDS)}"


def _to_map(field: str, columns: Sequence[str]) -> str:
    return f"{missing_among(field, columns)}; say which it is, as in {field}=NAME"


def _plain(value: object) -> object:
    """Return a value of a table as plain Python; None where it stands for nothing."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, list | tuple):
        parts = [part for part in map(_plain, value) if part is not None]
        return parts[0] if len(parts) == 1 else (parts or None)
    if hasattr(value, "item") and callable(value.item):  # a scalar of numpy
        value = value.item()
    return None if value is None or value != value else value  # noqa: PLR0124  # NaN and NaT differ from themselves


def _text(field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        # What pandas makes of whole numbers where some are missing.
        return str(int(value)) if value == value // 1 else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ("\n" if field == "description" else ", ").join(value)
    raise InvalidInput(field, f"is a {kind_of(value)}; it must be text or a number")


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = _TRUTH.get(str(value).strip().casefold()) if isinstance(value, str | int) else None
    if known is None:
        raise InvalidInput("remote", f"must be true or false, not {str(value)[:40]!r}")
    return known
