"""A scraper that streams postings to the fleet: ``python -m tests.chaos.scraper SIDE TOTAL``.

It is killed in mid-stream and started again. With our producer it simply begins with the same
postings again, for a job's id comes from its content. For stock Celery it keeps a cursor on disk,
moved after each sending, as a careful scraper would.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from jobsentinel import Producer, Settings

from . import stock_app
from .conditions import Conditions

STOCK_PAUSE_S = 0.003
"""About the pace at which answers come; without it all would be sent before the first kill."""


def sent_path(folder: Path) -> Path:
    """Return the file to which the ids of accepted jobs are appended."""
    return folder / "sent"


def main(side: str, total: int) -> None:
    """Send all postings once, whatever happened before."""
    conditions = Conditions.from_environment()
    with sent_path(conditions.folder).open("a", encoding="ascii") as sent:
        for job_id in _ours(total) if side == "ours" else _stock(conditions, total):
            sent.write(f"{job_id}\n")
            sent.flush()


def _ours(total: int) -> Iterator[str]:
    """Read each answer before going on; the stream sends a window of jobs ahead."""
    postings = ({"id": f"p{number}", "title": f"Posting {number}"} for number in range(total))
    with Producer(settings=Settings.load()) as producer:
        stream = producer.score(postings, chunk_size=1)
        noted = 0
        for _ in stream:
            for job in stream.jobs[noted:]:
                yield job.job_id
            noted = len(stream.jobs)


def _stock(conditions: Conditions, total: int) -> Iterator[str]:
    app = stock_app.make_app(conditions.redis_url)
    cursor = conditions.folder / "cursor"
    first = int(cursor.read_text("ascii")) if cursor.exists() else 0
    for number in range(first, total):
        key = f"job-{number:06d}"
        app.send_task(stock_app.TASK, args=[key], task_id=key, queue=stock_app.QUEUE)
        yield key
        _replace(cursor, str(number + 1))
        time.sleep(STOCK_PAUSE_S)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="ascii")
    os.replace(temporary, path)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
