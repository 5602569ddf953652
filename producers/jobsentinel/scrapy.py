"""An item pipeline for Scrapy: what a spider yields is scored by the fleet.

An item passes on once its posting is in the crawl's journal, on disk. From there it goes to the
fleet in chunks, by a thread, so the reactor never waits. While the queue is full items are held
back, and Scrapy then downloads no more: the crawl slows down and nothing is dropped. A crawl that
was killed goes on with its journal and sends nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from itemadapter import ItemAdapter
from scrapy import Spider, signals
from scrapy.crawler import Crawler

from jobsentinel.contract import limits
from jobsentinel.contract.errors import ConfigurationError, InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.tasks import BULK
from jobsentinel.deduplication import deduplicator
from jobsentinel.gathering import Counts, Gatherer
from jobsentinel.journal import Journal
from jobsentinel.producer import Producer
from jobsentinel.reactor_bridge import Bridge, bridge
from jobsentinel.settings import Settings, WhenFull
from jobsentinel.sources.fields import FieldMapping

logger = logging.getLogger(__name__)

PIPELINE_SETTINGS: Final[Mapping[str, Any]] = {
    "JOBSENTINEL_CRAWL": None,
    "JOBSENTINEL_FIELDS": {},
    "JOBSENTINEL_HTML": True,
    "JOBSENTINEL_PROFILE": None,
    "JOBSENTINEL_MODELS": ["multi-task"],
    "JOBSENTINEL_CHUNK_SIZE": limits.DEFAULT_CHUNK_POSTINGS,
    "JOBSENTINEL_LINGER_S": 5.0,
    "JOBSENTINEL_DEDUPLICATE": None,
}
"""What Scrapy's settings may say beside the fields of `Settings`, and what they say by default."""


