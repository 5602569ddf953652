"""`jobsentinel label start`, `export`, `import` and `review`: labelling with the store at hand."""

from __future__ import annotations

import click

from jobsentinel_workers.cli.label_files import export, import_
from jobsentinel_workers.cli.label_review import review
from jobsentinel_workers.cli.label_start import start


@click.group("label")
def command() -> None:
    """Label stored postings, here or in another tool."""


for _each in (start, export, import_, review):
    command.add_command(_each)
