"""Options of `jobsentinel loop start` that are more than a number."""

from __future__ import annotations

import json
from typing import Any

import click


class OffOr(click.ParamType[float | str]):
    """A number above 0 and up to ``most``, or ``none``."""

    def __init__(self, name: str, most: float) -> None:
        self.name = name
        self._most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        """Return the number, or ``none``."""
        if value == "none":
            return "none"
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not 0 < number <= self._most:
            self.fail(f"{value!r} is no number above 0, up to {self._most:g}, nor none", param, ctx)
        return number


OFF_OR_DAYS = OffOr("DAYS", 36_500.0)
OFF_OR_SHARE = OffOr("SHARE", 1.0)


def options_given(
    _: click.Context, option: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, Any]:
    """Return what was given as NAME=VALUE; a value that is no JSON is text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param=option)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
