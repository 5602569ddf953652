"""Tables of the open data's form, and the occupations that they are about."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

CODES = [f"{major}-{minor}011.00" for major in range(11, 53, 2) for minor in (1, 2, 3)]


def write_table(path: Path, rows: list[dict[str, object]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file,
            list(rows[0]),
            delimiter=delimiter,
            quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
            quotechar=None if delimiter == "\t" else '"',
        )
        writer.writeheader()
        writer.writerows(rows)
