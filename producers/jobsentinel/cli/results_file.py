"""The file behind ``--output``: JSON Lines that appear under their name when they are complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from jobsentinel.cli.output import json_line

Write = Callable[[Mapping[str, Any]], None]

output_option = click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write all rows to this file as JSON Lines.",
)


@contextmanager
def results_file(path: Path | None) -> Iterator[Write]:
    """Give a function that writes a row; without a path it writes nothing.

    Rows go to ``<name>.part``, which takes the name at the end; after an error it stays for who
    wants what is in it.
    """
    if path is None:
        yield lambda _row: None
        return
    part = path.with_name(f"{path.name}.part")
    try:
        stream = part.open("wb")
    except OSError as error:
        raise click.BadParameter(f"{part}: {error.strerror}", param_hint="--output") from None
    try:
        with stream:
            yield lambda row: _write(stream.write, row)
    except BaseException:
        if not part.stat().st_size:
            part.unlink()
        raise
    part.replace(path)


def _write(write: Callable[[bytes], int], row: Mapping[str, Any]) -> None:
    write(json_line(row))
