"""A crawl in a process of its own: ``python crawl_process.py ADDRESS PAGES STATS SETTINGS``.

It prints the id of each item that Scrapy has let pass, and writes Scrapy's stats to a file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from scrapy import Request, Spider, signals
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response


class JobsSpider(Spider):
    """Reads the page of each job."""

    name = "jobs"
    address: str
    pages: int

    async def start(self) -> AsyncIterator[Any]:
        for number in range(self.pages):
            yield Request(f"{self.address}/job/{number}")

    def parse(self, response: Response, **_: Any) -> Any:
        yield {
            "link": response.url,
            "title": response.css("h1::text").get(),
            "body": response.css("div.about").get(),
            "scraped_by": "jobs",
        }


def tell(item: Any) -> None:
    """Print the id of an item that has passed."""
    print(item["link"], flush=True)


def main(address: str, pages: str, stats: str, settings: str) -> None:
    """Crawl."""
    process = CrawlerProcess(
        {
            "ITEM_PIPELINES": {"jobsentinel.scrapy.JobSentinelPipeline": 900},
            "JOBSENTINEL_FIELDS": {"url": "link", "description": "body"},
            "LOG_LEVEL": "WARNING",
            "TELNETCONSOLE_ENABLED": False,
            **json.loads(settings),
        }
    )
    crawler = process.create_crawler(JobsSpider)
    crawler.signals.connect(tell, signals.item_scraped)
    process.crawl(crawler, address=address, pages=int(pages))
    process.start()
    Path(stats).write_text(json.dumps(crawler.stats.get_stats(), default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