class JobSentinelPipeline:
    """Hands each item to the fleet to be scored; `fields` may be overridden.

    Enable it by ``ITEM_PIPELINES = {"jobsentinel.scrapy.JobSentinelPipeline": 900}``, behind
    whatever cleans the items. Scrapy's settings may hold any of `jobsentinel.Settings` as
    ``JOBSENTINEL_...``, which comes before the environment, and those of `PIPELINE_SETTINGS`.

    Raises:
        ConfigurationError: a setting is wrong, or another crawl uses this one's journal.
        InvalidInput: a setting names a field that postings do not have.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        own = {name: _setting(crawler, name) for name in PIPELINE_SETTINGS}
        self._mapping = FieldMapping(own["JOBSENTINEL_FIELDS"], html=own["JOBSENTINEL_HTML"])
        self._options = {
            "profile": own["JOBSENTINEL_PROFILE"],
            "models": tuple(own["JOBSENTINEL_MODELS"]),
            "deduplicate": deduplicator(own["JOBSENTINEL_DEDUPLICATE"]),
        }
        self._chunk_size = _checked_chunk_size(own["JOBSENTINEL_CHUNK_SIZE"])
        self._linger_s: float = own["JOBSENTINEL_LINGER_S"]
        self._crawl: str | None = own["JOBSENTINEL_CRAWL"]
        self._settings = Settings.load(
            **{
                name: crawler.settings.get(f"JOBSENTINEL_{name.upper()}")
                for name in Settings.model_fields
            }
        )

        self._gatherer: Gatherer | None = None
        self._left = 0

    @cached_property
    def _bridge(self) -> Bridge:
        return bridge()  # when the reactor runs

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the pipeline of a crawl."""
        made = cls(crawler)
        crawler.signals.connect(made.spider_closed, signals.spider_closed)
        return made

    def open_spider(self) -> None:
        """Go on with the journal of an earlier crawl, if it was cut short."""
        settings = self._settings
        # Without the outbox the thread waits by itself, and hears when the crawl is stopped.
        full: WhenFull = "outbox" if settings.when_full == "outbox" else "raise"
        self._producer = Producer(settings=settings, when_full=full)
        try:
            journal = Journal(self._journal_path(), fsync=settings.outbox_fsync)
        except BaseException:
            self._producer.close()
            raise
        self._gatherer = gatherer = Gatherer(
            journal,
            self._send,
            self._taken,
            chunk_size=self._chunk_size,
            linger_s=self._linger_s,
            give_up=lambda: not self._crawler.crawling,
            patience_s=settings.full_timeout_s,
        )
        gatherer.start()

    async def process_item(self, item: Any) -> Any:
        """Pass an item on once its posting is safe; one that is no valid posting is told and left.

        Raises:
            OutboxUnavailable: the journal has no room for it.
        """
        try:
            fields = self.fields(item)
            posting = None if fields is None else Posting.parse(fields)
        except InvalidInput as error:
            self._count("invalid")
            logger.warning("item.invalid %s", error)
            return item
        if posting is not None and self._gatherer is not None:
            promise = self._bridge.promise()
            self._gatherer.put(posting, promise)
            await promise
        return item

    def fields(self, item: Any) -> Mapping[str, Any] | None:
        """Return the fields of the posting in an item, or None for an item that is none.

        Raises:
            InvalidInput: a field is none of a posting.
        """
        return self._mapping.fields(ItemAdapter(item).asdict())

    async def close_spider(self) -> None:
        """Send what is left, in a thread, for as long as the settings let it wait for room."""
        if self._gatherer is None:
            return  # it could not be opened
        self._left = await self._bridge.in_thread(self._finish)
        self._tell_counts()
        if self._left:
            self._set("left_in_journal", self._left)
            logger.warning(
                "journal.left postings=%d path=%s: the next crawl of this name sends them",
                self._left,
                self._journal_path(),
            )

    def spider_closed(self, spider: Spider, reason: str) -> None:
        """Close the journal; a crawl that was not cut short forgets what it has sent."""
        del spider
        if self._gatherer is not None:
            self._gatherer.close(forget=reason == "finished" and not self._left)

    def _finish(self) -> int:
        assert self._gatherer is not None
        try:
            return self._gatherer.finish()
        finally:
            self._producer.close()

    def _journal_path(self) -> Path:
        name = self._crawl or self._crawler.spider.name  # type: ignore[union-attr]  # it is open
        safe = "".join(each if each.isalnum() or each in "-_." else "_" for each in name)
        return self._settings.data_dir / "crawls" / f"{self._settings.namespace}-{safe}.db"

    # In the gatherer's thread.

    def _send(self, postings: Sequence[Posting]) -> int:
        size = limits.MAX_POSTINGS_A_MESSAGE
        stream = self._producer.score(postings, queue=BULK, chunk_size=size, **self._options)
        return len(stream.jobs)

    def _taken(self, promises: Sequence[Any], error: Exception | None) -> None:
        self._bridge.call(lambda: self._keep_promises(promises, error))

    # In the reactor again.

    def _keep_promises(self, promises: Sequence[Any], error: Exception | None) -> None:
        self._tell_counts()
        for promise in promises:
            self._bridge.keep(promise, error)

    def _tell_counts(self) -> None:
        counts = self._gatherer.counts if self._gatherer else Counts()
        for name, value in {
            "postings": counts.taken,
            "repeated": counts.repeated,
            "sent": counts.sent,
            "jobs": counts.jobs,
            "held_up": counts.held_up,
        }.items():
            if value:
                self._set(name, value)

    def _set(self, name: str, value: int) -> None:
        self._crawler.stats.set_value(f"jobsentinel/{name}", value)

    def _count(self, name: str) -> None:
        self._crawler.stats.inc_value(f"jobsentinel/{name}")


def _setting(crawler: Crawler, name: str) -> Any:
    """Return one of `PIPELINE_SETTINGS`, which may be text where it comes from a command line."""
    default = PIPELINE_SETTINGS[name]
    given = crawler.settings
    if given.get(name) is None:
        return default
    readers: dict[type, Callable[[str], Any]] = {
        bool: given.getbool,
        int: given.getint,
        float: given.getfloat,
    }
    readers |= {dict: given.getdict, list: given.getlist}
    reader = readers.get(type(default), given.get)
    try:
        return reader(name)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _checked_chunk_size(size: int) -> int:
    most = limits.MAX_POSTINGS_A_MESSAGE
    if not 1 <= size <= most:
        raise ConfigurationError(f"JOBSENTINEL_CHUNK_SIZE: is {size}; it must be 1 to {most}")
    return size
