"""Labels on their way to the fleet: in messages that it takes, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import Rows
from jobsentinel.cli.output import plural, print_json
from jobsentinel.cli.session import Session
from jobsentinel.cli.waiting import bar, wait_for
from jobsentinel.contract import limits
from jobsentinel.contract.postings import Label


def send_labels(
    session: Session, labels: Rows[Label], *, timeout_s: float | None, as_json: bool
) -> ExitCode:
    """Store the labels of a file, tell what became of them, and return the exit code."""
    total = labels.check()
    stored = unchanged = 0
    with labels, session.producer() as producer, bar("storing labels", total) as shown:
        for chunk in chunks(labels):
            answer = wait_for(producer.add_labels(chunk), timeout_s=timeout_s)
            stored += answer.stored
            unchanged += answer.unchanged
            shown.advance(len(chunk))
    tell(stored, unchanged, labels.skipped, as_json=as_json)
    return labels.settle()


def tell(stored: int, unchanged: int, skipped: int, *, as_json: bool) -> None:
    """Say how many labels are new, how many were known, and how many lines were left out."""
    if as_json:
        print_json({"stored": stored, "unchanged": unchanged, "skipped": skipped})
    complain(f"{plural(stored, 'label')} new or changed, {unchanged:,} there already")


def chunks(labels: Iterable[Label]) -> Iterator[list[Label]]:
    """Cut by count and by characters: a thousand résumés are more than a message may hold."""
    chunk: list[Label] = []
    chars = 0
    for label in labels:
        length = len(label.query or "")
        full = len(chunk) == limits.MAX_LABELS_A_MESSAGE
        if chunk and (full or chars + length > limits.MAX_CHUNK_BYTES // 4):
            yield chunk
            chunk, chars = [], 0
        chunk.append(label)
        chars += length
    if chunk:
        yield chunk
