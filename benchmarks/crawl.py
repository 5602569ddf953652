"""A crawl of a local site by Scrapy: ``python -m benchmarks.crawl ADDRESS PAGES SETTINGS``.

It prints the seconds from the first request to the last, without the start of the process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from scrapy import Request, Spider, signals
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response


class Jobs(Spider):
    """Reads the page of each job."""

    name = "jobs"
    address: str
    pages: int

    async def start(self) -> AsyncIterator[Any]:
        """Ask for every page."""
        for number in range(self.pages):
            yield Request(f"{self.address}/{number}")

    def parse(self, response: Response, **_: Any) -> Iterator[dict[str, Any]]:
        """Yield the job of a page."""
        yield {
            "url": response.url,
            "title": response.css("h1::text").get(),
            "description": response.css("main").get(),
        }


def main(address: str, pages: str, settings: str) -> None:
    """Crawl, and print the seconds."""
    process = CrawlerProcess(
        {
            "LOG_LEVEL": "WARNING",
            "TELNETCONSOLE_ENABLED": False,
            "CONCURRENT_REQUESTS": 32,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
            "DOWNLOAD_DELAY": 0,
            **json.loads(settings),
        }
    )
    times: list[float] = []
    crawler = process.create_crawler(Jobs)
    for signal in (signals.spider_opened, signals.spider_closed):
        crawler.signals.connect(lambda: times.append(time.perf_counter()), signal, weak=False)
    process.crawl(crawler, address=address, pages=int(pages))
    process.start()
    print(times[1] - times[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
