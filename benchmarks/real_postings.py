"""The 700 real postings as contract objects; also writes them as JSONL for the command line.

``python -m benchmarks.real_postings --data DIR > postings.jsonl``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobsentinel import Posting
from jobsentinel.contract.base import dump
from jobsentinel_workers.starter.open_data import read_csv

FILE = "linkedin_postings.csv.gz"


def read_postings(folder: Path) -> list[Posting]:
    """Return the postings of ``linkedin_postings.csv.gz`` in ``folder``, in its order."""
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
        for number, row in enumerate(read_csv(folder / FILE), start=1)
    ]


def varied(postings: Sequence[Posting], count: int, start: int = 0) -> Iterator[Posting]:
    """Yield ``count`` postings as long as real ones, no two with the same text.

    Each is the first half of one and the second half of another; ``start`` numbers the first, and
    other numbers give other postings. Of 700 there are 488,600.
    """
    for number in range(start, start + count):
        turn, place = divmod(number, len(postings))
        head, tail = postings[place], postings[(place + 1 + turn) % len(postings)]
        halves = (
            head.description[: len(head.description) // 2],
            tail.description[len(tail.description) // 2 :],
        )
        yield head.model_copy(
            update={
                "id": f"varied-{number}",
                "title": f"{head.title} / {tail.title}",
                "description": " ".join(halves),
            }
        )


def main() -> None:
    """Print the postings, one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    for posting in read_postings(parser.parse_args().data):
        sys.stdout.write(json.dumps(dump(posting), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
