"""Whatever is done to the log without its key is found, and the first bad entry is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select
from tampering import (
    ENTRIES,
    change_entry,
    change_head,
    key_of,
    remove_entries,
    undone,
    verdict_after,
    verdict_of,
    write_log,
)

from jobsentinel import Settings
from jobsentinel_workers.audit import Entry, verify
from jobsentinel_workers.audit.entries import FIRST_PREVIOUS_MAC
from jobsentinel_workers.audit.reading import read_entries
from jobsentinel_workers.audit.verification import Mark
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.schema import audit, audit_head

TEXTS = ("at", "actor", "event", "subject", "details", "previous_mac", "mac")

Log = tuple[Settings, Database]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, make_settings: Callable[[str], Settings]) -> Iterator[Log]:
    """A log of eight entries, which tests leave as it is."""
    settings = make_settings(request.param)
    database = Database.open(settings.store_url)
    write_log(settings, database)
    yield settings, database
    database.close()


def entries_of(connection: Connection) -> list[Entry]:
    return list(read_entries(connection))


def found(log: Log, tamper: Callable[[Connection], object]) -> tuple[str, int | None]:
    """Return what is found after ``tamper``: its kind and the entry it names."""
    problem = verdict_after(*log, tamper).problem
    assert problem is not None
    return problem.kind, problem.seq


def test_a_log_that_nobody_touched_is_whole(log: Log) -> None:
    verdict = verdict_of(*log)

    assert verdict.problem is None
    assert verdict.entries == ENTRIES


def test_a_log_without_entries_is_whole(log_settings: Settings, database: Database) -> None:
    with database.connect() as connection:
        assert verify(connection, b"any key").problem is None


@given(
    seq=st.integers(1, ENTRIES),
    column=st.sampled_from(TEXTS),
    value=st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=80),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_change_of_a_field_of_an_entry_is_found_and_named(
    log: Log, seq: int, column: str, value: str
) -> None:
    settings, database = log
    with undone(database) as connection:
        before = connection.execute(select(audit.c[column]).where(audit.c.seq == seq)).scalar_one()
        change_entry(connection, seq, **{column: value})

        problem = verify(connection, key_of(settings)).problem

    if value == before:
        assert problem is None
    else:
        assert problem is not None
        assert (problem.kind, problem.seq) == ("altered", seq)


@given(seq=st.integers(1, ENTRIES), column=st.sampled_from(TEXTS), data=st.data())
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_change_of_one_character_is_found_and_named(
    log: Log, seq: int, column: str, data: st.DataObject
) -> None:
    settings, database = log
    with undone(database) as connection:
        before = connection.execute(select(audit.c[column]).where(audit.c.seq == seq)).scalar_one()
        place = data.draw(st.integers(0, len(before) - 1))
        other = data.draw(st.sampled_from("0aZ_é").filter(lambda each: each != before[place]))
        change_entry(connection, seq, **{column: before[:place] + other + before[place + 1 :]})

        problem = verify(connection, key_of(settings)).problem

    assert problem is not None
    assert (problem.kind, problem.seq) == ("altered", seq)


@given(
    seq=st.integers(1, ENTRIES),
    number=st.one_of(st.integers(-5, 0), st.integers(ENTRIES + 1, 2**62)),
)
@hypothesis_settings(max_examples=30, deadline=None)
def test_any_other_number_of_an_entry_is_found_and_named(log: Log, seq: int, number: int) -> None:
    kind, named = found(log, lambda connection: change_entry(connection, seq, seq=number))

    assert kind in {"missing", "moved"}
    assert named in {seq, number}


@given(
    column=st.sampled_from(("seq", "mac", "key_id", "seal")),
    text=st.text("0123456789abcdef", max_size=64),
    number=st.integers(-(2**62), 2**62).filter(lambda each: each != ENTRIES),
)
@hypothesis_settings(max_examples=40, deadline=None)
def test_any_change_of_the_head_is_found(log: Log, column: str, text: str, number: int) -> None:
    value = number if column == "seq" else text

    kind, named = found(log, lambda connection: change_head(connection, **{column: value}))

    assert (kind, named) == ("head", None)


@given(numbers=st.sets(st.integers(1, ENTRIES), min_size=1))
@hypothesis_settings(max_examples=30, deadline=None)
def test_removed_entries_are_found_and_the_first_is_named(log: Log, numbers: set[int]) -> None:
    kind, named = found(log, lambda connection: remove_entries(connection, *numbers))

    assert (kind, named) == ("missing", min(numbers))


def test_a_log_cut_off_with_its_head_set_back_is_found(log: Log) -> None:
    def tamper(connection: Connection) -> None:
        last = entries_of(connection)[5]
        remove_entries(connection, 7, 8)
        change_head(connection, seq=last.seq, mac=last.mac)

    assert found(log, tamper) == ("head", None)


def test_a_log_without_its_head_is_found(log: Log) -> None:
    assert found(log, lambda each: each.execute(delete(audit_head))) == ("head", None)


def test_entries_that_changed_places_are_found_and_named(log: Log) -> None:
    def tamper(connection: Connection) -> None:
        change_entry(connection, 4, seq=1_000)
        change_entry(connection, 5, seq=4)
        change_entry(connection, 1_000, seq=5)

    assert found(log, tamper) == ("moved", 4)


def test_entries_that_close_a_gap_are_found_and_named(log: Log) -> None:
    def tamper(connection: Connection) -> None:
        remove_entries(connection, 3)
        for number in range(4, ENTRIES + 1):
            change_entry(connection, number, seq=number - 1)

    assert found(log, tamper) == ("moved", 3)


def forged(connection: Connection, key: bytes, seq: int) -> Entry:
    """Return an entry after the last one, as somebody with another key would make it."""
    last = entries_of(connection)[-1]
    entry = replace(last, seq=seq, subject="forged", previous_mac=last.mac)
    return replace(entry, mac=entry.mac_by(key))


def test_an_entry_appended_without_the_key_is_found_and_named(log: Log) -> None:
    def tamper(connection: Connection) -> None:
        entry = forged(connection, b"another key", ENTRIES + 1)
        connection.execute(insert(audit).values(astuple(entry)))

    assert found(log, tamper) == ("appended", ENTRIES + 1)


def test_an_entry_of_another_log_with_the_same_key_is_found_and_named(log: Log) -> None:
    settings, database = log
    with database.connect() as connection:
        own = entries_of(connection)[2]
    strange = replace(own, subject="elsewhere", previous_mac=FIRST_PREVIOUS_MAC)
    mac = strange.mac_by(key_of(settings))
    values = {"subject": "elsewhere", "previous_mac": FIRST_PREVIOUS_MAC, "mac": mac}

    assert found(log, lambda each: change_entry(each, 3, **values)) == ("moved", 3)


def test_another_key_is_told_from_tampering(log: Log) -> None:
    _, database = log
    with database.connect() as connection:
        problem = verify(connection, b"another key").problem

    assert problem is not None
    assert (problem.kind, problem.seq) == ("other_key", 1)


def test_a_log_put_back_with_its_head_is_found_by_a_note_alone(
    log_settings: Settings, database: Database
) -> None:
    # Given a log of three entries, a copy of it, and a note of its end after five
    write_log(log_settings, database, 3)
    with database.connect() as connection:
        old_head = connection.execute(select(audit_head)).one()._asdict()
    write_log(log_settings, database, 2)
    note = verdict_of(log_settings, database).last

    # When the copy is put back
    with database.begin() as connection:
        remove_entries(connection, 4, 5)
        change_head(connection, **old_head)

    # Then it looks whole, but not to whoever has the note
    assert verdict_of(log_settings, database).problem is None
    problem = verdict_of(log_settings, database, note).problem
    assert problem is not None
    assert (problem.kind, problem.seq) == ("missing", 4)


def test_a_note_of_an_entry_that_is_still_there_is_met(log: Log) -> None:
    settings, database = log
    with database.connect() as connection:
        fourth = entries_of(connection)[3]

    good = verdict_of(settings, database, Mark(4, fourth.mac))
    bad = verdict_of(settings, database, Mark(4, "0" * 64))

    assert good.problem is None
    assert bad.problem is not None
    assert bad.problem.seq == 4
