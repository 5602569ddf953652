"""What scrapers meet: a crawl with the pipeline and without it, and postings through a pipe."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, seconds
from benchmarks.options import Options
from jobsentinel import Settings
from jobsentinel.contract.base import dump
from jobsentinel.contract.postings import Posting
from jobsentinel_workers.embedded import EmbeddedServer

PAGES, PIPED, ROUNDS = 10_000, 50_000, 3
UNLIMITED = {"JOBSENTINEL_MAX_QUEUED_BULK": "none"}


def run(options: Options) -> Iterator[Row]:
    """Yield how much longer a crawl takes with the pipeline, and what a pipe sends a second."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(data_dir=Path(folder))
        with EmbeddedServer(settings) as server:
            yield from _crawls(server.url, Path(folder), options)
            yield from _pipe(server.url, Path(folder), options)


def _crawls(url: str, folder: Path, options: Options) -> Iterator[Row]:
    pages, rounds = options.size(PAGES, 50), options.size(ROUNDS, 1)
    with _site(options.postings) as address:
        taken: dict[bool, list[float]] = {False: [], True: []}
        for number in range(rounds):
            for piped in (False, True):
                taken[piped].append(_crawl(address, pages, url, folder / f"{number}", piped))
    without, with_it = (statistics.median(taken[piped]) for piped in (False, True))
    yield Row(f"Scrapy, {pages:,} pages", pages / without, "pages/s")
    yield Row("the same with the pipeline", pages / with_it, "pages/s")
    yield Row("how much longer the pipeline makes it", 100 * (with_it / without - 1), "%", "<= 10")


def _crawl(address: str, pages: int, url: str, data_dir: Path, piped: bool) -> float:
    settings: dict[str, Any] = {"JOBSENTINEL_REDIS_URL": url, "JOBSENTINEL_DATA_DIR": str(data_dir)}
    if piped:
        settings["ITEM_PIPELINES"] = {"jobsentinel.scrapy.JobSentinelPipeline": 900}
    command = [sys.executable, "-m", "benchmarks.crawl", address, str(pages), json.dumps(settings)]
    done = subprocess.run(
        command, env={**os.environ, **UNLIMITED}, check=True, stdout=subprocess.PIPE
    )
    return float(done.stdout)


def _pipe(url: str, folder: Path, options: Options) -> Iterator[Row]:
    """``score - --no-wait`` on one core, the start of its process counted."""
    count = options.size(PIPED, 200)
    rows = folder / "postings.jsonl"
    with rows.open("w", encoding="utf-8") as stream:
        for number in range(count):
            posting = options.postings[number % len(options.postings)]
            stream.write(json.dumps({**dump(posting), "id": str(number)}) + "\n")
    environment = {**os.environ, **UNLIMITED, "JOBSENTINEL_REDIS_URL": url}
    environment["JOBSENTINEL_DATA_DIR"] = str(folder / "pipe")

    def send() -> None:
        core = str(min(os.sched_getaffinity(0)))
        program = "from jobsentinel.cli import main; raise SystemExit(main())"
        command = [sys.executable, "-c", program, "score", "-", "--no-wait"]
        with rows.open("rb") as stream:
            subprocess.run(
                ["taskset", "-c", core, *command], stdin=stream, env=environment, check=True
            )

    yield Row("`score -` into the queue", count / seconds(send), "postings/s", ">= 5000")


@contextmanager
def _site(postings: Sequence[Posting]) -> Iterator[str]:
    """Serve a page for each number, with real descriptions."""
    bodies = [
        f"<html><h1>{each.title}</h1><main><p>{each.description}</p></main></html>".encode()
        for each in postings[:500]
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = bodies[int(self.path[1:]) % len(bodies)]
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
