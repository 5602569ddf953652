"""What every message of the contract is: frozen, strict, closed to unknown fields.

Bad input is reported as `InvalidInput` with the dotted path of the field, the kind of value
found and the limit it broke; pydantic's own error never crosses the public API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from jobsentinel.contract import limits
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import replace_control_characters

CONTRACT_VERSION: Final = 1

T = TypeVar("T")
M = TypeVar("M", bound="Message")


class Message(BaseModel):
    """A value of the contract; `parse` makes one out of untrusted data."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls: type[M], data: object, *, at: str = "") -> M:
        """Return the message in ``data`` (a mapping, or an instance, which is checked again).

        Raises:
            InvalidInput: names the first field that is wrong, below ``at``.
        """
        if isinstance(data, BaseModel):
            data = data.model_dump()
        if not isinstance(data, Mapping):
            raise InvalidInput(at or cls.__name__, f"is a {kind_of(data)}, not a mapping")
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise _first_problem(error, at) from None


def kind_of(value: object) -> str:
    """Return the name of the kind of ``value`` as a user would say it."""
    return {"NoneType": "null", "str": "text"}.get(type(value).__name__, type(value).__name__)


# Parts of a path that name a branch of a union, not a field.
_BRANCHES: Final = frozenset({"bool", "float", "str", "int"}) | {
    "classification_row",
    "regression_row",
    "similarity_row",
    "reranker_row",
}


def fault(field: str, problem: str) -> PydanticCustomError:
    """Return the error a validator raises for a whole message: which field, and what is wrong."""
    return PydanticCustomError("fault", "{problem}", {"field": field, "problem": problem})


def _first_problem(error: ValidationError, at: str) -> InvalidInput:
    problems = error.errors(include_url=False)
    first = problems[0]
    # A list whose items fail is reported as too short as well: that one is noise.
    problems = [first, *(p for p in problems[1:] if p["type"] != "too_short")]
    field = first.get("ctx", {}).get("field", "")
    path = ".".join(
        str(part) for part in (at, *first["loc"], field) if part != "" and part not in _BRANCHES
    )
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    return InvalidInput(path or "message", _describe(first) + more)


def _describe(problem: ErrorDetails) -> str:
    found = problem.get("input")
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        return f"is not a field of contract version {CONTRACT_VERSION}"
    if problem["type"] == "fault":
        return problem["msg"]
    size = f" of length {len(found):,}" if isinstance(found, str | bytes | list | tuple) else ""
    shown = f" {found!r}" if isinstance(found, bool | int | float) else ""
    message = problem["msg"].removeprefix("Value error, ")
    return f"{message} (found {kind_of(found)}{shown}{size})"


def _encodable(text: str) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(f"holds a lone surrogate at character {error.start}") from None
    return text


def _plain_text(text: str) -> str:
    return replace_control_characters(_encodable(text))


def _identifier(text: str) -> str:
    if _encodable(text) != text.strip() or not text.isprintable():
        raise ValueError("must be printable, without blanks at its ends")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold something other than white space")
    return text


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


def _iso_date(text: str) -> str:
    if not _ISO_DATE.fullmatch(text):
        raise ValueError("must be an ISO 8601 date or date and time")
    return text


Identifier = Annotated[
    str, Field(min_length=1, max_length=limits.MAX_ID_CHARS), AfterValidator(_identifier)
]
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
ShortText = Annotated[
    str, Field(max_length=limits.MAX_SHORT_TEXT_CHARS), AfterValidator(_plain_text)
]
LongText = Annotated[str, Field(max_length=limits.MAX_TEXT_CHARS), AfterValidator(_plain_text)]
FilledText = Annotated[LongText, AfterValidator(_not_blank)]
IsoDate = Annotated[str, Field(max_length=40), AfterValidator(_iso_date)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
# msgpack has arrays only, so a sequence may arrive as a list; its items stay strict.
Items = Annotated[tuple[T, ...], Field(strict=False)]


def first_duplicate(names: list[str]) -> tuple[int, str] | None:
    """Return position and value of the first of ``names`` seen before, or None."""
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            return position, name
        seen.add(name)
    return None


def dump(message: Message) -> dict[str, Any]:
    """Return ``message`` as plain data for the wire; absent optional fields are left out."""
    return message.model_dump(exclude_none=True)
