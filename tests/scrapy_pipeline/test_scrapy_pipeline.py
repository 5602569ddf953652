"""Crawls of a local site by Scrapy in processes of their own, over a real Redis."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.scrapy_pipeline.job_site import JobSite, job_site

from jobsentinel import Settings
from jobsentinel.contract import wire
from jobsentinel.contract.requests import ScoreRequest
from jobsentinel.contract.tasks import BULK
from jobsentinel.ledger import Claim, Ledger

Start = Callable[..., subprocess.Popen[str]]
PROGRAM = Path(__file__).with_name("crawl_process.py")


@pytest.fixture(scope="module")
def site() -> Iterator[JobSite]:
    """The local site."""
    with job_site() as running:
        yield running


@pytest.fixture
def start(site: JobSite, settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Start a crawl of so many pages, with settings of Scrapy's changed."""
    crawls: list[subprocess.Popen[str]] = []

    def start(pages: int, **changes: Any) -> subprocess.Popen[str]:
        given = {
            "JOBSENTINEL_REDIS_URL": settings.redis_url,
            "JOBSENTINEL_NAMESPACE": settings.namespace,
            "JOBSENTINEL_DATA_DIR": str(settings.data_dir),
            **changes,
        }
        arguments = (site.address, str(pages), str(tmp_path / "stats.json"), json.dumps(given))
        crawls.append(
            subprocess.Popen(
                [sys.executable, str(PROGRAM), *arguments],
                stdout=subprocess.PIPE,
                stderr=(tmp_path / "log").open("ab"),
                text=True,
            )
        )
        return crawls[-1]

    yield start
    for crawl in crawls:
        crawl.kill()
        crawl.wait()


class Fleet:
    """What the fleet has been sent, without answering it."""

    def __init__(self, settings: Settings) -> None:
        self._client = redis.Redis.from_url(settings.resolve_redis_url())
        self._ledger = Ledger(self._client, settings.namespace)
        self._queue = f"{settings.namespace}:{BULK}"

    def queued(self) -> int:
        """Return how many jobs wait."""
        return int(self._client.llen(self._queue))  # type: ignore[arg-type]  # a synchronous client

    def take(self) -> ScoreRequest:
        """Take the next job, and forget it."""
        popped: Any = self._client.brpop([self._queue], timeout=60)
        job_id = json.loads(popped[1])["headers"]["id"]
        claim = self._ledger.claim(job_id, owner="test", lease_s=60, max_attempts=3)
        assert isinstance(claim, Claim)
        _, request = wire.decode_request(claim.payload)
        assert isinstance(request, ScoreRequest)
        return request

    def take_all(self) -> list[ScoreRequest]:
        """Take what waits."""
        return [self.take() for _ in range(self.queued())]


@pytest.fixture
def fleet_of_test(settings: Settings) -> Fleet:
    """What stands at the other end of the queue."""
    return Fleet(settings)


def ids(requests: list[ScoreRequest]) -> Counter[str]:
    return Counter(posting.id for request in requests for posting in request.postings)


def urls(site: JobSite, pages: int) -> Counter[str]:
    return Counter(f"{site.address}/job/{number}" for number in range(pages))


def ended(crawl: subprocess.Popen[str], tmp_path: Path) -> dict[str, Any]:
    """Wait for the end of a crawl and return Scrapy's stats."""
    crawl.communicate(timeout=120)
    assert crawl.returncode == 0, (tmp_path / "log").read_text()
    stats: dict[str, Any] = json.loads((tmp_path / "stats.json").read_text())
    return stats


@pytest.mark.parametrize(
    "reactor",
    [
        "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
        "twisted.internet.selectreactor.SelectReactor",
    ],
)
def test_a_crawl_sends_each_item_once_in_full_chunks_and_counts_them(
    start: Start, site: JobSite, fleet_of_test: Fleet, tmp_path: Path, reactor: str
) -> None:
    # When a site of 50 jobs is crawled, on either kind of reactor
    stats = ended(start(50, JOBSENTINEL_CHUNK_SIZE="20", TWISTED_REACTOR=reactor), tmp_path)

    # Then each posting is in the queue once, its markup made text, and nothing else of the item
    requests = fleet_of_test.take_all()
    assert ids(requests) == urls(site, 50)
    assert [len(request.postings) for request in requests] == [20, 20, 10]
    first = min((posting for posting in requests[0].postings), key=lambda posting: posting.id)
    number = first.id.rpartition("/")[2]
    assert first.title == f"Nurse {number}"
    assert first.description == f"Ward & clinic {number}.\nNights\nDays"

    # And Scrapy's stats say so
    assert stats["jobsentinel/postings"] == stats["jobsentinel/sent"] == 50
    assert stats["jobsentinel/jobs"] == 3
    assert stats["item_scraped_count"] == 50


def test_a_full_queue_holds_the_crawl_up_and_nothing_is_dropped(
    start: Start, site: JobSite, fleet_of_test: Fleet, tmp_path: Path
) -> None:
    # Given a queue of two messages, and a crawl that may have few responses in hand
    before = site.served
    crawl = start(
        400,
        JOBSENTINEL_MAX_QUEUED_BULK=2,
        JOBSENTINEL_CHUNK_SIZE=10,
        SCRAPER_SLOT_MAX_ACTIVE_SIZE=20_000,
    )

    # When nobody works on it until the log says that the pipeline waits
    while "gatherer.held_up" not in (tmp_path / "log").read_text():
        assert crawl.poll() is None
        time.sleep(0.05)
    time.sleep(1)  # Scrapy would fetch hundreds of pages in this time
    fetched = site.served - before

    # Then Scrapy has stopped fetching, and goes on when there is room, to the last item
    assert fetched < 200
    taken: list[ScoreRequest] = []
    while sum(ids(taken).values()) < 400:
        taken.append(fleet_of_test.take())
    stats = ended(crawl, tmp_path)
    assert ids(taken) == urls(site, 400)
    assert stats["jobsentinel/held_up"] > 0
    assert stats["item_scraped_count"] == 400


