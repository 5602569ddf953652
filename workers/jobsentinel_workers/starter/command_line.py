"""What the commands over the open data share."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from jobsentinel_workers.starter.build_heads import HeadsBuild, starter_encoder
from jobsentinel_workers.starter.embedding_memo import DEFAULT_CACHE, EmbeddingMemo


def parser(description: str, *, threads: int) -> argparse.ArgumentParser:
    """Return a parser that knows where the data lies, the seed and the threads."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--data", type=Path, required=True, help="folder of the open data")
    made.add_argument("--seed", type=int, default=7)
    made.add_argument("--threads", type=int, default=threads)
    return made


def add_cache(to: argparse.ArgumentParser) -> None:
    """Let the folder of embeddings be named."""
    to.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="for embeddings")


def heads_build(options: argparse.Namespace, test_share: float) -> HeadsBuild:
    """Return a build of the heads that sets ``test_share`` of the rows apart to judge it."""
    encoder = starter_encoder()
    memo = EmbeddingMemo(options.cache, encoder)
    return HeadsBuild(options.data, encoder, memo, options.seed, log, test_share)


def today() -> str:
    """Return the date in UTC, ISO 8601."""
    return datetime.now(UTC).date().isoformat()


def log(line: str) -> None:
    """Say how far the work is, on standard error."""
    print(line, file=sys.stderr, flush=True)
