"""What is removed is found no more, by whatever worker, until it is sent again."""

from __future__ import annotations

import uuid

from jobsentinel import Producer

POSTINGS = [
    {"id": "rm-night", "title": "Night nurse", "description": "Cardiac ward at night."},
    {
        "id": "rm-day",
        "title": "Day nurse",
        "description": "Cardiac ward.",
        "posted_at": "2001-02-03",
    },
]


def _found(client: Producer) -> set[str]:
    query = "nurse on a cardiac ward"
    ranking = client.rerank(query, final_top_k=20, idempotency_key=uuid.uuid4().hex)
    return {each.id for each in ranking.result(30).ranked} & {"rm-night", "rm-day"}


def test_a_removed_posting_is_not_ranked_and_comes_back_when_it_is_sent_again(
    client: Producer,
) -> None:
    client.index(POSTINGS).result(30)
    assert _found(client) == {"rm-night", "rm-day"}

    first = client.remove(["rm-night", "never-there"]).result(30)

    assert (first.removed, first.unknown) == (1, 1)
    assert _found(client) == {"rm-day"}
    client.index(POSTINGS[:1]).result(30)
    assert _found(client) == {"rm-night", "rm-day"}
    again = client.remove(["rm-night", "rm-day"]).result(30)
    assert (again.removed, again.unknown) == (2, 0)
    assert _found(client) == set()


def test_postings_are_removed_by_the_day_they_were_posted(client: Producer) -> None:
    client.index(POSTINGS).result(30)

    answer = client.remove(posted_before="2001-02-04").result(30)

    assert answer.removed == 1
    assert client.remove(["rm-day"]).result(30).unknown == 1
    assert client.remove(["rm-night"]).result(30).removed == 1


def test_what_was_delivered_just_now_is_not_removed_for_its_age(client: Producer) -> None:
    client.index(POSTINGS).result(30)

    assert client.remove(not_seen_for_days=1).result(30).removed == 0
    assert client.remove([each["id"] for each in POSTINGS]).result(30).removed == 2