def test_a_killed_crawl_has_lost_nothing_that_passed_and_a_second_one_sends_nothing_twice(
    start: Start, site: JobSite, fleet_of_test: Fleet, tmp_path: Path
) -> None:
    # Given a crawl that is killed when some items have passed
    crawl = start(200, JOBSENTINEL_CHUNK_SIZE=16)
    assert crawl.stdout is not None
    passed = [crawl.stdout.readline().strip() for _ in range(75)]
    crawl.kill()
    crawl.wait()
    before = fleet_of_test.take_all()

    # When the same spider crawls the site again from its start
    stats = ended(start(200, JOBSENTINEL_CHUNK_SIZE=16), tmp_path)

    # Then every posting was sent once, and what had passed was not sent again
    after = fleet_of_test.take_all()
    assert ids(before + after) == urls(site, 200)
    assert set(passed) <= set(ids(before)) | set(ids(after))
    assert stats["jobsentinel/repeated"] >= len(passed)

    # And a third crawl, after one that came to its end, sends the site anew
    stats = ended(start(20), tmp_path)
    assert stats["jobsentinel/postings"] == 20


def test_ctrl_c_while_the_queue_is_full_ends_the_crawl_and_keeps_what_was_taken_over(
    start: Start, site: JobSite, fleet_of_test: Fleet, tmp_path: Path
) -> None:
    # Given a crawl that is held up
    crawl = start(60, JOBSENTINEL_MAX_QUEUED_BULK=1, JOBSENTINEL_CHUNK_SIZE=10)
    while "gatherer.held_up" not in (tmp_path / "log").read_text():
        assert crawl.poll() is None
        time.sleep(0.05)

    # When it is told to stop
    crawl.send_signal(signal.SIGINT)
    stats = ended(crawl, tmp_path)

    # Then it says what it leaves, and the next crawl sends that and the rest, nothing twice
    assert stats["finish_reason"] == "shutdown"
    assert stats["jobsentinel/left_in_journal"] == stats["jobsentinel/postings"] - 10
    before = fleet_of_test.take_all()
    ended(start(60), tmp_path)
    assert ids(before + fleet_of_test.take_all()) == urls(site, 60)


def test_without_redis_a_crawl_goes_on_and_its_jobs_wait_on_disk(
    start: Start, settings: Settings, tmp_path: Path
) -> None:
    # When a site is crawled while nothing listens where Redis should be
    stats = ended(start(30, JOBSENTINEL_REDIS_URL="redis://127.0.0.1:1/0"), tmp_path)

    # Then all items passed, and the outbox has them
    assert stats["jobsentinel/sent"] == 30
    assert settings.outbox_file.exists()
    assert "outbox.left" in (tmp_path / "log").read_text()


def test_an_item_that_is_no_posting_passes_is_counted_and_is_told_with_its_field(
    start: Start, fleet_of_test: Fleet, tmp_path: Path
) -> None:
    # Given a mapping that finds neither an id nor an address
    crawl = start(3, JOBSENTINEL_FIELDS={"description": "body", "url": "adress"})

    # When the site is crawled
    stats = ended(crawl, tmp_path)

    # Then Scrapy keeps its items, none was sent, and the log names the field and the nearest
    assert stats["item_scraped_count"] == stats["jobsentinel/invalid"] == 3
    assert fleet_of_test.queued() == 0
    assert "item.invalid id: is missing among the columns" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"JOBSENTINEL_FIELDS": {"titel": "name"}}, "map.titel: is not a field of a posting"),
        ({"JOBSENTINEL_CHUNK_SIZE": "many"}, "JOBSENTINEL_CHUNK_SIZE: "),
        ({"JOBSENTINEL_CHUNK_SIZE": 1000}, "JOBSENTINEL_CHUNK_SIZE: is 1000; it must be 1 to 128"),
        ({"JOBSENTINEL_WHEN_AWAY": "never"}, "JOBSENTINEL_WHEN_AWAY"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_crawled(
    start: Start, site: JobSite, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    before = site.served

    crawl = start(3, **changes)
    crawl.communicate(timeout=60)

    assert told in (tmp_path / "log").read_text()
    assert site.served == before


def test_two_crawls_of_one_name_do_not_share_a_journal(
    start: Start, fleet_of_test: Fleet, tmp_path: Path
) -> None:
    # Given a crawl that is held up
    start(60, JOBSENTINEL_MAX_QUEUED_BULK=1, JOBSENTINEL_CHUNK_SIZE=10)
    while "gatherer.held_up" not in (tmp_path / "log").read_text():
        time.sleep(0.05)

    # When another one of its name starts, and then one of another name
    start(5).communicate(timeout=60)
    named = ended(start(5, JOBSENTINEL_CRAWL="other", JOBSENTINEL_MAX_QUEUED_BULK=9), tmp_path)

    # Then the first of them is told to take a name of its own, and the second has one
    assert "give this one a name of its own" in (tmp_path / "log").read_text()
    assert named["jobsentinel/sent"] == 5
