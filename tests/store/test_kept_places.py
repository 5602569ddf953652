"""Places of ids in a snapshot: kept for the set of a filter, found anew for what may change."""

from __future__ import annotations

from collections.abc import Collection

from jobsentinel_workers.store.kept_places import KeptPlaces


class Finder:
    """Finds the ids themselves, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, snapshot: dict[str, int], ids: Collection[str]) -> list[int]:
        self.asked.append(tuple(sorted(ids)))
        return [snapshot[id_] for id_ in sorted(ids) if id_ in snapshot]


def test_a_filters_set_is_looked_up_once_also_when_others_come_between() -> None:
    finder, snapshot = Finder(), {"a": 1, "b": 2}
    places = KeptPlaces(finder)

    found = [places.of(snapshot, frozenset(ids)) for ids in ("ab", "b", "ab", "b")]

    assert found == [[1, 2], [2], [1, 2], [2]]
    assert finder.asked == [("a", "b"), ("b",)]


def test_a_new_snapshot_has_places_of_its_own() -> None:
    finder = Finder()
    places = KeptPlaces(finder)

    before = places.of({"a": 1}, frozenset("a"))
    after = places.of({"a": 7}, frozenset("a"))

    assert (before, after) == ([1], [7])


def test_a_set_that_may_change_is_looked_up_each_time() -> None:
    finder, snapshot, ids = Finder(), {"a": 1, "b": 2}, {"a"}
    places = KeptPlaces(finder)

    before = places.of(snapshot, ids)
    ids.add("b")

    assert (before, places.of(snapshot, ids)) == ([1], [1, 2])


def test_no_more_than_the_sets_used_last_are_kept() -> None:
    finder, snapshot = Finder(), {str(n): n for n in range(20)}
    places = KeptPlaces(finder)

    for n in range(17):
        places.of(snapshot, frozenset((str(n),)))
    places.of(snapshot, frozenset(("16",)))
    places.of(snapshot, frozenset(("0",)))

    assert finder.asked.count(("16",)) == 1
    assert finder.asked.count(("0",)) == 2
