"""Scores of a real fleet: copies point to what was scored, and a feed gives all of them."""

from __future__ import annotations

import threading
from typing import Any

from jobsentinel import Producer


def test_copies_are_stored_and_a_feed_gives_scores_as_they_come(client: Producer) -> None:
    # Given where the feed stands, and somebody who follows it
    behind = max((each.change_seq for each in client.stream_results()), default=0)
    followed: list[Any] = []
    both = threading.Event()

    def follow() -> None:
        for each in client.stream_results(behind, follow=True):
            followed.append(each)
            if len(followed) == 3:
                both.set()
                return

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()

    # When a posting of two boards is scored, and one more
    text = {"title": "Feed nurse", "description": "Nights on the ward of the feed."}
    rows = [{"id": "feed-a", **text}, {"id": "feed-b", **text}, {"id": "feed-c", "title": "Cook"}]
    answered = client.score(rows, deduplicate="exact").result(60)

    # Then the copy has no prediction of its own, and says whose it has
    by_id = {score.posting_id: score for score in answered}
    assert by_id["feed-b"].duplicate_of == "feed-a"
    assert by_id["feed-b"].category is None
    assert by_id["feed-a"].category is not None

    # And the feed has all three, for who follows and for who comes later
    assert both.wait(60)
    reader.join()
    later = list(client.stream_results(behind))
    assert [each.score for each in later] == [each.score for each in followed]
    assert {each.score.posting_id for each in later} == {"feed-a", "feed-b", "feed-c"}
    assert list(client.stream_results(later[-1].change_seq)) == []
