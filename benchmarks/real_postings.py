"""The 700 real postings as contract objects; also writes them as JSONL for the command line.

``python -m benchmarks.real_postings --data DIR > postings.jsonl``
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from pathlib import Path

from jobsentinel import Posting
from jobsentinel.contract.base import dump

FILE = "linkedin_postings.csv.gz"


def read_postings(folder: Path) -> list[Posting]:
    """Return the postings of ``linkedin_postings.csv.gz`` in ``folder``, in its order."""
    csv.field_size_limit(1 << 30)
    with gzip.open(folder / FILE, "rt", encoding="utf-8", newline="") as file:
        return [
            Posting(
                id=f"linkedin-{number:04}",
                title=row["title"],
                description=row["description"],
                company=row["company"] or None,
                location=row["location"] or None,
                experience_level=row["experience_level"] or None,
                employment_type=row["work_type"] or None,
            )
            for number, row in enumerate(csv.DictReader(file), start=1)
        ]


def main() -> None:
    """Print the postings, one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    for posting in read_postings(parser.parse_args().data):
        sys.stdout.write(json.dumps(dump(posting), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
