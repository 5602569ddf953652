"""A local site with a page for each job, served by a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class JobSite:
    """The site; ``served`` counts the pages that were asked for."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.served = 0


def page(number: int) -> bytes:
    """Return the page of a job."""
    return (
        f"<html><h1>Nurse {number}</h1><div class=about><p>Ward &amp; clinic {number}.</p>"
        "<ul><li>Nights<li>Days</ul></div></html>"
    ).encode()


@contextmanager
def job_site() -> Iterator[JobSite]:
    """Serve the site for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.served += 1
            body = page(int(self.path.rpartition("/")[2]))
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = JobSite(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
